from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import spectrogram

from ecglens.errors import UnreadableWindowError, UsageError, WindowError
from ecglens.images import IMAGE_PRESETS, ImageSettings, draw_channels, filter_windows, make_images
from tests.signals_of import beats, fibrillation

PLAIN = ImageSettings()


def _sines(*hz: float, fs: float = 125.0, seconds: float = 10.0) -> np.ndarray:
    time = np.arange(round(seconds * fs)) / fs
    return np.stack([np.sin(2 * np.pi * f * time) for f in hz]).astype(np.float32)


def test_images_have_the_stated_shape_type_and_range() -> None:
    settings_ = replace(PLAIN, height=64, width=96)
    images = make_images(np.stack([beats(10, 125), fibrillation(10, 125)]), 125, settings_)
    assert images.shape == (2, 3, 64, 96)
    assert images.dtype == np.float32
    assert images.min() >= 0
    np.testing.assert_allclose(images.max(axis=(1, 2, 3)), 1, atol=1e-5)


@pytest.mark.parametrize("hz", [2.0, 5.0, 12.0, 30.0])
def test_a_sine_lights_the_row_of_its_frequency(hz: float) -> None:
    image = make_images(_sines(hz), 125, PLAIN)[0, 0]
    row_hz = np.linspace(PLAIN.max_hz, 0, PLAIN.height)
    assert row_hz[image.mean(axis=1).argmax()] == pytest.approx(hz, abs=0.5)


def test_a_beat_lights_the_column_of_its_time() -> None:
    x = np.zeros((1, 1250), np.float32)
    x[0, 400:403] = 1.0
    x[0] += 0.003 * np.random.default_rng(0).normal(size=1250).astype(np.float32)
    image = make_images(x, 125, PLAIN)[0, 0]
    assert image.mean(axis=0).argmax() / PLAIN.width == pytest.approx(401 / 1250, abs=0.02)


def test_rows_agree_with_scipy_at_its_own_frequencies() -> None:
    # At the bins of a 64-point transform both compute the same Fourier sums.
    x = _sines(6.0) + 0.5 * _sines(17.0)
    bins = replace(PLAIN, band_hz=(0.05, 60.0), max_hz=62.5, height=33, hop_s=8 / 125, width=157)
    ours = make_images(x, 125, bins)[0, 0, ::-1, 78] * PLAIN.dynamic_range_db
    hz, time, power = spectrogram(
        x[0], 125, window="hann", nperseg=64, noverlap=56, detrend=False, scaling="spectrum"
    )
    theirs = 10 * np.log10(power[:, np.abs(time - 78 * 8 / 125).argmin()])
    near = (hz > 3) & (hz < 20)
    np.testing.assert_allclose((ours - ours.max())[near], (theirs - theirs.max())[near], atol=2)


@given(gain=st.floats(0.01, 100), offset=st.floats(-3, 3), flip=st.booleans())
@settings(max_examples=10)
def test_gain_offset_and_inversion_do_not_change_an_image(
    gain: float, offset: float, flip: bool
) -> None:
    x = beats(10, 125)[None]
    changed = (-x if flip else x) * np.float32(gain) + np.float32(offset)
    before, after = make_images(x, 125, PLAIN), make_images(changed, 125, PLAIN)
    np.testing.assert_allclose(after, before, atol=2e-3)


def test_moving_the_signal_by_one_hop_moves_the_image_by_one_column() -> None:
    # As many columns as STFT frames, so that a column is a hop.
    exact = replace(PLAIN, hop_s=8 / 125, width=157)
    long = beats(12, 125, rate_hz=1.0)  # beats on whole seconds, so none at the ends
    one, two = make_images(np.stack([long[62:1312], long[70:1320]]), 125, exact)[:, 0]
    inside = slice(20, 136)
    moved = np.abs(two[:, inside] - one[:, 21:137]).mean()
    still = np.abs(two[:, inside] - one[:, inside]).mean()
    assert moved < 0.01
    assert still > 5 * moved


def test_an_image_does_not_depend_on_its_neighbours() -> None:
    X = np.stack([beats(10, 125, seed=i) for i in range(5)])
    together = make_images(X, 125, PLAIN)
    alone = np.concatenate([make_images(X[i : i + 1], 125, PLAIN) for i in range(5)])
    np.testing.assert_array_equal(together, alone)


def _image_by_definition(x: np.ndarray, image: ImageSettings) -> np.ndarray:
    """Draw one window in float64, a frame and a column at a time."""
    signal = filter_windows(x[None], image.fs, image)[0].astype(np.float64)
    length, hop = round(image.stft_s[0] * image.fs), round(image.hop_s * image.fs)
    padded = np.pad(signal, (length // 2, length - length // 2 - 1), mode="reflect")
    seconds = np.arange(length) / image.fs
    taper = np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2
    waves = np.exp(-2j * np.pi * np.outer(image.row_hz(), seconds)) * taper
    frames = range(0, len(signal), hop)
    power = np.array([np.abs(waves @ padded[at : at + length]) ** 2 for at in frames]).T
    at = np.linspace(0, power.shape[1] - 1, image.width)
    drawn = np.array([np.interp(at, np.arange(power.shape[1]), row) for row in power])
    decibels = 10 * np.log10(np.maximum(drawn / drawn.max(), 1e-30))
    return np.clip(1 + decibels / image.dynamic_range_db, 0, 1)


@pytest.mark.parametrize(
    "image",
    [
        *IMAGE_PRESETS.values(),
        replace(PLAIN, stft_s=(0.392,), hop_s=0.048, height=40, width=50),  # nothing divides
        replace(PLAIN, hop_s=0.4, width=200),  # more columns than frames
    ],
)
def test_an_image_is_what_its_definition_says(image: ImageSettings) -> None:
    X = np.stack([beats(10, 125, seed=1), fibrillation(10, 125) * 300 + 40])
    drawn = make_images(X, 125, image)[:, 0]
    for window, made in zip(X, drawn, strict=True):
        expected = _image_by_definition(window, image)
        np.testing.assert_allclose(made[: image.spectrogram_rows], expected, atol=1e-4)


@pytest.mark.parametrize("fs", [100.0, 250.0, 360.0, 500.0])
def test_the_rate_of_the_recorder_hardly_changes_an_image(fs: float) -> None:
    here = make_images(beats(10, fs)[None], fs, PLAIN)
    there = make_images(beats(10, 1000)[None], 1000, PLAIN)
    bright = there > 0.5
    assert np.abs(here - there)[bright].mean() < 0.06


def test_one_length_fills_three_channels_alike_and_three_lengths_do_not() -> None:
    x = beats(10, 125)[None]
    same = make_images(x, 125, PLAIN)[0]
    np.testing.assert_array_equal(same[0], same[2])
    signal = filter_windows(x, 125, PLAIN)
    np.testing.assert_array_equal(draw_channels(signal, PLAIN)[0], same[:1])
    lengths = replace(PLAIN, stft_s=(0.256, 0.512, 1.024))
    three = make_images(x, 125, lengths)[0]
    np.testing.assert_array_equal(draw_channels(signal, lengths)[0], three)
    np.testing.assert_array_equal(three[1], same[0])
    # A short frame tells neighbouring instants apart better than a long one.
    contrast = three.mean(axis=1).std(axis=-1)
    assert contrast[0] > contrast[1] > contrast[2]


def test_a_small_gap_is_bridged() -> None:
    x = beats(10, 125)
    x[100:110] = np.nan
    assert np.isfinite(make_images(x[None], 125, PLAIN)).all()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [(lambda x: np.full_like(x, np.nan), "missing"), (lambda x: np.zeros_like(x), "flat")],
)
def test_there_is_no_image_of_nothing(spoil: object, reason: str) -> None:
    X = np.stack([beats(10, 125), spoil(beats(10, 125))])  # type: ignore[operator]
    with pytest.raises(UnreadableWindowError, match=rf"1 of 2 windows.*: 1 \({reason}\)"):
        make_images(X, 125, PLAIN)


def test_a_window_shorter_than_a_frame_is_refused() -> None:
    with pytest.raises(WindowError, match=r"windows of 1.00 s are shorter than the longest STFT"):
        make_images(beats(1, 125)[None], 125, replace(PLAIN, stft_s=(2.0,)))


def test_windows_of_the_wrong_shape_are_refused() -> None:
    with pytest.raises(WindowError, match=r"X has shape \(1250,\)"):
        make_images(beats(10, 125), 125, PLAIN)


class TestSettings:
    @pytest.mark.parametrize(
        ("change", "rule"),
        [
            ({"band_hz": (5.0, 1.0)}, "0 < low < high"),
            ({"band_hz": (0.5, 80.0)}, "0 < low < high"),
            ({"stft_s": (0.1, 0.2)}, "one or three lengths"),
            ({"stft_s": (0.001,)}, "one or three lengths"),
            ({"hop_s": 0.0}, "hop_s must be one sample"),
            ({"max_hz": 100.0}, "max_hz must be"),
            ({"dynamic_range_db": 0.0}, "dynamic_range_db"),
            ({"height": 4}, "height and width"),
            ({"width": 5000}, "height and width"),
            ({"filter_order": 0}, "filter_order"),
        ],
    )
    def test_values_out_of_range_name_the_rule(self, change: dict, rule: str) -> None:
        with pytest.raises(UsageError, match=rule):
            replace(PLAIN, **change)

    @pytest.mark.parametrize("name", sorted(IMAGE_PRESETS))
    def test_presets_survive_a_dictionary(self, name: str) -> None:
        preset = IMAGE_PRESETS[name]
        assert ImageSettings.from_dict(preset.to_dict()) == preset

    def test_lists_are_as_good_as_tuples(self) -> None:
        listed = ImageSettings(band_hz=[0.5, 40.0], stft_s=[0.512])  # type: ignore[arg-type]
        assert listed == PLAIN
        assert hash(listed) == hash(PLAIN)

    def test_an_unknown_key_gets_a_suggestion(self) -> None:
        with pytest.raises(
            UsageError, match="unknown image setting 'heigth'; did you mean 'height'"
        ):
            ImageSettings.from_dict({"heigth": 64})

    def test_a_value_of_the_wrong_kind_is_refused(self) -> None:
        with pytest.raises(UsageError, match="wrong kind"):
            ImageSettings.from_dict({"band_hz": 5})
