"""Runs that are killed, doubled or lose a process: whole files, and the bytes of a quiet run."""

from __future__ import annotations

import csv
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from ecglens.batch import Step, predict_files
from ecglens.batch.folder import UNFINISHED
from ecglens.databases.synthetic import make_holter, make_patients
from ecglens.databases.wfdb_saving import save_wfdb
from tests.cli.collection import FS, files_in, write_record
from tests.signals_of import beats, fibrillation

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")

PROGRAM = "from ecglens.cli import main; main()"


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in files_in(folder)}


@pytest.fixture(scope="module")
def holter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An hour of a virtual patient, and two minutes beside it."""
    folder = tmp_path_factory.mktemp("holter")
    save_wfdb(make_holter(make_patients(1)[0], 1.0, fs=100), folder)
    write_record(folder, "short", np.concatenate([beats(60, FS), fibrillation(60, FS)]))
    return folder


class Runs:
    """The same command in fresh processes."""

    def __init__(self, holter: Path, model: Path) -> None:
        # A hop of 0.5 s makes 15 blocks of the hour.
        asked = ("predict", holter, "--model", model, "--hop-s", 0.5, "--jobs")
        self._words = [sys.executable, "-c", PROGRAM, *map(str, asked)]

    def start(self, out: Path, jobs: int = 1) -> subprocess.Popen[bytes]:
        words = [*self._words, str(jobs), "--out", str(out)]
        return subprocess.Popen(words, stdout=subprocess.DEVNULL, start_new_session=True)

    def finish(self, out: Path, jobs: int = 1) -> dict[str, bytes]:
        assert self.start(out, jobs).wait(600) == 0
        assert not (out / UNFINISHED).exists()
        return contents(out)

    def kill_at(self, out: Path, n_blocks: int, after_s: float, jobs: int = 1) -> None:
        """Kill all processes a little after so many blocks were judged."""
        process = self.start(out, jobs)
        judged = out / UNFINISHED / "judged"
        while process.poll() is None and len(list(judged.glob("*/*.json"))) < n_blocks:
            time.sleep(0.01)
        time.sleep(after_s)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="module")
def runs(holter: Path, model: Path) -> Runs:
    return Runs(holter, model)


@pytest.fixture(scope="module")
def whole(runs: Runs, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a run leaves that nobody disturbs."""
    found = runs.finish(tmp_path_factory.mktemp("whole"))
    assert {"records.csv", "short/summary.json"} <= found.keys()
    return found


def assert_what_is_there_is_whole(out: Path, whole: dict[str, bytes]) -> None:
    for name, data in contents(out).items():
        if not name.startswith(UNFINISHED):
            assert whole[name] == data, name


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_at_random_moments(
    runs: Runs, whole: dict[str, bytes], tmp_path: Path, jobs: int
) -> None:
    out, rng = tmp_path / "out", random.Random(jobs)
    for n_blocks in (0, 1, 7, 15):
        runs.kill_at(out, n_blocks, rng.uniform(0, 0.3), jobs)
        assert_what_is_there_is_whole(out, whole)
    assert runs.finish(out, jobs) == whole


@pytest.mark.slow
def test_killed_once(runs: Runs, whole: dict[str, bytes], tmp_path: Path) -> None:
    out = tmp_path / "out"
    runs.kill_at(out, 3, 0.0)
    left = files_in(out / UNFINISHED)
    assert sum(name.startswith("judged/") and name.endswith(".json") for name in left) >= 3
    assert runs.finish(out) == whole


@pytest.mark.slow
def test_two_at_once(runs: Runs, whole: dict[str, bytes], tmp_path: Path) -> None:
    out = tmp_path / "out"
    both = [runs.start(out), runs.start(out, jobs=2)]
    assert [process.wait(600) for process in both] == [0, 0]
    assert contents(out) == whole


@pytest.mark.slow
def test_processes_change_no_byte(runs: Runs, whole: dict[str, bytes], tmp_path: Path) -> None:
    assert runs.finish(tmp_path, jobs=2) == whole


@pytest.mark.slow
def test_processes_end_when_the_first_is_killed(runs: Runs, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = runs.start(out, jobs=2)
    while not list((out / UNFINISHED / "judged").glob("*/*.json")):
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    end = time.monotonic() + 300
    while _members(process.pid) and time.monotonic() < end:
        time.sleep(0.1)
    assert _members(process.pid) == []


def _members(group: int) -> Sequence[str]:
    """Return the processes of a group."""
    done = subprocess.run(
        ["ps", "-eo", "pid=,pgid=,stat="], capture_output=True, text=True, check=True
    )
    lines = (line.split() for line in done.stdout.splitlines())
    return [pid for pid, pgid, stat in lines if int(pgid) == group and not stat.startswith("Z")]


@pytest.mark.slow
def test_a_process_that_dies_takes_no_other_recording_with_it(model: Path, tmp_path: Path) -> None:
    paths = [write_record(tmp_path / "in", f"r{i}", beats(60, FS, seed=i)) for i in range(4)]
    killed: list[str] = []

    def kill(step: Step) -> None:
        if not killed and step.n_windows:
            killed.append(step.name)
            for child in multiprocessing.active_children():
                child.kill()

    results = list(predict_files(model, paths, tmp_path / "out", jobs=2, progress=kill))
    failed = [result for result in results if result.status == "failed"]
    assert killed
    assert 1 <= len(failed) <= 2
    for result in failed:
        assert "ended with signal SIGKILL, as for want of memory; use fewer jobs" in str(
            result.error
        )
    with (tmp_path / "out" / "records.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == [
        "failed" if result.status == "failed" else "done" for result in results
    ]
