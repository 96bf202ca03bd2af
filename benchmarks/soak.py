"""Soak: a thousand recordings in one folder, one in fifty bad, judged by one command.

    python benchmarks/soak.py --recordings 1000 --json soak.json

Recordings of virtual patients are written as WFDB, EDF, CSV, NPZ and MATLAB files; each file holds
a stretch of its own, so no two are alike. One in fifty is damaged, each in another way. While
``ecglens predict`` works with two jobs, memory, open files, threads and time of its processes are
looked at every second. Afterwards memory over the files done is fitted by a line, the time of the
last files is set against that of the first, and each recording's row is held against what it must
say.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import numpy.typing as npt
import scipy.io

from ecglens.backbones import load_backbone
from ecglens.batch.names import RECORDS_TABLE
from ecglens.databases.synthetic import make_records
from ecglens.databases.wfdb_saving import save_wfdb
from ecglens.errors import EcglensError
from ecglens.files import make_folder, write_json
from ecglens.labels import load_label_map
from ecglens.models import save_model, train_model
from ecglens.recipes import find_recipe
from ecglens.records import Lead, Record
from ecglens.windows import make_windows
from fork_server import cpu_seconds

PROGRAM = "from ecglens.cli import main; main()"
ONE_IN = 50
FS = 125.0
_FIRST_PART = 0.1
"""Share of the files during which libraries still take memory for the first time."""


def stretches(n: int, seconds: float, seed: int) -> Iterator[npt.NDArray[np.float32]]:
    """Yield signals in mV, each of another time or patient."""
    n_samples = round(seconds * FS)
    step = round(2.5 * FS)
    made = make_records(n // 100 + 1, fs=FS, minutes=12.0, random_state=seed)
    count = 0
    for record in made:
        for start in range(0, record.n_samples - n_samples, step):
            yield record.signal[:, start : start + n_samples]
            count += 1
            if count == n:
                return
            if count % 100 == 0:  # then another patient
                break


def write_wfdb(path: Path, signal: npt.NDArray[np.float32]) -> Path:
    """Write a record of WFDB and return its header."""
    record = Record(
        signal=signal,
        fs=FS,
        leads=(Lead("II"),),
        record_id=path.name,
        subject_id=path.name,
        database="soak",
    )
    return save_wfdb(record, path.parent)


def write_edf(path: Path, signal: npt.NDArray[np.float32]) -> Path:
    """Write an EDF file."""
    limit = float(np.ceil(np.abs(signal).max()))
    lead = edfio.EdfSignal(
        signal[0].astype(np.float64), FS, label="ECG II", physical_dimension="mV",
        physical_range=(-limit, limit),
    )  # fmt: skip
    edfio.Edf([lead]).write(path.with_suffix(".edf"))
    return path.with_suffix(".edf")


def write_csv(path: Path, signal: npt.NDArray[np.float32]) -> Path:
    """Write a table with a column of time."""
    rows = (f"{i / FS:.3f},{value:.4f}\n" for i, value in enumerate(signal[0].tolist()))
    path.with_suffix(".csv").write_text("time_s,II\n" + "".join(rows), encoding="utf-8")
    return path.with_suffix(".csv")


def write_npz(path: Path, signal: npt.NDArray[np.float32]) -> Path:
    """Write NumPy arrays."""
    np.savez(path.with_suffix(".npz"), signal=signal, fs=FS)
    return path.with_suffix(".npz")


def write_mat(path: Path, signal: npt.NDArray[np.float32]) -> Path:
    """Write a MATLAB file."""
    scipy.io.savemat(path.with_suffix(".mat"), {"signal": signal, "fs": FS})
    return path.with_suffix(".mat")


WRITERS: Sequence[Callable[[Path, npt.NDArray[np.float32]], Path]] = (
    write_wfdb,
    write_edf,
    write_csv,
    write_npz,
    write_mat,
)


def spoil(path: Path, kind: int) -> None:
    """Damage a recording so that it must be refused."""
    if kind % 4 == 0:
        path.write_bytes(b"")
    elif kind % 4 == 1:
        path.write_bytes(path.read_bytes()[:10])
    elif kind % 4 == 2:
        path.write_bytes(b"\xff\x00nothing of an ECG\n" * 40)
    else:
        path.write_bytes(bytes(range(256)) * 16)


def write_recordings(folder: Path, n: int, seconds: float, seed: int) -> dict[str, bool]:
    """Write recordings; return for each path whether it is good."""
    good: dict[str, bool] = {}
    for number, signal in enumerate(stretches(n, seconds, seed)):
        writer = WRITERS[number % len(WRITERS)]
        path = writer(folder / f"r{number:04d}", signal)
        bad = number % ONE_IN == ONE_IN - 1 - (number // ONE_IN) % len(WRITERS)
        if bad:
            spoil(path, number // ONE_IN)
        good[str(path)] = not bad
    return good


def make_model(path: Path, n_patients: int, seed: int) -> None:
    """Train on virtual patients as the demo does."""
    recipe = find_recipe("default")
    network = load_backbone("ecglens-s", image_size=(recipe.image.height, recipe.image.width))
    records: Iterator[Record] = make_records(n_patients, random_state=seed + 1)
    windows = make_windows(records, load_label_map("rhythm4"))
    recipe = replace(recipe.fit_to(network), pca=32, head="logistic", head_params={})
    save_model(train_model(windows, recipe, network, random_state=seed), path)


class Watch:
    """Memory, open files, threads and CPU time of a process and its children; Linux tells.

    Args:
        pid: of the process.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def look(self) -> dict[str, float]:
        """Return the sums over all processes now; memory in MB of 10^6 bytes."""
        seen = [self._one(pid) for pid in [self._pid, *self._children()]]
        found = [each for each in seen if each is not None]
        names = ("mb", "files", "threads", "cpu_s")
        return {name: sum(each[name] for each in found) for name in names}

    def _children(self) -> list[int]:
        try:
            tasks = Path(f"/proc/{self._pid}/task")
            texts = [(task / "children").read_text(encoding="ascii") for task in tasks.iterdir()]
        except OSError:
            return []
        return [int(word) for text in texts for word in text.split()]

    def _one(self, pid: int) -> dict[str, float] | None:
        place = Path(f"/proc/{pid}")
        try:
            status = (place / "status").read_text(encoding="ascii", errors="replace")
            files = len(list((place / "fd").iterdir()))
            cpu_s = cpu_seconds(pid)
        except OSError:
            return None
        words = {line.partition(":")[0]: line.split()[1:] for line in status.splitlines()}
        if "VmRSS" not in words:
            return None
        return {
            "mb": int(words["VmRSS"][0]) * 1024 / 1e6,
            "files": files,
            "threads": int(words["Threads"][0]),
            "cpu_s": cpu_s,
        }


def run(model: Path, recordings: Sequence[str], out: Path, jobs: int) -> dict[str, Any]:
    """Judge all recordings, and return what was seen meanwhile.

    Returns:
        ``code``; ``samples``, each with seconds, files done, memory, open files, threads and
        seconds of the processor.
    """
    words = ["predict", *recordings, "--model", str(model), "--out", str(out)]
    with out.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", PROGRAM, *words, "--explained", "0", "--jobs", str(jobs)],
            stdout=log, stderr=log,
        )  # fmt: skip
        watch, began = Watch(process.pid), time.monotonic()
        samples: list[dict[str, float]] = []
        while process.poll() is None:
            done = out.with_suffix(".log").read_bytes().count(b"\n")
            samples.append({"seconds": time.monotonic() - began, "done": done, **watch.look()})
            time.sleep(1.0)
    return {"code": process.returncode, "samples": samples}


def judge(samples: Sequence[Mapping[str, float]], n: int) -> dict[str, Any]:
    """Return how memory, open files, threads and time per file went.

    Other users of the machine stretch the time by the clock, not that of the processor.
    """
    settled = [s for s in samples if _FIRST_PART * n <= s["done"] < n]
    done = np.array([s["done"] for s in settled])
    mb = np.array([s["mb"] for s in settled])
    tenth = n // 10
    return {
        "mb_first": float(mb[0]),
        "mb_last": float(mb[-1]),
        "mb_most": max(s["mb"] for s in samples),
        "mb_per_100_files": float(100 * np.polyfit(done, mb, 1)[0]),
        "open_files": [min(s["files"] for s in settled), max(s["files"] for s in settled)],
        "threads": [min(s["threads"] for s in settled), max(s["threads"] for s in settled)],
        "s_per_file_first": _pace(samples, tenth, 2 * tenth),
        "s_per_file_last": _pace(samples, n - 2 * tenth, n - tenth),
        "cpu_s_per_file_first": _pace(samples, tenth, 2 * tenth, "cpu_s"),
        "cpu_s_per_file_last": _pace(samples, n - 2 * tenth, n - tenth, "cpu_s"),
        "seconds": samples[-1]["seconds"],
    }


def _pace(
    samples: Sequence[Mapping[str, float]], start: int, stop: int, clock: str = "seconds"
) -> float:
    """Return the seconds per file from one number of files done to another."""
    times = [np.interp(n, *_done_and_times(samples, clock)) for n in (start, stop)]
    return float((times[1] - times[0]) / (stop - start))


def _done_and_times(
    samples: Sequence[Mapping[str, float]], clock: str
) -> tuple[list[float], list[float]]:
    """Return when each number of files was first seen."""
    first: dict[float, float] = {}
    for sample in samples:
        first.setdefault(sample["done"], sample[clock])
    return list(first), list(first.values())


def check(out: Path, good: Mapping[str, bool]) -> dict[str, int]:
    """Return how many rows of the table of records are as they must be, and how many are not."""
    with (out / RECORDS_TABLE).open(newline="", encoding="utf-8") as file:
        rows = {row["path"]: row for row in csv.DictReader(file)}
    right = [path for path, fine in good.items() if _is_right(rows.get(path), out, fine)]
    return {
        "good": sum(good.values()),
        "bad": sum(not fine for fine in good.values()),
        "right_rows": len(right),
        "wrong_rows": len(good) - len(right),
        "rows_too_much": len(rows.keys() - good.keys()),
    }


def _is_right(row: Mapping[str, str] | None, out: Path, fine: bool) -> bool:
    if row is None:
        return False
    if fine:
        return row["status"] == "done" and (out / row["name"] / "summary.json").is_file()
    return row["status"] == "failed" and bool(row["message"])


def measure(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return all figures, JSON-ready."""
    recordings = make_folder(folder / "recordings")
    good = write_recordings(recordings, args.recordings, args.seconds, args.seed)
    model = folder / "soak.ecglens"
    make_model(model, args.patients, args.seed)
    seen = run(model, list(good), folder / "out", args.jobs)
    if seen["code"] not in (0, 9):
        said = (folder / "out.log").read_text(encoding="utf-8", errors="replace")
        raise EcglensError(f"ecglens predict ended with exit code {seen['code']}: {said[-2000:]}")
    figures = {**judge(seen["samples"], len(good)), **check(folder / "out", good)}
    return {"recordings": len(good), "jobs": args.jobs, "code": seen["code"], **figures}


def format_report(found: Mapping[str, Any]) -> str:
    """Return the figures as a table."""
    rows = {
        "recordings, of them bad": f"{found['recordings']}, {found['bad']}",
        "rows that say what they must": f"{found['right_rows']} of {found['recordings']}",
        "memory after a tenth, at the end, most (MB, all processes)": (
            f"{found['mb_first']:.0f}, {found['mb_last']:.0f}, {found['mb_most']:.0f}"
        ),
        "growth (MB per 100 files)": f"{found['mb_per_100_files']:.2f}",
        "open files, least and most": "{:.0f}, {:.0f}".format(*found["open_files"]),
        "threads, least and most": "{:.0f}, {:.0f}".format(*found["threads"]),
        "seconds per file in the second tenth, in the last but one": (
            f"{found['s_per_file_first']:.3f}, {found['s_per_file_last']:.3f}"
        ),
        "of the processor": (
            f"{found['cpu_s_per_file_first']:.3f}, {found['cpu_s_per_file_last']:.3f}"
        ),
        "seconds in all": f"{found['seconds']:.0f}",
    }
    return "| what | |\n|---|---|\n" + "".join(f"| {k} | {v} |\n" for k, v in rows.items())


def main() -> int:
    """Print the table; the exit code says whether every recording's row is right."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--recordings", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of each")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--patients", type=int, default=12, help="to learn from")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="file for the figures")
    args = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as name:
            found = measure(args, Path(name))
        if args.json is not None:
            write_json(args.json, found)
    except EcglensError as error:
        print(f"soak: error: {error}", file=sys.stderr)
        return error.exit_code
    print(format_report(found), end="")
    return 0 if found["wrong_rows"] == found["rows_too_much"] == 0 else 1


if __name__ == "__main__":
    raise SystemExit(main())
