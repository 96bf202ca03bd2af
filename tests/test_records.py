"""Records, leads, spans and gaps."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecglens.errors import RecordError, UsageError
from ecglens.records import Gap, Lead, Record, RhythmSpan, check_fs, runs_of

NAN = float("nan")


def make(signal: object = None, **options: object) -> Record:
    values = np.zeros((2, 100)) if signal is None else np.asarray(signal)
    leads = tuple(Lead(name) for name in ("MLII", "V1", "V2")[: len(values)])
    return Record(**{"signal": values, "fs": 100.0, "leads": leads, "record_id": "r", **options})  # type: ignore[arg-type]


def test_sizes_and_names() -> None:
    record = make()
    assert (record.n_leads, record.n_samples, record.duration_s) == (2, 100, 1.0)
    assert record.lead_names == ("MLII", "V1")
    assert record.signal.dtype == np.float32


@pytest.mark.parametrize(
    ("options", "subject"),
    [({}, "r"), ({"database": "d"}, "d-r"), ({"database": "d", "subject_id": "p"}, "p")],
)
def test_subject(options: dict[str, str], subject: str) -> None:
    assert make(**options).subject_id == subject


def test_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        make().fs = 1.0  # type: ignore[misc]


@pytest.mark.parametrize("shape", [(0, 5), (2, 0), (5,), (1, 2, 3)])
def test_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(RecordError, match=r"record 'r': signal has shape .*\(n_leads, n_samples\)"):
        make(np.zeros(shape), leads=(Lead("a"),))


def test_one_lead_per_row() -> None:
    with pytest.raises(
        RecordError, match="1 lead names for 2 rows of signal; give one lead per row"
    ):
        make(leads=(Lead("a"),))


@pytest.mark.parametrize("fs", [0, -5, 9.9, 100_001, NAN, float("inf")])
def test_fs(fs: float) -> None:
    with pytest.raises(RecordError, match="record 'r': fs must be from 10 to 100000 Hz, got"):
        make(fs=fs)
    with pytest.raises(UsageError, match=r"^fs: fs must be from"):
        check_fs(fs)


def test_check_fs_returns_a_float() -> None:
    assert isinstance(check_fs(250), float)


def test_gaps_are_the_runs_of_nan() -> None:
    record = make([[NAN, 1, 1, NAN], [1, NAN, NAN, 1]])
    assert record.gaps == (
        Gap(0.0, 0.01, "MLII"),
        Gap(0.03, 0.04, "MLII"),
        Gap(0.01, 0.03, "V1"),
    )


def test_lead_index() -> None:
    record = make()
    assert record.lead_index("v1") == record.lead_index("V1") == record.lead_index(1) == 1
    with pytest.raises(RecordError, match="'r' has no lead number 2; it has 2: MLII, V1"):
        record.lead_index(2)
    with pytest.raises(RecordError, match="no lead number -1"):
        record.lead_index(-1)
    with pytest.raises(RecordError, match=r"no lead 'MLI'; it has MLII, V1; did you mean 'MLII'?"):
        record.lead_index("MLI")


@pytest.mark.parametrize(("start", "end"), [(2, 1), (NAN, 1), (0, NAN), (0, float("inf"))])
def test_spans_run_forwards(start: float, end: float) -> None:
    with pytest.raises(RecordError, match=r"rhythm span 'N' runs from .*must start before it ends"):
        RhythmSpan(start, end, "N")


def test_spans_are_put_in_order_of_time() -> None:
    first, second = RhythmSpan(0, 1, "N"), RhythmSpan(1, 2, "AFIB")
    assert make(rhythms=[second, first]).rhythms == (first, second)


@given(st.lists(st.booleans(), max_size=40))
def test_runs_cover_exactly_the_true_ones(mask: list[bool]) -> None:
    runs = runs_of(np.array(mask, dtype=bool))
    covered = [i for a, b in runs for i in range(a, b)]
    assert covered == [i for i, value in enumerate(mask) if value]
    # No two runs touch.
    assert all(b < c for (_, b), (c, _) in itertools.pairwise(runs))
