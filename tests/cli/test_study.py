"""``ecglens study``: from windows to a figure, again for nothing, and on after a kill."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import typer.main

from ecglens.cli.app import make_app
from tests.cli.collection import Program, files_in

RESULTS = ["cells.jsonl", "report.html", "study.csv", "study.json", "study.png", "study.svg"]
FEW = ("--folds", 2, "--bootstrap", 20, "--windows-per-subject", 3)
CURVE = ("--levels", "1,2", "--draws", 2, "--learners", "backbone,handmade")
STUDIES = ("learning-curve", "databases", "stress")
PROGRAM = "from ecglens.cli import main; main()"


@pytest.fixture(scope="session")
def two_databases(windows: Path, folder: Path) -> Path:
    """The collection's windows, every other person in another database."""
    with np.load(windows) as archive:
        arrays = {name: archive[name] for name in archive.files}
    number = np.unique(arrays["subjects"], return_inverse=True)[1] // 3
    arrays["databases"] = np.where(number % 2 == 0, "even", "odd")
    np.savez(folder / "two.npz", **arrays)
    return folder / "two.npz"


def words_of(study: str, source: Path, network: tuple[str, ...], out: Path) -> list[object]:
    more = CURVE if study == "learning-curve" else ()
    return ["study", study, source, *network, *FEW, *more, "--out", out]


class TestHelp:
    def test_the_studies(self, ecglens: Program) -> None:
        done = ecglens("study", "--help")
        assert done.code == 0
        for name in STUDIES:
            assert name in done.out

    @pytest.mark.parametrize("study", STUDIES)
    def test_one_study(self, ecglens: Program, study: str) -> None:
        done = ecglens("study", study, "--help")
        assert done.code == 0
        assert f"Example: ecglens study {study}" in done.out
        group = typer.main.get_command(make_app()).commands["study"]  # type: ignore[attr-defined]
        for parameter in group.commands[study].params:
            assert getattr(parameter, "help", None), parameter.name


class TestErrors:
    def test_levels_that_are_no_numbers(
        self, ecglens: Program, windows: Path, tmp_path: Path
    ) -> None:
        done = ecglens("study", "learning-curve", windows, "--levels", "1,two", "--out", tmp_path)
        assert done.code == 2
        assert done.error.startswith("--levels '1,two' must be whole numbers with commas")

    def test_a_file_of_something_else(self, ecglens: Program, tmp_path: Path) -> None:
        (tmp_path / "w.npz").write_text("nothing")
        done = ecglens("study", "stress", tmp_path / "w.npz", "--out", tmp_path)
        assert done.code == 4
        assert "is not a windows file of ecglens" in done.error

    def test_one_database(
        self, ecglens: Program, windows: Path, network: tuple[str, ...], tmp_path: Path
    ) -> None:
        done = ecglens(*words_of("databases", windows, network, tmp_path))
        assert done.code == 5
        assert done.error.startswith("no class is in two databases or more")

    def test_a_model_that_knows_the_people(
        self, ecglens: Program, windows: Path, model: Path, tmp_path: Path
    ) -> None:
        done = ecglens("study", "stress", windows, "--model", model, "--out", tmp_path)
        assert done.code == 5
        assert "was trained on 12 of the people of the windows" in done.error

    @pytest.mark.parametrize(
        ("words", "named"),
        [
            (("--recipe", "fusion"), "--recipe"),
            (("--layers", "b", "--cache", "c", "--folds", 3), "--folds, --layers, --cache"),
        ],
    )
    def test_options_of_training_beside_a_model(
        self, ecglens: Program, windows: Path, tmp_path: Path, words: tuple[str, ...], named: str
    ) -> None:
        out = tmp_path / "out"
        done = ecglens("study", "stress", windows, "--model", "rhythm4", *words, "--out", out)
        assert done.code == 2
        assert f"is trained already, so {named} would have no effect; leave out" in done.error

    def test_an_engine_beside_a_model_is_the_models(
        self, ecglens: Program, windows: Path, tmp_path: Path
    ) -> None:
        words = ("--model", "rhythm4", "--device", "cuda", "--out", tmp_path)
        assert "'cuda'" in ecglens("study", "stress", windows, *words).error

    @pytest.mark.parametrize("study", STUDIES)
    def test_a_name_mistyped_leaves_no_folder(
        self, ecglens: Program, tmp_path: Path, study: str
    ) -> None:
        done = ecglens("study", study, tmp_path / "windos.npz", "--out", tmp_path / "out")
        assert done.code == 4
        assert done.error.startswith("no such windows file")
        assert not list(tmp_path.iterdir())

    def test_a_config_of_the_group(self, ecglens: Program, windows: Path, tmp_path: Path) -> None:
        config = tmp_path / "c.toml"
        config.write_text('[study.learning-curve]\nlevels = "1,two"\n[evaluate]\nfolds = 3\n')
        words = ("study", "learning-curve", windows, "--out", tmp_path, "--config", config)
        assert "--levels '1,two' must be" in ecglens(*words).error
        config.write_text('[study.learning-curve]\nlevel = "1"\n')
        assert "'level' is no option of 'study learning-curve'" in ecglens(*words).error


def test_a_learning_curve(
    ecglens: Program, windows: Path, network: tuple[str, ...], tmp_path: Path
) -> None:
    words = words_of("learning-curve", windows, network, tmp_path / "out")
    done = ecglens(*words)
    assert done.code == 0, done.err
    assert files_in(tmp_path / "out") == RESULTS
    assert "people of each class" in done.out
    first = {name: (tmp_path / "out" / name).read_bytes() for name in RESULTS}
    again = ecglens(*words, "--json")
    assert again.json["study"] == "learning-curve"
    assert {name: (tmp_path / "out" / name).read_bytes() for name in RESULTS} == first
    with (tmp_path / "out" / "study.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["learner"] for row in rows[:: len(rows) // 2]] == ["backbone", "handmade"]
    assert json.loads(first["study.json"])["rows"][0]["score"] == "macro_f1"
    page = first["report.html"].decode()
    assert "How many people does it take to learn?" in page
    assert "<svg" in page
    assert "not a medical device" in page


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
@pytest.mark.parametrize("study", STUDIES)
def test_killed_and_run_again(
    two_databases: Path, network: tuple[str, ...], tmp_path: Path, study: str
) -> None:
    """What a killed run had computed is there, and the results are those of a quiet run."""

    def start(out: Path) -> subprocess.Popen[bytes]:
        words = [str(word) for word in words_of(study, two_databases, network, out)]
        return subprocess.Popen([sys.executable, "-c", PROGRAM, *words], stdout=subprocess.DEVNULL)

    quiet, killed = tmp_path / "quiet", tmp_path / "killed"
    assert start(quiet).wait(600) == 0
    assert files_in(quiet) == RESULTS
    process, cells = start(killed), killed / "cells.jsonl"
    while process.poll() is None and not cells.exists():
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert files_in(killed) == ["cells.jsonl"]
    held = len(cells.read_bytes().splitlines())
    whole = len((quiet / "cells.jsonl").read_bytes().splitlines())
    assert held < whole
    assert start(killed).wait(600) == 0
    for name in RESULTS:
        if name != "cells.jsonl":
            assert (killed / name).read_bytes() == (quiet / name).read_bytes(), name


@pytest.mark.slow
def test_a_saved_model_under_stress(
    ecglens: Program, collection: Path, network: tuple[str, ...], tmp_path: Path
) -> None:
    known = [name for i in range(9, 12) for name in ("--exclude", f"s{i:02d}")]
    others = [name for i in range(9) for name in ("--exclude", f"s{i:02d}")]
    model, windows = tmp_path / "m.ecglens", tmp_path / "w.npz"
    ecglens("train", collection, *network, *known, "--pca", 8, "--no-evaluate", "--out", model)
    assert ecglens("windows", collection, *others, "--out", windows).code == 0
    out = tmp_path / "out"
    words = ("--model", model, "--kinds", "gain", "--bootstrap", 10)
    done = ecglens("study", "stress", windows, *words, "--out", out)
    assert done.code == 0, done.err
    assert files_in(out) == RESULTS
    assert "m.ecglens has macro-F1" in done.out
