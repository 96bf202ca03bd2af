"""``ecglens predict`` and ``explain`` without --model: the model that comes with the package."""

from __future__ import annotations

import json
from pathlib import Path

import edfio
import numpy as np
import pytest

from tests.cli.collection import Program
from tests.signals_of import record_of

FS = 125.0
SAID = "ecglens: judged by rhythm4, which comes with ecglens; research use only\n"


@pytest.fixture
def edf(tmp_path: Path) -> Path:
    path = tmp_path / "my.edf"
    signal = edfio.EdfSignal(
        record_of("VF", 60.0, FS).signal[0].astype(np.float64),
        FS,
        label="ECG II",
        physical_dimension="mV",
        physical_range=(-2.0, 2.0),
    )
    edfio.Edf([signal]).write(path)
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "my.csv"
    np.savetxt(path, record_of("VF", 60.0, FS).signal[0], fmt="%.4f")
    return path


def test_a_recording_alone_is_enough(ecglens: Program, edf: Path, tmp_path: Path) -> None:
    done = ecglens("predict", edf, "--out", tmp_path / "out", "--explained", 0)
    assert (done.code, done.err) == (0, SAID)
    assert "VF 100.0%" in done.out
    summary = json.loads((tmp_path / "out" / "my" / "summary.json").read_text())
    assert summary["model"]["name"] == "rhythm4.ecglens"
    page = (tmp_path / "out" / "my" / "report.html").read_text()
    assert "judged by rhythm4.ecglens" in page
    assert "Known failures" in page


def test_a_table_with_its_rate_and_json(ecglens: Program, table: Path) -> None:
    done = ecglens("predict", table, "--fs", FS, "--json")
    assert (done.code, done.err) == (0, SAID)
    assert done.json["model"] == "rhythm4"
    assert done.json["records"][0]["episodes"][0]["label"] == "VF"


def test_explaining_needs_no_model_either(ecglens: Program, edf: Path) -> None:
    done = ecglens("explain", edf, "--at", 30, "--json")
    assert (done.code, done.err) == (0, SAID)
    assert (done.json["label"], done.json["model"]) == ("VF", "rhythm4")


def test_a_name_that_is_neither_file_nor_model(ecglens: Program, edf: Path) -> None:
    done = ecglens("predict", edf, "--model", "rhythm5")
    assert done.code == 7
    assert "no such model file: rhythm5; " in done.error
    assert done.error.endswith("comes with ecglens: rhythm4")
