"""Episodes of ST and T changes, written as the databases write them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from ecglens.readers import read_record
from ecglens.readers.wfdb_signals import quiet_wfdb

FS = 250
TWO_LEADS = "rec 2 250 5000\nrec.dat 16 200/mV 16 0 0 0 0 V4\nrec.dat 16 200/mV 16 0 0 0 0 MLIII\n"
Note = tuple[float, str, str]


@pytest.fixture
def write_notes(write_wfdb):
    """Write a record of 20 s and two leads with notes (seconds, symbol, text)."""

    def write(notes: Sequence[Note], ending: str = "atr", header: str = TWO_LEADS) -> Path:
        path = write_wfdb(header, data=np.zeros(10_000, "<i2").tobytes())
        samples, symbols, texts = zip(*notes, strict=True)
        with quiet_wfdb() as wfdb:
            wfdb.wrann(
                path.stem, ending, np.array([round(s * FS) for s in samples]), list(symbols),
                aux_note=list(texts), write_dir=str(path.parent),
            )  # fmt: skip
        return path

    return write


def spans(path: Path) -> list[tuple[float, float, str, str]]:
    return [(s.start_s, s.end_s, s.rhythm, s.lead) for s in read_record(path).rhythms]


def test_european_st_t_database(write_notes) -> None:
    path = write_notes(
        [
            (0.1, "+", "(N"),
            (1, "s", "(ST0+"), (2, "s", "AST0+300"), (3, "s", "ST0+)"),
            (5, "T", "(T1-"), (6, "T", "(T1--"), (7, "T", "AT1-800"), (8, "T", "T1--)"),
            (9, "T", "T1-)"),
            (11, '"', "(st1+"), (12, '"', "ast1+200"), (13, '"', "st1+)"),
            (15, '"', "BUTTON"), (16, '"', "TS"), (17, "N", ""), (18, "+", "(SAB"),
        ]
    )  # fmt: skip
    assert spans(path) == [
        (0.1, 1.0, "N", ""),
        (1.0, 3.0, "ST+", "V4"),
        (3.0, 5.0, "N", ""),
        (5.0, 9.0, "TW-", "MLIII"),
        (9.0, 11.0, "N", ""),
        (11.0, 13.0, "AXIS", "MLIII"),
        (13.0, 18.0, "N", ""),
        (18.0, 20.0, "SAB", ""),
    ]


def test_long_term_st_database(write_notes) -> None:
    path = write_notes(
        [
            (0.5, "s", "GRST0"), (1, "s", "LRST0+12"),
            (2, "s", "(st0-120"), (3, "s", "ast0-160"), (4, "s", "st0-90)"),
            (5, "s", "(rtst1+55"), (6, "s", "artst1+130"), (7, "s", "rtst1+48)"),
            (8, "s", "sst0"), (9, "s", "sccst1"), (10, "s", "noi0-70"),
            (11, "s", "(urd0"), (12, "s", "urd0)"), (13, "s", "LRST1-5"),
        ],
        "stb",
    )  # fmt: skip
    assert spans(path) == [
        (2.0, 4.0, "ST-", "V4"),
        (5.0, 7.0, "RTST+", "MLIII"),
        (11.0, 12.0, "NOISE", "V4"),
    ]


def test_episodes_of_two_leads_overlap_and_take_the_rhythm_away(write_notes) -> None:
    path = write_notes(
        [
            (0, "+", "(N"), (2, "s", "(ST0-"), (4, "s", "(ST1+"), (6, "s", "ST0-)"),
            (8, "s", "ST1+)"),
        ]
    )  # fmt: skip
    assert spans(path) == [
        (0.0, 2.0, "N", ""),
        (2.0, 6.0, "ST-", "V4"),
        (4.0, 8.0, "ST+", "MLIII"),
        (8.0, 20.0, "N", ""),
    ]


def test_an_episode_from_before_the_recording_and_one_beyond_it(write_notes) -> None:
    notes = [(1, "s", "ast0-160"), (3, "s", "st0-90)"), (15, "s", "(st1+60"), (16, "s", "ast1+99")]
    path = write_notes(notes, "stb")
    assert spans(path) == [(0.0, 3.0, "ST-", "V4"), (15.0, 20.0, "ST+", "MLIII")]


def test_an_extremum_alone_claims_nothing(write_notes) -> None:
    assert spans(write_notes([(0, "+", "(N"), (4, "s", "AST0+300")])) == [(0.0, 20.0, "N", "")]


def test_an_episode_may_end_with_the_other_sign(write_notes) -> None:
    path = write_notes([(2, "s", "(st0-55"), (4, "s", "st0+20)"), (6, "s", "(st0+80")], "stb")
    assert spans(path) == [(2.0, 4.0, "ST-", "V4"), (6.0, 20.0, "ST+", "V4")]


def test_leads_that_no_name_tells_apart(write_notes) -> None:
    header = TWO_LEADS.replace("V4", "ECG").replace("MLIII", "ECG")
    path = write_notes([(2, "s", "(st1-55"), (4, "s", "st1-60)")], "stb", header)
    assert spans(path) == [(2.0, 4.0, "ST-", "")]


def test_a_lead_that_is_not_there(write_notes) -> None:
    path = write_notes([(2, "s", "(ST7+"), (4, "s", "ST7+)")])
    assert spans(path) == [(2.0, 4.0, "ST+", "")]


def test_rubbish_behind_the_nul_of_a_text(write_wfdb) -> None:
    """Seven T episodes of the European ST-T Database start with texts such as these bytes."""
    header = write_wfdb()
    text = b"(T0+\x00\x13"
    words = [(41 << 10 | 250), (63 << 10 | len(text))]
    raw = b"".join(word.to_bytes(2, "little") for word in words) + text
    header.with_suffix(".atr").write_bytes(raw + b"\0\0")
    assert [(s.start_s, s.rhythm) for s in read_record(header).rhythms] == [(1.0, "TW+")]


def test_brackets_win_over_other_rhythms_but_not_over_a_named_flutter(write_notes) -> None:
    notes = [(0, "+", "(N"), (5, "[", ""), (8, "+", "(VT"), (10, "]", ""), (15, "+", "(N")]
    assert spans(write_notes(notes)) == [
        (0.0, 5.0, "N", ""),
        (5.0, 10.0, "VF", ""),
        (10.0, 15.0, "VT", ""),
        (15.0, 20.0, "N", ""),
    ]
    # As record 207 of the MIT-BIH Arrhythmia Database has it.
    notes = [(0, "+", "(N"), (5, "[", ""), (5.1, "+", "(VFL"), (10, "]", ""), (10.2, "+", "(N")]
    assert spans(write_notes(notes)) == [
        (0.0, 5.1, "N", ""),
        (5.1, 10.2, "VFL", ""),
        (10.2, 20.0, "N", ""),
    ]
