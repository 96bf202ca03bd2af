"""Windows that show no heart at work, and those that must not be taken for such."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from ecglens.errors import UsageError
from ecglens.quality import SILENT, SILENT_MV, QualityLimits, choose_lead, measure_quality
from ecglens.readers import find_records, open_record
from ecglens.records import Lead, Record

Windows = npt.NDArray[np.float32]
FS = 250.0


def at_height(X: Windows, mv: float) -> Windows:
    """Return the windows with the height asked for in their quietest four seconds."""
    return (X * (mv / measure_quality(X, FS).quiet[:, None])).astype(np.float32)


def hiss(n: int = 4, mv: float = 0.05) -> Windows:
    """What an electrode that touches nothing picks up."""
    rng = np.random.default_rng(5)
    waves = np.cumsum(rng.normal(size=(n, 2500)), axis=1)
    slow = np.apply_along_axis(np.convolve, 1, waves, np.full(250, 1 / 250), mode="same")
    return at_height((waves - slow).astype(np.float32), mv)


@pytest.mark.parametrize("rhythm", ["VFIB", "VFL"])
def test_fibrillation_is_silent_only_below_the_limit(
    by_rhythm: dict[str, Windows], rhythm: str
) -> None:
    X = by_rhythm[rhythm]
    low = measure_quality(at_height(X, 0.9 * SILENT_MV), FS, in_mv=True)
    assert (low.reasons == SILENT).mean() > 0.9
    assert (low.score[low.reasons == SILENT] == 0).all()
    assert measure_quality(at_height(X, 1.1 * SILENT_MV), FS, in_mv=True).readable.all()


@pytest.mark.parametrize("mv", [0.15, 0.08])
@pytest.mark.parametrize("rhythm", ["N", "AFIB"])
def test_a_low_lead_of_a_heart_that_beats_is_not_silent(
    by_rhythm: dict[str, Windows], rhythm: str, mv: float
) -> None:
    assert measure_quality(at_height(by_rhythm[rhythm], mv), FS, in_mv=True).readable.all()


def test_a_lead_that_is_off_is_silent() -> None:
    assert set(measure_quality(hiss(), FS, in_mv=True).reasons) == {SILENT}


def test_where_amplitudes_are_not_known_nothing_is_silent() -> None:
    assert measure_quality(hiss(), FS).readable.all()
    some = measure_quality(hiss(3), FS, in_mv=np.array([True, False, True]))
    assert some.reasons.tolist() == [SILENT, "", SILENT]


def test_a_fault_that_holds_is_named_first() -> None:
    X = hiss()
    X[0, 300:400] = np.nan
    X[1, 400:] = 0
    reasons = measure_quality(X, FS, in_mv=True).reasons
    assert reasons.tolist() == ["missing", "flat", SILENT, SILENT]


def test_the_quietest_four_seconds_count_in_the_unit_of_the_window() -> None:
    t = np.arange(2500) / FS
    wave = np.sin(2 * np.pi * 5 * t).astype(np.float32)
    two, four = (np.where(t < seconds, 0.1, 1.0).astype(np.float32) for seconds in (2, 4.4))
    quality = measure_quality(np.stack([wave, 100 * wave, two * wave, four * wave]), FS)
    np.testing.assert_allclose(quality.quiet, [2, 200, 2, 0.2], rtol=0.25)


def test_a_window_too_short_to_tell_is_not_silent() -> None:
    quality = measure_quality(np.full((1, 100), 1e-3) * np.arange(100) % 3, FS, in_mv=True)
    assert np.isnan(quality.quiet).all()
    assert SILENT not in quality.reasons
    three_seconds = hiss(mv=0.05)[:, : round(3 * FS)]
    quality = measure_quality(three_seconds, FS, in_mv=True)
    assert np.isnan(quality.quiet).all()
    assert quality.readable.all()


def test_another_limit() -> None:
    X = hiss(mv=0.15)
    assert measure_quality(X, FS, QualityLimits(silent_mv=0.1), in_mv=True).readable.all()
    with pytest.raises(UsageError, match="silent_mv must be over 0, got 0"):
        QualityLimits(silent_mv=0)


@pytest.mark.parametrize("folder", ["cudb", "vfdb"])
def test_no_real_fibrillation_is_silent_but_asystole_may_be(real_data: Path, folder: str) -> None:
    fibrillation, others = 0, []
    for path in find_records(real_data / folder):
        record = open_record(path)
        for span in record.rhythms:
            starts = np.arange(span.start_s, span.end_s - 10, 10)
            if span.rhythm not in ("VF", "VFIB", "VFL", "ASYS") or not len(starts):
                continue
            places = [(round(s * record.fs), round((s + 10) * record.fs)) for s in starts]
            X = np.concatenate([record.read(first, last) for first, last in places])
            silent = measure_quality(X, record.fs, in_mv=True).reasons == SILENT
            if span.rhythm == "ASYS":
                others.extend(silent)
            else:
                assert not silent.any(), (record.record_id, span)
                fibrillation += len(silent)
    assert fibrillation > 200
    assert folder == "cudb" or sum(others) >= 4


def test_a_lead_that_is_off_is_not_chosen(sinus: Windows) -> None:
    signal = np.stack([np.tile(hiss(1)[0], 4), sinus[:4].ravel()])
    record = Record(signal, FS, (Lead("II"), Lead("V1")), "r")
    assert choose_lead(record) == 1
    unknown = replace(record, leads=(Lead("II", "counts"), Lead("V1", "counts")))
    assert choose_lead(unknown) == 0
    assumed = replace(record, leads=(Lead("II", assumed=True), Lead("V1", assumed=True)))
    assert choose_lead(assumed) == 0
