"""Windows to images: log-power spectrograms, low frequencies at the bottom, and correlograms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from ecglens.correlograms import QRS_HZ, draw_correlograms
from ecglens.errors import UnreadableWindowError, UsageError, WindowError, suggest
from ecglens.records import check_fs
from ecglens.signals import band_pass, fill_gaps, read_only, resample, unreadable_reasons

FloatArray = npt.NDArray[np.float32]

_FILTERED = 128
"""Windows that are filtered at once."""

_DRAWN = 8
"""Windows that are drawn at once, so that what lies between signal and image stays in the cache."""

_COLUMNS = 32
"""Columns per block of the interpolation; the matrix is zero far from its diagonal."""


@dataclass(frozen=True)
class ImageSettings:
    """How a window becomes an image.

    Attributes:
        fs: rate in Hz at which the image is computed; windows are resampled to it.
        band_hz: edges of the zero-phase Butterworth band-pass in Hz.
        filter_order: order of one pass of it, 1 to 8.
        stft_s: lengths of the Hann-tapered STFT frames in seconds. One length fills the three
            channels with the same image; three lengths give each channel its own resolution
            (short ones draw every beat, long ones draw the spectral lines of fibrillation).
        hop_s: from one STFT frame to the next in seconds.
        max_hz: frequency of the top row in Hz; the bottom row is 0 Hz.
        bend_hz: None spaces the rows evenly in Hz. A number spaces them evenly in
            log(1 + f / bend_hz): nearly even below it and in octaves above, so that P, T and ST
            (below some 10 Hz) get most rows.
        dynamic_range_db: the window's strongest point is 1, this many dB below it is 0.
        height: rows.
        width: columns (time).
        correlogram_rows: how many of the rows, the lowest, are a correlogram
            (:mod:`ecglens.correlograms`), the same in every channel; 0 leaves it out and all rows
            to the spectrogram.
        correlogram_window_s: length of the stretches that are correlated in seconds.
        correlogram_lag_s: lags of its top and its bottom row in seconds.

    Raises:
        UsageError: values are out of range or do not fit together.
    """

    fs: float = 125.0
    band_hz: tuple[float, float] = (0.5, 40.0)
    filter_order: int = 2
    stft_s: tuple[float, ...] = (0.512,)
    hop_s: float = 0.064
    max_hz: float = 40.0
    bend_hz: float | None = None
    dynamic_range_db: float = 60.0
    height: int = 128
    width: int = 128
    correlogram_rows: int = 0
    correlogram_window_s: float = 1.0
    correlogram_lag_s: tuple[float, float] = (0.12, 2.0)

    def __post_init__(self) -> None:
        check_fs(self.fs, "image settings")
        # A list would make the settings unhashable.
        for name in ("band_hz", "stft_s", "correlogram_lag_s"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        rules = {
            "band_hz must be (low, high) with 0 < low < high < fs / 2": len(self.band_hz) == 2
            and 0 < self.band_hz[0] < self.band_hz[1] < self.fs / 2,
            "filter_order must be from 1 to 8": 1 <= self.filter_order <= 8,
            "stft_s must hold one or three lengths of 4 samples to 10 s": len(self.stft_s) in (1, 3)
            and all(4 <= s * self.fs <= 10 * self.fs for s in self.stft_s),
            "hop_s must be one sample or more": self.hop_s * self.fs >= 1,
            "max_hz must be over 0 and up to fs / 2": 0 < self.max_hz <= self.fs / 2,
            "bend_hz must be over 0 and up to max_hz": self.bend_hz is None
            or 0 < self.bend_hz <= self.max_hz,
            "dynamic_range_db must be from 1 to 200": 1 <= self.dynamic_range_db <= 200,
            "height and width must be from 16 to 1024": min(self.height, self.width) >= 16
            and max(self.height, self.width) <= 1024,
            **self._correlogram_rules(),
        }
        broken = [rule for rule, holds in rules.items() if not holds]
        if broken:
            raise UsageError(f"image settings: {broken[0]}; got {self}")

    def _correlogram_rules(self) -> dict[str, bool]:
        lag_s, rows = self.correlogram_lag_s, self.correlogram_rows
        return {
            "correlogram_rows must be 0, or from 8 to height - 16": rows == 0
            or 8 <= rows <= self.height - 16,
            f"a correlogram needs fs over {2 * QRS_HZ[1]:g} Hz": rows == 0
            or self.fs > 2 * QRS_HZ[1],
            "correlogram_window_s must be from 0.2 to 10": 0.2 <= self.correlogram_window_s <= 10,
            "correlogram_lag_s must be (shortest, longest) with 0 < shortest < longest <= 10": (
                len(lag_s) == 2 and 0 < lag_s[0] < lag_s[1] <= 10
            ),
        }

    @property
    def spectrogram_rows(self) -> int:
        """How many of the rows, the upper ones, are the spectrogram."""
        return self.height - self.correlogram_rows

    @property
    def shortest_s(self) -> float:
        """Length of the shortest window that can become an image, in seconds."""
        reach_s = self.correlogram_window_s + self.correlogram_lag_s[1]
        return max(*self.stft_s, reach_s * (self.correlogram_rows > 0))

    def row_hz(self) -> npt.NDArray[np.float64]:
        """Return the frequency of each row of the spectrogram in Hz, the top row first."""
        if self.bend_hz is None:
            return np.linspace(self.max_hz, 0.0, self.spectrogram_rows)
        top = np.log1p(self.max_hz / self.bend_hz)
        return np.asarray(self.bend_hz * np.expm1(np.linspace(top, 0.0, self.spectrogram_rows)))

    def row_lag_s(self) -> npt.NDArray[np.float64]:
        """Return the lag of each row of the correlogram in seconds, from top to bottom."""
        return np.linspace(*self.correlogram_lag_s, self.correlogram_rows)

    def sized(self, height: int, width: int) -> ImageSettings:
        """Return the same for images of another size, such as a network insists on.

        The correlogram keeps its share of the rows; where that is under 8, or leaves the
        spectrogram under 16, there is none.
        """
        rows = round(self.correlogram_rows * height / self.height)
        kept = rows if 8 <= rows <= height - 16 else 0
        return replace(self, height=height, width=width, correlogram_rows=kept)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON-ready values."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> ImageSettings:
        """Make settings from a mapping such as a TOML table; absent keys keep their defaults.

        Raises:
            UsageError: an unknown key (with a suggestion) or a value of the wrong kind.
        """
        known = [f.name for f in fields(cls)]
        for key in table:
            if key not in known:
                raise UsageError(
                    f"unknown image setting {key!r}{suggest(key, known)}; "
                    f"known are {', '.join(known)}"
                )
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in table.items()
        }
        try:
            return cls(**values)
        except TypeError as error:
            raise UsageError(f"image settings: a value has the wrong kind: {error}") from error


_SPECTROGRAM = ImageSettings(
    band_hz=(0.1, 40.0), stft_s=(0.448,), bend_hz=8.0, dynamic_range_db=50.0
)
# "spectrogram" was chosen on the subject-wise folds of rhythm4 (docs/recipe.md), and so was the
# correlogram that "default" has below it (docs/research/images.md); "fast" has the spectrogram at
# half its height.
# The paper's abstract names the spectrogram and the network, not the numbers; what follows for
# "salem2018" is an assumption, item by item, in docs/salem2018.md.
IMAGE_PRESETS: Mapping[str, ImageSettings] = MappingProxyType(
    {
        "default": replace(_SPECTROGRAM, height=192, correlogram_rows=64),
        "fast": replace(_SPECTROGRAM, height=128, correlogram_rows=64),
        "spectrogram": _SPECTROGRAM,
        "salem2018": ImageSettings(),
    }
)


def make_images(X: npt.ArrayLike, fs: float, settings: ImageSettings) -> FloatArray:
    """Turn windows into images.

    Each image depends on its own window only and is unchanged by gain, offset and inversion of
    the signal; a spectrogram moves by columns when the signal moves by hops.

    Args:
        X: windows in mV (any unit will do), shape (n_windows, n_samples); up to 2 % of a window
            may be NaN and is bridged.
        fs: rate of ``X`` in Hz.
        settings: see :class:`ImageSettings`.

    Returns:
        float32, shape (n_windows, 3, height, width), in [0, 1]; row 0 is the highest frequency,
        and a correlogram, where there is one, lies below the lowest.

    Raises:
        UnreadableWindowError: a window is flat or missing; there is no image of nothing.
        WindowError: a window is shorter than ``settings.shortest_s``.
    """
    array = np.asarray(X, dtype=np.float32)
    refuse_unreadable(array, fs)
    images = np.empty((len(array), 3, settings.height, settings.width), dtype=np.float32)
    for start in range(0, len(array), _FILTERED):
        part = slice(start, start + _FILTERED)
        images[part] = draw_channels(filter_windows(array[part], fs, settings), settings)
    return images


def filter_windows(X: npt.ArrayLike, fs: float, settings: ImageSettings) -> FloatArray:
    """Bridge gaps, resample and band-pass readable windows and scale each to a deviation of 1.

    Returns:
        float32, shape (n_windows, n_samples at ``settings.fs``).

    Raises:
        WindowError: a window is shorter than ``settings.shortest_s``.
    """
    array = np.asarray(X, dtype=np.float32)
    finite = fill_gaps(np.where(np.isfinite(array), array, np.nan))
    centred = finite - finite.mean(axis=-1, keepdims=True)
    moved = resample(centred, fs, settings.fs)
    if moved.shape[-1] < settings.shortest_s * settings.fs:
        raise _too_short(array.shape[-1] / fs, settings)
    low_hz, high_hz = settings.band_hz
    passed = band_pass(moved, settings.fs, low_hz, high_hz, order=settings.filter_order)
    deviation = passed.std(axis=-1, keepdims=True)
    passed /= np.maximum(deviation, np.finfo(np.float32).tiny)
    return passed


def _too_short(length_s: float, settings: ImageSettings) -> WindowError:
    """Return the error for windows shorter than what is looked at in one piece."""
    frame_s = max(settings.stft_s)
    if settings.shortest_s > frame_s:
        return WindowError(
            f"windows of {length_s:.2f} s are shorter than the {settings.shortest_s:g} s that a "
            "correlogram compares; use longer windows, or a shorter correlogram_window_s or "
            "correlogram_lag_s"
        )
    return WindowError(
        f"windows of {length_s:.2f} s are shorter than the longest STFT frame of "
        f"{frame_s:g} s; use longer windows or shorter frames (stft_s)"
    )


def refuse_unreadable(X: FloatArray, fs: float) -> None:
    """Check that every window can become an image.

    Raises:
        UnreadableWindowError: a window is flat or missing.
        WindowError: ``X`` is not (n_windows, n_samples).
    """
    if X.ndim != 2:
        raise WindowError(f"X has shape {X.shape}; it must be (n_windows, n_samples)")
    reasons = unreadable_reasons(X, fs)
    bad = np.flatnonzero(reasons != "")
    if len(bad):
        shown = ", ".join(f"{i} ({reasons[i]})" for i in bad[:5])
        more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
        raise UnreadableWindowError(
            f"{len(bad)} of {len(X)} windows cannot become images: {shown}{more}; "
            "leave them out (signals.unreadable_reasons finds them)"
        )


def draw_channels(signal: FloatArray, settings: ImageSettings) -> FloatArray:
    """Draw what :func:`filter_windows` gives, with channels that are equal drawn once.

    Returns:
        float32, shape (n_windows, 1 or 3, height, width): a channel for each STFT length.
    """
    sizes = (len(signal), len(settings.stft_s), settings.height, settings.width)
    channels = np.empty(sizes, dtype=np.float32)
    split = settings.spectrogram_rows
    if settings.correlogram_rows:
        channels[:, :, split:] = _correlograms(signal, settings)[:, None]
    for start in range(0, len(signal), _DRAWN):
        part = slice(start, start + _DRAWN)
        for channel, length_s in enumerate(settings.stft_s):
            _draw_level(signal[part], length_s, settings, channels[part, channel, :split])
    return channels


def _correlograms(signal: FloatArray, settings: ImageSettings) -> FloatArray:
    return draw_correlograms(
        signal,
        settings.fs,
        rows=settings.correlogram_rows,
        width=settings.width,
        window_s=settings.correlogram_window_s,
        lag_s=settings.correlogram_lag_s,
    )


def _draw_level(
    signal: FloatArray, length_s: float, settings: ImageSettings, level: FloatArray
) -> None:
    """Fill ``level`` (n_windows, height, width) with log power, 0 to 1, in place throughout."""
    power = _stft_power(signal, length_s, settings)
    for used, columns, weights in _columns(power.shape[1], settings.width):
        np.matmul(power[:, used].transpose(0, 2, 1), weights, out=level[:, :, columns])
    peak = np.maximum(level.max(axis=(-2, -1), keepdims=True), np.float32(1e-10))
    floor = peak * np.float32(10 ** (-settings.dynamic_range_db / 10))
    np.maximum(level, floor, out=level)
    np.log(level, out=level)  # many values at a time, unlike log10
    level -= np.log(floor)
    level *= np.float32(10 / (settings.dynamic_range_db * np.log(10)))
    np.clip(level, 0, 1, out=level)


def _stft_power(signal: FloatArray, length_s: float, settings: ImageSettings) -> FloatArray:
    """Return STFT power (n_windows, n_frames, height) at the image's own frequencies.

    The transform is evaluated at the rows' own frequencies by a matrix product, which is what a
    zero-padded FFT and interpolation between its bins would approximate.
    """
    length = round(length_s * settings.fs)
    hop = round(settings.hop_s * settings.fs)
    before = length // 2
    padded = np.pad(signal, ((0, 0), (before, length - before - 1)), mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, length, axis=-1)[:, ::hop]
    # A product for each window, not one for all: so neighbours change no bit of an image.
    spectrum = np.ascontiguousarray(frames) @ _fourier_basis(length, settings)
    np.square(spectrum, out=spectrum)
    cosines, sines = np.split(spectrum, 2, axis=-1)
    cosines += sines
    return np.asarray(cosines)


@lru_cache(maxsize=16)
def _fourier_basis(length: int, settings: ImageSettings) -> FloatArray:
    """Return Hann-tapered cosines, then sines, (length, 2 height), highest frequency first."""
    angle = 2 * np.pi * np.outer(np.arange(length) / settings.fs, settings.row_hz())
    taper = np.sin(np.pi * (np.arange(length) + 0.5) / length)[:, None] ** 2
    basis = taper * np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
    return read_only(basis)


@lru_cache(maxsize=16)
def _columns(n_frames: int, width: int) -> tuple[tuple[slice, slice, FloatArray], ...]:
    """Return the linear interpolation from STFT frames to image columns, in blocks of columns.

    Each block is (frames used, columns made, weights of shape (frames, columns)).
    """
    at = np.linspace(0, n_frames - 1, width)
    blocks = []
    for start in range(0, width, _COLUMNS):
        columns = slice(start, min(start + _COLUMNS, width))
        used = slice(int(at[columns][0]), int(np.ceil(at[columns][-1])) + 1)
        distance = np.abs(at[None, columns] - np.arange(used.start, used.stop)[:, None])
        blocks.append((used, columns, read_only(np.clip(1 - distance, 0, None))))
    return tuple(blocks)
