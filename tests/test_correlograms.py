from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecglens.correlograms import draw_correlograms, qrs_envelope
from ecglens.errors import UsageError, WindowError
from ecglens.images import IMAGE_PRESETS, ImageSettings, make_images
from tests.signals_of import beats, fibrillation

FS = 125.0
SPECTROGRAM = replace(IMAGE_PRESETS["salem2018"], height=64, width=96)
# A stretch holds a beat whatever the interval, up to 1.5 s.
BOTH = replace(SPECTROGRAM, height=112, correlogram_rows=48, correlogram_window_s=1.5)
NONE = 0.2
"""How the correlation 0 is drawn."""


def correlogram(x: np.ndarray, fs: float = FS, image: ImageSettings = BOTH) -> np.ndarray:
    """Return the correlogram of one window, (rows, width)."""
    return make_images(x[None], fs, image)[0, 0, image.spectrogram_rows :]


def by_lag(x: np.ndarray) -> np.ndarray:
    """Return the mean over time of each row."""
    return correlogram(x).mean(axis=1)


@pytest.mark.parametrize("interval_s", [0.4, 0.6, 0.8, 0.9])
def test_a_regular_rhythm_draws_level_stripes_at_multiples_of_its_interval(
    interval_s: float,
) -> None:
    drawn = correlogram(beats(10, FS, rate_hz=1 / interval_s))
    lags_s = BOTH.row_lag_s()
    for multiple in range(1, int(lags_s[-1] / interval_s) + 1):
        stripe = np.abs(lags_s - multiple * interval_s).argmin()
        assert drawn[stripe].min() > 0.7  # at every moment of the window
        between = np.abs(lags_s - (multiple - 0.5) * interval_s).argmin()
        assert drawn[between].max() < 0.3


def test_an_irregular_rhythm_draws_broken_ones() -> None:
    even = correlogram(beats(10, FS, rate_hz=1.4))
    odd = correlogram(beats(10, FS, rate_hz=1.4, jitter=0.4, seed=3))
    later = BOTH.row_lag_s() > 0.4
    # The brightest row of all: bright throughout, or in places.
    assert even[later].mean(axis=1).max() > 0.8
    assert odd[later].mean(axis=1).max() < 0.5
    assert odd[later].max() > 0.7


@given(gain=st.floats(0.01, 100), offset=st.floats(-3, 3), flip=st.booleans())
@settings(max_examples=10, deadline=None)
def test_gain_offset_and_polarity_do_not_matter(gain: float, offset: float, flip: bool) -> None:
    x = beats(10, FS)
    changed = (-x if flip else x) * np.float32(gain) + np.float32(offset)
    np.testing.assert_allclose(correlogram(changed), correlogram(x), atol=5e-3)


def test_each_point_is_pearsons_correlation_of_two_stretches() -> None:
    signal = beats(10, FS, jitter=0.3)[None]
    drawn = draw_correlograms(signal, FS, rows=20, width=30, window_s=1.2, lag_s=(0.2, 1.8))[0]
    envelopes, rate = qrs_envelope(signal, FS)
    length = round(1.2 * rate)
    lags = np.rint(np.linspace(0.2, 1.8, 20) * rate).astype(int)
    starts = np.rint(np.linspace(0, envelopes.shape[1] - length - lags[-1], 30)).astype(int)
    for row, lag in enumerate(lags):
        for column, start in enumerate(starts):
            early, late = (envelopes[0, at : at + length] for at in (start, start + lag))
            expected = (np.corrcoef(early, late)[0, 1] + 0.25) / 1.25
            assert drawn[row, column] == pytest.approx(np.clip(expected, 0, 1), abs=2e-3)


def test_a_stretch_without_energy_is_like_no_other() -> None:
    x = beats(10, FS, rate_hz=1.25)
    x[: len(x) // 2] = 0.0
    drawn = correlogram(x)
    assert np.isfinite(drawn).all()
    assert np.abs(drawn[:, 0] - NONE).max() < 0.02
    assert drawn[:, -1].max() > 0.8


@pytest.mark.parametrize("x", [np.zeros(1250), np.full(1250, 5.0), np.eye(1, 1250, 600)[0]])
def test_signals_with_little_to_correlate_give_numbers(x: np.ndarray) -> None:
    lags = {"rows": 16, "width": 16, "window_s": 1.5, "lag_s": (0.12, 2.0)}
    drawn = draw_correlograms(x[None].astype(np.float32), FS, **lags)
    assert np.isfinite(drawn).all()
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    assert np.median(drawn) == pytest.approx(NONE, abs=0.01)


def test_the_spectrogram_above_is_what_it_is_without_one() -> None:
    X = np.stack([beats(10, FS), fibrillation(10, FS)])
    for image in (BOTH, replace(BOTH, stft_s=(0.256, 0.448, 0.768))):
        alone = replace(image, height=64, correlogram_rows=0)
        both = make_images(X, FS, image)
        np.testing.assert_array_equal(both[:, :, :64], make_images(X, FS, alone))
        np.testing.assert_array_equal(both[:, 0, 64:], both[:, 2, 64:])
        np.testing.assert_array_equal(image.row_hz(), alone.row_hz())


def test_an_image_does_not_depend_on_its_neighbours() -> None:
    X = np.stack([beats(10, FS, seed=i, jitter=0.1 * i) for i in range(11)])
    together = make_images(X, FS, BOTH)
    alone = np.concatenate([make_images(X[i : i + 1], FS, BOTH) for i in range(11)])
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("fs", [100.0, 250.0, 360.0, 500.0])
def test_the_rate_of_the_recorder_hardly_changes_it(fs: float) -> None:
    here = correlogram(beats(10, fs), fs)
    there = correlogram(beats(10, 1000), 1000)
    assert np.abs(here - there).mean() < 0.06


def test_noise_beside_the_beats_leaves_the_stripes() -> None:
    x = beats(10, FS, rate_hz=1.25)
    noise = 0.1 * np.random.default_rng(1).normal(size=x.size).astype(np.float32)
    stripe = np.abs(BOTH.row_lag_s() - 0.8).argmin()
    assert by_lag(x + noise)[stripe] > 0.6
    assert by_lag(noise)[stripe] < 0.4


def test_a_window_shorter_than_what_is_compared_is_refused() -> None:
    assert BOTH.shortest_s == 3.5
    with pytest.raises(WindowError, match=r"windows of 2.50 s .* 3.5 s that a correl"):
        make_images(beats(2.5, FS)[None], FS, BOTH)
    assert np.isfinite(make_images(beats(4, FS)[None], FS, BOTH)).all()


@pytest.mark.parametrize("fs", [61.0, 87.0, 100.0, 110.0, 131.0, 219.0])
@pytest.mark.parametrize("window_s", [0.5, 1.02, 1.5])
def test_the_shortest_window_can_be_drawn_at_any_rate(fs: float, window_s: float) -> None:
    image = replace(BOTH, fs=fs, band_hz=(0.5, 30.0), max_hz=30.0, correlogram_window_s=window_s)
    n_samples = int(np.ceil(image.shortest_s * fs))
    assert np.isfinite(make_images(beats(4, fs)[None, :n_samples], fs, image)).all()


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"correlogram_rows": 4}, "correlogram_rows must be 0, or from 8 to height - 16"),
        ({"correlogram_rows": 100}, "correlogram_rows must be 0, or from 8 to height - 16"),
        ({"fs": 50.0, "band_hz": (0.5, 20.0), "max_hz": 20.0}, "needs fs over 60 Hz"),
        ({"correlogram_window_s": 0.1}, "correlogram_window_s must be from 0.2 to 10"),
        ({"correlogram_lag_s": (1.0, 0.5)}, "with 0 < shortest < longest"),
        ({"correlogram_lag_s": (1.0,)}, "with 0 < shortest < longest"),
    ],
)
def test_settings_out_of_range_name_the_rule(change: dict, rule: str) -> None:
    with pytest.raises(UsageError, match=rule):
        replace(BOTH, **change)


@pytest.mark.parametrize("name", sorted(IMAGE_PRESETS))
def test_a_correlogram_keeps_its_share_in_another_size(name: str) -> None:
    image = IMAGE_PRESETS[name]
    small = image.sized(image.height // 4, 50)
    assert (small.height, small.width) == (image.height // 4, 50)
    assert small.correlogram_rows * 4 == image.correlogram_rows
    assert small.sized(image.height, image.width) == image


def test_settings_written_before_there_were_correlograms_have_none() -> None:
    table = IMAGE_PRESETS["salem2018"].to_dict()
    old = {key: value for key, value in table.items() if not key.startswith("correlogram")}
    assert ImageSettings.from_dict(old) == IMAGE_PRESETS["salem2018"]
    assert IMAGE_PRESETS["salem2018"].correlogram_rows == 0


@pytest.mark.parametrize(
    ("height", "rows"), [(192, 64), (96, 32), (32, 11), (24, 8), (23, 0), (16, 0)]
)
def test_an_image_of_another_size_keeps_the_share_of_the_correlogram(
    height: int, rows: int
) -> None:
    sized = IMAGE_PRESETS["default"].sized(height, 48)
    assert (sized.height, sized.width, sized.correlogram_rows) == (height, 48, rows)
    assert IMAGE_PRESETS["spectrogram"].sized(height, 48).correlogram_rows == 0
