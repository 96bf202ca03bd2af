"""Records with all that their database says of them beside the record's own files."""

from __future__ import annotations

import csv
import functools
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import NamedTuple

from ecglens.databases.catalogue import Database, LabelTable, database_at, find_database
from ecglens.databases.subjects import person_in
from ecglens.errors import RecordError
from ecglens.guarded import lies_in
from ecglens.readers import registry
from ecglens.readers.source import RecordSource
from ecglens.records import Record, RhythmSpan

MAX_TABLE_BYTES = 64 * 2**20  # ptbxl_database.csv has 7 MB


def read_record(
    path: str | os.PathLike[str],
    *,
    fs: float | None = None,
    annotator: str | None = None,
    database: str | Path | Database | None = None,
) -> Record:
    """Read one recording into memory; arguments and errors are those of :func:`open_record`."""
    return open_record(path, fs=fs, annotator=annotator, database=database).to_record()


def open_record(
    path: str | os.PathLike[str],
    *,
    fs: float | None = None,
    annotator: str | None = None,
    database: str | Path | Database | None = None,
) -> RecordSource:
    """Open one recording and complete it by what is known of its database.

    That is how the database writes rhythms in its annotation files, the rhythm and the person
    that a table of the database gives, and which records are of one person.

    Args:
        path: of the recording; see :func:`ecglens.readers.open_record` for what can be read.
        fs: sampling rate in Hz, only for a file that does not state one.
        annotator: ending of the WFDB annotation file; then no table is looked at.
        database: name or TOML file of the database; without it, it is told by the names of the
            folders that the file is in (``mitdb``, ``mitdb/1.0.0``,
            ``mit-bih-arrhythmia-database-1.0.0``).

    Raises:
        RecordError: the file is missing, damaged, of an unknown format or not an ECG, has no
            sampling rate, or contradicts ``fs``; or the database's table is damaged.
        UsageError: an argument is not a possible value.
    """
    place = Path(path)
    at = database_at(place)
    if database is not None:
        known = find_database(database)
        at = (known, at[1] if at and at[0].name == known.name else place.parent)
    if at is None:
        return registry.open_record(path, fs=fs, annotator=annotator)
    entry, root = at
    record = registry.open_record(path, fs=fs, annotator=annotator, convention=entry.convention)
    return _completed(record, entry, root, labelled=annotator is None)


def find_records(folder: str | os.PathLike[str]) -> list[Path]:
    """List the recordings in a folder and below it; see :func:`ecglens.readers.find_records`.

    A known database may hold each recording at several rates, as PTB-XL does in ``records500`` and
    ``records100``. Where the folder that its entry names (``within``) is among what is looked
    through, WFDB records of the database elsewhere do not count.

    Raises:
        RecordError: the folder is missing or holds no record.
    """
    found = registry.find_records(folder)
    homes = {parent: _home(parent) for parent in {path.parent for path in found}}
    there = {home for parent, home in homes.items() if home and lies_in(parent, home)}
    twice = {p for p, home in homes.items() if home in there and home and not lies_in(p, home)}
    return [path for path in found if path.parent not in twice or path.suffix.lower() != ".hea"]


def _home(folder: Path) -> Path | None:
    """Return where the records are of the database that a folder lies in, if they have a place."""
    at = database_at(folder / "_")
    return at[1] / at[0].within if at and at[0].within else None


def _completed(
    record: RecordSource, entry: Database, root: Path, *, labelled: bool
) -> RecordSource:
    unnamed = record.subject_id == f"{record.database}-{record.record_id}"
    row = _find_row(entry.table, root, record.record_id) if entry.table else None
    subject = record.subject_id
    if unnamed:
        named = row.subject if row else ""
        subject = f"{entry.name}-{named}" if named else person_in(entry, record.record_id)
    rhythms = record.rhythms
    if row and labelled and not rhythms and row.rhythm:
        rhythms = (RhythmSpan(0.0, record.duration_s, row.rhythm),)
    return replace(record, database=entry.name, subject_id=subject, rhythms=rhythms)


class _Row(NamedTuple):
    rhythm: str
    subject: str


def _find_row(table: LabelTable, root: Path, record_id: str) -> _Row | None:
    for above in (root, *root.parents[:3]):
        for name in table.files:
            path = above / name
            if path.is_file():
                return _read_table(path, path.stat().st_mtime_ns, table).get(record_id)
    return None


@functools.lru_cache(maxsize=4)
def _read_table(path: Path, _changed: int, table: LabelTable) -> MappingProxyType[str, _Row]:
    """Return rhythm and person by the name of the record.

    Raises:
        RecordError: the table is too large, no UTF-8 or lacks a column.
    """
    try:
        if path.stat().st_size > MAX_TABLE_BYTES:
            raise RecordError(f"{path} has over {MAX_TABLE_BYTES} bytes; it is no table of labels")
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, fieldnames=table.columns or None)
            _check_columns(reader.fieldnames or (), table, path)
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise RecordError(f"cannot read the table {path}: {reason}; get it again") from error
    found: dict[str, _Row] = {}
    for row in rows:
        labels = _labels(row[table.label] or "")
        entry = _Row(table.rhythm_of(labels), _whole(row.get(table.subject) or ""))
        for column in table.record:
            name = PurePosixPath(row[column] or "").name
            found.setdefault(name, entry)
    return MappingProxyType(found)


def _check_columns(names: Sequence[str], table: LabelTable, path: Path) -> None:
    needed = [*table.record, table.label, *([table.subject] if table.subject else [])]
    missing = [name for name in needed if name not in names]
    if missing:
        raise RecordError(
            f"{path} has no column {missing[0]!r}, only {', '.join(names) or 'none'}; get it again"
        )


def _labels(text: str) -> list[str]:
    """Return the labels of ``N`` or of ``{'NORM': 100.0, 'SR': 0.0}``."""
    if text.startswith("{"):
        return re.findall(r"['\"]([^'\"]+)['\"]\s*:", text)
    return [text.strip()]


def _whole(number: str) -> str:
    """Return a person's number without the ``.0`` that tables of floats have."""
    return number.strip().removesuffix(".0")
