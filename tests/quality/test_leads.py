"""The choice of a lead by quality, then by custom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pytest

from ecglens.databases.synthetic import add_noise, make_patients, make_record
from ecglens.errors import RecordError, UsageError
from ecglens.quality import PREFERENCE, choose_lead, rate_leads
from ecglens.records import Lead, Record, Recording

LEADS = ("V1", "II", "V5")


@pytest.fixture(scope="module")
def record() -> Record:
    patient = make_patients(1, random_state=5)[0]
    return make_record(patient, [("N", 200.0)], fs=125, leads=LEADS)


def spoilt(record: Record, rows: Sequence[int], start: int = 0, stop: int | None = None) -> Record:
    """Return the record with muscle noise over some leads."""
    signal = record.signal.copy()
    part = (list(rows), slice(start, stop))
    signal[part] = add_noise(signal[part], "muscle", fs=record.fs, snr_db=-10)
    return replace(record, signal=signal)


def named(record: Record, *names: str) -> Record:
    return replace(record, leads=tuple(Lead(name) for name in names))


def test_equal_leads_are_taken_by_custom(record: Record) -> None:
    assert choose_lead(record) == 1
    assert choose_lead(record, names=["V5", "V1"]) == 2
    assert choose_lead(named(record, "V5", "V2", "Ableitung MLII")) == 2
    assert choose_lead(named(record, "lead1", "lead2", "V1")) == 2
    assert choose_lead(named(record, "lead1", "lead2", "lead3")) == 0
    assert choose_lead(named(record, "", "", "")) == 0


@pytest.mark.parametrize(("rows", "chosen"), [([1], 2), ([1, 2], 0), ([0, 1, 2], 1)])
def test_a_noisy_lead_is_passed_over(record: Record, rows: list[int], chosen: int) -> None:
    assert choose_lead(spoilt(record, rows)) == chosen


def test_a_lead_that_is_good_for_longer_wins(record: Record) -> None:
    half = record.n_samples // 2
    assert choose_lead(spoilt(spoilt(record, [0, 2]), [1], 0, half)) == 1
    assert choose_lead(spoilt(spoilt(record, [1], 0, half), [0], 0, half // 2)) == 2


def test_a_lead_of_nothing_is_passed_over(record: Record) -> None:
    signal = record.signal.copy()
    signal[1], signal[2] = np.nan, 0.25
    rated = rate_leads(replace(record, signal=signal))
    assert [lead.readable for lead in rated] == [1.0, 0.0, 0.0]
    assert [lead.score for lead in rated[1:]] == [0.0, 0.0]
    assert choose_lead(replace(record, signal=signal)) == 0


def test_ratings_are_of_the_leads_asked_for(record: Record) -> None:
    rated = rate_leads(record, names=["V5", "DII", "V9"])
    assert [(lead.row, lead.name) for lead in rated] == [(1, "II"), (2, "V5")]
    assert all(lead.score > 0.8 for lead in rated)


@dataclass(frozen=True, eq=False)
class Counting(Recording):
    """A recording of a week that makes its samples when asked, and keeps count."""

    seen: list[tuple[int, int]]
    fs: float = 250.0
    leads: tuple[Lead, ...] = (Lead("I"), Lead("II"))
    record_id: str = "week"
    subject_id: str = ""
    database: str = ""
    rhythms: tuple[()] = ()
    notes: tuple[str, ...] = ()

    @property
    def n_samples(self) -> int:
        return round(7 * 24 * 3600 * self.fs)

    def _read(self, start: int, stop: int, rows: Sequence[int]) -> npt.NDArray[np.float32]:
        self.seen.append((start, stop))
        return np.sin(np.arange(start, stop, dtype=np.float32) / 10)[None].repeat(len(rows), axis=0)


def test_a_week_is_looked_at_in_a_few_stretches() -> None:
    week = Counting([])
    assert choose_lead(week) == 1
    assert len(week.seen) == 24
    assert {stop - start for start, stop in week.seen} == {2500}
    starts = [start for start, _ in week.seen]
    assert starts == sorted(starts)
    assert set(np.diff(starts)) == {week.n_samples // 24}
    assert choose_lead(week, n_stretches=3, length_s=1.0) == 1
    assert len(week.seen) == 27


@pytest.mark.parametrize("n_samples", [1, 100, 1250, 1300])
def test_a_short_record(record: Record, n_samples: int) -> None:
    assert choose_lead(replace(record, signal=record.signal[:, :n_samples])) == 1


def test_leads_that_are_not_there(record: Record) -> None:
    with pytest.raises(RecordError, match="has no lead aVR or V9; it has V1, II, V5"):
        choose_lead(record, names=["aVR", "V9"])
    with pytest.raises(RecordError, match="has no lead of no name; it has V1, II, V5"):
        choose_lead(record, names=[])


@pytest.mark.parametrize("asked", [{"n_stretches": 0}, {"length_s": 0.0}])
def test_no_look_at_all(record: Record, asked: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="rated by 1 stretch or more of over 0 s, got"):
        choose_lead(record, **asked)


def test_the_preference_names_the_twelve_leads_once() -> None:
    limbs = ("I", "II", "III", "aVR", "aVL", "aVF")
    assert sorted(PREFERENCE) == sorted([*limbs, *(f"V{i}" for i in range(1, 7))])
