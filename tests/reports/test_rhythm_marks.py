"""A timeline as WFDB annotations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecglens.databases.wfdb_annotations import Mark, save_annotations
from ecglens.readers import open_record, read_record
from ecglens.readers.wfdb_signals import quiet_wfdb
from ecglens.records import Lead, Record
from ecglens.reports.rhythm_marks import rhythm_marks, rhythm_of
from tests.reports.scenes import record_for, timeline_of
from tests.signals_of import beats

LABELS = ["N", "AF", "VF", "VF", "ST", "unreadable", "inconclusive", "VF"]


def written(marks: list[Mark], folder: Path, fs: float) -> Any:
    save_annotations(marks, folder, "r1", "rhythm", fs)
    with quiet_wfdb() as wfdb:
        return wfdb.rdann(str(folder / "r1"), "rhythm")


def test_rdann_reads_changes_fibrillation_st_and_noise(tmp_path: Path) -> None:
    timeline = timeline_of(LABELS, rest_s=4.0)
    seen = written(rhythm_marks(timeline, record_for(timeline)), tmp_path, 100.0)
    rows = list(zip(seen.sample.tolist(), seen.symbol, seen.aux_note, seen.subtype, strict=True))
    assert [(at, text) for at, symbol, text, _ in rows if symbol == "+"] == [
        (0, "(N"), (1000, "(AFIB"), (2000, "(VF"), (4000, "(ST"), (5000, "(NOISE"),
        (6000, "(Q"), (7000, "(VF"), (8000, "("),
    ]  # fmt: skip
    assert [(at, symbol) for at, symbol, *_ in rows if symbol in "[]"] == [
        (2000, "["), (4000, "]"), (7000, "["), (8000, "]"),
    ]  # fmt: skip
    assert [(at, text) for at, symbol, text, _ in rows if symbol == "s"] == [
        (4000, "(ST0"), (5000, "ST0)"),
    ]  # fmt: skip
    assert [(at, kind) for at, symbol, _, kind in rows if symbol == "~"] == [(5000, 1), (6000, 0)]
    assert seen.fs == 100


def test_no_two_marks_share_sample_and_number() -> None:
    rng = np.random.default_rng(0)
    labels = rng.choice(["N", "AF", "VF", "ST", "unreadable", "inconclusive"], 500).tolist()
    timeline = timeline_of(labels)
    marks = rhythm_marks(timeline, record_for(timeline))
    places = [(mark.sample, mark.number) for mark in marks]
    assert len(set(places)) == len(places)


def test_marks_stay_within_a_record_whose_rate_is_odd(tmp_path: Path) -> None:
    timeline = timeline_of(["N", "VF"])
    fs = 128.33
    record = Record(np.zeros((1, int(20 * fs)), np.float32), fs, (Lead("II"),), "r1")
    seen = written(rhythm_marks(timeline, record), tmp_path, fs)
    assert seen.sample.max() == record.n_samples - 1
    assert seen.fs == pytest.approx(fs)
    assert seen.sample[seen.symbol.index("[")] == round(10 * fs)


def test_leads_are_found_by_name_and_told_by_bits() -> None:
    timeline = timeline_of(["unreadable"], lead="V1+ii")
    record = record_for(timeline, names=("II", "III", "V1"))
    assert timeline.rows_in(record) == [2, 0]
    assert [mark.kind for mark in rhythm_marks(timeline, record) if mark.symbol == "~"] == [5, 0]
    many = record_for(timeline, names=[*"abcdefgh", "V1"])
    assert [mark.kind for mark in rhythm_marks(timeline, many) if mark.symbol == "~"] == [-1, 0]
    assert replace(timeline, lead="aVR+").rows_in(record_for(timeline, ["x", "aVR+"])) == [1]
    assert replace(timeline, lead="gone").rows_in(record) == [0]


def test_of_leads_with_one_name_those_that_were_judged_are_marked() -> None:
    timeline = replace(timeline_of(["ST", "unreadable"], lead="ECG"), rows=(1,))
    marks = rhythm_marks(timeline, record_for(timeline, names=("ECG", "ECG")))
    assert [mark.text for mark in marks if mark.symbol == "s"] == ["(ST1", "ST1)"]
    assert [mark.kind for mark in marks if mark.symbol == "~"] == [2, 0]


def test_signals_that_are_no_ecg_count_in_the_numbers(tmp_path: Path) -> None:
    signal = np.stack([80 + beats(20, 100), beats(20, 100)], axis=1).astype(np.float64)
    with quiet_wfdb() as wfdb:
        wfdb.wrsamp(
            "r1", fs=100, units=["mmHg", "mV"], sig_name=["ABP", "II"], fmt=["16", "16"],
            p_signal=signal, write_dir=str(tmp_path),
        )  # fmt: skip
    for record in (open_record(tmp_path / "r1"), read_record(tmp_path / "r1")):
        assert record.lead_names == ("II",)
        marks = rhythm_marks(timeline_of(["ST", "unreadable"]), record)
        assert [mark.text for mark in marks if mark.symbol == "s"] == ["(ST1", "ST1)"]
        assert [mark.kind for mark in marks if mark.symbol == "~"] == [2, 0]


def test_any_class_has_a_rhythm_that_fits() -> None:
    assert rhythm_of("AF") == "AFIB"
    assert rhythm_of("B 3") == "B_3"
    assert rhythm_of("трепетание") == "_"
    assert len(rhythm_of("x" * 999)) == 240
