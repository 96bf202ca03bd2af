"""All measures of windows, in one matrix."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ecglens.beats import DETECTION_FS, SHORTEST_S, beat_contrast, find_window_beats, usual_beats
from ecglens.rhythm_features.disorder import DISORDER_NAMES, measure_disorder
from ecglens.rhythm_features.intervals import INTERVAL_NAMES, measure_intervals
from ecglens.rhythm_features.waves import WAVE_NAMES, measure_waves
from ecglens.signals import band_pass

FloatArray = npt.NDArray[np.float32]

RHYTHM_NAMES: tuple[str, ...] = (
    "n_beats", "contrast", "has_intervals", "has_waves",
    *INTERVAL_NAMES, *WAVE_NAMES, *DISORDER_NAMES,
)  # fmt: skip
"""Beats a second, logarithm of :func:`ecglens.beats.beat_contrast`, whether intervals and waves
could be measured (1 or 0), and the measures themselves."""

BAND_HZ = (0.5, 40.0)
"""Below lies the baseline; the measures of ST and T stay comparable at one lower edge."""


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
    found = find_window_beats(X, fs)
    if found.X.shape[1] < SHORTEST_S * DETECTION_FS:
        return np.zeros((len(found.X), len(RHYTHM_NAMES)), np.float32)
    filtered = band_pass(found.X, DETECTION_FS, *BAND_HZ)
    rows = np.zeros((len(filtered), 4 + len(INTERVAL_NAMES) + len(WAVE_NAMES)))
    for row, beats in enumerate(found.beats):
        usual = usual_beats(found.qrs[row], beats)
        intervals = measure_intervals(np.diff(beats) / DETECTION_FS, usual)
        waves = measure_waves(filtered[row], beats)
        start = (
            len(beats) / (filtered.shape[1] / DETECTION_FS),
            np.log10(beat_contrast(found.qrs[row], beats) + 1),
            intervals.any(),
            waves.any(),
        )
        rows[row] = (*start, *intervals, *waves)
    disorder = measure_disorder(filtered, found.qrs)
    return np.concatenate([rows, disorder], axis=1).astype(np.float32)
