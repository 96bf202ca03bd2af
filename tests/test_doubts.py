from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ecglens.databases.synthetic import make_patients, make_record
from ecglens.prediction.doubts import doubts_of_rate, doubts_of_silence
from ecglens.quality import SILENT
from ecglens.records import Record

RATES = np.full(9, 75.0)


def _record(rhythm: str = "N", seconds: float = 90.0, number: int = 0) -> Record:
    patient = make_patients(3, random_state=8)[number]
    made = make_record(patient, [(rhythm, seconds)], fs=250, random_state=number)
    return replace(made, rhythms=())


def _read_at(record: Record, factor: float) -> Record:
    return replace(record, fs=record.fs * factor)


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("rhythm", ["N", "AFIB"])
def test_beats_of_people_are_not_doubted_but_when_they_are_read_too_slowly(
    rhythm: str, number: int
) -> None:
    record = _record(rhythm, number=number)
    assert doubts_of_rate(record, 0, RATES, 9) == []
    (doubt,) = doubts_of_rate(_read_at(record, 0.25), 0, RATES, 9)
    assert "as if read too slowly; is the sampling rate right (--fs)?" in doubt


def test_one_sentence_is_enough() -> None:
    slow = _read_at(_record(), 0.25)
    (doubt,) = doubts_of_rate(slow, 0, np.full(9, 30.0), 9)
    assert doubt.startswith("the median heart rate is 30/min")


def test_two_stretches_are_too_few_to_doubt() -> None:
    short = _read_at(_record(seconds=7.0), 0.25)
    assert 20 <= short.duration_s < 30
    assert doubts_of_rate(short, 0, RATES[:2], 2) == []


def test_the_lead_that_was_judged_is_looked_at() -> None:
    slow = _read_at(_record(), 0.25)
    flat = replace(slow, signal=np.stack([np.zeros_like(slow.signal[0]), slow.signal[0]]),
                   leads=(slow.leads[0], replace(slow.leads[0], name="other")))  # fmt: skip
    assert doubts_of_rate(flat, 0, RATES, 9) == []
    assert len(doubts_of_rate(flat, 1, RATES, 9)) == 1


def test_missing_samples_are_no_trouble() -> None:
    record = _record()
    record.signal[0, 2000:6000] = np.nan
    assert doubts_of_rate(record, 0, RATES, 9) == []


def test_windows_without_a_heart_are_told_with_their_time() -> None:
    assert doubts_of_silence(np.array(["", "motion"]), np.array([10.0, 10.0])) == []
    (doubt,) = doubts_of_silence(np.array([SILENT, "", SILENT]), np.array([10.0, 10.0, 5.0]))
    assert doubt.startswith('15 s are called "asystole or flat": no beats and less than 0.2 mV')
