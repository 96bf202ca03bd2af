from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.pipeline import FeatureUnion

from ecglens.beats import find_window_beats
from ecglens.databases.synthetic import make_patients, make_record
from ecglens.errors import UsageError
from ecglens.rhythm_features import RHYTHM_NAMES, RhythmFeatures, measure_rhythm, measures
from ecglens.rhythm_features.disorder import DISORDER_NAMES
from ecglens.signals import band_pass
from tests.rhythm_features import plain
from tests.signals_of import beats, fibrillation


def _windows_of(rhythm: str, n_patients: int = 4, fs: float = 250.0) -> np.ndarray:
    rows = []
    for number, patient in enumerate(make_patients(n_patients, random_state=5)):
        signal = make_record(patient, [(rhythm, 30.0)], fs=fs, random_state=number).signal[0]
        rows += [signal[round(s * fs) : round((s + 10) * fs)] for s in (0, 10, 20)]
    return np.stack(rows)


def _of(X: np.ndarray, name: str, fs: float = 250.0) -> np.ndarray:
    return measure_rhythm(X, fs)[:, RHYTHM_NAMES.index(name)]


def test_names_are_as_many_as_measures_and_differ() -> None:
    assert measure_rhythm(beats(10, 125)[None], 125).shape == (1, len(RHYTHM_NAMES))
    assert len(set(RHYTHM_NAMES)) == len(RHYTHM_NAMES)


@pytest.mark.parametrize("change", [lambda x: -x, lambda x: 7 * x, lambda x: x + 2])
def test_polarity_gain_and_level_change_nothing(change) -> None:
    X = np.stack([beats(10, 125, jitter=0.3), fibrillation(10, 125), beats(10, 125)])
    np.testing.assert_allclose(
        measure_rhythm(change(X), 125), measure_rhythm(X, 125), rtol=1e-2, atol=5e-3
    )


def _mixed(fs: float = 250.0) -> np.ndarray:
    odd = [np.zeros(2500), beats(10, 250, jitter=0.4), -beats(10, 250), fibrillation(10, 250)]
    return np.concatenate([_windows_of(rhythm, 2, fs) for rhythm in ("N", "AFIB", "VFIB")] + [odd])


def test_a_window_is_measured_alone_to_the_last_bit() -> None:
    X = _mixed()
    alone = np.concatenate([measure_rhythm(x[None], 250) for x in X])
    np.testing.assert_array_equal(measure_rhythm(X, 250), alone)


def test_many_windows_are_measured_as_few_are(monkeypatch: pytest.MonkeyPatch) -> None:
    X = _mixed()
    together = measure_rhythm(X, 250)
    monkeypatch.setattr(measures, "_SAMPLES", 2 * X.shape[1])
    np.testing.assert_array_equal(measure_rhythm(X, 250), together)


def test_beats_intervals_and_waves_are_those_of_plain_loops() -> None:
    X = _mixed()
    found = find_window_beats(X, 250)
    filtered = band_pass(found.X, 125, 0.5, 40)
    fast = measure_rhythm(X, 250)[:, : -len(DISORDER_NAMES)]
    assert (fast[:, 2] == 1).sum() > 10
    for row, (x, qrs, at) in enumerate(zip(filtered, found.qrs, found.beats, strict=True)):
        intervals, waves = plain.intervals(at, plain.usual(qrs, at)), plain.waves(x, at)
        start = [len(at) / 10, np.log10(plain.contrast(qrs, at) + 1), any(intervals), any(waves)]
        np.testing.assert_allclose(fast[row], [*start, *intervals, *waves], rtol=1e-5, atol=1e-6)


def test_disorder_is_that_of_plain_loops() -> None:
    x = fibrillation(10, 125).astype(np.float32)
    filtered = band_pass(x[None], 125, 0.5, 40)[0].astype(np.float64)
    wanted = plain.disorder(filtered)
    for name, value in wanted.items():
        assert _of(x[None], name, 125)[0] == pytest.approx(value, rel=1e-4), name


@given(
    kind=st.sampled_from(["zeros", "nan", "noise", "step", "spike", "tiny", "huge"]),
    n_samples=st.sampled_from([1, 7, 200, 400, 1250, 2500]),
    seed=st.integers(0, 100),
)
@settings(max_examples=40)
def test_whatever_comes_every_measure_is_finite(kind: str, n_samples: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n_samples)
    made = {
        "zeros": np.zeros(n_samples),
        "nan": np.full(n_samples, np.nan),
        "noise": np.where(rng.random(n_samples) < 0.3, np.nan, x),
        "step": np.arange(n_samples) > n_samples // 2,
        "spike": np.arange(n_samples) == n_samples // 2,
        "tiny": 1e-20 * x,
        "huge": 1e12 * x,
    }
    assert np.isfinite(measure_rhythm(made[kind][None], 125)).all()


def test_no_beats_say_so() -> None:
    X = np.zeros((1, 1250))
    assert _of(X, "has_intervals", 125) == _of(X, "has_waves", 125) == 0
    assert _of(beats(10, 125)[None], "has_waves", 125) == 1


def test_fibrillation_of_the_atria_is_irregular_and_shares_no_p_wave() -> None:
    sinus, chaos = _windows_of("N"), _windows_of("AFIB")
    for name in ("rr_rmssd", "rr_cosen", "nn_median_step", "nn_pnn10"):
        assert np.median(_of(chaos, name)) > np.quantile(_of(sinus, name), 0.8), name
    for name in ("p_shared", "p_alike", "rhythm_peak"):
        assert np.median(_of(chaos, name)) < np.quantile(_of(sinus, name), 0.2), name


def test_fibrillation_of_the_ventricles_is_like_a_sine_and_has_no_beats_that_stand_out() -> None:
    sinus, chaos = _windows_of("N"), _windows_of("VFIB")
    for name in ("leakage", "contrast", "qrs_kurtosis"):
        assert _of(chaos, name).max() < np.median(_of(sinus, name)), name
    assert np.median(_of(chaos, "over_threshold")) > _of(sinus, "over_threshold").max()


def test_a_raised_st_segment_is_measured_in_parts_of_the_qrs_complex() -> None:
    fs = 125.0
    time = np.arange(1250) / fs
    plain, raised = np.zeros(1250), np.zeros(1250)
    for r in np.arange(0.7, 9.5, 0.8):
        qrs = np.exp(-0.5 * ((time - r) / 0.012) ** 2)
        plain += qrs
        raised += qrs + 0.3 * ((time > r + 0.05) & (time < r + 0.25))
    levels = _of(np.stack([plain, raised]), "st_level", fs)
    assert abs(levels[0]) < 0.08
    assert levels[1] - levels[0] == pytest.approx(0.3, abs=0.1)


class TestRhythmFeatures:
    def test_it_is_measure_rhythm_and_names_its_columns(self) -> None:
        X = np.stack([beats(10, 250), fibrillation(10, 250)])
        made = RhythmFeatures(250.0).fit(X)
        np.testing.assert_array_equal(made.transform(X), measure_rhythm(X, 250))
        assert list(made.get_feature_names_out()) == list(RHYTHM_NAMES)

    def test_it_stands_beside_other_features(self) -> None:
        X = np.stack([beats(10, 250), fibrillation(10, 250)])
        union = FeatureUnion([("one", RhythmFeatures(250.0)), ("two", RhythmFeatures(250.0))])
        assert union.fit_transform(X).shape == (2, 2 * len(RHYTHM_NAMES))

    def test_a_rate_out_of_range_is_refused(self) -> None:
        with pytest.raises(UsageError, match="fs must be from 10 to 100000 Hz"):
            RhythmFeatures(0.0).fit(np.zeros((2, 100)))
