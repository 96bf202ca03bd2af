"""When the heart beats: sinus rhythm, premature beats and the irregular beats of AF."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from ecglens.databases.synthetic.ischaemia import st_deviation
from ecglens.databases.synthetic.patients import AtrialFibrillation, HeartRate, VirtualPatient
from ecglens.databases.synthetic.plans import make_spans
from ecglens.databases.synthetic.seeds import record_seed, stream
from ecglens.databases.synthetic.slow import (
    GRID_HZ,
    Floats,
    grid_size,
    integrate,
    read_grid,
    slow_noise,
)
from ecglens.records import RhythmSpan

SINUS, CONDUCTED, ATRIAL, VENTRICULAR = "sinus", "conducted", "atrial", "ventricular"
"""Kinds of beats: sinus, through the AV node in AF, premature of the atria or the ventricles."""

SHORTEST_S = 0.28
"""No two beats are closer than this."""

LONGEST_RR_S = 1.5
"""The T wave adapts to R-R intervals up to this."""


@dataclass(frozen=True, eq=False)
class Beats:
    """Every beat of a record in order of time; all arrays have shape (n_beats,).

    Attributes:
        time_s: its R peak; the main wave of a ventricular beat peaks 15 ms later.
        kind: ``"sinus"``, ``"conducted"`` (AF), ``"atrial"`` or ``"ventricular"``.
        rr_s: R-R interval to which its T wave has adapted.
        size: amplitude relative to the patient's usual beat (breathing and chance).
        st_mv: ST deviation in mV, 0 where there is none.
    """

    time_s: Floats
    kind: npt.NDArray[np.str_]
    rr_s: Floats
    size: Floats
    st_mv: Floats

    def subset(self, index: slice | npt.NDArray[np.bool_]) -> Beats:
        """Return the beats that a slice or a mask picks."""
        return Beats(**{f.name: getattr(self, f.name)[index] for f in fields(self)})


def breathe(rate: HeartRate, seconds: float, seed: int) -> Floats:
    """Return the phase of respiration in radians on the slow grid."""
    n = grid_size(seconds)
    wander = slow_noise(stream(seed, "respiration"), n, None, 0.02)
    return 2 * np.pi * integrate(rate.respiration_hz * (1 + 0.08 * np.clip(wander, -3, 3)))


def make_beats(
    patient: VirtualPatient, plan: Sequence[tuple[str, float]], *, random_state: int = 0
) -> Beats:
    """Draw the beats that :func:`make_record` of the same arguments records.

    Args:
        patient: the person.
        plan: rhythms and their lengths in seconds, one behind the other.
        random_state: seed.

    Raises:
        UsageError: an unknown rhythm, a length that is not positive, or a negative seed.
    """
    spans, seed = make_spans(plan), record_seed(patient.seed, random_state)
    seconds = spans[-1].end_s
    breath = breathe(patient.rate, seconds, seed)
    ticks = _sinus_ticks(patient.rate, breath, seconds, seed)
    times, kinds = [np.zeros(0)], [np.zeros(0, dtype="<U11")]
    for number, span in enumerate(spans):
        rng = stream(seed, "beats", number)
        if span.rhythm in ("N", "ST"):
            inside = ticks[(ticks >= span.start_s) & (ticks < span.end_s)]
            time, kind = _with_premature(rng, inside, patient.rate)
        elif span.rhythm == "AFIB":
            last_s = float(times[-1][-1]) if len(times[-1]) else span.start_s
            time = _af_times(rng, patient.af, last_s, span)
            kind = np.full(len(time), CONDUCTED)
        else:
            continue
        times.append(time)
        kinds.append(kind)
    time, kind = _apart(np.concatenate(times), np.concatenate(kinds))
    rng = stream(seed, "size")
    breathing = patient.breath_share * np.sin(read_grid(breath, time))
    return Beats(
        time_s=time,
        kind=kind,
        rr_s=_adapted(time, 60 / patient.rate.mean_bpm),
        size=(1 + breathing) * (1 + 0.02 * rng.standard_normal(len(time))),
        st_mv=st_deviation(patient.st, spans, time),
    )


def _sinus_ticks(rate: HeartRate, breath: Floats, seconds: float, seed: int) -> Floats:
    """Return the times at which the sinus node fires.

    The R-R interval has a slow part, a part around 0.1 Hz and a part that goes with respiration
    (the bimodal spectrum of McSharry et al. 2003); the node fires whenever the integral of its
    rate has grown by 1 (integral pulse frequency modulation).
    """
    n = len(breath)
    rng = stream(seed, "sinus")
    share = 1 + rate.slow_share * slow_noise(rng, n, None, 0.02)
    share += rate.lf_share * slow_noise(rng, n, 0.07, 0.13)
    share += rate.rsa_share * np.sin(breath + 0.6)
    hours = np.arange(n) / GRID_HZ / 3600
    night = 1 - rate.night_share * (1 - np.cos(2 * np.pi * hours / 24)) / 2
    interval = np.clip(60 / (rate.mean_bpm * night) * share, 0.4, 1.9)
    fired = integrate(1 / interval) + rng.random()
    count = np.arange(np.ceil(fired[0]), fired[-1])
    ticks = np.interp(count, fired, np.arange(n) / GRID_HZ)
    return np.asarray(ticks[ticks < seconds])


def _with_premature(
    rng: np.random.Generator, ticks: Floats, rate: HeartRate
) -> tuple[Floats, npt.NDArray[np.str_]]:
    """Let some beats come early; the pause behind a ventricular one is compensatory."""
    time, kind = ticks.copy(), np.full(len(ticks), SINUS, dtype="<U11")
    if len(ticks) < 5:
        return time, kind
    interval = np.diff(ticks, prepend=np.nan)
    chance, early = rng.random(len(ticks)), rng.uniform(0.25, 0.42, size=len(ticks))
    per_beat = interval / 60
    ventricular = chance < rate.pvc_per_min * per_beat
    atrial = ~ventricular & (chance > 1 - rate.pac_per_min * per_beat)
    either = ventricular | atrial
    # Not at the ends, and never two within three beats.
    either[:2] = either[-2:] = False
    either[1:] &= ~either[:-1]
    either[2:] &= ~either[:-2]
    at = np.flatnonzero(either)
    time[at] = np.maximum(time[at] - early[at] * interval[at], ticks[at - 1] + SHORTEST_S)
    kind[at] = np.where(ventricular[at], VENTRICULAR, ATRIAL)
    after = at[atrial[at]] + 1
    time[after] -= 0.5 * early[after - 1] * interval[after]
    return time, kind


def _af_times(
    rng: np.random.Generator, af: AtrialFibrillation, last_s: float, span: RhythmSpan
) -> Floats:
    """Return R peaks of AF by the AV-node model of Corino et al. 2011 (IEEE TBME 58(12), 3386).

    Impulses arrive at the node by a Poisson process. After a beat the node lets none through for
    the refractory period of the pathway, then each with a chance that rises over the relative
    refractory period, then all. The first impulse let through ends the R-R interval, whose
    distribution follows in closed form from the integrated rate.
    """
    n = int((span.end_s - span.start_s) / af.slow_path_s) + 2
    slow = rng.random(n) < af.slow_share
    refractory = np.where(slow, af.slow_path_s, af.fast_path_s)
    budget = rng.exponential(1 / af.impulses_hz, size=n)
    in_rise = np.sqrt(2 * af.spread_s * budget)
    behind = af.spread_s / 2 + budget
    interval = refractory + np.where(budget < af.spread_s / 2, in_rise, behind)
    time = max(last_s, span.start_s - interval[0] / 2) + np.cumsum(interval)
    return np.asarray(time[(time >= span.start_s) & (time < span.end_s)])


def _apart(time: Floats, kind: npt.NDArray[np.str_]) -> tuple[Floats, npt.NDArray[np.str_]]:
    """Drop beats that follow too closely, as where one rhythm goes over into the next."""
    while True:
        close = np.diff(time, prepend=-np.inf) < SHORTEST_S
        # Of several in a row only the first, for the next may then be far enough.
        close[1:] &= ~close[:-1]
        if not close.any():
            return time, kind
        time, kind = time[~close], kind[~close]


def _adapted(time: Floats, usual_s: float) -> Floats:
    """Return the interval to which repolarisation has adapted: most of it takes several beats."""
    from scipy.signal import lfilter

    interval = np.clip(np.diff(time, prepend=time[:1] - usual_s), 0.3, LONGEST_RR_S)
    slow, _ = lfilter([0.2], [1, -0.8], interval, zi=[0.8 * usual_s])
    return np.asarray(0.35 * interval + 0.65 * slow)
