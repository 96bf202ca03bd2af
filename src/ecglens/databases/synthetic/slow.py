"""Slow random processes on a coarse grid, read at any time: so no sampling rate changes them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

GRID_HZ = 4.0
"""Rate of the grid; the fastest process on it, respiration, stays below 0.45 Hz."""


def grid_size(seconds: float) -> int:
    """Return how many grid points cover a stretch, with a margin for :func:`read_grid`."""
    return int(np.ceil(seconds * GRID_HZ)) + 4


def slow_noise(rng: np.random.Generator, n: int, low_hz: float | None, high_hz: float) -> Floats:
    """Return ``n`` grid points of Gaussian noise of a band, of mean 0 and deviation 1.

    Args:
        rng: where the numbers come from.
        n: number of grid points.
        low_hz: lower edge in Hz; None means everything below ``high_hz``.
        high_hz: upper edge in Hz, below half of :data:`GRID_HZ`.
    """
    from scipy.signal import butter, sosfilt

    band = high_hz if low_hz is None else (low_hz, high_hz)
    kind = "lowpass" if low_hz is None else "bandpass"
    sections = butter(2, band, btype=kind, fs=GRID_HZ, output="sos")
    width = high_hz - (low_hz or 0.0)
    settling = int(np.ceil(4 * GRID_HZ / width))
    impulse = np.zeros(settling)
    impulse[0] = 1.0
    scale = np.sqrt(np.square(sosfilt(sections, impulse)).sum())
    passed = sosfilt(sections, rng.standard_normal(settling + n))[settling:]
    return np.asarray(passed / scale)


def integrate(rate: Floats) -> Floats:
    """Return the integral over time of a rate on the grid, starting at 0 (trapezoids)."""
    steps = (rate[1:] + rate[:-1]) / (2 * GRID_HZ)
    return np.concatenate(([0.0], np.cumsum(steps)))


def read_grid(grid: Floats, time_s: Floats) -> Floats:
    """Read a process at any times by cubic convolution (Catmull-Rom), smooth in value and slope.

    Args:
        grid: grid points from time 0 on.
        time_s: times in seconds in rising order, none before 0.
    """
    if not len(time_s):
        return np.zeros(0)
    left, u = _cells(grid, time_s)
    first, last = left[0], left[-1]
    around = np.clip(np.arange(first - 1, last + 3), 0, len(grid) - 1)
    points = grid[around]
    before, here, there, beyond = points[:-3], points[1:-2], points[2:-1], points[3:]
    slope = (there - before) / 2
    bend = before - 2.5 * here + 2 * there - beyond / 2
    twist = 1.5 * (here - there) + (beyond - before) / 2
    left -= first
    value = twist[left]
    for coefficient in (bend, slope, here):
        value *= u
        value += coefficient[left]
    return np.asarray(value)


def read_lines(grid: Floats, time_s: Floats) -> Floats:
    """Read a process by straight lines, for amplitudes, whose corners nobody sees."""
    left, u = _cells(grid, time_s)
    return np.asarray(grid[left] + u * np.diff(grid)[left])


def _cells(grid: Floats, time_s: Floats) -> tuple[npt.NDArray[np.intp], Floats]:
    """Return the grid point before each time and how far behind it the time lies, 0 to 1."""
    place = time_s * GRID_HZ
    left = np.minimum(place.astype(np.intp), len(grid) - 2)
    return left, place - left
