"""Rhythm spans from annotation files."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecglens.errors import RecordError, UsageError
from ecglens.labels import load_label_map
from ecglens.readers import open_record, read_record
from ecglens.readers.wfdb_signals import quiet_wfdb
from ecglens.windows import make_windows


def annotate(
    header: Path,
    marks: Sequence[tuple[int, str, str]],
    ending: str = "atr",
    fs: float | None = None,
) -> Path:
    samples, symbols, texts = zip(*marks, strict=True)
    with quiet_wfdb() as wfdb:
        wfdb.wrann(
            header.stem, ending, np.array(samples), list(symbols), aux_note=list(texts), fs=fs,
            write_dir=str(header.parent),
        )  # fmt: skip
    return header.with_suffix(f".{ending}")


def spans(path: Path, **options: str) -> list[tuple[float, float, str]]:
    return [(s.start_s, s.end_s, s.rhythm) for s in read_record(path, **options).rhythms]


def test_a_rhythm_lasts_to_the_next_or_the_end(write_wfdb) -> None:
    header = write_wfdb()
    annotate(header, [(50, "+", "(N\0"), (60, "N", ""), (250, "+", "(AFIB "), (500, "+", "(VFL")])
    assert spans(header) == [(0.2, 1.0, "N"), (1.0, 2.0, "AFIB"), (2.0, 4.0, "VFL")]


def test_notes_that_are_not_rhythms(write_wfdb) -> None:
    header = write_wfdb()
    marks = [(10, "+", "(N"), (20, "s", "ST0"), (30, '"', "TS"), (40, "+", "x"), (50, "N", "")]
    annotate(header, marks)
    assert spans(header) == [(0.04, 4.0, "N")]


def test_no_rhythm_name_ends_the_one_before(write_wfdb) -> None:
    header = write_wfdb()
    annotate(header, [(0, "+", "(AFIB"), (250, "+", "(")])
    assert spans(header) == [(0.0, 1.0, "AFIB")]


def test_brackets_are_vf_and_nothing_else_is_claimed(write_wfdb) -> None:
    header = write_wfdb()
    marks = [(100, "]", ""), (250, "[", ""), (500, "]", ""), (600, "N", ""), (750, "[", "")]
    annotate(header, marks, "vf")
    assert spans(header) == [(1.0, 2.0, "VF"), (3.0, 4.0, "VF")]


def test_rhythm_names_win_over_brackets(write_wfdb) -> None:
    header = write_wfdb()
    annotate(header, [(0, "+", "(VFL"), (250, "[", ""), (500, "]", "")])
    assert spans(header) == [(0.0, 4.0, "VFL")]


def test_file_with_its_own_clock(write_wfdb) -> None:
    header = write_wfdb()
    annotate(header, [(100, "+", "(N")], fs=100)
    assert spans(header) == [(1.0, 4.0, "N")]


def test_annotations_behind_the_end(write_wfdb) -> None:
    header = write_wfdb()
    annotate(header, [(0, "+", "(N"), (5000, "+", "(AFIB")])
    record = read_record(header)
    assert [span.end_s for span in record.rhythms] == [4.0]
    assert "1 rhythm annotations behind the end of the record are ignored" in record.notes


def test_the_next_file_is_tried_where_one_has_no_rhythm(write_wfdb) -> None:
    header = write_wfdb()
    annotate(header, [(50, "N", "")])
    assert spans(header) == []
    annotate(header, [(0, "+", "(AFIB")], "vf")
    assert [name for _, _, name in spans(header)] == ["AFIB"]
    assert spans(header, annotator="atr") == []


def test_annotator_is_chosen_by_ending(write_wfdb) -> None:
    header = write_wfdb()
    annotate(header, [(0, "+", "(N")])
    annotate(header, [(0, "+", "(AFIB")], "mine")
    assert [name for _, _, name in spans(header, annotator="mine")] == ["AFIB"]
    with pytest.raises(RecordError, match=r"no annotation file rec\.none beside .*leave annotator"):
        read_record(header, annotator="none")
    with pytest.raises(UsageError, match=r"annotator='../x' is not a file ending"):
        read_record(header, annotator="../x")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda whole: whole[:-2], "does not end in an end mark"),
        (lambda whole: whole + b"\0", "does not end in an end mark"),
        (lambda whole: b"", "does not end in an end mark"),
        (lambda whole: b"this is a text file\n", "does not end in an end mark"),
        (lambda whole: b"\0\xec\0\0", "stops within an annotation"),
        (lambda whole: b"\1\x70\xff\xfcab\0\0", "stops within an annotation"),
        (lambda whole: b"\1\x70\0\0\1\x70\0\0", "goes on behind its end mark"),
        (lambda whole: b"\2\xfcab\0\0", "a text that belongs to no annotation"),
        (lambda whole: b"\1\x04\0\xec\xff\xff\0\0\0\4\0\0", "not in order of time"),
        (lambda whole: b"\1\xd8\0\0", "unknown annotation codes"),
        (lambda whole: bytes(2**22 + 2), "has over 4194304 bytes"),
    ],
)
def test_damaged_annotations(write_wfdb, damage, message: str) -> None:
    header = write_wfdb()
    path = annotate(header, [(0, "+", "(N"), (400, "+", "(AFIB")])
    path.write_bytes(damage(path.read_bytes()))
    record = read_record(header)
    assert (record.n_samples, record.rhythms) == (1000, ())
    assert record.notes == (
        "the annotation file rec.atr cannot be read; no rhythm is taken from it",
    )
    said = rf"rec\.atr is not a whole .*{message}.*; get it again"
    with pytest.raises(RecordError, match=said):
        record.known_rhythms()
    with pytest.raises(RecordError, match=said):
        make_windows([open_record(header)], load_label_map("rhythm4"))
    with pytest.raises(RecordError, match=said):
        read_record(header, annotator="atr")


def test_a_signal_is_no_annotation(write_wfdb, tmp_path: Path) -> None:
    header = write_wfdb("rec 1 250 1000\nrec.ecg 16 200/mV 16 0 0 0 0 II\n")
    (tmp_path / "rec.dat").rename(tmp_path / "rec.ecg")
    record = read_record(header)
    assert (record.n_samples, record.known_rhythms(), record.notes) == (1000, (), ())
    annotate(header, [(0, "+", "(AFIB")], "stb")
    assert [name for _, _, name in spans(header)] == ["AFIB"]


def test_annotation_link_that_leads_out(write_wfdb, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    annotate(write_wfdb(), [(0, "+", "(N")])
    for ending in ("hea", "dat"):
        (inside / f"rec.{ending}").write_bytes((tmp_path / f"rec.{ending}").read_bytes())
    (inside / "rec.atr").symlink_to(tmp_path / "rec.atr")
    assert read_record(inside / "rec").rhythms == ()
    with pytest.raises(RecordError, match="a link that leads out of the folder"):
        read_record(inside / "rec").known_rhythms()


@pytest.mark.timeout(120)
def test_a_note_at_the_start_ends_nothing(write_wfdb) -> None:
    # wfdb.rdann loops for ever on this file.
    header = write_wfdb()
    annotate(header, [(0, '"', "## made by x"), (50, "+", "(N")])
    assert spans(header) == [(0.2, 4.0, "N")]


@settings(max_examples=30)
@given(noise=st.binary(max_size=60).filter(lambda raw: len(raw) % 2 == 0))
def test_noise_gives_records_or_record_errors(write_wfdb, noise: bytes) -> None:
    header = write_wfdb(samples=20)
    header.with_suffix(".atr").write_bytes(noise + b"\0\0")
    record = read_record(header)
    assert record.n_samples == 20
    with contextlib.suppress(RecordError):
        assert record.known_rhythms() == record.rhythms
