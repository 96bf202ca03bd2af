"""Slow processes on a grid."""

from __future__ import annotations

import numpy as np
from scipy.signal import welch

from ecglens.databases.synthetic.slow import (
    GRID_HZ,
    grid_size,
    integrate,
    read_grid,
    read_lines,
    slow_noise,
)


def test_reading_passes_through_the_grid_and_follows_a_breath() -> None:
    at = np.arange(grid_size(60)) / GRID_HZ
    grid = np.sin(2 * np.pi * 0.3 * at)
    np.testing.assert_allclose(read_grid(grid, at[:-1]), grid[:-1], atol=1e-12)
    time = np.arange(1, 59, 1 / 333)
    assert np.abs(read_grid(grid, time) - np.sin(2 * np.pi * 0.3 * time)).max() < 0.02
    assert np.abs(read_lines(grid, time) - np.sin(2 * np.pi * 0.3 * time)).max() < 0.06


def test_a_part_is_read_as_the_whole_is() -> None:
    grid = np.random.default_rng(0).normal(size=grid_size(100))
    time = np.arange(0, 100, 1 / 250)
    whole = read_grid(grid, time)
    parts = [read_grid(grid, part) for part in np.split(time, [1, 777, 20_000])]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert read_grid(grid, time[:0]).shape == (0,)


def test_the_cubic_has_no_corner() -> None:
    grid = np.random.default_rng(0).normal(size=grid_size(10))
    step = 1e-5
    slopes = np.diff(read_grid(grid, 5.0 + step * np.arange(-2, 3))) / step
    assert np.ptp(slopes) < 1e-2


def test_noise_has_unit_deviation_and_its_band() -> None:
    noise = slow_noise(np.random.default_rng(1), 200_000, 0.07, 0.13)
    assert abs(noise.std() - 1) < 0.05
    hz, power = welch(noise, GRID_HZ, nperseg=4096)
    assert power[(hz > 0.06) & (hz < 0.14)].sum() > 0.85 * power.sum()
    # It starts in full swing: nothing has to settle.
    starts = [slow_noise(np.random.default_rng(k), 4, None, 0.02)[0] for k in range(300)]
    assert abs(np.std(starts) - 1) < 0.15


def test_the_integral_of_a_constant_is_a_line() -> None:
    np.testing.assert_allclose(integrate(np.full(9, 3.0)), 3.0 * np.arange(9) / GRID_HZ)
