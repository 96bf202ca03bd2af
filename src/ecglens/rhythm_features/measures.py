"""All measures of windows, in one matrix."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ecglens.beats import DETECTION_FS, SHORTEST_S, find_window_beats
from ecglens.rhythm_features.disorder import DISORDER_NAMES, measure_disorder
from ecglens.rhythm_features.intervals import INTERVAL_NAMES, measure_intervals
from ecglens.rhythm_features.waves import WAVE_NAMES, measure_waves
from ecglens.signals import band_pass

FloatArray = npt.NDArray[np.float32]

RHYTHM_NAMES: tuple[str, ...] = (
    "n_beats", "contrast", "has_intervals", "has_waves",
    *INTERVAL_NAMES, *WAVE_NAMES, *DISORDER_NAMES,
)  # fmt: skip
"""Beats a second, logarithm of :meth:`ecglens.beats.WindowBeats.contrast`, whether intervals and
waves could be measured (1 or 0), and the measures themselves."""

BAND_HZ = (0.5, 40.0)
"""Below lies the baseline; the measures of ST and T stay comparable at one lower edge."""

_SAMPLES = 100_000
"""Samples that are measured together: memory does not grow with the number of windows."""


def measure_rhythm(X: npt.ArrayLike, fs: float) -> FloatArray:
    """Measure windows of any rate: intervals, waves, spectrum and disorder.

    Neither gain nor polarity changes a measure, and none fails for want of beats: what cannot be
    measured is 0, and ``has_intervals`` and ``has_waves`` say so.

    Args:
        X: windows in any unit, shape (n_windows, n_samples); NaN marks missing samples.
        fs: their rate in Hz.

    Returns:
        Finite numbers, float32, shape (n_windows, len(RHYTHM_NAMES)); zeros for windows of less
        than 2.5 s.

    Raises:
        UsageError: ``X`` has not two dimensions, or ``fs`` is out of range.
    """
    array = np.asarray(X, dtype=np.float32)
    n_at_once = max(1, _SAMPLES // max(1, array.shape[-1])) if array.ndim == 2 else len(array)
    starts = range(0, max(1, len(array)), n_at_once)
    return np.concatenate([_measured(array[first : first + n_at_once], fs) for first in starts])


def _measured(X: FloatArray, fs: float) -> FloatArray:
    found = find_window_beats(X, fs)
    if found.X.shape[1] < SHORTEST_S * DETECTION_FS:
        return np.zeros((len(found.X), len(RHYTHM_NAMES)), np.float32)
    filtered = band_pass(found.X, DETECTION_FS, *BAND_HZ)
    intervals = measure_intervals(found.groups, found.at, found.usual())
    waves = measure_waves(filtered, found.groups, found.at)
    rows = [
        found.groups.sizes / (filtered.shape[1] / DETECTION_FS),
        np.log10(found.contrast() + 1),
        intervals.any(axis=1),
        waves.any(axis=1),
        intervals,
        waves,
        measure_disorder(filtered, found.qrs),
    ]
    return np.column_stack(rows).astype(np.float32)
