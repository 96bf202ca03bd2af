"""A small collection, a tiny network, a trained model and the program, for all tests of verbs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from ecglens.cli.app import main, make_app
from tests.cli.collection import N_PEOPLE, RHYTHMS, Outcome, Program, write_collection
from tests.tiny_onnx import make_tiny_onnx


class _MadeOnce:
    """The program with all its verbs, as :func:`main` runs it."""

    def __init__(self) -> None:
        self._command = typer.main.get_command(make_app())

    def __call__(self, **options: Any) -> Any:
        return self._command(**options)


@pytest.fixture(scope="session")
def _program() -> _MadeOnce:
    """Make the program once: it takes a tenth of a second, and tests run it a thousand times."""
    return _MadeOnce()


@pytest.fixture(scope="module", autouse=True)
def _made_once(_program: _MadeOnce) -> Iterator[None]:
    """Take the program that is made, in the files of this folder alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ecglens.cli.app.make_app", lambda: _program)
        yield


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="session")
def collection(folder: Path) -> Path:
    """Twelve people, one record each: four of N, of AFIB and of VF."""
    people = {f"s{i:02d}": RHYTHMS[i % len(RHYTHMS)] for i in range(N_PEOPLE)}
    return write_collection(folder / "made", people)


@pytest.fixture(scope="session")
def tiny(folder: Path) -> Path:
    """An ONNX network of three layers."""
    return make_tiny_onnx(folder / "tiny.onnx")


def _invoke(*words: object) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "200")
        result = CliRunner().invoke(make_app(), [str(word) for word in words])
    assert result.exit_code == 0, result.output
    assert result.exception is None


@pytest.fixture(scope="session")
def windows(collection: Path, folder: Path) -> Path:
    """Windows of the collection: 24 of each class."""
    _invoke("windows", collection, "--out", folder / "windows.npz")
    return folder / "windows.npz"


@pytest.fixture(scope="session")
def network(tiny: Path, folder: Path) -> tuple[str, ...]:
    """Options for the tiny network, with a cache that lasts as long as the session."""
    return ("--backbone", str(tiny), "--cache", str(folder / "features"))


@pytest.fixture(scope="session")
def model(windows: Path, network: tuple[str, ...], folder: Path) -> Path:
    """A model of the collection, not evaluated."""
    out = folder / "rhythm.ecglens"
    _invoke("train", windows, *network, "--pca", 8, "--no-evaluate", "--out", out)
    return out


@pytest.fixture
def ecglens(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Program:
    return run_program(monkeypatch, capsys)


def run_program(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Program:
    """Return what runs the program as the console script does, in this process."""

    def run(*words: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["ecglens", *(str(word) for word in words)])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
        said = capsys.readouterr()
        return Outcome(code, said.out, said.err)

    return run
