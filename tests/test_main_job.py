"""The job the program is for, from annotated records to episodes of a person it has never seen."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import ecglens.features.extraction
from ecglens.backbones.engine import Engine, Floats, make_engine
from ecglens.cli import main
from tests.cli.collection import FS, files_in, write_collection, write_record
from tests.signals_of import beats, fibrillation
from tests.tiny_onnx import make_tiny_onnx

PEOPLE = {f"s{i:02d}": ("N", "AFIB", "VF")[i % 3] for i in range(12)}
QUICK = ("--pca", "8", "--folds", "4", "--bootstrap", "20")


@pytest.fixture(autouse=True)
def workplace(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A folder with annotated records, a network and a person who is new, as current folder."""
    write_collection(tmp_path / "made", PEOPLE, 40.0)
    make_tiny_onnx(tmp_path / "tiny.onnx")
    signal = np.concatenate([beats(40, FS, seed=90), fibrillation(30, FS, seed=91),
                             beats(50, FS, seed=92)])  # fmt: skip
    write_record(tmp_path / "new", "patient", signal)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run the program; it must succeed and stay silent on stderr. Returns what it printed."""

    def run(line: str, *more: str) -> str:
        monkeypatch.setattr(sys, "argv", ["ecglens", *line.split(), *more])
        with pytest.raises(SystemExit) as stop:
            main()
        said = capsys.readouterr()
        assert stop.value.code == 0, said.err
        assert said.err == ""
        assert not {"\r", "\x1b"} & set(said.out)
        return said.out

    return run


class CountingEngine:
    """An engine that counts the images it has seen, and may be interrupted."""

    seen = 0
    stop_after: int | None = None

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.layers, self.precision = engine.layers, engine.precision
        self.batch_size = engine.batch_size

    def run(self, images: Floats) -> dict[str, Floats]:
        if self.stop_after is not None and CountingEngine.seen >= self.stop_after:
            raise KeyboardInterrupt
        CountingEngine.seen += len(images)
        return self._engine.run(images)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> type[CountingEngine]:
    def make(backbone: object, layers: Sequence[str], **settings: object) -> CountingEngine:
        return CountingEngine(make_engine(backbone, layers, **settings))  # type: ignore[arg-type]

    monkeypatch.setattr(CountingEngine, "seen", 0)
    monkeypatch.setattr(CountingEngine, "stop_after", None)
    monkeypatch.setattr(ecglens.features.extraction, "make_engine", make)
    return CountingEngine


def test_from_records_to_episodes(run, workplace: Path) -> None:
    run("windows made --out windows.npz")
    evaluated = run("evaluate windows.npz --backbone tiny.onnx --out evaluation", *QUICK)
    assert "pooled (leaks: one person's windows are on both sides)" in evaluated
    assert "subject-wise (no person is on both sides)" in evaluated
    run("layers windows.npz --backbone tiny.onnx --heads lda --out layers", *QUICK)
    run("train windows.npz --backbone tiny.onnx --out rhythm.ecglens", *QUICK)
    said = json.loads(run("predict new --model rhythm.ecglens --hop-s 5 --out episodes --json"))
    assert files_in(workplace / "episodes") == [
        "patient/episodes.csv", "patient/patient.rhythm", "patient/report.html",
        "patient/summary.json", "patient/windows.csv", "records.csv",
    ]  # fmt: skip
    assert not list(workplace.rglob("*.part"))
    with (workplace / "episodes" / "patient" / "episodes.csv").open(newline="") as file:
        episodes = list(csv.DictReader(file))
    assert len(episodes) == len(said["records"][0]["episodes"])
    found = [(float(e["start_s"]), float(e["end_s"])) for e in episodes if e["label"] == "VF"]
    # VF was planted from 40 to 70 s; windows of 10 s place its ends within one window.
    assert len(found) == 1
    start, end = found[0]
    assert abs(start - 40) <= 10
    assert abs(end - 70) <= 10
    assert said["records"][0]["summary"]["notes"] == []


def test_people_seen_in_training_are_named(run) -> None:
    run("train made --backbone tiny.onnx --no-evaluate --exclude s00 --out m.ecglens", *QUICK)
    assert "note: subject made-s01 was in training" in run("predict made/s01 --model m.ecglens")
    assert "note" not in run("predict made/s00 --model m.ecglens")


def test_the_same_command_gives_the_same_bytes(run, workplace: Path) -> None:
    for turn in ("a", "b"):
        asked = f"train made --backbone tiny.onnx --cache cache-{turn} --out m.ecglens"
        run(asked, *QUICK)
        run(f"predict new --model m.ecglens --out {turn}")
        shutil.copy(workplace / "m.ecglens", workplace / turn)
    assert files_in(workplace / "a") == files_in(workplace / "b")
    for name in files_in(workplace / "a"):
        assert (workplace / "a" / name).read_bytes() == (workplace / "b" / name).read_bytes()


def test_a_second_run_needs_no_network(run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = "evaluate made --backbone tiny.onnx --json"
    first = run(asked, *QUICK)

    def fail(*_: object, **__: object) -> None:
        pytest.fail("features were computed again")

    monkeypatch.setattr(ecglens.features.extraction, "make_engine", fail)
    assert run(asked, *QUICK) == first
    # Other windows, other heads and other folds share what is there.
    run("train made --backbone tiny.onnx --no-evaluate --head lda --out m.ecglens", "--pca", "0")


def test_one_more_layer_computes_one_more_layer(run, counted: type[CountingEngine]) -> None:
    asked = "features made --backbone tiny.onnx --pooling mean --out f.npz --layers "
    run(asked + "stage1")
    assert counted.seen == 48
    run(asked + "stage1")
    assert counted.seen == 48
    run(asked + "stage1,stage2")
    assert counted.seen == 96


def test_a_killed_run_goes_on_where_it_stopped(
    run,
    counted: type[CountingEngine],
    workplace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(ecglens.features.extraction, "BLOCK", 16)
    run("features made --backbone tiny.onnx --cache other --out whole.npz")
    assert counted.seen == 48
    counted.seen, counted.stop_after = 0, 32
    with pytest.raises(AssertionError, match="interrupted"):
        run("features made --backbone tiny.onnx --out resumed.npz")
    assert not (workplace / "resumed.npz").exists()
    counted.stop_after = None
    run("features made --backbone tiny.onnx --out resumed.npz")
    assert counted.seen == 48, "two blocks before the stop, one after"
    with np.load("whole.npz") as whole, np.load("resumed.npz") as resumed:
        for name in whole.files:
            np.testing.assert_array_equal(whole[name], resumed[name])


def test_settings_in_a_file_do_the_same(run, workplace: Path) -> None:
    (workplace / "ecglens.toml").write_text(
        'backbone = "tiny.onnx"\npca = 8\n[train]\nfolds = 4\nbootstrap = 20\nout = "b.ecglens"\n'
        '[predict]\nmodel = "b.ecglens"\n'
    )
    run("train made --backbone tiny.onnx --out a.ecglens", *QUICK)
    run("train made --config ecglens.toml")
    assert (workplace / "a.ecglens").read_bytes() == (workplace / "b.ecglens").read_bytes()


def test_shuffled_labels_leave_nothing_to_learn(run) -> None:
    asked = "evaluate made --backbone tiny.onnx --head lda --json --shuffle-labels --random-state "
    scores = []
    for seed in "123":
        said = json.loads(run(asked + seed, *QUICK))
        scores += [result["accuracy"]["value"] for result in said["results"].values()]
    # Six times 48 guesses at three equal classes; the six share windows, so they count as three.
    assert abs(np.mean(scores) - 1 / 3) < 4 * np.sqrt(1 / 3 * 2 / 3 / (3 * 48))
