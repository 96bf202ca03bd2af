"""Clipped tops: where a recorder ran out of range."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

_NEAR = 0.05
"""How near the window's extreme a top must lie, in heights of the window. Resampling makes a
clipped corner ring by up to some 3 %, so the extreme is not the top itself."""

_LEVEL_PER_S = 0.8
"""Slope of a top in heights per second: no wave of an ECG is that level for 20 ms."""

_SHORTEST_S = 0.022
_CORNER_S = 0.032
_CORNER = 0.06
"""How far the signal must have left a top, to both sides, after 32 ms. A resting line that is the
lowest level of the window, as coarse steps make it, is left slowly by P and T."""


def clipped_share(signal: FloatArray, fs: float) -> npt.NDArray[np.float64]:
    """Return the share of every window that lies on level tops with corners at both ends.

    Args:
        signal: finite, shape (n_windows, n_samples).
        fs: rate in Hz.
    """
    n_windows, n_samples = signal.shape
    high, low = signal.max(axis=-1, keepdims=True), signal.min(axis=-1, keepdims=True)
    height = np.maximum(high - low, np.finfo(np.float32).tiny)
    share = np.zeros(n_windows)
    level = np.abs(np.diff(signal, axis=-1)) < _LEVEL_PER_S / fs * height
    for distance in (high - signal, signal - low):
        near = distance < _NEAR * height
        top = level & near[:, 1:] & near[:, :-1]
        row, first, last = _runs(top)
        reach = max(1, round(_CORNER_S * fs))
        whole = (last - first >= _SHORTEST_S * fs) & (first >= reach) & (last + reach < n_samples)
        row, first, last = row[whole], first[whole], last[whole]
        at_top = np.maximum(distance[row, first], distance[row, last])
        beside = np.minimum(distance[row, first - reach], distance[row, last + reach])
        clipped = beside - at_top > _CORNER * height[row, 0]
        np.add.at(share, row[clipped], (last - first + 1)[clipped] / n_samples)
    return share


def _runs(mask: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.intp], ...]:
    """Return row, first and last sample of every run of level steps between samples."""
    n_windows, n_steps = mask.shape
    padded = np.zeros((n_windows, n_steps + 2), dtype=np.int8)
    padded[:, 1:-1] = mask
    change = np.diff(padded, axis=-1)
    row, first = np.nonzero(change == 1)
    _, last = np.nonzero(change == -1)  # the step before ends on this sample
    return row, first, last
