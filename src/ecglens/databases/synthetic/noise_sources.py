"""Noise by name: baseline wander, muscle, mains, recorder and electrode motion.

Every kind is a source that is read block by block: how a recording is cut into blocks changes no
sample, and a day needs no more memory than a minute.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Protocol

import numpy as np

from ecglens.databases.synthetic.slow import (
    Floats,
    grid_size,
    read_grid,
    read_lines,
    slow_noise,
)

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

    def __init__(self, rng: np.random.Generator, breath: Floats) -> None:
        # Low-pass noises of equal power add up to about 1/f between the lowest and highest edge.
        octaves = [slow_noise(rng, len(breath), None, hz) for hz in (0.02, 0.08, 0.32)]
        drift = np.sum(octaves, axis=0) / np.sqrt(2 * len(octaves))
        self._wander = np.sin(breath + rng.normal(0.0, 0.4)) + drift

    def read(self, time_s: Floats) -> Floats:
        """Return mV; see :class:`Source`."""
        return read_grid(self._wander, time_s)


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
        # Lognormal, of mean square 1 (but for the clipped tails).
        self._loudness = np.exp(0.7 * np.clip(loudness, -3, 2.5) - 0.49)

    def read(self, time_s: Floats) -> Floats:
        """Return mV; see :class:`Source`."""
        white = self._rng.standard_normal(len(time_s))
        passed, self._state = self._filter(self._sections, white, zi=self._state)
        return np.asarray(passed * self._scale * read_lines(self._loudness, time_s))


class Mains:
    """Mains hum and the harmonics below half the sampling rate; nothing where none is."""

    def __init__(self, rng: np.random.Generator, seconds: float, fs: float, hz: float) -> None:
        count = min(N_HARMONICS, int(np.ceil(fs / 2 / hz)) - 1)
        self._hz = hz * (1 + 1e-4 * rng.standard_normal()) * np.arange(1, count + 1)
        height = np.array([1.0, 0.2, 0.35])[:count]
        self._height = height * np.sqrt(2 / max(np.square(height).sum(), 1e-9))
        self._phase = 2 * np.pi * rng.random(count)
        swell = slow_noise(rng, grid_size(seconds), None, 0.05)
        self._swell = (1 + 0.15 * np.clip(swell, -3, 3)) / np.sqrt(1 + 0.15**2)

    def read(self, time_s: Floats) -> Floats:
        """Return mV; see :class:`Source`."""
        hum = np.zeros(len(time_s))
        for hz, height, phase in zip(self._hz, self._height, self._phase, strict=True):
            hum += height * np.sin(2 * np.pi * hz * time_s + phase)
        return np.asarray(hum * read_lines(self._swell, time_s))


class Recorder:
    """White noise of amplifier and converter."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def read(self, time_s: Floats) -> Floats:
        """Return mV; see :class:`Source`."""
        return self._rng.standard_normal(len(time_s))


class Motion:
    """An electrode that moves: bumps, and steps from which the baseline recovers."""

    PER_S = 1 / 12
    REACH_S = 25.0

    def __init__(self, rng: np.random.Generator, seconds: float) -> None:
        n = 1 + rng.poisson(self.PER_S * (seconds + self.REACH_S))
        time = rng.uniform(-self.REACH_S, seconds, size=n)
        time[0] = rng.uniform(0, seconds)  # the shortest recording has one
        self._time = np.sort(time)
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
        "baseline": lambda rng, _seconds, _fs, breath, _hz: Baseline(rng, breath),
        "muscle": lambda rng, seconds, fs, _breath, _hz: Muscle(rng, seconds, fs),
        "mains": lambda rng, seconds, fs, _breath, hz: Mains(rng, seconds, fs, hz),
        "recorder": lambda rng, _seconds, _fs, _breath, _hz: Recorder(rng),
        "motion": lambda rng, seconds, _fs, _breath, _hz: Motion(rng, seconds),
    }
)
NOISES = tuple(_MAKERS)
"""Kinds of noise."""
