"""Records of virtual patients whose truth is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from ecglens.databases.synthetic.beats import breathe, make_beats
from ecglens.databases.synthetic.drawing import make_patients
from ecglens.databases.synthetic.fibrillation import Activity, make_activities
from ecglens.databases.synthetic.leads import lead_matrix
from ecglens.databases.synthetic.noise_sources import BLOCK, NOISES, Source, make_source
from ecglens.databases.synthetic.patients import VirtualPatient
from ecglens.databases.synthetic.plans import draw_holter, draw_plan, make_spans
from ecglens.databases.synthetic.seeds import record_seed, stream
from ecglens.databases.synthetic.slow import Floats
from ecglens.databases.synthetic.waves import beat_voltage
from ecglens.errors import UsageError
from ecglens.readers.source import MAX_VALUES
from ecglens.records import FloatArray, Lead, Record

DATABASE = "virtual"
FS_RANGE_HZ = (50.0, 4000.0)
HOURS_RANGE = (0.1, 336.0)
MINUTES_RANGE = (0.5, 600.0)


def make_record(
    patient: VirtualPatient,
    plan: Sequence[tuple[str, float]],
    *,
    fs: float = 250.0,
    leads: Sequence[str] = ("II",),
    noise: float = 1.0,
    record_id: str | None = None,
    random_state: int = 0,
) -> Record:
    """Record a virtual patient.

    The sampling rate changes neither beats nor rhythms, only muscle, mains and recorder noise.

    Args:
        patient: of :func:`make_patients`.
        plan: rhythms and their lengths in seconds, one behind the other; rhythms are N, AFIB,
            VFIB, VFL and ST.
        fs: sampling rate in Hz, 50 to 4,000.
        leads: names such as I, II, V1, V5 or MLII.
        noise: times the patient's usual noise; 0 is a clean recording.
        record_id: name of the record; the subject's by default.
        random_state: seed; another one gives another recording of the same person.

    Returns:
        A record of the database ``"virtual"``, its rhythms as planned.

    Raises:
        UsageError: an unknown rhythm or lead, or a number that is out of range.
    """
    _check(fs, "fs", FS_RANGE_HZ)
    _check(noise, "noise", (0, math.inf))
    spans = make_spans(plan)
    n_samples = max(1, round(spans[-1].end_s * fs))
    if n_samples * len(leads) > MAX_VALUES:
        raise UsageError(
            f"{spans[-1].end_s:g} s of {len(leads)} leads at {fs:g} Hz are more than {MAX_VALUES} "
            "values; make it shorter, slower or of fewer leads"
        )
    signal = _render(patient, plan, n_samples, fs, leads, noise, random_state)
    last = spans[-1]
    spans[-1] = replace(last, end_s=max(last.start_s, n_samples / fs))
    return Record(
        signal=signal,
        fs=float(fs),
        leads=tuple(Lead(name) for name in leads),
        record_id=patient.subject if record_id is None else record_id,
        subject_id=patient.subject,
        database=DATABASE,
        rhythms=tuple(spans),
    )


def make_records(
    n_patients: int,
    *,
    random_state: int = 0,
    fs: float = 250.0,
    leads: Sequence[str] = ("II",),
    minutes: float = 4.0,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Record]:
    """Make one record for each of many patients, with stretches of two to four patterns.

    Every record holds sinus rhythm and at least one of AF, VF and ST change; each of these
    occurs in about two thirds of the patients.

    Args:
        n_patients: how many.
        random_state: seed.
        fs: sampling rate in Hz.
        leads: of every record.
        minutes: length of each record, 0.5 to 600; of several patterns only from 3 minutes on,
            so that a stretch of ST change lasts half a minute.
        progress: called after each record with records done and records in all.

    Yields:
        Records, one at a time.
    """
    _check(minutes, "minutes", MINUTES_RANGE)
    patients = make_patients(n_patients, random_state=random_state)
    for done, patient in enumerate(patients, start=1):
        plan = draw_plan(stream(patient.seed, "plan"), patient.number, 60 * minutes)
        yield make_record(patient, plan, fs=fs, leads=leads)
        if progress is not None:
            progress(done, n_patients)


def make_holter(
    patient: VirtualPatient,
    hours: float,
    *,
    fs: float = 250.0,
    leads: Sequence[str] = ("II",),
    noise: float = 1.0,
    random_state: int = 0,
) -> Record:
    """Record many hours, mostly sinus rhythm, with known episodes of AF, VF and ST change.

    From one hour on there is at least one episode of each, of 30 s or more. The heart is slowest
    twelve hours after the start.

    Args:
        patient: of :func:`make_patients`.
        hours: length, 0.1 to 336 (two weeks).
        fs: as for :func:`make_record`, and so are the others.
        leads: names.
        noise: times the patient's usual noise.
        random_state: seed.
    """
    _check(hours, "hours", HOURS_RANGE)
    plan = draw_holter(stream(record_seed(patient.seed, random_state), "plan"), hours)
    return make_record(
        patient,
        plan,
        fs=fs,
        leads=leads,
        noise=noise,
        record_id=f"{patient.subject}-holter",
        random_state=random_state,
    )


def _render(
    patient: VirtualPatient,
    plan: Sequence[tuple[str, float]],
    n_samples: int,
    fs: float,
    leads: Sequence[str],
    noise: float,
    random_state: int,
) -> FloatArray:
    matrix = lead_matrix(leads)
    seed = record_seed(patient.seed, random_state)
    spans = make_spans(plan)
    beats = make_beats(patient, plan, random_state=random_state)
    st_vector = np.array(patient.st.vector)
    st_vector = st_vector / np.abs(matrix @ st_vector).max()
    activities = make_activities(patient, spans, seed)
    sources = _noise_sources(patient, leads, spans[-1].end_s, fs, seed) if noise > 0 else []
    signal = np.empty((len(leads), n_samples), dtype=np.float32)
    for start in range(0, n_samples, BLOCK):
        stop = min(start + BLOCK, n_samples)
        time_s = np.arange(start, stop) / fs
        heart = beat_voltage(patient, beats, st_vector, fs, start, stop)
        for activity in activities:
            _add_activity(heart, activity, time_s)
        # Axis by axis: a matrix product may round the same sample differently in another block.
        block = sum(matrix[:, axis, None] * heart[axis] for axis in range(3))
        for row, lead_sources in zip(block, sources, strict=False):
            for level, source in lead_sources:
                row += noise * level * source.read(time_s)
        signal[:, start:stop] = block
    return signal


def _add_activity(heart: Floats, activity: Activity, time_s: Floats) -> None:
    part = slice(*np.searchsorted(time_s, (activity.span.start_s, activity.span.end_s)))
    if part.start < part.stop:
        heart[:, part] += activity.voltage(time_s[part])


def _noise_sources(
    patient: VirtualPatient, leads: Sequence[str], seconds: float, fs: float, seed: int
) -> list[list[tuple[float, Source]]]:
    """Return level and source of every kind of noise, by lead."""
    breath, levels = breathe(patient.rate, seconds, seed), patient.noise

    def of_lead(lead: str, kind: str) -> Source:
        rng = stream(seed, kind, lead)
        return make_source(kind, rng, seconds, fs, breath, levels.mains_hz)

    return [[(getattr(levels, kind), of_lead(lead, kind)) for kind in NOISES] for lead in leads]


def _check(value: float, name: str, bounds: tuple[float, float]) -> None:
    low, high = bounds
    if not (math.isfinite(value) and low <= value <= high):
        limits = f"{low:g} or more" if math.isinf(high) else f"from {low:g} to {high:g}"
        raise UsageError(f"{name} of a virtual record must be {limits}, got {value:g}")
