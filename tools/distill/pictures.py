"""Pictures that need no data set: fractals, leaves, gratings, cells, and noise of all colours.

Iterated function systems follow FractalDB (Kataoka et al. 2020, arXiv 2101.08515), overlapping
shapes the dead-leaves model (Lee, Mumford, Huang 2001, IJCV 41, 35-59; as training data in Baradad
et al. 2021, arXiv 2106.05963). Every picture is float32 (3, size, size) in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, map_coordinates

Picture = npt.NDArray[np.float32]
Rng = np.random.Generator


def draw_picture(rng: Rng, size: int) -> Picture:
    """Draw one picture of a random kind, sometimes two in one."""
    picture = _any_kind(rng, size)
    if rng.random() < 0.3:
        mask = _smooth(noise_field(rng, size, rng.uniform(1.5, 3)))
        sharp = rng.uniform(1, 30)
        share = 1 / (1 + np.exp(-sharp * (mask - 0.5)))
        picture = share * picture + (1 - share) * _any_kind(rng, size)
    if rng.random() < 0.3:
        picture = gaussian_filter(picture, (0, *[rng.uniform(0.4, 1.5)] * 2))
    return _exposed(rng, picture)


def _any_kind(rng: Rng, size: int) -> npt.NDArray[Any]:
    kinds: tuple[Callable[[Rng, int], npt.NDArray[Any]], ...] = (
        draw_fractal,
        draw_leaves,
        draw_gratings,
        draw_cells,
        draw_noise,
        draw_warped,
    )
    return kinds[int(rng.integers(len(kinds)))](rng, size)


def _exposed(rng: Rng, picture: npt.NDArray[Any]) -> Picture:
    """Give a picture a random exposure and contrast, sometimes in grey."""
    if rng.random() < 0.25:
        picture = np.broadcast_to(picture.mean(axis=0), picture.shape)
    low, high = np.sort(rng.uniform(0, 1, 2) * [0.4, 0.4] + [0, 0.6])
    bent = np.clip(picture, 0, 1) ** rng.uniform(0.5, 2)
    return np.asarray(low + (high - low) * bent, dtype=np.float32)


def _smooth(field: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Scale a field to [0, 1]."""
    low, high = field.min(), field.max()
    return np.asarray((field - low) / max(high - low, 1e-9))


def _coloured(rng: Rng, field: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Paint a field in [0, 1] with a random scale of two to four colours."""
    n_colours = int(rng.integers(2, 5))
    colours = rng.uniform(0, 1, (3, n_colours))
    stops = np.linspace(0, 1, n_colours)
    return np.stack([np.interp(field, stops, channel) for channel in colours])


def noise_field(rng: Rng, size: int, slope: float) -> npt.NDArray[Any]:
    """Return noise (size, size) whose power falls with frequency as f ** -slope."""
    fy, fx = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]
    stretch = rng.uniform(0.4, 2.5)
    radius = np.hypot(fy * stretch, fx / stretch)
    radius[0, 0] = np.inf
    spectrum = rng.normal(size=radius.shape) + 1j * rng.normal(size=radius.shape)
    return np.asarray(np.fft.irfft2(spectrum * radius ** (-slope / 2), s=(size, size)))


def draw_noise(rng: Rng, size: int) -> npt.NDArray[Any]:
    """Draw noise of one colour in three channels that agree more or less."""
    slope = rng.uniform(0, 3.5)
    channels = np.stack([_smooth(noise_field(rng, size, slope)) for _ in range(3)])
    agreement = rng.uniform(0, 1)
    return np.asarray(agreement * channels.mean(axis=0) + (1 - agreement) * channels)


def draw_warped(rng: Rng, size: int) -> npt.NDArray[Any]:
    """Draw a texture bent by a slow random field, as marble or wood."""
    base = _smooth(noise_field(rng, size, rng.uniform(1, 3)))
    bend = rng.uniform(2, 25)
    shifts = [gaussian_filter(rng.normal(size=(size, size)), size / 12) for _ in range(2)]
    grid = np.mgrid[:size, :size].astype(float)
    moved = grid + bend * np.stack([shift / (shift.std() + 1e-9) for shift in shifts])
    field = map_coordinates(base, moved, order=1, mode="wrap")
    rings = rng.choice([0, 2, 5, 10])
    return _coloured(rng, _smooth(np.sin(rings * 6.28 * field)) if rings else field)


def draw_gratings(rng: Rng, size: int) -> npt.NDArray[Any]:
    """Draw one to four gratings, chirped, windowed, and added."""
    y, x = np.mgrid[:size, :size] / size - 0.5
    field = np.zeros((size, size))
    for _ in range(int(rng.integers(1, 5))):
        angle, cycles = rng.uniform(0, np.pi), np.exp(rng.uniform(0, np.log(size / 3)))
        along = x * np.cos(angle) + y * np.sin(angle)
        wave = np.cos(2 * np.pi * cycles * (along + rng.uniform(-0.5, 0.5) * along**2))
        if rng.random() < 0.4:
            wave = np.sign(wave)
        centre, width = rng.uniform(-0.5, 0.5, 2), rng.uniform(0.1, 1)
        field += wave * np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / width**2)
    return _coloured(rng, _smooth(field))


def draw_cells(rng: Rng, size: int) -> npt.NDArray[Any]:
    """Draw Voronoi cells, their borders, or blocks."""
    n_cells = int(rng.integers(3, 60))
    at = rng.uniform(0, size, (n_cells, 2, 1, 1))
    grid = np.mgrid[:size, :size][None]
    power = rng.choice([1.0, 2.0, 4.0])
    distance = (np.abs(grid - at) ** power).sum(axis=1)
    nearest = np.partition(distance, 1, axis=0)[:2] ** (1 / power)
    if rng.random() < 0.4:
        return _coloured(rng, np.clip((nearest[1] - nearest[0]) / rng.uniform(2, 12), 0, 1))
    colours = rng.uniform(0, 1, (3, n_cells))
    return np.asarray(colours[:, distance.argmin(axis=0)])


def draw_leaves(rng: Rng, size: int) -> npt.NDArray[Any]:
    """Draw shapes that cover each other, sizes falling as a power law."""
    y, x = np.mgrid[:size, :size].astype(np.float32)
    picture = np.broadcast_to(rng.uniform(0, 1, (3, 1, 1)), (3, size, size)).copy()
    for _ in range(int(rng.integers(8, 60))):
        radius = size * 0.02 * rng.uniform(0.001, 1) ** (-1 / 2.5)
        angle, squeeze = rng.uniform(0, np.pi), rng.uniform(0.3, 1)
        dx, dy = x - rng.uniform(0, size), y - rng.uniform(0, size)
        u = dx * np.cos(angle) + dy * np.sin(angle)
        v = (dy * np.cos(angle) - dx * np.sin(angle)) / squeeze
        roundness = rng.choice([1.0, 2.0, 8.0])
        inside = np.abs(u) ** roundness + np.abs(v) ** roundness < radius**roundness
        shade = 1 + rng.uniform(-0.5, 0.5) * u[inside] / radius
        if rng.random() < 0.3:
            shade *= 1 + 0.5 * np.sign(np.sin(u[inside] * rng.uniform(0.2, 2)))
        picture[:, inside] = rng.uniform(0, 1, (3, 1)) * shade
    return picture


def draw_fractal(rng: Rng, size: int) -> npt.NDArray[Any]:
    """Draw the attractor of a few random affine maps by the chaos game."""
    n_maps = int(rng.integers(2, 7))
    maps = rng.uniform(-1, 1, (n_maps, 2, 2))
    norms = np.linalg.norm(maps, ord=2, axis=(1, 2))
    maps *= (rng.uniform(0.3, 0.95, n_maps) / norms)[:, None, None]
    shifts = rng.uniform(-1, 1, (n_maps, 2))
    points, kept = rng.uniform(-1, 1, (1500, 2)), []
    for step in range(28):
        choice = rng.integers(n_maps, size=len(points))
        points = np.einsum("nij,nj->ni", maps[choice], points) + shifts[choice]
        if step >= 8:
            kept.append(points)
    cloud = np.concatenate(kept)
    low, high = np.percentile(cloud, [1, 99], axis=0)
    pixels = ((cloud - low) / np.maximum(high - low, 1e-6) * size).astype(int)
    pixels = pixels[((pixels >= 0) & (pixels < size)).all(axis=1)]
    density = np.bincount(pixels @ [size, 1], minlength=size * size).reshape(size, size)
    return _coloured(rng, _smooth(np.log1p(density)))
