"""Fibrillating atria and ventricles: waves without beats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ecglens.databases.synthetic.patients import (
    AtrialFibrillation,
    VentricularFibrillation,
    VirtualPatient,
)
from ecglens.databases.synthetic.seeds import stream
from ecglens.databases.synthetic.slow import Floats, grid_size, integrate, read_grid, slow_noise
from ecglens.records import RhythmSpan

FADE_S = 0.6
"""In which fibrillation swells and dies away at the ends of its span."""

VF_BAND_HZ = (3.2, 6.8)
"""Band of the dominant frequency of human VF, 3 to 7 Hz, with a margin for its spread."""


class Activity(Protocol):
    """Something that adds voltage on the axes left, feet and back during a span."""

    span: RhythmSpan

    def voltage(self, time_s: Floats) -> Floats:
        """Return mV, shape (3, n_samples), at times in seconds within the span."""
        ...


def make_activity(
    patient: VirtualPatient, span: RhythmSpan, seed: int, number: int
) -> Activity | None:
    """Return what fibrillates during a span, or None where nothing does.

    Args:
        patient: the person.
        span: the rhythm.
        seed: of the record.
        number: of the span in the record.
    """
    rng = stream(seed, "fibrillation", number)
    if span.rhythm == "AFIB":
        return FWaves(patient.af, span, rng)
    if span.rhythm in ("VFIB", "VFL"):
        return VentricularWaves(patient.vf, span, rng)
    return None


def _fade(time_s: Floats, span: RhythmSpan) -> Floats:
    """Return 0 at both ends of a span and 1 inside, with rounded flanks."""
    from_end = np.minimum(time_s - span.start_s, span.end_s - time_s)
    flank = min(FADE_S, (span.end_s - span.start_s) / 2)
    return np.asarray(np.sin(np.pi / 2 * np.clip(from_end / flank, 0, 1)) ** 2)


class FWaves:
    """f-waves as a sawtooth of five harmonics (Stridh and Sörnmo 2001, IEEE TBME 48(1), 105-111).

    Amplitude and frequency are modulated as in that model, and wander slowly besides; each axis
    lags a little, so that the dipole runs through a loop.
    """

    HARMONICS = 5

    def __init__(self, af: AtrialFibrillation, span: RhythmSpan, rng: np.random.Generator) -> None:
        self.span = span
        self._vector = np.array(af.f_wave)
        n = grid_size(span.end_s - span.start_s)
        wander = 0.06 * np.clip(slow_noise(rng, n, None, 0.3), -2.5, 2.5)
        self._cycles = integrate(af.f_wave_hz * (1 + wander)) + rng.random()
        self._swell = 0.35 * np.clip(slow_noise(rng, n, None, 0.3), -2, 2)
        self._lags = rng.uniform(-0.12, 0.12, size=3)
        self._offsets = rng.random(2)

    def voltage(self, time_s: Floats) -> Floats:
        """Return mV on three axes; see :class:`Activity`."""
        since = time_s - self.span.start_s
        # Frequency modulation at 0.23 Hz and amplitude modulation at 0.08 Hz: the paper's values.
        cycles = read_grid(self._cycles, since)
        cycles += 0.2 / (2 * np.pi * 0.23) * np.sin(2 * np.pi * (0.23 * since + self._offsets[0]))
        swell = 1 + 0.3 * np.sin(2 * np.pi * (0.08 * since + self._offsets[1]))
        swell += read_grid(self._swell, since)
        angle = 2 * np.pi * (cycles[None, :] + self._lags[:, None])
        saw = sum(np.sin(m * angle) / m for m in range(1, self.HARMONICS + 1))
        return np.asarray(
            -2 / np.pi * self._vector[:, None] * saw * swell * _fade(time_s, self.span)
        )


@dataclass(frozen=True, eq=False)
class _Wavelet:
    """One of the oscillations that make up VF, on the slow grid."""

    cycles: Floats
    height: Floats
    vector: Floats
    lags: Floats
    sharpness: float


class VentricularWaves:
    """Ventricular fibrillation: a few oscillations of drifting frequency that lose each other.

    The dominant frequency wanders within 3 to 7 Hz, as in humans (Clayton, Murray and Campbell
    1995, Strohmenger et al. 1997). One oscillation leads at first; the others grow, so that VF
    goes from coarse and organised to fine and disorganised, waxing and waning. In flutter
    (``VFL``) the leading one stays alone and strong.
    """

    N_WAVELETS = 4

    def __init__(
        self, vf: VentricularFibrillation, span: RhythmSpan, rng: np.random.Generator
    ) -> None:
        self.span = span
        n = grid_size(span.end_s - span.start_s)
        flutter = span.rhythm == "VFL"
        since = np.arange(n) / 4.0
        decayed = np.zeros(n) if flutter else 1 - np.exp(-since / vf.decay_s)
        drift = 0.08 if flutter else 0.5
        hz = vf.hz - 0.8 * decayed + drift * slow_noise(rng, n, None, 0.06)
        hz = np.clip(hz, *VF_BAND_HZ)
        swell = np.clip(1 + (0.05 if flutter else 0.3) * slow_noise(rng, n, None, 0.3), 0.25, 2)
        height = (
            vf.coarse_mv * (1.3 if flutter else 1) * (1 - decayed) + vf.fine_mv * decayed
        ) * swell
        others = 0.0 if flutter else 0.25 + 0.5 * decayed
        self._wavelets = [self._wavelet(rng, k, hz, height, others) for k in range(self.N_WAVELETS)]

    @staticmethod
    def _wavelet(
        rng: np.random.Generator, k: int, hz: Floats, height: Floats, others: Floats | float
    ) -> _Wavelet:
        n = len(hz)
        apart = (0.02 if k == 0 else 0.15) * slow_noise(rng, n, None, 0.3)
        own = np.clip(1 + (0.15 if k == 0 else 0.6) * slow_noise(rng, n, None, 0.5), 0, 2)
        vector = rng.normal((0.5, 0.75, 0.3), 0.25 if k == 0 else 0.5)
        return _Wavelet(
            cycles=integrate(hz * (1 + np.clip(apart, -0.4, 0.4))) + rng.random(),
            height=height * own * (1.0 if k == 0 else others),
            vector=vector / np.linalg.norm(vector),
            lags=rng.normal(0, 0.06, size=3),
            sharpness=rng.uniform(0.1, 0.3),
        )

    def voltage(self, time_s: Floats) -> Floats:
        """Return mV on three axes; see :class:`Activity`."""
        since = time_s - self.span.start_s
        total = np.zeros((3, len(time_s)))
        for wavelet in self._wavelets:
            cycles = read_grid(wavelet.cycles, since)
            angle = 2 * np.pi * (cycles[None, :] + wavelet.lags[:, None])
            shape = np.sin(angle) + wavelet.sharpness * np.sin(2 * angle)
            total += wavelet.vector[:, None] * shape * read_grid(wavelet.height, since)
        return total * _fade(time_s, self.span)
