"""Headers of EDF, EDF+ and BDF files, checked against the size of the file.

After https://www.edfplus.info/specs/edf.html and edfplus.html; BDF, with 24 bits a sample, after
https://www.biosemi.com/faq/file_format.htm. The header is decoded here, because the libraries at
hand (edfio 0.4, pyedflib 0.1) read no discontinuous file, and BDF only as a whole or not at all
where a recorder took liberties with the header.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecglens.errors import RecordError

EDF_MARK, BDF_MARK = b"0       ", b"\xffBIOSEMI"
FIXED_BYTES = 256
# Label, transducer, unit, physical and digital limits, filter, samples a record, reserved.
_WIDTHS = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)
_NUMBER = re.compile(r"[-+]?(\d+[.,]?\d*|[.,]\d+)(e[-+]?\d+)?", re.IGNORECASE)
_ANNOTATIONS = frozenset({"EDF Annotations", "BDF Annotations"})


@dataclass(frozen=True)
class EdfSignal:
    """One signal; a limit that is no number is NaN.

    Attributes:
        label: as in the file.
        unit: the file's own word, or ``""``.
        physical: values in ``unit`` that stand for the digital limits; may run downwards.
        digital: lowest and highest stored number.
        per_record: samples in each data record.
        offset: bytes of a data record before this signal.
    """

    label: str
    unit: str
    physical: tuple[float, float]
    digital: tuple[float, float]
    per_record: int
    offset: int

    @property
    def is_annotation(self) -> bool:
        """Whether it holds texts instead of samples."""
        return self.label in _ANNOTATIONS


@dataclass(frozen=True)
class EdfHeader:
    """A header whose declared sizes the file holds.

    Attributes:
        path: the file.
        sample_bytes: 2 for EDF, 3 for BDF.
        plus: ``"C"`` or ``"D"`` (discontinuous) for EDF+ and BDF+, ``""`` otherwise.
        patient: the field of this name.
        n_records: data records.
        record_s: seconds in each of them.
        signals: in the order of the file.
        notes: what was odd.
    """

    path: Path
    sample_bytes: int
    plus: str
    patient: str
    n_records: int
    record_s: float
    signals: tuple[EdfSignal, ...]
    notes: tuple[str, ...]

    @property
    def record_bytes(self) -> int:
        """Bytes of one data record."""
        return _record_bytes(self.signals, self.sample_bytes)

    def read_raw(self, first: int, last: int) -> npt.NDArray[np.uint8]:
        """Return the bytes of data records [first, last), shape (last - first, record_bytes).

        Raises:
            RecordError: the file is no longer what it was.
        """
        start = FIXED_BYTES * (len(self.signals) + 1) + first * self.record_bytes
        wanted = (last - first) * self.record_bytes
        try:
            raw = np.fromfile(self.path, dtype=np.uint8, count=wanted, offset=start)
        except OSError as error:
            raise RecordError(f"cannot read {self.path}: {error.strerror or error}") from error
        if raw.size != wanted:
            raise RecordError(f"{self.path} is cut short since it was opened; get it again")
        return raw.reshape(last - first, self.record_bytes)


def is_edf(head: bytes) -> bool:
    """Tell whether a file that starts with these bytes is EDF or BDF."""
    if head[:8] == BDF_MARK:
        return True
    sizes = re.fullmatch(rb"(\d+) *(.{60})", head[184:252], re.DOTALL)
    n_signals = re.fullmatch(rb"(\d+) *", head[252:256])
    if head[:8] != EDF_MARK or sizes is None or n_signals is None:
        return False
    return int(sizes[1]) == FIXED_BYTES * (int(n_signals[1]) + 1)


def read_edf_header(path: Path) -> EdfHeader:
    """Read and check the header of a file.

    Raises:
        RecordError: it is no EDF or BDF, its numbers are none, or the file is too short for them.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        fixed = file.read(FIXED_BYTES)
        if fixed[:8] not in (EDF_MARK, BDF_MARK) or len(fixed) < FIXED_BYTES:
            raise RecordError(
                f"{path} is no EDF or BDF file: it starts with {fixed[:8]!r}, not with '0' or "
                "'BIOSEMI', or ends within its header; get it again"
            )
        n_signals = _count(path, fixed[252:256], "signals")
        declared = _count(path, fixed[184:192], "header bytes")
        expected = FIXED_BYTES * (n_signals + 1)
        if n_signals == 0 or declared != expected or expected > size:
            raise RecordError(
                f"{path} declares {n_signals} signals in a header of {declared} bytes, the file "
                f"has {size}; a header has 256 bytes, and 256 more for each of its signals: the "
                "file is damaged, get it again"
            )
        fields = _fields(file.read(expected - FIXED_BYTES), n_signals)
    sample_bytes = 3 if fixed[:8] == BDF_MARK else 2
    signals = _signals(path, fields, sample_bytes)
    record_s = _number(fixed[244:252])
    if not 0 <= record_s < math.inf:
        raise _no_number(path, "seconds a data record", fixed[244:252])
    held = (size - expected) // _record_bytes(signals, sample_bytes)
    n_records, notes = _n_records(path, fixed[236:244], held)
    mark = _text(fixed[192:236])
    return EdfHeader(
        path=path,
        sample_bytes=sample_bytes,
        plus=mark[4] if mark[:5] in ("EDF+C", "EDF+D", "BDF+C", "BDF+D") else "",
        patient=_text(fixed[8:88]),
        n_records=n_records,
        record_s=record_s,
        signals=signals,
        notes=notes,
    )


def _record_bytes(signals: Sequence[EdfSignal], sample_bytes: int) -> int:
    return sum(signal.per_record for signal in signals) * sample_bytes


def _fields(raw: bytes, n_signals: int) -> list[list[bytes]]:
    """Return the ten columns of the signal part, each with one entry a signal."""
    columns, at = [], 0
    for width in _WIDTHS:
        columns.append([raw[at + i * width : at + (i + 1) * width] for i in range(n_signals)])
        at += width * n_signals
    return columns


def _signals(path: Path, fields: list[list[bytes]], sample_bytes: int) -> tuple[EdfSignal, ...]:
    labels, _, units, low, high, lowest, highest, _, counts, _ = fields
    signals: list[EdfSignal] = []
    offset = 0
    for i, label in enumerate(labels):
        per_record = _count(path, counts[i], f"samples a record of {_text(label)!r}")
        signals.append(
            EdfSignal(
                label=_text(label),
                unit=_text(units[i]),
                physical=(_number(low[i]), _number(high[i])),
                digital=(_number(lowest[i]), _number(highest[i])),
                per_record=per_record,
                offset=offset,
            )
        )
        offset += per_record * sample_bytes
    if offset == 0:
        raise RecordError(f"{path} declares data records without samples; a record needs some")
    return tuple(signals)


def _n_records(path: Path, field: bytes, held: int) -> tuple[int, tuple[str, ...]]:
    """Return the number of data records; -1 stands for a file that was not closed."""
    if _text(field) == "-1":
        return held, (f"the header was never completed; the {held} data records found are taken",)
    declared = _count(path, field, "data records")
    if declared > held:
        raise RecordError(
            f"{path} declares {declared} data records, but holds {held}; the file is cut short: "
            "get it again"
        )
    if declared < held:
        return declared, (f"{held - declared} data records behind the declared end are left out",)
    return declared, ()


def _text(field: bytes) -> str:
    return field.decode("latin-1").strip("\0 \t\r\n")


def _number(field: bytes) -> float:
    text = _text(field)
    return float(text.replace(",", ".")) if _NUMBER.fullmatch(text) else math.nan


def _count(path: Path, field: bytes, what: str) -> int:
    number = _number(field)
    if not (number >= 0 and number.is_integer()):
        raise _no_number(path, what, field)
    return int(number)


def _no_number(path: Path, what: str, field: bytes) -> RecordError:
    return RecordError(
        f"{path} gives {_text(field)!r} as number of {what}; the header is damaged: get it again"
    )
