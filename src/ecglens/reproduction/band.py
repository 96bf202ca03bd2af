"""The band that all databases hold, so that none is recognised by what its recorder left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ecglens.images import ImageSettings
from ecglens.signals import fill_gaps
from ecglens.windows import Windows

LOW_HZ, TOP_HZ = 1.0, 20.0
"""QRS (5 to 15 Hz), f-waves (4 to 9 Hz) and ventricular fibrillation (2 to 8 Hz) lie within; the
recorders of the 1980s differ below 0.5 Hz and above 30 Hz."""

_ORDER = 4
_SAMPLE = 400  # windows of a database whose spectra are looked at


def common_image(
    settings: ImageSettings, windows: Windows
) -> tuple[ImageSettings, dict[str, float]]:
    """Return settings with half the rate and the band that every database holds.

    Args:
        settings: of the experiment.
        windows: of all databases.

    Returns:
        The settings, and for each database the frequency in Hz up to which it holds something.
    """
    edges = upper_edges(windows, settings.dynamic_range_db)
    top = min(TOP_HZ, 0.9 * min(edges.values()))
    image = replace(
        settings,
        fs=settings.fs / 2,
        band_hz=(LOW_HZ, top),
        filter_order=_ORDER,
        max_hz=top,
    )
    return image, edges


def upper_edges(windows: Windows, range_db: float) -> dict[str, float]:
    """Return for each database the frequency from which on its windows hold nothing to be seen.

    That is where the median spectrum, in steps of 1 Hz, first falls more than ``range_db`` below
    its peak, the range that an image shows; half the rate where it does not.
    """
    edges: dict[str, float] = {}
    for name in np.unique(windows.databases):
        mine = np.flatnonzero(windows.databases == name)
        some = mine[:: max(1, len(mine) // _SAMPLE)]
        edges[str(name)] = _edge(windows.X[some], windows.fs, range_db)
    return edges


def _edge(X: npt.NDArray[np.float32], fs: float, range_db: float) -> float:
    """Return the edge of some windows in Hz; see :func:`upper_edges`."""
    filled = fill_gaps(np.where(np.isfinite(X), X, np.nan))
    signal = filled - filled.mean(axis=1, keepdims=True)
    power = np.abs(np.fft.rfft(signal * np.hanning(X.shape[1]), axis=1)) ** 2
    power /= power.sum(axis=1, keepdims=True)
    whole_hz = np.fft.rfftfreq(X.shape[1], 1 / fs).astype(int)
    steps, at = np.unique(whole_hz, return_inverse=True)  # short windows have none in some
    median = np.bincount(at, np.median(power, axis=0)) / np.bincount(at)
    # The first step is wander of the baseline.
    peak = 1 + int(np.argmax(median[1:]))
    below = np.flatnonzero(median[peak:] < median[peak] * 10 ** (-range_db / 10))
    return float(steps[peak + below[0]]) if len(below) else fs / 2


def in_words(edges: Mapping[str, float]) -> str:
    """Return the edges as a sentence's part."""
    return ", ".join(f"{name} {edge:.0f} Hz" for name, edge in edges.items())
