"""The benchmark of whole records, on twelve small virtual ones."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.collection import FS, write_collection, write_record
from tests.signals_of import beats
from tests.tiny_onnx import make_tiny_onnx

Run = Callable[..., int]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The benchmark in this process, with a network of three layers."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
    import recordings

    network = make_tiny_onnx(tmp_path / "tiny.onnx")

    def run(*words: str | Path) -> int:
        options = ("--backbone", network, "--pca", "0", "--folds", "2", "--cache", tmp_path / "f")
        monkeypatch.setattr(sys, "argv", ["recordings.py", *map(str, (*words, *options))])
        return recordings.main()

    return run


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Six people of N, six of VF and one of bigeminy, which is of no class, a minute each."""
    people = {f"n{i}": "N" for i in range(6)} | {f"v{i}": "VF" for i in range(6)}
    folder = write_collection(tmp_path / "made", people)
    write_record(folder, "b0", beats(60, FS, seed=9), [(0.0, "B")])
    return folder


def test_records_of_people_left_out_are_scored_and_kept(
    run: Run, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (made, "--work", tmp_path / "work")
    assert run(*words, "--json", tmp_path / "said.json") == 0
    printed = capsys.readouterr().out
    assert "13 records of 13 people" in printed
    said = json.loads((tmp_path / "said.json").read_text())
    hours = {row["rhythm"]: row["hours"] for row in said["rhythms"]}
    assert hours == {"N": pytest.approx(0.1), "VF": pytest.approx(0.1), "B": pytest.approx(1 / 60)}
    for row in said["rhythms"]:
        shares = [v for k, v in row.items() if k not in ("database", "rhythm", "hours")]
        assert sum(shares) == pytest.approx(1)
    # Bumps against a sine: even three random layers tell people they have not seen apart.
    for label in ("N", "VF"):
        assert said["classes"][label]["claimed"]["gross"]["duration_sensitivity"] > 0.9
    # What is lost is predicted again, what is there is not.
    (folder,) = (tmp_path / "work").iterdir()
    tables = sorted(folder.iterdir())
    assert len(tables) == 13
    written = {path: path.stat().st_mtime_ns for path in tables}
    lost, text = tables[0], tables[0].read_text()
    lost.unlink()
    assert run(*words) == 0
    assert capsys.readouterr().out == printed
    assert lost.read_text() == text
    assert all(path.stat().st_mtime_ns == written[path] for path in tables[1:])


def test_a_class_of_one_person_cannot_be_left_out(
    run: Run, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in made.glob("v[1-5].*"):
        path.unlink()
    assert run(made) == 5
    assert "nobody else has VF; use fewer folds or add records" in capsys.readouterr().err


def test_two_records_of_one_name_are_refused(
    run: Run, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_collection(tmp_path / "other", {"n0": "N"})
    assert run(made, tmp_path / "other") == 5
    assert "records n0 are in two folders" in capsys.readouterr().err
