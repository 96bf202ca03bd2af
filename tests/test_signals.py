from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, resample_poly, sosfiltfilt

from ecglens.errors import UsageError, WindowError
from ecglens.signals import (
    band_pass,
    fill_gaps,
    ratio_of_rates,
    resample,
    resampled_fs,
    unreadable_reasons,
)
from tests.signals_of import beats


def _sine(hz: float, fs: float, seconds: float = 10.0) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(round(seconds * fs)) / fs).astype(np.float32)


class TestResample:
    @given(fs=st.sampled_from([50.0, 128.0, 200.0, 250.0, 257.0, 360.0, 500.0, 1000.0]))
    @settings(max_examples=8)
    def test_a_slow_sine_stays_the_same_sine(self, fs: float) -> None:
        moved = resample(_sine(3.0, fs), fs, 125.0)
        assert len(moved) == pytest.approx(1250, abs=1)
        middle = slice(125, 1125)
        np.testing.assert_allclose(moved[middle], _sine(3.0, 125.0)[middle], atol=0.02)

    def test_a_constant_stays_constant_up_to_its_ends(self) -> None:
        np.testing.assert_allclose(resample(np.full(1000, 5.0), 360, 125), 5.0, atol=1e-6)

    def test_what_the_new_rate_cannot_hold_is_removed(self) -> None:
        assert np.abs(resample(_sine(80.0, 500.0), 500, 125)[100:-100]).max() < 0.01

    def test_the_same_rate_changes_nothing(self) -> None:
        x = _sine(1.0, 100.0)
        np.testing.assert_array_equal(resample(x, 100, 100), x)

    def test_rows_are_independent(self) -> None:
        rows = np.stack([_sine(1.0, 250.0), _sine(2.0, 250.0)])
        np.testing.assert_array_equal(resample(rows, 250, 125)[1], resample(rows[1], 250, 125))

    @pytest.mark.parametrize(
        ("fs", "fs_out", "n_samples"),
        [
            (250.0, 125.0, 2500),
            (360.0, 125.0, 3601),
            (100.0, 125.0, 77),
            (257.0, 125.0, 300_000),  # more blocks than are computed at once
            (1000.0, 125.0, 3),  # shorter than the filter
            (333.3, 125.0, 3333),  # a ratio of large numbers
            (2048.0, 125.0, 5000),
        ],
    )
    def test_it_is_scipy_s_filter(self, fs: float, fs_out: float, n_samples: int) -> None:
        x = np.random.default_rng(0).normal(size=(2, n_samples)) + 3
        level = np.median(x, axis=-1, keepdims=True)
        ratio = ratio_of_rates(fs, fs_out)
        theirs = resample_poly(x - level, ratio.numerator, ratio.denominator, axis=-1) + level
        np.testing.assert_allclose(resample(x, fs, fs_out), theirs, atol=1e-5)

    @pytest.mark.parametrize(
        ("fs", "ratio"),
        [(360.0, "25/72"), (333.3, "1250/3333"), (2048.0, "125/2048"), (999.9, "1250/9999")],
    )
    def test_usual_rates_are_met(self, fs: float, ratio: str) -> None:
        assert ratio_of_rates(fs, 125) == Fraction(ratio)
        assert resampled_fs(fs, 125) == 125

    @given(fs=st.floats(10, 1e5), fs_out=st.floats(10, 1000))
    def test_others_nearly(self, fs: float, fs_out: float) -> None:
        assert resampled_fs(fs, fs_out) == pytest.approx(fs_out, rel=5e-4)

    @pytest.mark.parametrize("fs", [0.0, -5.0, float("nan"), 1e9])
    def test_a_rate_out_of_range_is_refused(self, fs: float) -> None:
        with pytest.raises(UsageError, match="fs must be from 10 to 100000 Hz"):
            resample(np.ones(10), fs, 125)


class TestBandPass:
    def test_it_keeps_the_band_and_stops_the_rest(self) -> None:
        def gain(hz: float) -> float:
            out = band_pass(_sine(hz, 250.0, 40.0), 250, 0.5, 40)
            return float(out[2500:-2500].std() / np.sqrt(0.5))

        assert gain(5.0) == pytest.approx(1.0, abs=0.02)
        assert gain(0.1) < 0.01
        assert gain(100.0) < 0.01

    def test_it_has_no_phase_shift(self) -> None:
        pulse = np.zeros(1001, np.float32)
        pulse[500] = 1.0
        assert int(np.argmax(band_pass(pulse, 250, 0.5, 40))) == 500

    @pytest.mark.parametrize("shape", [(1250,), (3, 1250), (2, 3, 200), (2,)])
    def test_it_is_scipy_s_filter_run_both_ways(self, shape: tuple[int, ...]) -> None:
        x = np.random.default_rng(0).normal(size=shape).cumsum(axis=-1)
        sections = butter(3, (0.2, 40), btype="bandpass", fs=125, output="sos")
        theirs = sosfiltfilt(sections, x, padlen=min(shape[-1] - 1, 625))
        ours = band_pass(x, 125, 0.2, 40, order=3)
        np.testing.assert_array_equal(ours, theirs.astype(np.float32))

    def test_edges_that_do_not_fit_the_rate_are_refused(self) -> None:
        with pytest.raises(UsageError, match=r"0 < low < high < 25 Hz"):
            band_pass(np.ones(100), 50, 0.5, 40)

    def test_one_sample_is_refused(self) -> None:
        with pytest.raises(WindowError, match="1 samples cannot be filtered"):
            band_pass(np.ones(1), 250, 0.5, 40)


class TestFillGaps:
    def test_a_gap_is_bridged_by_a_straight_line(self) -> None:
        x = [0.0, np.nan, np.nan, 3.0]
        np.testing.assert_allclose(fill_gaps(x), [0, 1, 2, 3])

    def test_ends_are_continued_flat(self) -> None:
        np.testing.assert_allclose(fill_gaps([np.nan, 2.0, 4.0, np.nan]), [2, 2, 4, 4])

    def test_a_row_of_nothing_becomes_zeros_and_others_stay(self) -> None:
        filled = fill_gaps([[np.nan, np.nan], [1.0, np.nan]])
        np.testing.assert_allclose(filled, [[0, 0], [1, 1]])

    def test_the_input_is_not_changed(self) -> None:
        x = np.array([1.0, np.nan, 2.0], np.float32)
        fill_gaps(x)
        assert np.isnan(x[1])


class TestUnreadableReasons:
    fs = 100.0

    def _reason(self, x: np.ndarray) -> str:
        return str(unreadable_reasons(x[None], self.fs)[0])

    def test_beats_are_readable(self) -> None:
        assert self._reason(beats(10, self.fs)) == ""

    @pytest.mark.parametrize("level", [0.0, 5.0])
    def test_a_constant_is_flat(self, level: float) -> None:
        assert self._reason(np.full(1000, level)) == "flat"

    def test_a_lead_off_for_most_of_the_window_is_flat(self) -> None:
        x = beats(10, self.fs)
        x[300:] = x[300]
        assert self._reason(x) == "flat"

    def test_a_lead_off_for_a_third_is_readable(self) -> None:
        x = beats(10, self.fs)
        x[700:] = x[700]
        assert self._reason(x) == ""

    def test_two_per_cent_missing_is_bridged_and_more_is_not(self) -> None:
        x = beats(10, self.fs)
        x[:20] = np.nan
        assert self._reason(x) == ""
        x[:21] = np.nan
        assert self._reason(x) == "missing"

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_nothing_finite_is_missing(self, value: float) -> None:
        assert self._reason(np.full(1000, value)) == "missing"

    @given(gain=st.floats(0.05, 50), offset=st.floats(-5, 5))
    @settings(max_examples=10)
    def test_gain_and_offset_do_not_change_the_verdict(self, gain: float, offset: float) -> None:
        assert self._reason(beats(10, self.fs) * gain + offset) == ""
