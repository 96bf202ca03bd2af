"""``ecglens explain``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ecglens.databases.wfdb_saving import save_wfdb
from ecglens.records import Lead, Record
from tests.cli.collection import Program
from tests.signals_of import beats


def test_words_and_figure(ecglens: Program, collection: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "why.png"
    done = ecglens(
        "explain", collection / "s02", "--model", model, "--at", 30, "--label", "VF", "--out", out
    )
    assert done.code == 0, done.err
    assert done.out.startswith("s02, lead II, 25.0 to 35.0 s\nVF, probability ")
    assert "speaks for VF" in done.out
    assert "(occlusion)" in done.out
    assert out.read_bytes().startswith(b"\x89PNG")


def test_json(ecglens: Program, collection: Path, model: Path) -> None:
    said = ecglens("explain", collection / "s02", "--model", model, "--at", 2, "--json").json
    assert (said["start_s"], said["end_s"], said["lead"]) == (0.0, 10.0, "II")
    assert said["time_course"] == pytest.approx(
        [sum(column) for column in zip(*said["heat"], strict=True)], abs=1e-9
    )
    assert len(said["frequencies_hz"]) + len(said["lags_s"]) == len(said["heat"])


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--at", 61), 2, "--at 61 lies outside record 's02', which lasts 60.0 s"),
        (("--at", 30, "--label", "VT"), 2, "'VT' is no class of this model"),
        (("--at", 30, "--lead", "V9"), 3, "has no lead 'V9'"),
        (("--at", 30, "--method", "activation"), 2, "no exact activation for head"),
        (("--at", 30, "--out", "nowhere/why.png"), 8, "cannot write"),
        (("--at", 30, "--out", "why.jpg"), 2, "the suffix must be .png, .svg, .pdf"),
    ],
)
def test_mistakes(
    ecglens: Program,
    collection: Path,
    model: Path,
    words: tuple[object, ...],
    code: int,
    message: str,
) -> None:
    done = ecglens("explain", collection / "s02", "--model", model, *words)
    assert done.code == code
    assert message in done.error


def test_the_lead_is_that_of_predict_and_an_unreadable_one_is_named(
    ecglens: Program, model: Path, tmp_path: Path
) -> None:
    signal = np.stack([np.zeros(2000), beats(20, 100)]).astype(np.float32)
    record = Record(signal, 100.0, (Lead("II"), Lead("V1")), "r")
    save_wfdb(record, tmp_path)
    asked = ("explain", tmp_path / "r", "--model", model, "--at", 10)
    assert ecglens(*asked, "--json").json["lead"] == "V1"
    done = ecglens(*asked, "--lead", "II")
    assert done.code == 4
    assert "lead II of record 'r' cannot be read around 10 s; choose another moment" in done.error
