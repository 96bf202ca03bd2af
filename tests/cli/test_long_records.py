"""Recordings of many hours: memory is that of an hour."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from ecglens.prediction import predict_record
from ecglens.readers import open_record
from tests.signals_of import beats, fibrillation
from tests.test_prediction import MODEL

FS = 250
PROGRAM = """
import resource, sys
from ecglens.cli import main
try:
    main()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


def write_hours(folder: Path, hours: int) -> Path:
    """Write a record of format 16 that repeats ten minutes, the last of them fibrillation."""
    minutes = np.concatenate([beats(540, FS), fibrillation(60, FS)])
    counts = np.round(1000 * minutes).astype("<i2").tobytes()
    path = folder / f"h{hours}.hea"
    with path.with_suffix(".dat").open("wb") as file:
        for _ in range(6 * hours):
            file.write(counts)
    n_samples = hours * 3600 * FS
    path.write_text(f"h{hours} 1 {FS} {n_samples}\nh{hours}.dat 16 1000/mV 16 0 0 0 0 II\n")
    return path


def peak_mb(path: Path) -> float:
    """Return the most memory that Python and NumPy held while a record was judged."""
    tracemalloc.start()
    try:
        timeline = predict_record(MODEL, open_record(path))
        assert len(timeline.labels) == timeline.duration_s // 10
        assert timeline.labels.tolist().count("VF") == timeline.duration_s // 100
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_judging_twelve_hours_takes_the_memory_of_two(tmp_path: Path) -> None:
    short, long = (write_hours(tmp_path, hours) for hours in (2, 12))
    predict_record(MODEL, open_record(short))  # what is imported is not counted
    few, many = peak_mb(short), peak_mb(long)
    # Twelve hours are 43 MB of float32, and their windows 17 MB; a timeline has 1 MB a day.
    assert many < few + 3


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems count memory in other units")
def test_the_program_takes_the_memory_of_an_hour(model: Path, tmp_path: Path) -> None:
    peaks_mb = {}
    for hours in (1, 6):
        path, out = write_hours(tmp_path, hours), tmp_path / f"out{hours}"
        words = ["predict", path, "--model", model, "--hop-s", 5, "--out", out]
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *map(str, words)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        peaks_mb[hours] = int(done.stderr.split()[-1]) / 1024
        with (out / f"h{hours}" / "windows.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == hours * 720 - 1
        summary = json.loads((out / f"h{hours}" / "summary.json").read_text())
        assert summary["share"]["VF"] == pytest.approx(0.1, abs=0.03)
    assert peaks_mb[6] < peaks_mb[1] + 60, peaks_mb
