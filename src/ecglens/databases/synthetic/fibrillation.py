"""Fibrillating atria and ventricles: waves without beats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ecglens.databases.synthetic.patients import (
    AtrialFibrillation,
    VentricularFibrillation,
    VirtualPatient,
)
from ecglens.databases.synthetic.seeds import stream
from ecglens.databases.synthetic.slow import (
    GRID_HZ,
    Floats,
    grid_size,
    integrate,
    read_grid,
    slow_noise,
)
from ecglens.records import RhythmSpan

FADE_S = 0.6
"""In which fibrillation swells and dies away at the ends of its span."""

VF_BAND_HZ = (3.2, 6.6)
"""Band of VF's dominant frequency: 3 to 7 Hz as in humans, less a margin for what spreads it.

Clayton, Murray and Campbell 1995 (Eur Heart J 16(8), 1115) found 4.8 Hz on average, Strohmenger et
al. 1997 (Chest 111(3), 584) 4.6 Hz with a standard deviation of 1.0 Hz.
"""

_TURN = 2 * np.pi


class Activity(Protocol):
    """Something that adds voltage on the axes left, feet and back during a span."""

    span: RhythmSpan

    def voltage(self, time_s: Floats) -> Floats:
        """Return mV, shape (3, n_samples), at rising times in seconds within the span."""
        ...


def make_activities(
    patient: VirtualPatient, spans: Sequence[RhythmSpan], seed: int
) -> list[Activity]:
    """Return what fibrillates in a record of a seed, in order of time."""
    activities: list[Activity] = []
    for number, span in enumerate(spans):
        rng = stream(seed, "fibrillation", number)
        if span.rhythm == "AFIB":
            activities.append(FWaves(patient.af, span, rng))
        elif span.rhythm in ("VFIB", "VFL"):
            activities.append(VentricularWaves(patient.vf, span, rng))
    return activities


class FWaves:
    """f-waves as a sawtooth of a few harmonics (Stridh and Sörnmo 2001, IEEE TBME 48(1), 105).

    Amplitude and frequency are modulated as in that model, and wander at random besides; each
    axis lags a little, so that the dipole runs through a loop.
    """

    HARMONICS = 3

    def __init__(self, af: AtrialFibrillation, span: RhythmSpan, rng: np.random.Generator) -> None:
        self.span = span
        self._vector = -2 / np.pi * np.array(af.f_wave)[:, None]
        n = grid_size(span.end_s - span.start_s)
        since = np.arange(n) / GRID_HZ
        # Modulation at 0.23 Hz (frequency) and 0.08 Hz (amplitude): the paper's values.
        hz = af.f_wave_hz * (1 + 0.05 * np.clip(slow_noise(rng, n, None, 0.8), -3, 3))
        hz += 0.2 * np.cos(_TURN * (0.23 * since + rng.random()))
        swell = 1 + 0.25 * np.sin(_TURN * (0.08 * since + rng.random()))
        self._swell = np.maximum(swell + 0.25 * slow_noise(rng, n, None, 0.5), 0.4)
        self._cycles = integrate(hz) + rng.random()
        self._lags = rng.uniform(-0.12, 0.12, size=(3, 1))

    def voltage(self, time_s: Floats) -> Floats:
        """Return mV on three axes; see :class:`Activity`."""
        since = time_s - self.span.start_s
        angle = _TURN * (read_grid(self._cycles, since) + self._lags)
        saw = sum(np.sin(m * angle) / m for m in range(1, self.HARMONICS + 1))
        return np.asarray(
            self._vector * saw * (read_grid(self._swell, since) * _fade(time_s, self.span))
        )


@dataclass(frozen=True, eq=False)
class _Wavelet:
    """One of the oscillations that make up VF, on the slow grid."""

    cycles: Floats
    height: Floats
    vector: Floats
    lags: Floats
    tilt: float


class VentricularWaves:
    """Ventricular fibrillation: oscillations of drifting frequency that lose each other.

    The dominant frequency wanders in :data:`VF_BAND_HZ` and falls over minutes. One oscillation
    leads at first; others near its frequency and a fast, small one grow, so that VF goes from
    coarse and organised to fine and disorganised, waxing and waning. In flutter (``VFL``) the
    leading one stays strong and alone.
    """

    N_OTHERS = 4

    def __init__(
        self, vf: VentricularFibrillation, span: RhythmSpan, rng: np.random.Generator
    ) -> None:
        self.span = span
        n = grid_size(span.end_s - span.start_s)
        flutter = span.rhythm == "VFL"
        age = 1 - np.exp(-np.arange(n) / GRID_HZ / vf.decay_s)
        if flutter:
            age[:] = 0.0
        unrest = 0.15 if flutter else 1.0
        hz = vf.hz - 1.2 * age + 0.5 * unrest * slow_noise(rng, n, None, 0.06)
        hz = np.clip(hz, *VF_BAND_HZ)
        swell = np.clip(1 + 0.3 * unrest * slow_noise(rng, n, None, 0.4), 0.25, 2)
        height = (vf.coarse_mv * (1 - age) + vf.fine_mv * age) * swell
        self._wavelets = [_leading(rng, hz, height, unrest)]
        if not flutter:
            weight = height * (0.25 + 0.45 * age)
            self._wavelets += [
                _follower(rng, hz, weight, fast=k == 0) for k in range(self.N_OTHERS)
            ]

    def voltage(self, time_s: Floats) -> Floats:
        """Return mV on three axes; see :class:`Activity`."""
        since = time_s - self.span.start_s
        total = np.zeros((3, len(time_s)))
        for wavelet in self._wavelets:
            angle = _TURN * (read_grid(wavelet.cycles, since) + wavelet.lags)
            # A tilted sine: it leans to one side and has all harmonics.
            shape = np.sin(angle + wavelet.tilt * np.sin(angle))
            total += wavelet.vector * shape * read_grid(wavelet.height, since)
        return total * _fade(time_s, self.span)


def _leading(rng: np.random.Generator, hz: Floats, height: Floats, unrest: float) -> _Wavelet:
    jitter = 0.05 * unrest * np.clip(slow_noise(rng, len(hz), None, 1.0), -3, 3)
    own = np.clip(1 + 0.2 * unrest * slow_noise(rng, len(hz), None, 1.0), 0.2, 2)
    vector = rng.normal((0.5, 0.8, 0.3), 0.2)
    return _wavelet(rng, hz * (1 + jitter), height * own, vector)


def _follower(rng: np.random.Generator, hz: Floats, height: Floats, *, fast: bool) -> _Wavelet:
    apart = 0.2 * np.clip(slow_noise(rng, len(hz), None, 0.8), -2.5, 2.5)
    own = np.clip(1 + 0.7 * slow_noise(rng, len(hz), None, 1.0), 0, 2.5)
    ratio, share = (rng.uniform(1.6, 2.3), 0.5) if fast else (1.0, 1.0)
    vector = rng.normal((0.4, 0.6, 0.3), 0.5)
    return _wavelet(rng, ratio * hz * (1 + apart), share * height * own, vector)


def _wavelet(rng: np.random.Generator, hz: Floats, height: Floats, vector: Floats) -> _Wavelet:
    return _Wavelet(
        cycles=integrate(hz) + rng.random(),
        height=height,
        vector=vector[:, None] / np.linalg.norm(vector),
        lags=rng.normal(0, 0.06, size=(3, 1)),
        tilt=rng.uniform(-0.7, 0.7),
    )


def _fade(time_s: Floats, span: RhythmSpan) -> Floats:
    """Return 0 at both ends of a span and 1 inside, with rounded flanks."""
    from_end = np.minimum(time_s - span.start_s, span.end_s - time_s)
    flank = min(FADE_S, (span.end_s - span.start_s) / 2)
    return np.asarray(np.sin(np.pi / 2 * np.clip(from_end / flank, 0, 1)) ** 2)
