"""Measures of spectrum and disorder that need no beat: what tells fibrillation of the ventricles.

Compared on real recordings by Amann, Tratnig and Unterkofler (BioMed Eng OnLine 2005,
doi:10.1186/1475-925X-4-60) and Jekova (Biomed Signal Process Control 2007).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import fft

FloatArray = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

FS = 125.0
"""Rate in Hz of the windows measured here."""

BAND_EDGES_HZ = (0.7, 2.0, 3.0, 4.0, 5.5, 7.0, 9.0, 12.0, 16.0, 22.0, 30.0, 40.0)

DISORDER_NAMES = (
    *(
        f"band_{low:g}_{high:g}hz"
        for low, high in pairwise(BAND_EDGES_HZ)
    ),
    "peak_hz", "peak_share", "spectral_entropy", "mean_hz", "leakage", "over_threshold",
    "pulses_per_s", "visited", "mobility", "complexity", "skewness", "kurtosis",
    "qrs_kurtosis", "rhythm_peak", "rhythm_period_s", "wave_peak", "wave_period_s",
)  # fmt: skip
"""In order: share of the power in each band; frequency of the spectrum's peak and share of the
power within 1 Hz of it; entropy over its largest value; mean frequency; leakage of the VF filter
(Kuo and Dillman 1978); share of samples over a fifth of the largest (Arafat 2009) and how often a
second the signal rises over it (Thakur 1990); share of the phase space of delay 0.5 s that is
visited (Amann 2007); Hjorth's mobility and complexity (1970); skewness without sign and logarithm
of kurtosis, of the signal and of its QRS band; first peak of the autocorrelation of QRS energy,
and of the signal, with their lags."""

_SEGMENT = 250  # samples: 2 s
_GRID = 40


def measure_disorder(X: FloatArray, qrs: FloatArray) -> Floats:
    """Return the measures of :data:`DISORDER_NAMES`, shape (n_windows, n_measures).

    Args:
        X: windows without their baseline, shape (n_windows, n_samples), 125 Hz.
        qrs: the same in the band of QRS complexes.
    """
    scale = X.std(axis=1, keepdims=True)
    x = np.asarray(X / np.where(scale > 0, scale, 1), dtype=np.float32)
    power, hz = _spectrum(x)
    energy = np.abs(qrs)
    kernel = 10  # 80 ms: complexes of another shape still lie over each other
    smooth = np.cumsum(np.pad(energy, ((0, 0), (kernel, 0))), axis=1, dtype=np.float64)
    envelope = smooth[:, kernel:] - smooth[:, :-kernel]
    return np.column_stack(
        [
            _bands(power, hz),
            _shape_of_spectrum(power, hz),
            _leakage(x),
            *_thresholds(x),
            _visited(x),
            *_hjorth(x),
            *_skewness_and_kurtosis(x),
            _skewness_and_kurtosis(qrs)[1],
            *_first_peak(envelope, 0.25),
            *_first_peak(x, 0.1),
        ]
    ).astype(np.float64)


def _spectrum(x: FloatArray) -> tuple[Floats, Floats]:
    """Return the power from 0.7 to 40 Hz, summing to 1, and its frequencies."""
    n = x.shape[1]
    power = np.abs(fft.rfft(x * np.hanning(n).astype(np.float32), axis=1)) ** 2
    hz = fft.rfftfreq(n, 1 / FS)
    low_hz, high_hz = BAND_EDGES_HZ[0], BAND_EDGES_HZ[-1]
    inside = slice(int(np.searchsorted(hz, low_hz)), int(np.searchsorted(hz, high_hz, "right")))
    kept = power[:, inside].astype(np.float64) + 1e-12
    return kept / kept.sum(axis=1, keepdims=True), hz[inside]


def _bands(power: Floats, hz: Floats) -> Floats:
    """Return the power of every band; the last holds its upper edge too."""
    return np.add.reduceat(power, np.searchsorted(hz, BAND_EDGES_HZ[:-1]), axis=1)


def _shape_of_spectrum(power: Floats, hz: Floats) -> Floats:
    peak = hz[np.argmax(power, axis=1)]
    near = np.abs(hz[None, :] - peak[:, None]) <= 1.0
    entropy = -(power * np.log(power)).sum(axis=1) / np.log(len(hz))
    return np.column_stack([peak, (power * near).sum(axis=1), entropy, (power * hz).sum(axis=1)])


def _leakage(x: FloatArray) -> Floats:
    """Return how little a window resembles a sine: 0 when half a period later it is upside down."""
    n = x.shape[1]
    height = np.abs(x)
    steps = np.abs(np.diff(x, axis=1)).mean(axis=1)
    half = np.round(np.pi * height.mean(axis=1) / np.where(steps > 0, steps, 1) / 2 + 0.5)
    half = np.clip(half.astype(int), 1, n // 2)
    heights = np.cumsum(height, axis=1, dtype=np.float64)
    row = np.arange(len(x))
    both = heights[:, -1] - heights[row, half - 1] + heights[row, n - 1 - half]
    together = [np.abs(x[i, shift:] + x[i, :-shift]).sum() for i, shift in enumerate(half)]
    return np.where(both > 0, np.array(together) / np.where(both > 0, both, 1.0), 1.0)


def _thresholds(x: FloatArray) -> tuple[Floats, Floats]:
    n_segments = max(1, x.shape[1] // _SEGMENT)
    length = min(_SEGMENT, x.shape[1])
    parts = np.abs(x[:, : n_segments * length]).reshape(len(x), n_segments, length)
    over = parts > 0.2 * parts.max(axis=2, keepdims=True)
    rises = np.count_nonzero(over[:, :, 1:] & ~over[:, :, :-1], axis=(1, 2))
    return over.mean(axis=(1, 2)), rises / (n_segments * length / FS)


def _visited(x: FloatArray) -> Floats:
    delay = min(round(0.5 * FS), x.shape[1] - 1)
    low = x.min(axis=1, keepdims=True)
    height = np.ptp(x, axis=1)[:, None]
    cell = ((x - low) / np.where(height > 0, height, 1) * (_GRID - 1e-3)).astype(np.int64)
    box = cell[:, delay:] * _GRID + cell[:, :-delay]
    seen = np.zeros((len(x), _GRID * _GRID), dtype=bool)
    seen[np.arange(len(x))[:, None], box] = True
    return np.asarray(seen.mean(axis=1))


def _hjorth(x: FloatArray) -> tuple[Floats, Floats]:
    first = np.diff(x, axis=1)
    spread = [values.std(axis=1) + 1e-6 for values in (x, first, np.diff(first, axis=1))]
    mobility = spread[1] / spread[0]
    return mobility, spread[2] / spread[1] / mobility


def _skewness_and_kurtosis(x: FloatArray) -> tuple[Floats, Floats]:
    """Return skewness without sign, and the logarithm of kurtosis and 1."""
    spread = x.std(axis=1)
    centred = (x - x.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1)[:, None]
    square = centred * centred
    skewness = (square * centred).mean(axis=1)
    kurtosis = (square * square).mean(axis=1)
    return np.abs(skewness), np.log(kurtosis + 1)


def _first_peak(x: npt.NDArray[np.floating], from_s: float) -> tuple[Floats, Floats]:
    """Return height (-1 to 1) and lag in seconds of the autocorrelation's peak up to 2 s."""
    n = x.shape[1]
    centred = np.asarray(x - x.mean(axis=1, keepdims=True), dtype=np.float32)
    size = fft.next_fast_len(n + round(2 * FS))
    power = np.abs(fft.rfft(centred, size, axis=1)) ** 2
    lags = fft.irfft(power, size, axis=1)[:, : min(n, round(2 * FS) + 1)]
    scaled = lags / (lags[:, :1] + 1e-9) * (n / (n - np.arange(lags.shape[1])))
    first = min(round(from_s * FS), lags.shape[1] - 1)
    rest = scaled[:, first:]
    at = np.argmax(rest, axis=1)
    return rest[np.arange(len(x)), at].astype(np.float64), (at + first) / FS
