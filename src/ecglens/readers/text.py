"""CSV and TSV: numbers in columns, one column per lead, perhaps a header row and a time column."""

from __future__ import annotations

import csv
import itertools
import math
import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecglens.errors import RecordError
from ecglens.readers.assembly import MAX_LEADS, LeadName, choose_leads, make_source, most_values
from ecglens.readers.source import ArraySamples, RecordSource
from ecglens.readers.timing import UNIT_IN_BRACKETS, read_timing

MAX_TEXT_BYTES = 2**30
MAX_LINE_CHARACTERS = 2**16
PROBE_BYTES = 8192
PROBE_LINES = 20
MISSING_WORDS = frozenset({"", "nan", "na", "n/a", "null", "none", "-", "?"})

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?|[-+]?inf(inity)?", re.IGNORECASE)
_UNIT_AS_ENDING = re.compile(r"(.+)_(mv|[uµμ\ufffd]v|nv)", re.IGNORECASE)


@dataclass(frozen=True)
class _Layout:
    """How the columns are told apart; ``delimiter`` is ``""`` for white space."""

    delimiter: str
    decimal_comma: bool
    names: tuple[str, ...]  # of the header row; empty where there is none


def open_text(path: Path, fs: float | None) -> RecordSource:
    """Open a CSV or TSV file; its numbers are read into memory.

    Commas, semicolons, tabs and white space may part the columns; semicolons and tabs allow
    decimal commas. A header row may name the leads and their units (``II (uV)``, ``ecg_mV``); mV
    is assumed otherwise. A column named ``time``, ``t``, ``seconds`` or the like gives the
    sampling rate; so may a column without a name that rises evenly, which is never a lead (see
    :func:`ecglens.readers.timing.read_timing`). Empty cells and ``nan`` are missing samples; so are
    blank lines between the rows of a single column, unless one stands between all rows.

    Args:
        path: the file.
        fs: Hz, only where there is no time column.

    Raises:
        RecordError: it is not a table of numbers, or has no sampling rate.
    """
    try:
        layout = _probe(path)
        table = _read_table(path, layout)
    except (OSError, csv.Error) as error:
        raise RecordError(f"cannot read {path} as a table: {error}") from error
    names = list(layout.names)
    table, names, notes = _drop_trailing(table, names)
    if table.shape[1] > MAX_LEADS:
        raise RecordError(
            f"{path} has {table.shape[1]} columns and {table.shape[0]} rows; a column is a lead "
            f"and a row a sample, at most {MAX_LEADS} leads: transpose it"
        )
    timing = read_timing(path, table, names, fs)
    notes += timing.notes
    keep = [i for i in range(table.shape[1]) if i not in timing.columns]
    leads = [lead_of(names[i] if names else "", n) for n, i in enumerate(keep)]
    chosen, said = choose_leads(leads, str(path))
    samples = ArraySamples(lambda: table.T, [keep[i] for i in chosen])
    kept = [leads[i] for i in chosen]
    return make_source(path, samples, kept, timing.fs, notes=[*notes, *said])


def holds_numbers(path: Path) -> bool:
    """Tell whether the first rows of a file are numbers, as a recording's are; never raises."""
    try:
        layout = _probe(path)
        filled = ((line, cells) for line, cells in _rows(path, layout) if cells)
        rows = itertools.islice(filled, PROBE_LINES)
        return bool([_numbers(path, line, cells, layout) for line, cells in rows])
    except (RecordError, OSError, csv.Error):
        return False


def _probe(path: Path) -> _Layout:
    """Find delimiter, decimal sign and header row from the first lines."""
    if path.stat().st_size > MAX_TEXT_BYTES:
        raise RecordError(f"{path} has over {MAX_TEXT_BYTES} bytes; split it or save it as NPZ")
    with path.open("rb") as file:
        if b"\0" in file.read(PROBE_BYTES):
            raise RecordError(f"{path} is not text; a table must be saved as UTF-8 text")
    filled = (line for _, line in _lines(path) if line.strip())
    lines = list(itertools.islice(filled, PROBE_LINES))
    if not lines:
        raise RecordError(f"{path} has no rows; a record needs at least one sample")
    delimiter = _sniff(lines)
    first = _split(lines[0], delimiter)
    named = not any(_is_number(cell) for cell in first) and not all(map(_is_missing, first))
    sample = [cell for line in lines[named:] for cell in _split(line, delimiter)]
    if named and not delimiter and len(sample) == len(lines) - 1:
        first = [_bare(lines[0])]  # one column, whose name may hold white space
    # A decimal comma is plain with semicolons and tabs, needs quotes among commas, and is refused
    # with white space or one column, where 1,2 may as well be two values.
    if delimiter == ",":
        comma = any(re.fullmatch(r"[-+]?\d+,\d+", cell) for cell in sample)
    else:
        comma = bool(delimiter) and any("," in cell for cell in sample)
    return _Layout(delimiter, comma, tuple(first) if named else ())


def _sniff(lines: Sequence[str]) -> str:
    """Return the sign that parts the columns, ``""`` for white space."""
    body = lines[1:] or lines  # the header of a lone column may hold any sign
    if all("\t" in line for line in body):
        return "\t"
    return next((sign for sign in ";," if any(sign in line for line in body)), "")


def _split(line: str, delimiter: str) -> list[str]:
    cells = line.split() if not delimiter else next(csv.reader([line], delimiter=delimiter), [])
    return [_bare(cell) for cell in cells]


def _bare(cell: str) -> str:
    return cell.strip().strip("\"'").strip()


def _is_number(cell: str) -> bool:
    return bool(_NUMBER.fullmatch(cell.replace(",", ".")))


def _is_missing(cell: str) -> bool:
    return cell.casefold() in MISSING_WORDS


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the numbers and texts of lines that are no comments."""
    with path.open(encoding="utf-8-sig", errors="replace", newline=None) as file:
        for number in itertools.count(1):
            line = file.readline(MAX_LINE_CHARACTERS)
            if not line:
                return
            if "\0" in line:
                raise RecordError(f"{path}, line {number} holds a NUL byte; it is not text")
            if len(line) == MAX_LINE_CHARACTERS and line[-1] != "\n":
                raise RecordError(
                    f"{path}, line {number} has over {MAX_LINE_CHARACTERS} characters; a row is "
                    "one sample of every lead"
                )
            if not line.startswith("#"):
                yield number, line.rstrip("\r\n")


def _rows(path: Path, layout: _Layout) -> Iterator[tuple[int, list[str]]]:
    """Yield the line numbers and cells of the rows below the header; a blank line has no cells."""
    lines = _lines(path)
    if layout.names:
        next((line for _, line in lines if line.strip()), None)
    for number, line in lines:
        if '"' in line and layout.delimiter:
            yield number, _split(line, layout.delimiter)
            continue
        cells = line.split(layout.delimiter or None)
        # Tabs alone are a row without samples, where they are as many as in others.
        yield number, cells if len(cells) > 1 or line.strip() else []


def _read_table(path: Path, layout: _Layout) -> npt.NDArray[np.float64]:
    """Return the numbers, shape (n_rows, n_columns)."""
    width = len(layout.names)
    flat = array("d")
    n_rows = blank = 0
    between: set[int] = set()  # how many blank lines stand between two rows
    for number, cells in _rows(path, layout):
        width = width or len(cells)
        stray = layout.delimiter == "\t" and len(cells) != width and not any(cells)
        if not cells or stray:
            blank += n_rows > 0
            continue
        if len(cells) != width:
            raise RecordError(
                f"{path}, line {number} has {len(cells)} values where {width} are expected; "
                "every row needs one value per column, and decimal commas need semicolons or tabs "
                "between columns"
            )
        if width == 1 and n_rows:
            between.add(blank)
            if blank:
                _leave_out(path, flat, blank, n_rows)
        flat.extend(_numbers(path, number, cells, layout))
        n_rows, blank = n_rows + 1, 0
    if not flat:
        raise RecordError(f"{path} has no rows of numbers; a record needs at least one sample")
    # Where a blank line follows every row, lines were ended twice.
    step = between.pop() + 1 if len(between) == 1 else 1
    return np.frombuffer(flat, dtype=np.float64).reshape(-1, width)[::step]


def _leave_out(path: Path, flat: array[float], n_samples: int, n_rows: int) -> None:
    """Append missing samples to the values of so many rows.

    Raises:
        RecordError: they would be far more than the rows.
    """
    most = most_values(n_rows)
    if len(flat) + n_samples > most:
        raise RecordError(
            f"{path} has over {most} rows, most of them blank; save only the part with samples"
        )
    flat.extend(itertools.repeat(math.nan, n_samples))


def _numbers(path: Path, line: int, cells: Sequence[str], layout: _Layout) -> list[float]:
    try:
        # float() is lenient about underscores; the slow way below is not.
        if not layout.decimal_comma and not any("_" in cell for cell in cells):
            return [float(cell) if cell else math.nan for cell in cells]
    except ValueError:
        pass
    return [_number(path, line, cell, layout) for cell in cells]


def _number(path: Path, line: int, cell: str, layout: _Layout) -> float:
    plain = _bare(cell)
    if _is_missing(plain):
        return math.nan
    if layout.decimal_comma:
        plain = plain.replace(",", ".")
    if not _NUMBER.fullmatch(plain):
        shown = plain if len(plain) <= 30 else f"{plain[:27]}..."
        raise RecordError(
            f"{path}, line {line} holds {shown!r}; below the header all cells must be numbers"
        )
    return float(plain)


def _drop_trailing(
    table: npt.NDArray[np.float64], names: list[str]
) -> tuple[npt.NDArray[np.float64], list[str], list[str]]:
    """Drop empty columns without a name at the end of every row."""
    width = table.shape[1]
    while width > 1 and not (names and names[width - 1]) and np.isnan(table[:, width - 1]).all():
        width -= 1
    dropped = table.shape[1] - width
    notes = [f"{dropped} empty columns at the end are left out"] if dropped else []
    return table[:, :width], names[:width], notes


def lead_of(name: str, number: int) -> LeadName:
    """Part ``II (uV)`` or ``ecg_mV`` into name and unit."""
    found = UNIT_IN_BRACKETS.fullmatch(name) or _UNIT_AS_ENDING.fullmatch(name)
    bare, unit = (found[1], found[2]) if found else (name, "")
    return LeadName(bare.strip() or f"lead{number + 1}", unit)
