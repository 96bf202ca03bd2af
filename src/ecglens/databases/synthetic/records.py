"""Records of virtual patients whose truth is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ecglens.databases.synthetic.beats import breathe, make_beats
from ecglens.databases.synthetic.drawing import make_patients
from ecglens.databases.synthetic.fibrillation import Activity, make_activity
from ecglens.databases.synthetic.leads import lead_matrix
from ecglens.databases.synthetic.noise import BLOCK, NOISES, Source, make_source
from ecglens.databases.synthetic.patients import VirtualPatient
from ecglens.databases.synthetic.plans import draw_holter, draw_plan, make_spans
from ecglens.databases.synthetic.seeds import check_seed, stream
from ecglens.databases.synthetic.slow import Floats
from ecglens.databases.synthetic.waves import beat_voltage
from ecglens.errors import UsageError
from ecglens.readers.assembly import MAX_VALUES
from ecglens.records import FloatArray, Lead, Record, RhythmSpan

DATABASE = "virtual"


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

    The rate changes neither beats nor rhythms: only muscle and mains noise depend on it.

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
    spans = make_spans(plan, fs)
    signal = _render(patient, spans, fs, leads, noise, check_seed(random_state))
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
        minutes: length of each record.
        progress: called after each record with records done and records in all.

    Yields:
        Records, one at a time.
    """
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
    if not 0.1 <= hours <= 336:
        raise UsageError(f"hours must be from 0.1 to 336, got {hours:g}")
    seed = check_seed(random_state)
    plan = draw_holter(stream(patient.seed, "holter", seed), hours)
    return make_record(
        patient, plan, fs=fs, leads=leads, noise=noise, record_id=f"{patient.subject}-holter",
        random_state=seed,
    )  # fmt: skip


def _render(
    patient: VirtualPatient,
    spans: Sequence[RhythmSpan],
    fs: float,
    leads: Sequence[str],
    noise: float,
    random_state: int,
) -> FloatArray:
    matrix = lead_matrix(leads)
    if not (math.isfinite(noise) and noise >= 0):
        raise UsageError(f"noise must be 0 or more, got {noise:g}; 1 is the patient's usual noise")
    seconds = spans[-1].end_s
    n_samples = round(seconds * fs)
    if n_samples * len(leads) > MAX_VALUES:
        raise UsageError(
            f"{seconds:g} s of {len(leads)} leads at {fs:g} Hz are over {MAX_VALUES} values; "
            "make it shorter, slower or of fewer leads"
        )
    seed = int(stream(patient.seed, "record", random_state).integers(2**63))
    beats = make_beats(patient, spans, seed)
    st_vector = np.array(patient.st.vector)
    st_vector = st_vector / np.abs(matrix @ st_vector).max()
    activities = [
        activity
        for number, span in enumerate(spans)
        if (activity := make_activity(patient, span, seed, number)) is not None
    ]
    sources = _noise_sources(patient, leads, seconds, fs, seed) if noise > 0 else []
    signal = np.empty((len(leads), n_samples), dtype=np.float32)
    for start in range(0, n_samples, BLOCK):
        stop = min(start + BLOCK, n_samples)
        time_s = np.arange(start, stop) / fs
        heart = beat_voltage(patient, beats, st_vector, fs, start, stop)
        _add_activities(heart, activities, time_s)
        block = matrix @ heart
        for row, lead_sources in zip(block, sources, strict=bool(sources)):
            for level, source in lead_sources:
                row += noise * level * source.read(time_s)
        signal[:, start:stop] = block
    return signal


def _add_activities(heart: Floats, activities: Sequence[Activity], time_s: Floats) -> None:
    for activity in activities:
        span = activity.span
        part = slice(*np.searchsorted(time_s, (span.start_s, span.end_s)))
        if part.start < part.stop:
            heart[:, part] += activity.voltage(time_s[part])


def _noise_sources(
    patient: VirtualPatient, leads: Sequence[str], seconds: float, fs: float, seed: int
) -> list[list[tuple[float, Source]]]:
    """Return level and source of every kind of noise, by lead."""
    breath = breathe(patient.rate, seconds, seed)
    return [
        [
            (
                getattr(patient.noise, kind),
                make_source(
                    kind, stream(seed, kind, lead), seconds, fs, breath, patient.noise.mains_hz
                ),
            )
            for kind in NOISES
        ]
        for lead in leads
    ]
