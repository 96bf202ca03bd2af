"""``ecglens predict`` and ``explain`` without --model: the model that comes with the package."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import edfio
import numpy as np
import pytest

from ecglens.databases.synthetic import make_records
from ecglens.models import load_model
from ecglens.prediction import predict_record
from ecglens.readers import read_record
from ecglens.records import Record
from tests.cli.collection import Program

SAID = "ecglens: judged by rhythm4, which comes with ecglens; research use only\n"


@pytest.fixture(scope="module")
def virtual() -> Record:
    """Two minutes of a virtual patient."""
    return next(iter(make_records(1, random_state=1, minutes=2.0)))


@pytest.fixture
def edf(virtual: Record, tmp_path: Path) -> Path:
    path = tmp_path / "my.edf"
    signal = edfio.EdfSignal(
        virtual.signal[0].astype(np.float64),
        virtual.fs,
        label="ECG II",
        physical_dimension="mV",
        physical_range=(-5.0, 5.0),
    )
    edfio.Edf([signal]).write(path)
    return path


@pytest.fixture
def table(virtual: Record, tmp_path: Path) -> Path:
    path = tmp_path / "my.csv"
    np.savetxt(path, virtual.signal[0], fmt="%.5f")
    return path


def labels_of(path: Path, fs: float | None = None) -> list[str]:
    """What the library says of the same file."""
    return predict_record(load_model("rhythm4"), read_record(path, fs=fs)).labels.tolist()


def test_a_recording_alone_is_enough(ecglens: Program, edf: Path, tmp_path: Path) -> None:
    done = ecglens("predict", edf, "--out", tmp_path / "out", "--explained", 0)
    assert (done.code, done.err) == (0, SAID)
    folder = tmp_path / "out" / "my"
    with (folder / "windows.csv").open(newline="") as file:
        assert [row["label"] for row in csv.DictReader(file)] == labels_of(edf)
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["model"]["name"] == "rhythm4.ecglens"
    page = (folder / "report.html").read_text()
    assert "judged by rhythm4.ecglens" in page
    assert "Known failures" in page


def test_a_table_with_its_rate_and_json(ecglens: Program, virtual: Record, table: Path) -> None:
    done = ecglens("predict", table, "--fs", virtual.fs, "--json")
    assert (done.code, done.err) == (0, SAID)
    assert done.json["model"] == "rhythm4"
    (record,) = done.json["records"]
    assert [row["label"] for row in record["windows"]] == labels_of(table, virtual.fs)


def test_explaining_needs_no_model_either(ecglens: Program, edf: Path) -> None:
    done = ecglens("explain", edf, "--at", 30, "--json")
    assert (done.code, done.err) == (0, SAID)
    assert done.json["model"] == "rhythm4"
    assert done.json["label"] in load_model("rhythm4").classes


def test_a_name_that_is_neither_file_nor_model(ecglens: Program, edf: Path) -> None:
    done = ecglens("predict", edf, "--model", "rhythm5")
    assert done.code == 7
    assert "no such model file: rhythm5; " in done.error
    assert done.error.endswith("comes with ecglens: rhythm4, rhythm4-fast")
