"""Records as WFDB files: format 16, with rhythm annotations, whole or not there."""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ecglens.databases.wfdb_annotations import NAME, Mark, write_marks
from ecglens.errors import OutputError, UsageError
from ecglens.readers.wfdb_signals import quiet_wfdb
from ecglens.records import FloatArray, Record, RhythmSpan

STEPS_PER_UNIT = 1000.0
"""Resolution of leads within 32 mV: a step is 1 uV, finer than a recorder's."""

_MISSING, _LARGEST = -32768, 32767  # format 16: the lowest value stands for a missing sample
_BLOCK = 1 << 20
# 254 bytes of text fit into an annotation, one is the bracket.
_RHYTHM = re.compile(r"[!-~]{1,250}")


def save_wfdb(record: Record, folder: str | Path) -> Path:
    """Write a record as ``.hea``, ``.dat`` (format 16) and, if it has rhythms, ``.atr``.

    :func:`ecglens.read_record` gives back the same samples within half a step (0.5 uV for leads
    within 32 mV, else a 65,000th of the lead's range) and the same rhythm spans within half a
    sample; missing samples stay missing.

    Args:
        record: its ``record_id`` becomes the name of the files.
        folder: where they go; it must exist. Files of the same name are replaced.

    Returns:
        The path of the header.

    Raises:
        UsageError: the record's name, a lead's name or a rhythm cannot stand in WFDB files, or
            rhythm spans overlap.
        OutputError: the folder is missing or read-only, or the disk is full.
    """
    folder = Path(folder)
    name = record.record_id
    if not NAME.fullmatch(name):
        raise UsageError(
            f"record name {name!r} cannot name WFDB files: it must consist of letters, digits, "
            "hyphens and underscores; give the record another record_id"
        )
    _check_leads(record)
    marks = _marks(record)
    scales = [_scale_of(row) for row in record.signal]
    with _moved_into(folder, name) as temporary:
        sums = _write_samples(record, scales, temporary / f"{name}.dat")
        _write_header(record, scales, sums, temporary)
        if marks:
            write_marks(marks, temporary, name, "atr")
    return folder / f"{name}.hea"


class _Scale(NamedTuple):
    """Steps per unit of a lead, and the step that stands for 0."""

    gain: float
    zero: int


def _scale_of(row: FloatArray) -> _Scale:
    there = np.isfinite(row)
    low = float(row.min(initial=np.inf, where=there))
    high = float(row.max(initial=-np.inf, where=there))
    if not there.any() or max(-low, high) * STEPS_PER_UNIT <= _LARGEST:
        return _Scale(STEPS_PER_UNIT, 0)
    # One step is kept free at either end for rounding.
    gain = min(STEPS_PER_UNIT, 2 * (_LARGEST - 1) / max(high - low, 1e-30))
    gain = float(f"{gain:.6g}")
    return _Scale(gain, -round((low + high) / 2 * gain))


def _write_samples(record: Record, scales: Sequence[_Scale], path: Path) -> list[tuple[int, int]]:
    """Write the samples, block by block, and return the first value and checksum of each lead."""
    gain = np.array([scale.gain for scale in scales])[:, None]
    zero = np.array([scale.zero for scale in scales])[:, None]
    total = np.zeros(record.n_leads, dtype=np.int64)
    first: list[int] = []
    with path.open("xb") as file:
        for start in range(0, record.n_samples, _BLOCK):
            values = record.signal[:, start : start + _BLOCK].astype(np.float64)
            steps = np.where(np.isfinite(values), np.rint(values * gain) + zero, _MISSING)
            block = steps.astype("<i2")
            if start == 0:
                first = block[:, 0].tolist()
            total += block.sum(axis=1, dtype=np.int64)
            file.write(np.ascontiguousarray(block.T).tobytes())
    # The checksum is the sum of all samples in 16 bits (header-5).
    sums = (total.astype(np.uint64) & np.uint64(0xFFFF)).astype(np.uint16).view(np.int16)
    return list(zip(first, sums.tolist(), strict=True))


def _write_header(
    record: Record, scales: Sequence[_Scale], sums: Sequence[tuple[int, int]], folder: Path
) -> None:
    n = record.n_leads
    with quiet_wfdb() as wfdb:
        wfdb.Record(
            record_name=record.record_id,
            n_sig=n,
            fs=record.fs,
            sig_len=record.n_samples,
            file_name=[f"{record.record_id}.dat"] * n,
            fmt=["16"] * n,
            adc_gain=[scale.gain for scale in scales],
            baseline=[scale.zero for scale in scales],
            units=[lead.unit for lead in record.leads],
            adc_res=[16] * n,
            adc_zero=[0] * n,
            init_value=[first for first, _ in sums],
            checksum=[checksum for _, checksum in sums],
            block_size=[0] * n,
            sig_name=list(record.lead_names),
        ).wrheader(str(folder), expanded=False)


def _marks(record: Record) -> list[Mark]:
    """Return a mark for every rhythm change; ``(`` alone ends a rhythm."""
    marks: list[Mark] = []
    spans = record.known_rhythms()
    following: Sequence[RhythmSpan | None] = [*spans[1:], None]
    for span, after in zip(spans, following, strict=False):
        if not _RHYTHM.fullmatch(span.rhythm):
            raise UsageError(
                f"rhythm {span.rhythm!r} of record {record.record_id!r} cannot stand in a WFDB "
                "annotation: it must be 1 to 250 ASCII characters without spaces; rename it"
            )
        start, end = round(span.start_s * record.fs), round(span.end_s * record.fs)
        next_start = record.n_samples if after is None else round(after.start_s * record.fs)
        if after is not None and next_start < end:
            raise UsageError(
                f"rhythms {span.rhythm} and {after.rhythm} of record {record.record_id!r} overlap "
                f"at {after.start_s:g} s; a WFDB file holds one rhythm at a time"
            )
        if start < end:
            marks.append(Mark(start, "+", f"({span.rhythm}"))
        if end < next_start:
            marks.append(Mark(end, "+", "("))
    return marks


def _check_leads(record: Record) -> None:
    names = record.lead_names
    for lead in record.leads:
        if not lead.name.isprintable() or lead.name != lead.name.strip() or not lead.name:
            raise UsageError(
                f"lead name {lead.name!r} of record {record.record_id!r} cannot stand in a WFDB "
                "header: it must be printable, without spaces around it; rename it"
            )
        if not re.fullmatch(r"[^\s/]+", lead.unit):
            raise UsageError(
                f"unit {lead.unit!r} of lead {lead.name} of record {record.record_id!r} cannot "
                "stand in a WFDB header: it must be one word; rename it"
            )
    if len(set(names)) < len(names):
        raise UsageError(
            f"record {record.record_id!r} has two leads of one name ({', '.join(names)}); a WFDB "
            "record needs different names"
        )


@contextmanager
def _moved_into(folder: Path, name: str) -> Iterator[Path]:
    """Lend a folder within ``folder``; what was written to it is moved up, the header last."""
    temporary = folder / f".{name}.{secrets.token_hex(4)}.part"
    try:
        temporary.mkdir()
        yield temporary
        for ending in (".dat", ".atr", ".hea"):
            made, place = temporary / f"{name}{ending}", folder / f"{name}{ending}"
            if made.exists():
                made.replace(place)
            else:
                # Rhythms of an older record of this name are not those of this one.
                place.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            f"cannot write record {name} to {folder}: {reason}; choose another place"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
