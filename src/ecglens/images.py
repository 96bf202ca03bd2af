"""Windows to time-frequency images: log-power spectrograms, low frequencies at the bottom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from ecglens.errors import UnreadableWindowError, UsageError, WindowError, suggest
from ecglens.records import check_fs
from ecglens.signals import band_pass, fill_gaps, resample, unreadable_reasons

FloatArray = npt.NDArray[np.float32]


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
        height: rows (frequency).
        width: columns (time).

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

    def __post_init__(self) -> None:
        check_fs(self.fs, "image settings")
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
        }
        broken = [rule for rule, holds in rules.items() if not holds]
        if broken:
            raise UsageError(f"image settings: {broken[0]}; got {self}")

    def row_hz(self) -> npt.NDArray[np.float64]:
        """Return the frequency of each row in Hz, the top row first."""
        if self.bend_hz is None:
            return np.linspace(self.max_hz, 0.0, self.height)
        top = np.log1p(self.max_hz / self.bend_hz)
        return np.asarray(self.bend_hz * np.expm1(np.linspace(top, 0.0, self.height)))

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


# "default" was chosen on the subject-wise folds of rhythm4 (docs/recipe.md).
# The paper's abstract names the spectrogram and the network, not the numbers; what follows for
# "salem2018" is an assumption, item by item, in docs/salem2018.md.
IMAGE_PRESETS: Mapping[str, ImageSettings] = MappingProxyType(
    {
        "default": ImageSettings(
            band_hz=(0.1, 40.0), stft_s=(0.448,), bend_hz=8.0, dynamic_range_db=50.0
        ),
        "salem2018": ImageSettings(),
    }
)


def make_images(X: npt.ArrayLike, fs: float, settings: ImageSettings) -> FloatArray:
    """Turn windows into images.

    Each image depends on its own window only, is unchanged by gain, offset and inversion of the
    signal, and moves by columns when the signal moves by hops.

    Args:
        X: windows in mV (any unit will do), shape (n_windows, n_samples); up to 2 % of a window
            may be NaN and is bridged.
        fs: rate of ``X`` in Hz.
        settings: see :class:`ImageSettings`.

    Returns:
        float32, shape (n_windows, 3, height, width), in [0, 1]; row 0 is the highest frequency.

    Raises:
        UnreadableWindowError: a window is flat or missing; there is no image of nothing.
        WindowError: a window is shorter than the longest STFT frame.
    """
    array = np.asarray(X, dtype=np.float32)
    if array.ndim != 2:
        raise WindowError(f"X has shape {array.shape}; it must be (n_windows, n_samples)")
    _refuse_unreadable(array, fs)
    signal = filter_windows(array, fs, settings)
    images = [_log_power(signal, length_s, settings) for length_s in settings.stft_s]
    return np.stack(images * (3 // len(images)), axis=1)


def filter_windows(X: npt.ArrayLike, fs: float, settings: ImageSettings) -> FloatArray:
    """Bridge gaps, resample and band-pass readable windows and scale each to a deviation of 1.

    Returns:
        float32, shape (n_windows, n_samples at ``settings.fs``).

    Raises:
        WindowError: a window is shorter than the longest STFT frame.
    """
    array = np.asarray(X, dtype=np.float32)
    finite = fill_gaps(np.where(np.isfinite(array), array, np.nan))
    centred = finite - np.median(finite, axis=-1, keepdims=True)
    moved = resample(centred, fs, settings.fs)
    shortest = max(settings.stft_s)
    if moved.shape[-1] < shortest * settings.fs:
        raise WindowError(
            f"windows of {array.shape[-1] / fs:.2f} s are shorter than the longest STFT frame of "
            f"{shortest:g} s; use longer windows or shorter frames (stft_s)"
        )
    low_hz, high_hz = settings.band_hz
    passed = band_pass(moved, settings.fs, low_hz, high_hz, order=settings.filter_order)
    deviation = passed.std(axis=-1, keepdims=True)
    return np.asarray(passed / np.maximum(deviation, np.finfo(np.float32).tiny), dtype=np.float32)


def _refuse_unreadable(X: FloatArray, fs: float) -> None:
    reasons = unreadable_reasons(X, fs)
    bad = np.flatnonzero(reasons != "")
    if len(bad):
        shown = ", ".join(f"{i} ({reasons[i]})" for i in bad[:5])
        more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
        raise UnreadableWindowError(
            f"{len(bad)} of {len(X)} windows cannot become images: {shown}{more}; "
            "leave them out (signals.unreadable_reasons finds them)"
        )


def _log_power(signal: FloatArray, length_s: float, settings: ImageSettings) -> FloatArray:
    """Return images (n_windows, height, width) of one time-frequency resolution."""
    power = _stft_power(signal, length_s, settings)
    power = power @ _columns(power.shape[-1], settings.width)
    peak = power.max(axis=(-2, -1), keepdims=True)
    floor = np.float32(10 ** (-settings.dynamic_range_db / 10))
    level = np.log10(np.maximum(power / np.maximum(peak, 1e-30), floor))
    level *= 10 / settings.dynamic_range_db
    return np.asarray(np.clip(1 + level, 0, 1), dtype=np.float32)


def _stft_power(signal: FloatArray, length_s: float, settings: ImageSettings) -> FloatArray:
    """Return STFT power (n_windows, height, n_frames) at the image's own frequencies.

    The transform is evaluated at the rows' own frequencies by a matrix product, which is what a
    zero-padded FFT and interpolation between its bins would approximate.
    """
    length = round(length_s * settings.fs)
    hop = round(settings.hop_s * settings.fs)
    before = length // 2
    padded = np.pad(signal, ((0, 0), (before, length - before - 1)), mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, length, axis=-1)[:, ::hop]
    cosines, sines = _fourier_basis(length, settings)
    power = np.square(frames @ cosines) + np.square(frames @ sines)
    return np.ascontiguousarray(power.transpose(0, 2, 1))


def _fourier_basis(length: int, settings: ImageSettings) -> tuple[FloatArray, FloatArray]:
    """Return Hann-tapered cosines and sines, each (length, height), highest frequency first."""
    angle = 2 * np.pi * np.outer(np.arange(length) / settings.fs, settings.row_hz())
    taper = np.sin(np.pi * (np.arange(length) + 0.5) / length)[:, None] ** 2
    return (taper * np.cos(angle)).astype(np.float32), (taper * np.sin(angle)).astype(np.float32)


def _columns(n_frames: int, width: int) -> FloatArray:
    """Return the linear interpolation (n_frames, width) from STFT frames to image columns."""
    at = np.linspace(0, n_frames - 1, width)
    distance = np.abs(at[None, :] - np.arange(n_frames)[:, None])
    return np.asarray(np.clip(1 - distance, 0, None), dtype=np.float32)
