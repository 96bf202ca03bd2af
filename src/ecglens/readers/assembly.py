"""What all readers share: units, the choice of leads, the sampling rate and the source."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecglens.errors import RecordError
from ecglens.guarded import real_path
from ecglens.lead_names import names_ecg
from ecglens.readers.source import MAX_VALUES, RecordSource, Samples
from ecglens.records import MAX_FS_HZ, MIN_FS_HZ, FloatArray, Lead, RhythmSpan

MAX_LEADS = 256
# No surface ECG comes near; a file without units that holds more is probably in uV or counts.
PLAUSIBLE_MV = 50.0
# What is filled in for gaps, and what a repetitive file unpacks to, is bounded by what is stored.
_ALWAYS_FITS = 2**25
_MOST_FILLED = 64
_VALUES_AT_A_TIME = 2**20

_MV_PER_UNIT = {"v": 1e3, "volt": 1e3, "volts": 1e3, "mv": 1.0, "millivolt": 1.0, "uv": 1e-3}
_MV_PER_UNIT |= {"millivolts": 1.0, "microvolt": 1e-3, "microvolts": 1e-3, "nv": 1e-6}
_MICRO_SIGNS = str.maketrans({"\u00b5": "u", "\u03bc": "u", "\ufffd": "u"})
_NOT_ECG = re.compile(
    r"(pleth\w*|ppg|resp\w*|abp|art|n?i?bp|pap|cvp|icp|co2|spo2|sao2|so2|temp\w*|eeg|eog|emg"
    r"|gsr|eda|acc|pcg|scg|airflow|flow|pressure|hr)(?![a-z])",
    re.IGNORECASE,
)
# Amplifiers put this in front of whatever they record: "EEG EKG1-REF".
_ANY_ELECTRODE = re.compile(r"(eeg|eog|emg)(?![a-z])", re.IGNORECASE)
_VERSION = re.compile(r"\d+(\.\d+)+")
_NOT_ECG_UNITS = frozenset({"mmhg", "cmh2o", "ohm", "degc", "bpm", "%", "l/min", "kpa"})


@dataclass(frozen=True)
class LeadName:
    """Name and unit of a lead as a file gives them; ``unit`` is ``""`` where it gives none.

    ``signal`` is :attr:`ecglens.records.Lead.signal`.
    """

    name: str
    unit: str = ""
    signal: int | None = None

    @property
    def described(self) -> str:
        """Name with the unit in brackets, for messages."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


def most_values(stored: int) -> int:
    """Return how many values a record may have of which so many are stored, in bytes or samples."""
    return min(MAX_VALUES, max(_ALWAYS_FITS, stored * _MOST_FILLED))


def mv_per_unit(unit: str) -> float | None:
    """Return how many mV one ``unit`` is; None where it is not a voltage, 1 where it is ``""``."""
    plain = unit.strip().translate(_MICRO_SIGNS).casefold()
    return _MV_PER_UNIT.get(plain) if plain else 1.0


def choose_leads(leads: Sequence[LeadName], where: str) -> tuple[list[int], list[str]]:
    """Choose the ECG among the leads of a file.

    Voltages win over other units; pressure, respiration, plethysmogram, EEG and the like are left
    out by name or unit.

    Returns:
        Rows to keep, in order, and notes about those left out.

    Raises:
        RecordError: nothing that could be an ECG is left.
    """
    rows = [i for i, lead in enumerate(leads) if _may_be_ecg(lead)]
    voltages = [i for i in rows if mv_per_unit(leads[i].unit) is not None]
    kept = voltages or rows
    if not kept:
        found = ", ".join(lead.described for lead in leads) or "nothing"
        raise RecordError(f"{where} holds no ECG lead, only {found}; give a recording with an ECG")
    left_out = [lead.described for i, lead in enumerate(leads) if i not in kept]
    notes = [f"left out, not an ECG voltage: {', '.join(left_out)}"] if left_out else []
    if not voltages:
        words = ", ".join(leads[i].described for i in kept)
        notes.append(f"amplitudes are not in mV, the unit is not a voltage: {words}")
    return kept, notes


def file_fs(fs: float, where: str) -> float:
    """Return the sampling rate a file states.

    Raises:
        RecordError: no ECG has this rate.
    """
    if not math.isfinite(fs) or not MIN_FS_HZ <= fs <= MAX_FS_HZ:
        raise RecordError(
            f"{where} states a sampling rate of {fs:g} Hz; an ECG has {MIN_FS_HZ:g} to "
            f"{MAX_FS_HZ:g} Hz: correct the file"
        )
    return float(fs)


def agree_on_fs(stated: float | None, given: float | None, where: str) -> float:
    """Return the rate that the file states or, where it states none, the one that was given.

    Raises:
        RecordError: neither is there, or they contradict each other.
    """
    if stated is None:
        if given is None:
            raise RecordError(f"{where} has no sampling rate; give fs (command line: --fs)")
        return float(given)
    if given is not None and not math.isclose(stated, given, rel_tol=1e-6):
        raise RecordError(
            f"{where} is sampled at {stated:g} Hz by its own account, but fs={given:g} Hz was "
            "given; leave fs out"
        )
    return stated


def subject_of(patient: str) -> str:
    """Return a subject for a patient's number or code, ``""`` for none.

    The same patient gets the same subject in every file, but the number itself, which may be a
    hospital's, stays out of results and model files.
    """
    plain = patient.strip()
    return f"patient-{hashlib.sha256(plain.encode()).hexdigest()[:12]}" if plain else ""


def make_source(
    path: Path,
    samples: Samples,
    leads: Sequence[LeadName],
    fs: float,
    *,
    notes: Sequence[str] = (),
    subject_id: str = "",
    rhythms: Sequence[RhythmSpan] = (),
    unread: str = "",
    look: bool = True,
) -> RecordSource:
    """Describe a recording whose samples are in the file's units.

    Args:
        path: the file; its stem names the record and its folder the database (the folder above
            where its folder is named by a version, as in ``mitdb/1.0.0``).
        samples: one row per entry of ``leads``.
        leads: names and units; all are kept.
        fs: in Hz.
        notes: what was assumed so far.
        subject_id: the person, where the file names one.
        rhythms: annotated spans.
        unread: why there are none, where the annotation cannot be read.
        look: whether to pass once over all samples and note infinities and doubtful units; only
            for a file that can have neither may this be left out.

    Raises:
        RecordError: there is no sample.
    """
    if samples.n_samples == 0:
        raise RecordError(f"{path} holds no samples; a record needs at least one")
    in_mv = _MillivoltSamples(samples, leads)
    return RecordSource(
        samples=in_mv,
        fs=fs,
        leads=tuple(_named(lead, row) for row, lead in enumerate(leads)),
        record_id=path.stem,
        subject_id=subject_id,
        database=_database(path),
        rhythms=tuple(rhythms),
        notes=(*notes, *(_doubts(in_mv, leads) if look else ())),
        unread=unread,
    )


def _database(path: Path) -> str:
    folder = real_path(path).parent
    above = folder.parent.name if _VERSION.fullmatch(folder.name) else ""
    return above or folder.name


def _may_be_ecg(lead: LeadName) -> bool:
    if lead.unit.casefold() in _NOT_ECG_UNITS:
        return False
    called_ecg = bool(_ANY_ELECTRODE.match(lead.name)) and names_ecg(lead.name)
    return called_ecg or not _NOT_ECG.match(lead.name)


def _named(lead: LeadName, row: int) -> Lead:
    name = lead.name or f"lead{row + 1}"
    if mv_per_unit(lead.unit) is None:
        return Lead(name, lead.unit, signal=lead.signal)
    return Lead(name, assumed=not lead.unit, signal=lead.signal)


class _MillivoltSamples:
    """Samples in mV where their unit is a voltage; infinite ones are missing."""

    def __init__(self, samples: Samples, leads: Sequence[LeadName]) -> None:
        self._samples = samples
        self._factors = [mv_per_unit(lead.unit) for lead in leads]
        self.n_samples = samples.n_samples

    def read(self, start: int, stop: int, rows: Sequence[int]) -> FloatArray:
        """Return float32; see :class:`ecglens.readers.source.Samples`."""
        signal = self.scaled(start, stop, rows)
        signal[np.isinf(signal)] = np.nan
        return signal

    def scaled(self, start: int, stop: int, rows: Sequence[int]) -> FloatArray:
        """Return float32 in which infinities are still there."""
        values = self._samples.read(start, stop, rows)
        signal = np.empty(values.shape, dtype=np.float32)
        for place, row in enumerate(rows):
            factor = self._factors[row]
            x = values[place]
            # Values beyond float32 become infinities here and are reported as such; damaged files
            # hold NaN of kinds that NumPy warns of.
            with np.errstate(over="ignore", invalid="ignore"):
                signal[place] = x if factor in (None, 1.0) else x * factor
        return signal


def _doubts(samples: _MillivoltSamples, leads: Sequence[LeadName]) -> list[str]:
    """Say how many samples are infinite, and where a missing unit is doubtful."""
    rows = range(len(leads))
    unnamed = [row for row in rows if not leads[row].unit]
    n_infinite, largest = 0, 0.0
    block = max(1, _VALUES_AT_A_TIME // len(leads))
    for start in range(0, samples.n_samples, block):
        signal = samples.scaled(start, min(start + block, samples.n_samples), rows)
        n_infinite += int(np.isinf(signal).sum())
        sizes = np.abs(signal[unnamed])
        largest = max(largest, float(sizes.max(where=np.isfinite(sizes), initial=0.0)))
    notes = [f"{n_infinite} infinite samples are taken as missing"] if n_infinite else []
    if unnamed:
        notes.append("no unit is given; mV is assumed")
        if largest > PLAUSIBLE_MV:
            notes.append(f"values reach {largest:.4g} mV, too much for an ECG; name the unit")
    return notes
