"""EDF, EDF+ and BDF: data records of 16 or 24 bits, of which only those asked for are read."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ecglens.errors import RecordError
from ecglens.lead_names import names_ecg, names_limb, plain_lead
from ecglens.readers.assembly import (
    LeadName,
    agree_on_fs,
    choose_leads,
    file_fs,
    make_source,
    most_values,
    subject_of,
)
from ecglens.readers.edf_annotations import BYTES_AT_A_TIME, EdfAnnotations, read_annotations
from ecglens.readers.edf_header import EdfHeader, EdfSignal, read_edf_header
from ecglens.readers.source import RecordSource
from ecglens.records import FloatArray

# Data records that start no further off the end of the one in front follow without a gap.
_OFF_SAMPLES = 1.0


class Run(NamedTuple):
    """Data records [first, last) without a gap between them; ``start`` is a sample."""

    first: int
    last: int
    start: int


def open_edf(path: Path, fs: float | None) -> RecordSource:
    """Open an EDF, EDF+ or BDF file.

    Signals that are called ECG or by a lead are taken; where there are none, all voltages that are
    not called something else. Of several rates the highest is taken and slower signals are left
    out. Gaps of a discontinuous file are missing samples.

    Args:
        path: the file.
        fs: Hz; a file states its own.

    Raises:
        RecordError: the file is damaged, has only annotations, or no ECG.
    """
    try:
        header = read_edf_header(path)
        annotations = read_annotations(header) if header.plus and header.n_records else None
    except OSError as error:
        raise RecordError(f"cannot read {path}: {error.strerror or error}") from error
    chosen, notes = _choose(header)
    rate = _rate(header, chosen, fs)
    for signal in chosen:
        _check_limits(path, signal)
    samples = EdfSamples(header, chosen, _runs(header, chosen, rate, annotations))
    code = header.patient.split(" ")[0] if header.plus else ""
    return make_source(
        path,
        samples,
        [_name_of(signal) for signal in chosen],
        rate,
        notes=[*header.notes, *notes, *(annotations.notes if annotations else ())],
        subject_id=subject_of("" if code == "X" else code),
        rhythms=annotations.rhythms if annotations else (),
        look=not all(signal.unit for signal in chosen),
    )


def _name_of(signal: EdfSignal) -> LeadName:
    return LeadName(plain_lead(signal.label), signal.unit)


def _choose(header: EdfHeader) -> tuple[list[EdfSignal], list[str]]:
    """Return the signals to keep, and notes."""
    path = header.path
    signals = [s for s in header.signals if not s.is_annotation and s.per_record]
    if not signals:
        raise RecordError(
            f"{path} holds annotations but no signal; give the file of the recording itself"
        )
    named = any(names_ecg(s.label) for s in signals)
    found = [s for s in signals if not named or names_ecg(s.label) or names_limb(s.label)]
    rows, notes = choose_leads([_name_of(s) for s in found], str(path))
    fastest = max(found[i].per_record for i in rows)
    kept = [found[i] for i in rows if found[i].per_record == fastest]
    slower = [found[i].label for i in rows if found[i].per_record < fastest]
    if not named:
        notes.append(f"no signal is called ECG; taken: {', '.join(s.label for s in kept)}")
    if slower:
        notes.append(f"left out, sampled slower than the others: {', '.join(slower)}")
    others = [s.label for s in signals if s not in found]
    if others:
        notes.append(f"left out, not called ECG: {', '.join(others)}")
    return kept, notes


def _rate(header: EdfHeader, chosen: Sequence[EdfSignal], given: float | None) -> float:
    if header.record_s == 0:
        raise RecordError(
            f"{header.path} has data records of 0 s; with signals they must last: correct the file"
        )
    stated = chosen[0].per_record / header.record_s
    # 8 characters cannot hold every duration; a whole rate within their rounding is meant.
    if abs(stated - round(stated)) < 1e-6 * stated:
        stated = float(round(stated))
    return agree_on_fs(file_fs(stated, str(header.path)), given, str(header.path))


def _check_limits(path: Path, signal: EdfSignal) -> None:
    (low, high), (lowest, highest) = signal.physical, signal.digital
    # Also refuses NaN. A physical range that runs downwards is an inverted signal (EDF, 2.1.3).
    if not (np.isfinite(low - high) and low != high and lowest < highest):
        raise RecordError(
            f"{path}: {signal.label!r} maps {lowest:g} to {highest:g} to {low:g} to {high:g} "
            f"{signal.unit}; the digital range must rise and the physical one differ: correct the "
            "header"
        )


def _runs(
    header: EdfHeader,
    chosen: Sequence[EdfSignal],
    rate: float,
    annotations: EdfAnnotations | None,
) -> list[Run]:
    """Return the stretches without gaps."""
    per_record = chosen[0].per_record
    if annotations is None or header.plus != "D":
        return [Run(0, header.n_records, 0)] if header.n_records else []
    at = (annotations.onsets_s - annotations.onsets_s[0]) * rate
    late = at - np.arange(header.n_records) * float(per_record)
    starts = _starts(header, late.tolist())
    runs: list[Run] = []
    end = 0
    for first, last in itertools.pairwise([*starts, header.n_records]):
        start = max(end, round(float(at[first])))
        end = start + (last - first) * per_record
        runs.append(Run(first, last, start))
    most = most_values(header.n_records * per_record * len(chosen))
    if end * len(chosen) > most:
        raise RecordError(
            f"{header.path}: the data records and gaps make {end} samples of {len(chosen)} "
            f"leads, more than {most} values; split the file"
        )
    return runs


def _starts(header: EdfHeader, late: Sequence[float]) -> list[int]:
    """Return the data records behind a gap, given how many samples late each one starts."""
    starts = [0]
    for record, samples in enumerate(late):
        shift = samples - late[starts[-1]]
        if shift < -_OFF_SAMPLES:
            raise RecordError(
                f"{header.path}: data record {record + 1} starts before the one in front of it "
                "ends; they must be in order of time: correct the file"
            )
        if shift > _OFF_SAMPLES:
            starts.append(record)
    return starts


class EdfSamples:
    """Samples of some signals of one rate, NaN in gaps.

    Args:
        header: of the file.
        signals: one per row.
        runs: stretches without gaps, in order.
    """

    def __init__(
        self, header: EdfHeader, signals: Sequence[EdfSignal], runs: Sequence[Run]
    ) -> None:
        self._header = header
        self._signals = tuple(signals)
        self._runs = tuple(runs)
        self._per_record = signals[0].per_record
        ends = [run.start + (run.last - run.first) * self._per_record for run in runs]
        self.n_samples = ends[-1] if ends else 0

    def read(self, start: int, stop: int, rows: Sequence[int]) -> FloatArray:
        """Return samples [start, stop) of some signals; see :class:`Samples`."""
        found = np.full((len(rows), stop - start), np.nan, dtype=np.float32)
        size = self._per_record
        at_a_time = max(1, BYTES_AT_A_TIME // self._header.record_bytes)
        for run in self._runs:
            first = run.first + max(0, start - run.start) // size
            last = min(run.last, run.first - (run.start - stop) // size)
            for record in range(first, last, at_a_time):
                raw = self._header.read_raw(record, min(record + at_a_time, last))
                at = run.start + (record - run.first) * size - start
                skipped = max(0, -at)
                for place, row in enumerate(rows):
                    x = self._decode(raw, self._signals[row])[skipped : stop - start - at]
                    found[place, at + skipped : at + skipped + len(x)] = x
        return found

    def _decode(self, raw: npt.NDArray[np.uint8], signal: EdfSignal) -> FloatArray:
        width = self._header.sample_bytes
        stored = raw[:, signal.offset : signal.offset + signal.per_record * width]
        counts = _counts(np.ascontiguousarray(stored).reshape(-1, width))
        (low, high), (lowest, highest) = signal.physical, signal.digital
        scale = (high - low) / (highest - lowest)
        with np.errstate(over="ignore", invalid="ignore"):  # infinities are missing samples
            return np.asarray((counts - lowest) * scale + low, dtype=np.float32)


def _counts(stored: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
    """Return numbers from bytes, shape (n, 2 or 3), the lowest byte first."""
    whole = np.zeros((len(stored), 4), dtype=np.uint8)
    whole[:, 4 - stored.shape[1] :] = stored
    # An arithmetic shift brings the sign along.
    counts: npt.NDArray[np.int32] = whole.view("<i4")[:, 0] >> 8 * (4 - stored.shape[1])
    return counts
