"""Noise by name: baseline wander, muscle, mains and electrode motion.

Every kind is a source that is read block by block: how a recording is cut into blocks changes no
sample, and a day needs no more memory than a minute.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ecglens.databases.synthetic.seeds import check_seed, stream
from ecglens.databases.synthetic.slow import (
    Floats,
    grid_size,
    integrate,
    read_grid,
    slow_noise,
)
from ecglens.errors import UsageError, suggest
from ecglens.records import FloatArray, check_fs

BLOCK = 1 << 17
"""Samples of a lead that are made at a time."""

MUSCLE_BAND_HZ = (20.0, 150.0)
N_HARMONICS = 3


class Source(Protocol):
    """Noise of one lead of about 1 mV rms, read from its start to its end."""

    def read(self, time_s: Floats) -> Floats:
        """Return mV at the next sample times, in seconds from the start."""
        ...


class Baseline:
    """Respiration and a 1/f drift, half of the power each."""

    def __init__(self, rng: np.random.Generator, seconds: float, breath: Floats) -> None:
        n = grid_size(seconds)
        self._breath, self._lag = breath, rng.normal(0.0, 0.4)
        # Equal power in every octave band is 1/f.
        octaves = [slow_noise(rng, n, None, hz) for hz in (0.02, 0.08, 0.32)]
        self._drift = np.sum(octaves, axis=0) / np.sqrt(6)

    def read(self, time_s: Floats) -> Floats:
        """Return mV; see :class:`Source`."""
        return np.sin(read_grid(self._breath, time_s) + self._lag) + read_grid(self._drift, time_s)


class Muscle:
    """White noise of a band up to 150 Hz, in bursts."""

    def __init__(self, rng: np.random.Generator, seconds: float, fs: float) -> None:
        from scipy.signal import butter, sosfilt

        self._rng, self._filter = rng, sosfilt
        high = min(MUSCLE_BAND_HZ[1], 0.45 * fs)
        low = min(MUSCLE_BAND_HZ[0], 0.5 * high)
        self._sections = butter(2, (low, high), btype="bandpass", fs=fs, output="sos")
        impulse = np.zeros(int(fs))
        impulse[0] = 1.0
        self._scale = 1 / np.sqrt(np.square(sosfilt(self._sections, impulse)).sum())
        self._state = np.zeros((len(self._sections), 2))
        loudness = slow_noise(rng, grid_size(seconds), None, 0.15)
        # Lognormal, of mean square 1.
        self._loudness = 0.7 * np.clip(loudness, -3, 2.5) - 0.49

    def read(self, time_s: Floats) -> Floats:
        """Return mV; see :class:`Source`."""
        white = self._rng.standard_normal(len(time_s))
        passed, self._state = self._filter(self._sections, white, zi=self._state)
        return np.asarray(passed * self._scale * np.exp(read_grid(self._loudness, time_s)))


class Mains:
    """Mains hum and the harmonics below half the sampling rate; nothing where none is."""

    def __init__(self, rng: np.random.Generator, seconds: float, fs: float, hz: float) -> None:
        count = min(N_HARMONICS, int(np.ceil(fs / 2 / hz)) - 1)
        self._hz = hz * (1 + 1e-4 * rng.standard_normal()) * np.arange(1, count + 1)
        height = np.array([1.0, 0.2, 0.35])[:count]
        self._height = height * np.sqrt(2 / max(np.square(height).sum(), 1e-9))
        self._phase = 2 * np.pi * rng.random(count)
        self._swell = 0.15 * np.clip(slow_noise(rng, grid_size(seconds), None, 0.05), -3, 3)

    def read(self, time_s: Floats) -> Floats:
        """Return mV; see :class:`Source`."""
        hum = np.zeros(len(time_s))
        for hz, height, phase in zip(self._hz, self._height, self._phase, strict=True):
            hum += height * np.sin(2 * np.pi * hz * time_s + phase)
        return np.asarray(hum * (1 + read_grid(self._swell, time_s)) / np.sqrt(1 + 0.15**2))


class Motion:
    """An electrode that moves: bumps, and steps from which the baseline recovers."""

    PER_S = 1 / 12
    REACH_S = 25.0

    def __init__(self, rng: np.random.Generator, seconds: float) -> None:
        n = rng.poisson(self.PER_S * (seconds + self.REACH_S))
        self._time = np.sort(rng.uniform(-self.REACH_S, seconds, size=n))
        self._is_step = rng.random(n) < 0.3
        self._length = np.where(self._is_step, rng.uniform(1.5, 4, n), rng.uniform(0.15, 0.9, n))
        # Campbell's theorem: the variance of such shot noise is its rate times the mean energy of
        # an event; a step that starts within 50 ms and recovers has length / 2, a bump of
        # standard deviation length / 2 has length * sqrt(pi) / 2.
        energy = 0.3 * (1.5 + 4) / 2 / 2 + 0.7 * (0.15 + 0.9) / 2 * np.sqrt(np.pi) / 2
        self._height = rng.standard_normal(n) / np.sqrt(self.PER_S * energy)

    def read(self, time_s: Floats) -> Floats:
        """Return mV; see :class:`Source`."""
        moved = np.zeros(len(time_s))
        near = slice(*np.searchsorted(self._time, (time_s[0] - self.REACH_S, time_s[-1] + 5)))
        for at, height, length, is_step in zip(
            self._time[near], self._height[near], self._length[near], self._is_step[near],
            strict=True,
        ):  # fmt: skip
            part = slice(*np.searchsorted(time_s, (at - 5, at + self.REACH_S)))
            since = time_s[part] - at
            if is_step:
                shape = np.exp(-np.maximum(since, 0) / length) / (1 + np.exp(-since / 0.01))
            else:
                shape = np.exp(-0.5 * np.square(2 * since / length))
            moved[part] += height * shape
        return moved


def make_source(
    kind: str, rng: np.random.Generator, seconds: float, fs: float, breath: Floats, mains_hz: float
) -> Source:
    """Make the source of one kind of noise.

    Args:
        kind: one of :data:`NOISES`.
        rng: where the numbers come from.
        seconds: length that will be read.
        fs: sampling rate in Hz.
        breath: phase of respiration on the slow grid.
        mains_hz: frequency of the mains.
    """
    return _MAKERS[kind](rng, seconds, fs, breath, mains_hz)


_MAKERS: MappingProxyType[
    str, Callable[[np.random.Generator, float, float, Floats, float], Source]
] = MappingProxyType(
    {
        "baseline": lambda rng, seconds, _fs, breath, _hz: Baseline(rng, seconds, breath),
        "muscle": lambda rng, seconds, fs, _breath, _hz: Muscle(rng, seconds, fs),
        "mains": lambda rng, seconds, fs, _breath, hz: Mains(rng, seconds, fs, hz),
        "motion": lambda rng, seconds, _fs, _breath, _hz: Motion(rng, seconds),
    }
)
NOISES = tuple(_MAKERS)
"""Kinds of noise."""


def make_noise(
    kind: str,
    n_samples: int,
    *,
    fs: float,
    rms_mv: float = 1.0,
    mains_hz: float = 50.0,
    random_state: int = 0,
) -> FloatArray:
    """Make noise of one kind and exactly the wanted strength.

    Args:
        kind: ``"baseline"`` (respiration and drift), ``"muscle"`` (20 to 150 Hz or less, in
            bursts), ``"mains"`` or ``"motion"`` (steps and bumps of an electrode).
        n_samples: length.
        fs: sampling rate in Hz.
        rms_mv: root mean square about the mean, in mV.
        mains_hz: frequency of the mains.
        random_state: seed.

    Returns:
        float32, shape (n_samples,), of mean 0.

    Raises:
        UsageError: unknown kind, or a number that is out of range.
    """
    if kind not in NOISES:
        raise UsageError(
            f"no noise called {kind!r}{suggest(kind, NOISES)}; known are {', '.join(NOISES)}"
        )
    check_fs(fs, "make_noise")
    if n_samples < 1:
        raise UsageError(f"n_samples must be 1 or more, got {n_samples}")
    if kind == "mains" and mains_hz >= fs / 2:
        raise UsageError(
            f"mains of {mains_hz:g} Hz cannot be sampled at {fs:g} Hz; fs must be over "
            f"{2 * mains_hz:g} Hz"
        )
    seconds = n_samples / fs
    rng = stream(check_seed(random_state), kind)
    breath = 2 * np.pi * integrate(np.full(grid_size(seconds), 0.25)) + rng.uniform(0, 2 * np.pi)
    source = make_source(kind, rng, seconds, fs, breath, mains_hz)
    noise = np.empty(n_samples, dtype=np.float32)
    for start in range(0, n_samples, BLOCK):
        stop = min(start + BLOCK, n_samples)
        noise[start:stop] = source.read(np.arange(start, stop) / fs)
    noise -= noise.mean(dtype=np.float64)
    rms = np.sqrt(np.square(noise).mean(dtype=np.float64))
    return np.asarray(noise * (rms_mv / max(rms, 1e-12)), dtype=np.float32)


def add_noise(
    x: npt.ArrayLike, kind: str, *, fs: float, snr_db: float, random_state: int = 0
) -> FloatArray:
    """Add noise of one kind to leads at a signal-to-noise ratio.

    Args:
        x: clean signal in mV, shape (n_samples,) or (n_leads, n_samples).
        kind: see :func:`make_noise`; every lead gets noise of its own.
        fs: sampling rate in Hz.
        snr_db: ten times the logarithm of the variance of a lead over that of its noise.
        random_state: seed.

    Returns:
        float32, the shape of ``x``.
    """
    array = np.asarray(x, dtype=np.float32)
    rows = np.atleast_2d(array).copy()
    for number, row in enumerate(rows):
        rms = float(row.std(dtype=np.float64)) * 10 ** (-snr_db / 20)
        row += make_noise(
            kind, rows.shape[1], fs=fs, rms_mv=rms, random_state=random_state + number
        )
    return rows.reshape(array.shape)
