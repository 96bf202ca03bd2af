"""Windows to correlograms: how alike the course of QRS energy is to itself some time later.

The short-time autocorrelation of an envelope, known from pitch tracking (Licklider 1951), turns a
regular rhythm into level stripes at the beat interval and its multiples, and an irregular one into
broken stripes: a texture that a network made for pictures can see, and no beat has to be found.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ecglens.signals import band_pass, read_only

FloatArray = npt.NDArray[np.float32]
Index = npt.NDArray[np.intp]

QRS_HZ = (8.0, 30.0)
"""Band of the envelope in Hz: most of a QRS complex, little of P, T, drift and muscle."""

SMOOTHING_S = 0.08
"""Length of the Hann average that makes one hill of a QRS complex."""

ENVELOPE_HZ = 31.25
"""About the rate of the envelope, which holds little above 25 Hz after smoothing."""

LEAST = -0.25
"""The correlation drawn black; 1 is drawn white."""

_DRAWN = 8
"""Windows that are drawn at once, so that what lies between stays in the processor's cache."""

_STILL = 1e-4
"""Share of the window's own variance below which a stretch counts as having none."""


def draw_correlograms(
    signal: FloatArray,
    fs: float,
    *,
    rows: int,
    width: int,
    window_s: float,
    lag_s: tuple[float, float],
) -> FloatArray:
    """Draw the short-time autocorrelation of the QRS envelope.

    Column j takes a stretch of ``window_s``; in its row of lag t stands the correlation
    (Pearson's) of that stretch with the one t later. Columns begin at even distances so that the
    last one ends, with the longest lag, at the end of the window. Gain, offset and polarity
    change nothing, and each drawing depends on its own window only.

    Args:
        signal: finite, without drift, shape (n_windows, n_samples).
        fs: rate in Hz, over twice the upper edge of :data:`QRS_HZ`.
        rows: number of lags.
        width: number of columns.
        window_s: length of the stretches in seconds.
        lag_s: shortest (top row) and longest lag in seconds; with ``window_s`` the longest must
            fit into the signal.

    Returns:
        float32, shape (n_windows, rows, width), in [0, 1]: 0 for correlations up to -0.25, 0.2 for
        none at all or no energy to correlate, 1 for stretches that are alike.
    """
    envelopes, rate = qrs_envelope(signal, fs)
    lags = np.rint(np.linspace(*lag_s, rows) * rate).astype(np.intp)
    # Rounded up both, stretch and lag may be a sample too long for the shortest of windows.
    length = min(round(window_s * rate), envelopes.shape[-1] - int(lags[-1]))
    drawn = np.empty((len(signal), rows, width), dtype=np.float32)
    for start in range(0, len(signal), _DRAWN):
        part = slice(start, start + _DRAWN)
        drawn[part] = _correlations(envelopes[part], length, lags, width)
    drawn -= np.float32(LEAST)
    drawn /= np.float32(1 - LEAST)
    return np.clip(drawn, 0, 1, out=drawn)


def qrs_envelope(signal: FloatArray, fs: float) -> tuple[FloatArray, float]:
    """Return the smoothed size of the signal in the band of QRS complexes, and its rate in Hz.

    Args:
        signal: finite, shape (n_windows, n_samples).
        fs: rate in Hz.

    Returns:
        Envelopes, less their mean and over their standard deviation, shape (n_windows, n), and
        their rate.
    """
    size = np.abs(band_pass(signal, fs, *QRS_HZ))
    taper = _taper(fs)
    half = len(taper) // 2
    step = max(1, round(fs / ENVELOPE_HZ))
    padded = np.pad(size, ((0, 0), (half, half)), mode="edge")
    under = np.lib.stride_tricks.sliding_window_view(padded, len(taper), axis=-1)[:, ::step]
    smooth = np.empty(under.shape[:2], dtype=np.float32)
    for window, out in zip(under, smooth, strict=True):
        out[:] = np.ascontiguousarray(window) @ taper
    smooth -= smooth.mean(axis=-1, keepdims=True)
    smooth /= np.maximum(smooth.std(axis=-1, keepdims=True), np.finfo(np.float32).tiny)
    return smooth, fs / step


@lru_cache(maxsize=16)
def _taper(fs: float) -> FloatArray:
    """Return the Hann weights of the average, an odd number of them, with sum 1."""
    length = 2 * round(SMOOTHING_S * fs / 2) + 1
    taper = np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2
    return read_only(taper / taper.sum())


def _correlations(envelopes: FloatArray, length: int, lags: Index, width: int) -> FloatArray:
    """Return Pearson's correlations, (n_windows, lags, width), of stretches with later ones."""
    reach = envelopes.shape[-1] - int(lags[-1])
    starts, sums = _stretches(reach, length, width)
    later = np.lib.stride_tricks.sliding_window_view(envelopes, reach, axis=-1)[:, lags]
    later *= envelopes[:, None, :reach]
    found: FloatArray = np.matmul(later, sums)
    mean, spread = _moments(envelopes, length)
    mean /= spread
    at = starts + lags[:, None]
    found /= spread[:, None, starts]
    found /= np.take(spread, at, axis=1)
    found -= mean[:, None, starts] * np.take(mean, at, axis=1)
    return found


@lru_cache(maxsize=16)
def _stretches(reach: int, length: int, width: int) -> tuple[Index, FloatArray]:
    """Return where stretches begin, and the matrix (reach, width) that takes their means."""
    starts = np.rint(np.linspace(0, reach - length, width)).astype(np.intp)
    since = np.arange(reach)[:, None] - starts
    return starts, read_only(((since >= 0) & (since < length)) / length)


def _moments(envelopes: FloatArray, length: int) -> tuple[FloatArray, FloatArray]:
    """Return mean and standard deviation of the stretch from each sample on."""
    n_windows, n_samples = envelopes.shape
    running = np.zeros((2, n_windows, n_samples + 1))
    np.cumsum(envelopes, axis=-1, out=running[0, :, 1:], dtype=np.float64)
    np.cumsum(np.square(envelopes), axis=-1, out=running[1, :, 1:], dtype=np.float64)
    mean, square = (running[..., length:] - running[..., :-length]) / length
    spread = np.sqrt(np.maximum(square - np.square(mean), _STILL))
    return mean.astype(np.float32), spread.astype(np.float32)
