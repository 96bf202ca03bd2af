"""WFDB annotation files: marks at samples, written with the wfdb package, whole or not there."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ecglens.errors import OutputError, UsageError
from ecglens.files import temporary_folder, write_atomically
from ecglens.readers.wfdb_signals import quiet_wfdb

NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
"""Names of WFDB records as every tool takes them."""

# 255 bytes of text fit into an annotation.
_TEXT = re.compile(r"[ -~]{0,254}")
_LONGEST = 60
# Windows takes these for devices, whatever ending follows.
_DEVICE = re.compile(r"(?i:con|prn|aux|nul|com\d|lpt\d)")


class Mark(NamedTuple):
    """One annotation.

    Attributes:
        sample: where, from the start of the record.
        symbol: its code as rdann shows it, such as ``"+"`` for a change of rhythm.
        text: its note.
        kind: its subtype, -128 to 127.
        number: tells apart annotations of one sample, of which each number may stand once.
    """

    sample: int
    symbol: str
    text: str = ""
    kind: int = 0
    number: int = 0


def save_annotations(
    marks: Sequence[Mark], folder: str | Path, name: str, annotator: str, fs: float
) -> Path:
    """Write marks as ``NAME.ANNOTATOR`` with its time resolution.

    Args:
        marks: one or more, in any order.
        folder: where it goes; it must exist.
        name: of the record.
        annotator: ending of the file.
        fs: samples per second.

    Raises:
        UsageError: the name, the annotator or a text cannot stand in WFDB files.
        OutputError: the folder is missing or read-only, or the disk is full.
    """
    path = Path(folder) / f"{name}.{annotator}"
    _check(marks, name, annotator)
    with temporary_folder() as temporary:
        try:
            write_marks(marks, temporary, name, annotator, fs)
            content = (temporary / path.name).read_bytes()
        except OSError as error:
            reason = error.strerror or str(error)
            raise OutputError(
                f"cannot write {path}: no temporary file: {reason}; make room for it"
            ) from error
    write_atomically(path, lambda file: file.write(content))
    return path


def write_marks(
    marks: Sequence[Mark], folder: Path, name: str, annotator: str, fs: float | None = None
) -> None:
    """Write marks into a folder that nobody else looks at; see :func:`save_annotations`."""
    in_order = sorted(marks, key=lambda mark: (mark.sample, mark.number))
    samples, symbols, texts, kinds, numbers = zip(*in_order, strict=True)
    with quiet_wfdb() as wfdb:
        wfdb.wrann(
            name,
            annotator,
            np.array(samples),
            list(symbols),
            subtype=np.array(kinds),
            num=np.array(numbers),
            aux_note=list(texts),
            fs=fs,
            write_dir=str(folder),
        )


def safe_name(record_id: str) -> str:
    """Return a name for the files of a record that WFDB and every file system take.

    It is the record's own where that will do. Else it is what of it is left in ASCII letters,
    digits, hyphens and underscores, with six digits of a hash of the whole, so that records keep
    different names.
    """
    fits = NAME.fullmatch(record_id) and len(record_id) <= _LONGEST
    if fits and not _DEVICE.fullmatch(record_id):
        return record_id
    plain = unicodedata.normalize("NFKD", record_id).encode("ascii", "ignore").decode()
    kept = re.sub(r"[^A-Za-z0-9_]+", "-", plain).strip("-_")[:_LONGEST]
    digits = hashlib.sha256(record_id.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{kept or 'record'}-{digits}"


def _check(marks: Sequence[Mark], name: str, annotator: str) -> None:
    if not NAME.fullmatch(name):
        raise UsageError(
            f"record name {name!r} cannot name WFDB files: it must consist of letters, digits, "
            "hyphens and underscores; give the record another record_id"
        )
    if not re.fullmatch(r"[a-zA-Z]{1,20}", annotator):
        raise UsageError(f"annotator {annotator!r} must consist of letters, such as 'atr'")
    if not marks:
        raise UsageError(f"there is nothing to annotate in record {name!r}; give one mark or more")
    for mark in marks:
        if not _TEXT.fullmatch(mark.text):
            raise UsageError(
                f"text {mark.text!r} of record {name!r} cannot stand in a WFDB annotation: it must "
                "be up to 254 ASCII characters; rename it"
            )
