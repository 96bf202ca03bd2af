"""What makes a window unreadable, and what must not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ecglens.databases.synthetic import add_noise
from ecglens.errors import UsageError, WindowError
from ecglens.quality import REASONS, QualityLimits, measure_quality
from ecglens.signals import resample, unreadable_reasons

Windows = npt.NDArray[np.float32]
FS = 250.0


def noisy(X: Windows, kind: str, snr_db: float) -> Windows:
    return np.stack(
        [add_noise(x, kind, fs=FS, snr_db=snr_db, random_state=i) for i, x in enumerate(X)]
    )


def stepped(X: Windows) -> Windows:
    """An electrode that lets go for a second."""
    moved = X.copy()
    moved[:, 1000:1250] += 8 * np.ptp(X, axis=-1, keepdims=True)
    return moved


def clipped(X: Windows, share: float = 0.4) -> Windows:
    low, high = np.quantile(X, [share / 2, 1 - share / 2], axis=-1, keepdims=True)
    return np.clip(X, low, high)


def without(X: Windows) -> Windows:
    lacking = X.copy()
    lacking[:, 300:400] = np.nan
    return lacking


FAULTS: dict[str, Callable[[Windows], Windows]] = {
    "missing": without,
    "flat": lambda X: np.where(np.arange(X.shape[-1]) < 800, X, np.float32(0.5)),
    "saturated": clipped,
    "mains": lambda X: noisy(X, "mains", -18),
    "muscle": lambda X: noisy(X, "muscle", -12),
    "motion": stepped,
}


def test_usual_recordings_of_every_rhythm_are_readable(by_rhythm: dict[str, Windows]) -> None:
    for rhythm, X in by_rhythm.items():
        quality = measure_quality(X, FS)
        assert set(quality.reasons) == {""}, rhythm
        assert np.median(quality.score) > 0.85, rhythm
        assert (quality.readable, len(quality)) == (pytest.approx(True), len(X))


@pytest.mark.parametrize("rhythm", ["VFIB", "VFL"])
@pytest.mark.parametrize("gain", [0.05, 1.0, 20.0])
def test_fibrillation_is_no_noise_and_when_low_it_is_not_flat(
    by_rhythm: dict[str, Windows], rhythm: str, gain: float
) -> None:
    assert measure_quality(gain * by_rhythm[rhythm], FS).readable.all()


@pytest.mark.parametrize("reason", REASONS)
def test_a_planted_fault_is_named(sinus: Windows, reason: str) -> None:
    quality = measure_quality(FAULTS[reason](sinus), FS)
    assert (quality.reasons == reason).mean() > 0.9
    assert (quality.score[quality.reasons != ""] < 0.5).all()


@pytest.mark.parametrize("rhythm", ["VFIB", "AFIB"])
@pytest.mark.parametrize("reason", ["mains", "muscle", "motion"])
def test_a_planted_fault_is_named_in_other_rhythms(
    by_rhythm: dict[str, Windows], rhythm: str, reason: str
) -> None:
    assert (measure_quality(FAULTS[reason](by_rhythm[rhythm]), FS).reasons == reason).mean() > 0.9


@pytest.mark.parametrize("kind", ["muscle", "mains", "motion", "baseline", "recorder"])
def test_more_noise_never_makes_it_better(sinus: Windows, kind: str) -> None:
    X = sinus[::4]
    scores = [measure_quality(noisy(X, kind, snr), FS).score for snr in range(24, -25, -6)]
    assert (np.diff(scores, axis=0) < 0.05).all()
    assert (scores[-1] < scores[0] - 0.3).mean() > 0.8


def test_a_score_under_a_half_is_what_is_unreadable(sinus: Windows) -> None:
    X = np.concatenate([sinus, *[fault(sinus) for fault in FAULTS.values()]])
    X = np.concatenate([X, *[noisy(sinus, "muscle", snr) for snr in (6, 3, 0)]])
    quality = measure_quality(X, FS)
    np.testing.assert_array_equal(quality.score < 0.5, quality.reasons != "")
    np.testing.assert_array_equal(quality.readable, quality.reasons == "")
    assert ((quality.score >= 0) & (quality.score <= 1)).all()


def test_what_cannot_be_drawn_is_unreadable_for_the_same_reason(sinus: Windows) -> None:
    X = np.concatenate([FAULTS["missing"](sinus), FAULTS["flat"](sinus), 0 * sinus])
    quality = measure_quality(X, FS)
    np.testing.assert_array_equal(quality.reasons, unreadable_reasons(X, FS))
    assert (quality.score == 0).all()


def same(one: object, other: object, **tolerance: float) -> None:
    for name in ("score", *REASONS):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), **tolerance)
    np.testing.assert_array_equal(one.reasons, other.reasons)


@given(gain=st.sampled_from([-5.0, -1.0, 0.2, 3.0, 1000.0]), offset=st.floats(-3, 3))
@settings(max_examples=10)
def test_gain_sign_and_offset_change_nothing(
    by_rhythm: dict[str, Windows], gain: float, offset: float
) -> None:
    X = np.concatenate([by_rhythm["N"][:4], *[FAULTS[r](by_rhythm["N"][:2]) for r in REASONS]])
    same(
        measure_quality(gain * (X + np.float32(offset)), FS),
        measure_quality(X, FS),
        rtol=0.02,
        atol=2e-3,
    )


def test_neighbours_change_no_bit(by_rhythm: dict[str, Windows]) -> None:
    X = np.concatenate([*by_rhythm.values(), *[f(by_rhythm["N"]) for f in FAULTS.values()]])
    assert len(X) > 256  # more than are measured at once
    whole = measure_quality(X, FS)
    for start, stop in ((0, 1), (3, 10), (200, len(X))):
        part = measure_quality(X[start:stop], FS)
        for name in ("score", "reasons", *REASONS):
            np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[start:stop])


@pytest.mark.parametrize("fs_out", [100.0, 125.0, 360.0, 1000.0])
def test_the_rate_changes_no_verdict(sinus: Windows, fs_out: float) -> None:
    for reason in ("", "muscle", "motion"):
        X = FAULTS[reason](sinus[:8]) if reason else sinus[:8]
        found = measure_quality(resample(X, FS, fs_out), fs_out).reasons
        assert (found == reason).mean() > 0.8, (reason, found)


def test_at_50_hz_there_is_neither_mains_nor_muscle_to_see(sinus: Windows) -> None:
    quality = measure_quality(resample(sinus, FS, 50), 50)
    assert quality.readable.all()
    assert not quality.mains.any()
    assert not quality.muscle.any()


class TestSaturation:
    @pytest.mark.parametrize("step", [0.02, 0.04, 0.1])
    def test_coarse_steps_are_no_clipping(self, by_rhythm: dict[str, Windows], step: float) -> None:
        for rhythm, X in by_rhythm.items():
            quality = measure_quality(np.round(X / step) * step, FS)
            assert (quality.saturated < 0.06).all(), rhythm
            assert quality.readable.mean() > 0.9, rhythm

    def test_eight_bits_over_ten_millivolts_are_readable(self, sinus: Windows) -> None:
        step = 10 / 256
        assert measure_quality(np.round(sinus / step) * step, FS).readable.all()

    @pytest.mark.parametrize("fs_out", [125.0, 250.0, 360.0])
    def test_clipping_outlives_resampling(
        self, by_rhythm: dict[str, Windows], fs_out: float
    ) -> None:
        X = by_rhythm["VFIB"]
        top = np.abs(X).max(axis=-1, keepdims=True) / 2
        moved = resample(np.clip(X, -top, top), FS, fs_out)
        assert (measure_quality(moved, fs_out).saturated > 0.04).mean() > 0.8
        assert (measure_quality(resample(X, FS, fs_out), fs_out).saturated < 0.01).all()

    def test_a_clipped_tip_is_still_readable(self, sinus: Windows) -> None:
        quality = measure_quality(clipped(sinus, share=0.02), FS)
        assert quality.readable.all()


class TestOddWindows:
    @given(
        X=hnp.arrays(
            np.float32,
            hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=30),
            elements=st.floats(width=32, allow_nan=True, allow_infinity=True),
        ),
        fs=st.sampled_from([10.0, 50.0, 100.0]),
    )
    @settings(max_examples=40)
    def test_anything_gets_a_score(self, X: Windows, fs: float) -> None:
        if X.shape[1] == 0:
            with pytest.raises(WindowError, match="with 1 sample or more"):
                measure_quality(X, fs)
            return
        quality = measure_quality(X, fs)
        assert ((quality.score >= 0) & (quality.score <= 1)).all()
        assert set(quality.reasons.tolist()) <= {"", *REASONS}

    @pytest.mark.parametrize("n_samples", [1, 2, 100, 250, 400])
    def test_short_windows(self, sinus: Windows, n_samples: int) -> None:
        assert len(measure_quality(sinus[:, :n_samples], FS)) == len(sinus)

    def test_two_per_cent_of_infinities_are_bridged(self, sinus: Windows) -> None:
        X = sinus.copy()
        X[:, 100:130] = np.inf
        assert measure_quality(X, FS).readable.all()


class TestRefusals:
    def test_a_limit_of_nothing(self) -> None:
        with pytest.raises(UsageError, match="quality limit muscle must be over 0, got 0"):
            QualityLimits(muscle=0)
        with pytest.raises(UsageError, match="motion must be over 0, got nan"):
            QualityLimits(motion=float("nan"))

    def test_one_signal_instead_of_windows(self) -> None:
        with pytest.raises(WindowError, match=r"X has shape \(100,\); it must be \(n_windows"):
            measure_quality(np.zeros(100), 100)

    def test_a_rate(self) -> None:
        with pytest.raises(UsageError, match="fs must be from 10"):
            measure_quality(np.zeros((1, 100)), 0)

    def test_limits_decide(self, sinus: Windows) -> None:
        strict = measure_quality(sinus, FS, QualityLimits(motion=1e-3))
        assert set(strict.reasons) == {"motion"}
