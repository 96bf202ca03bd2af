"""How time and memory grow with the length of a recording: each length in a process of its own.

    python benchmarks/speed_growth.py MODEL.ecglens RECORD.hea

prints, as JSON, the seconds from opening the recording to its timeline and the peak memory.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ecglens.databases.synthetic import make_holter, make_patients
from ecglens.errors import EcglensError

FS = 250
MOST_REFUSED = 0.1
_HEADER = "{name} 1 {fs} {n_samples}\n{name}.dat 16 1000(0)/mV 16 0 0 0 0 II\n"


def write_record(folder: Path, hours: float) -> Path:
    """Write a WFDB record of one lead of a virtual patient and return the path of its header.

    One hour is drawn and repeated. It must pass for an ECG: what is refused for its signal costs
    nothing.
    """
    patient = make_patients(1, random_state=0)[0]
    drawn = make_holter(patient, 1.0, fs=FS, leads=("II",), random_state=0).signal
    hour = np.round(1000 * np.nan_to_num(drawn[0])).astype("<i2").tobytes()
    n_samples = round(hours * 3600 * FS)
    left = 2 * n_samples
    with (folder / "long.dat").open("wb") as file:
        while left > 0:
            left -= file.write(hour[:left])
    header = folder / "long.hea"
    header.write_text(_HEADER.format(name="long", fs=FS, n_samples=n_samples), encoding="ascii")
    return header


def measure_growth(model: Path, hours: Sequence[float], folder: Path) -> list[dict[str, Any]]:
    """Return hours, windows, seconds and peak memory in MB of a prediction of each length.

    Raises:
        EcglensError: a process failed.
    """
    rows = []
    for length in hours:
        print(f"{length:g} h", file=sys.stderr)
        place = folder / f"{length:g}h"
        place.mkdir()
        command = [sys.executable, __file__, str(model), str(write_record(place, length))]
        done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise EcglensError(f"{length:g} h of ECG could not be judged: {reason}")
        row = {"hours": length, **json.loads(done.stdout)}
        if row.pop("refused") > MOST_REFUSED * row["windows"]:
            raise EcglensError(f"{length:g} h of ECG were mostly refused, so nothing was timed")
        rows.append(row)
        shutil.rmtree(place)
    return rows


def peak_mb() -> float | None:
    """Return the most memory that this process held, or None where nobody counts it."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux; its getrusage counts the parent's memory too
        held = status.read_text(encoding="ascii").partition("VmHWM:")[2].split()[0]
        return int(held) * 1024 / 1e6
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # macOS: in bytes


def predict(model_path: str, record_path: str) -> dict[str, Any]:
    """Judge one record as ``ecglens predict`` does."""
    import ecglens

    model = ecglens.load_model(model_path)
    start = time.perf_counter()
    timeline = ecglens.predict_record(model, ecglens.open_record(record_path))
    seconds = time.perf_counter() - start
    return {
        "windows": len(timeline.labels),
        "refused": int((timeline.labels == "unreadable").sum()),
        "seconds": seconds,
        "peak_mb": peak_mb(),
    }


if __name__ == "__main__":
    print(json.dumps(predict(sys.argv[1], sys.argv[2])))
