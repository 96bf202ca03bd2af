"""Records as WFDB files."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import ecglens.databases.wfdb_saving as saving
from ecglens import read_record
from ecglens.databases.synthetic import make_patients, make_record
from ecglens.databases.wfdb_saving import save_wfdb
from ecglens.errors import OutputError, UsageError
from ecglens.readers.wfdb_signals import quiet_wfdb
from ecglens.records import Lead, Record, RhythmSpan


def record_of(
    signal: object, *, name: str = "rec", fs: float = 250.0, rhythms: tuple[RhythmSpan, ...] = ()
) -> Record:
    array = np.atleast_2d(np.asarray(signal, dtype=np.float32))
    leads = tuple(Lead(f"L{k}") for k in range(len(array)))
    return Record(array, fs, leads, name, rhythms=rhythms)


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("fs", [250.0, 128.7, 1000 / 3, 4000.0])
def test_what_was_saved_is_read(tmp_path: Path, fs: float) -> None:
    plan = [("N", 20.0), ("AFIB", 10.33), ("VFIB", 9.0), ("ST", 31.0)]
    made = make_record(make_patients(1)[0], plan, fs=fs, leads=("II", "V1"))
    made.signal[0, 50:80] = np.nan
    header = save_wfdb(made, tmp_path)
    assert files_in(tmp_path) == [f"virtual-0000.{ending}" for ending in ("atr", "dat", "hea")]
    read = read_record(header)
    assert read.fs == pytest.approx(fs, rel=1e-9)
    assert read.leads == made.leads
    assert read.record_id == made.record_id
    assert read.notes == ()
    np.testing.assert_array_equal(np.isnan(read.signal), np.isnan(made.signal))
    assert np.nanmax(np.abs(read.signal - made.signal)) < 0.000501
    assert [span.rhythm for span in read.rhythms] == ["N", "AFIB", "VFIB", "ST"]
    for found, span in zip(read.rhythms, made.rhythms, strict=True):
        assert found.start_s == pytest.approx(span.start_s, abs=0.51 / fs)
        assert found.end_s == pytest.approx(span.end_s, abs=0.51 / fs)


def test_wfdb_itself_agrees(tmp_path: Path) -> None:
    made = make_record(make_patients(1)[0], [("N", 8.0), ("AFIB", 4.0)], leads=("II", "V1"))
    save_wfdb(made, tmp_path)
    with quiet_wfdb() as wfdb:
        read = wfdb.rdrecord(str(tmp_path / "virtual-0000"), physical=False)
        marks = wfdb.rdann(str(tmp_path / "virtual-0000"), "atr")
    sums = read.d_signal.sum(axis=0) % 65536
    assert [c % 65536 for c in read.checksum] == sums.tolist()
    assert read.init_value == read.d_signal[0].tolist()
    assert (read.sig_name, read.units) == (["II", "V1"], ["mV", "mV"])
    np.testing.assert_allclose(read.d_signal.T, 1000 * made.signal, atol=0.51)
    assert marks.sample.tolist() == [0, 2000]
    assert [note.strip("\0") for note in marks.aux_note] == ["(N", "(AFIB"]


@pytest.mark.parametrize(
    ("low", "high", "step"), [(-3, 5, 1e-3), (-40, 90, 0.01), (300, 301, 1e-3), (0, 1e6, 20)]
)
def test_the_step_follows_the_range(tmp_path: Path, low: float, high: float, step: float) -> None:
    wave = np.linspace(low, high, 4000)
    read = read_record(save_wfdb(record_of([wave, -wave]), tmp_path))
    assert np.abs(read.signal - np.float32([wave, -wave])).max() <= step


@pytest.mark.parametrize("value", [np.nan, 0.0, 300.0, np.inf])
def test_leads_without_a_wave(tmp_path: Path, value: float) -> None:
    read = read_record(save_wfdb(record_of([np.full(500, value), np.arange(500)]), tmp_path))
    expected = value if np.isfinite(value) else np.nan
    np.testing.assert_array_equal(read.signal[0], np.full(500, expected, np.float32))


def test_blocks_change_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = record_of(np.random.default_rng(0).normal(size=(3, 1000)))
    for name, block in (("whole", 1 << 20), ("parts", 7)):
        (tmp_path / name).mkdir()
        monkeypatch.setattr(saving, "_BLOCK", block)
        save_wfdb(record, tmp_path / name)
    for file in files_in(tmp_path / "whole"):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "parts" / file).read_bytes()


def test_stretches_without_a_rhythm_stay_without(tmp_path: Path) -> None:
    rhythms = (RhythmSpan(1, 2, "N"), RhythmSpan(2, 3, "AFIB"), RhythmSpan(4, 5, "ST"))
    record = record_of(np.sin(np.arange(2000)), rhythms=rhythms)
    assert read_record(save_wfdb(record, tmp_path)).rhythms == rhythms


def test_a_rhythm_within_a_sample_is_none(tmp_path: Path) -> None:
    rhythms = (RhythmSpan(0, 2, "N"), RhythmSpan(2, 2.001, "ST"), RhythmSpan(2.001, 8, "AFIB"))
    record = record_of(np.sin(np.arange(2000)), rhythms=rhythms)
    read = read_record(save_wfdb(record, tmp_path))
    assert read.rhythms == (RhythmSpan(0, 2, "N"), RhythmSpan(2, 8, "AFIB"))


def test_the_rhythms_of_an_older_record_do_not_stay(tmp_path: Path) -> None:
    wave = np.sin(np.arange(2000))
    save_wfdb(record_of(wave, rhythms=(RhythmSpan(0, 8, "AFIB"),)), tmp_path)
    assert read_record(save_wfdb(record_of(wave), tmp_path)).rhythms == ()
    assert files_in(tmp_path) == ["rec.dat", "rec.hea"]


@pytest.mark.parametrize("name", ["../rec", "/rec", "a/b", "a.b", "", "a b", "..", "ä", "x" * 101])
def test_a_name_that_cannot_be_a_record_is_refused(tmp_path: Path, name: str) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    with pytest.raises(UsageError, match="cannot name WFDB files: it must consist of letters"):
        save_wfdb(record_of(np.arange(9.0), name=name), inside)
    assert files_in(tmp_path) == ["inside"]
    assert files_in(inside) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"leads": (Lead("a"), Lead("a"))}, "two leads of one name (a, a)"),
        ({"leads": (Lead("a"), Lead(" b"))}, "lead name ' b' of record 'rec' cannot stand"),
        ({"leads": (Lead("a"), Lead("b\nc"))}, "lead name 'b\\nc' of record 'rec' cannot stand"),
        ({"leads": (Lead("a"), Lead("b", "m V"))}, "unit 'm V' of lead b of record 'rec' cannot"),
        ({"rhythms": (RhythmSpan(0, 1, "A B"),)}, "rhythm 'A B' of record 'rec' cannot stand"),
        ({"rhythms": (RhythmSpan(0, 1, ""),)}, "rhythm '' of record 'rec' cannot stand"),
        (
            {"rhythms": (RhythmSpan(0, 2, "N"), RhythmSpan(1, 3, "ST"))},
            "rhythms N and ST of record 'rec' overlap at 1 s",
        ),
    ],
)
def test_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    record = replace(record_of(np.zeros((2, 2000))), **change)
    with pytest.raises(UsageError, match=re.escape(message)):
        save_wfdb(record, tmp_path)
    assert files_in(tmp_path) == []


def test_other_units_are_kept(tmp_path: Path) -> None:
    record = replace(record_of(np.arange(100.0)), leads=(Lead("lead one", "counts"),))
    assert read_record(save_wfdb(record, tmp_path)).leads == record.leads


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write record rec to .*nowhere: No such file"):
        save_wfdb(record_of(np.arange(9.0)), tmp_path / "nowhere")


def test_nothing_is_left_of_a_write_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wave = np.sin(np.arange(2000))
    header = save_wfdb(record_of(wave, rhythms=(RhythmSpan(0, 8, "AFIB"),)), tmp_path)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(saving, "write_marks", fail)
    with pytest.raises(OutputError, match="No space left on device; choose another place"):
        save_wfdb(record_of(-wave, rhythms=(RhythmSpan(0, 8, "N"),)), tmp_path)
    assert files_in(tmp_path) == ["rec.atr", "rec.dat", "rec.hea"]
    assert read_record(header).rhythms[0].rhythm == "AFIB"
