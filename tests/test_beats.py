from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sleepecg import detect_heartbeats

from ecglens import beats as of_beats
from ecglens.beats import DETECTION_FS, find_beats, find_window_beats, heart_rates
from ecglens.databases.synthetic import make_beats, make_patients, make_record
from ecglens.errors import UsageError
from tests.signals_of import beats, fibrillation


def _matched(found: np.ndarray, true: np.ndarray, tolerance_s: float = 0.1) -> int:
    return sum(bool(np.min(np.abs(found - time), initial=9.0) < tolerance_s) for time in true)


class TestFindBeats:
    @pytest.mark.parametrize("fs", [50.0, 125.0, 250.0, 360.0, 1000.0])
    def test_regular_beats_are_found_at_their_rate(self, fs: float) -> None:
        found = find_beats(beats(20.0, fs, rate_hz=1.25), fs)
        assert len(found) in (24, 25)
        np.testing.assert_allclose(np.diff(found) / fs, 0.8, atol=0.03)

    def test_the_peaks_are_where_the_signal_peaks(self) -> None:
        fs = 250.0
        signal = beats(20.0, fs, rate_hz=1.0)
        for at in find_beats(signal, fs):
            around = signal[max(0, at - 20) : at + 21]
            assert signal[at] > 0.9 * around.max()

    def test_the_polarity_does_not_matter(self) -> None:
        signal = beats(15.0, 250.0, jitter=0.3)
        np.testing.assert_array_equal(find_beats(signal, 250), find_beats(-signal, 250))

    def test_gain_and_level_do_not_matter(self) -> None:
        signal = beats(15.0, 250.0, jitter=0.3)
        np.testing.assert_array_equal(find_beats(signal, 250), find_beats(40 * signal + 3, 250))

    def test_the_beats_of_virtual_patients_are_found(self) -> None:
        patient = make_patients(1, random_state=3)[0]
        plan = [("N", 40.0), ("AFIB", 40.0)]
        signal = make_record(patient, plan, random_state=1).signal[0]
        true = make_beats(patient, plan, random_state=1).time_s
        found = find_beats(signal, 250) / 250
        assert _matched(found, true) > 0.95 * len(true)
        assert _matched(true, found) > 0.95 * len(found)

    def test_p_and_t_waves_in_a_pause_are_no_beats(self) -> None:
        fs = 125.0
        time = np.arange(round(10 * fs)) / fs
        r = [0.5, 1.3, 2.1, 2.9, 3.7, 6.1, 6.9, 7.7, 8.5, 9.3]
        signal = sum(np.exp(-0.5 * ((time - t) / 0.015) ** 2) for t in r)
        signal += sum(0.1 * np.exp(-0.5 * ((time - t + 0.16) / 0.02) ** 2) for t in [*r, 4.6, 5.4])
        assert len(find_beats(signal, fs)) == len(r)

    def test_no_beat_lies_in_missing_samples(self) -> None:
        signal = beats(20.0, 250.0)
        signal[1000:2500] = np.nan
        found = find_beats(signal, 250)
        assert len(found) > 10
        assert np.isfinite(signal[found]).all()

    @pytest.mark.parametrize(
        "signal",
        [
            np.zeros(0),
            np.ones(1),
            np.ones(2500),
            np.full(2500, np.nan),
            np.full(2500, np.inf),
            beats(2.0, 250.0),
            np.r_[np.zeros(2000), beats(2.0, 250.0)],
        ],
        ids=["empty", "one", "flat", "missing", "infinite", "short", "short after flat"],
    )
    def test_where_nothing_can_be_found_the_answer_is_empty(self, signal: np.ndarray) -> None:
        found = find_beats(signal, 250)
        assert found.shape == (0,)
        assert found.dtype == np.intp

    @given(
        seed=st.integers(0, 1000),
        n_samples=st.integers(0, 3000),
        fs=st.sampled_from([10.0, 50.0, 99.0, 250.0, 4000.0]),
        missing=st.floats(0, 1),
        step=st.sampled_from([0.0, 0.5, 1e6]),
    )
    @settings(max_examples=40)
    def test_noise_never_raises_and_indices_ascend_inside_the_signal(
        self, seed: int, n_samples: int, fs: float, missing: float, step: float
    ) -> None:
        rng = np.random.default_rng(seed)
        signal = rng.normal(size=n_samples)
        if step:
            signal = step * np.round(signal / step)
        signal[rng.random(n_samples) < missing] = np.nan
        found = find_beats(signal, fs)
        assert (np.diff(found) > 0).all()
        assert ((found >= 0) & (found < n_samples)).all()

    def test_two_leads_at_once_are_refused(self) -> None:
        with pytest.raises(UsageError, match=r"one lead, shape \(n_samples,\), got shape \(2, 9\)"):
            find_beats(np.zeros((2, 9)), 250)

    def test_the_detector_is_imported_when_it_is_needed(self) -> None:
        code = "import sys, ecglens.beats; sys.exit('sleepecg' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class TestHeartRates:
    @pytest.mark.parametrize("per_minute", [40, 72, 150])
    def test_the_rate_is_that_of_the_beats(self, per_minute: int) -> None:
        X = np.stack([beats(10.0, 250.0, rate_hz=per_minute / 60, seed=s) for s in range(3)])
        np.testing.assert_allclose(heart_rates(X, 250), per_minute, rtol=0.02)

    def test_fibrillation_and_noise_have_no_rate(self) -> None:
        rng = np.random.default_rng(0)
        chaos = [fibrillation(10.0, 250.0, hz=hz, seed=s) for s, hz in enumerate((3.5, 5.0, 7.0))]
        noise = [rng.normal(size=2500), np.cumsum(rng.normal(size=2500)), np.zeros(2500)]
        rates = heart_rates(np.stack([*chaos, *noise]), 250)
        assert np.isnan(rates).all()

    def test_windows_are_judged_one_by_one(self) -> None:
        X = np.stack([beats(10.0, 250.0, rate_hz=hz, jitter=0.2) for hz in (0.9, 1.4, 2.0)])
        np.testing.assert_array_equal(heart_rates(X, 250)[1:2], heart_rates(X[1:2], 250))

    def test_two_beats_make_no_rate(self) -> None:
        assert np.isnan(heart_rates(beats(3.0, 250.0, rate_hz=0.5)[None], 250)).all()

    def test_no_windows_give_no_rates(self) -> None:
        assert heart_rates(np.empty((0, 1250)), 125).shape == (0,)

    def test_one_dimension_is_refused(self) -> None:
        with pytest.raises(UsageError, match=r"shape \(n_windows, n_samples\), got \(1250,\)"):
            heart_rates(np.zeros(1250), 125)


class TestTheDetector:
    def _windows(self) -> np.ndarray:
        rng = np.random.default_rng(4)
        late = beats(10.0, 125.0, seed=2)
        late[:300] = late[300]
        rows = [beats(10.0, 125.0, jitter=0.3, seed=s) for s in range(6)]
        return np.stack([*rows, -rows[0], fibrillation(10.0, 125.0), rng.normal(size=1250), late])

    def _by_the_package(self, x: np.ndarray) -> np.ndarray:
        found = find_window_beats(x[None], DETECTION_FS)
        upright = -1.0 if np.sum(found.qrs[0].astype(np.float64) ** 3) < 0 else 1.0
        first = np.flatnonzero(np.diff(found.X[0]))[0]
        return detect_heartbeats(upright * found.X[0, first:].astype(np.float64), 125.0) + first

    def test_many_windows_at_once_get_the_beats_of_the_packages_own_function(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(of_beats, "_without_small", lambda found, qrs: found)
        X = self._windows()
        for x, found in zip(X, find_window_beats(X, 125).beats, strict=True):
            np.testing.assert_array_equal(found, self._by_the_package(x))

    def test_without_the_compiled_parts_the_packages_own_function_stands_in(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        X = self._windows()
        usual = find_window_beats(X, 125).beats
        monkeypatch.setitem(sys.modules, "sleepecg._heartbeat_detection", None)
        of_beats._detector.cache_clear()
        try:
            for one, other in zip(find_window_beats(X, 125).beats, usual, strict=True):
                np.testing.assert_array_equal(one, other)
        finally:
            of_beats._detector.cache_clear()


class TestContrast:
    def test_it_is_high_for_beats_and_low_for_fibrillation(self) -> None:
        X = np.stack([beats(10.0, 125.0), fibrillation(10.0, 125.0)])
        regular, chaos = find_window_beats(X, 125).contrast()
        assert regular > 10 > 4 > chaos

    def test_it_is_zero_without_a_beat(self) -> None:
        assert find_window_beats(np.zeros((2, 1250)), 125).contrast().tolist() == [0.0, 0.0]


def test_an_ectopic_beat_is_not_usual() -> None:
    fs, time = 125.0, np.arange(1250) / 125.0
    signal = sum(np.exp(-0.5 * ((time - t) / 0.015) ** 2) for t in np.arange(0.8, 9.5, 0.8))
    signal -= 2.2 * np.exp(-0.5 * ((time - 4.8) / 0.04) ** 2)
    found = find_window_beats(signal[None], fs)
    odd = np.abs(found.at / fs - 4.8) < 0.1
    assert found.usual()[~odd].all()
    assert not found.usual()[odd].any()
