"""Parquet: a table with one column per lead, read row group by row group."""

from __future__ import annotations

import importlib
import itertools
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecglens.errors import RecordError
from ecglens.readers.assembly import MAX_LEADS, choose_leads, make_source, most_values
from ecglens.readers.source import RecordSource
from ecglens.readers.text import lead_of
from ecglens.readers.timing import is_timing, read_timing

MARK = b"PAR1"
OWN_KEY = b"ecglens"
"""In the metadata of a file that this program wrote: it holds results, not a recording."""
# A table of numbers never packs better.
MAX_PACKING = 100
_ALWAYS_FITS = 2**26
_ROWS_AT_A_TIME = 2**16
_PANDAS_INDEX = re.compile(r"__index_level_\d+__")
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


def is_parquet(head: bytes) -> bool:
    """Tell whether a file that starts with these bytes is Parquet."""
    return head.startswith(MARK)


def may_be_record(path: Path) -> bool:
    """Tell whether a foreign file has a column of numbers, or cannot tell; never raises."""
    try:
        with _opened(path) as file:
            schema = file.schema_arrow
            return OWN_KEY not in (schema.metadata or {}) and bool(_numeric(schema))
    except RecordError:
        return True


def open_parquet(path: Path, fs: float | None) -> RecordSource:
    """Open a Parquet file, of which only the row groups asked for are read.

    Columns are understood as in CSV: names may hold units (``II (uV)``), a column named ``time``
    or the like, or one of time stamps, gives the sampling rate, and missing values are missing
    samples. Columns that are not numbers are left out.

    Args:
        path: the file.
        fs: Hz, only where there is no time column.

    Raises:
        RecordError: pyarrow is not installed, the file is damaged, has no column of numbers, or no
            sampling rate.
    """
    with _opened(path) as file:
        schema = file.schema_arrow
        names = _numeric(schema)
        _check_size(path, file.metadata, names)
        labels = {name: label for name in names if (label := _timing_label(schema.field(name)))}
        times = _columns(file, list(labels))
    others = [name for name in schema.names if name not in names]
    notes = [f"left out, no numbers: {', '.join(others)}"] if others else []
    found = [name for name in names if name not in labels]
    if not found:
        raise RecordError(
            f"{path} has no column of numbers beside time, only "
            f"{', '.join(schema.names[:20]) or 'nothing'}; a recording has one column per lead"
        )
    timing = read_timing(path, times, list(labels.values()), fs)
    leads = [lead_of(name, number) for number, name in enumerate(found)]
    kept, said = choose_leads(leads, str(path))
    samples = ParquetSamples(path, [found[i] for i in kept])
    chosen = [leads[i] for i in kept]
    return make_source(path, samples, chosen, timing.fs, notes=[*notes, *timing.notes, *said])


class ParquetSamples:
    """Columns of a file, missing values as NaN."""

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self._path = path
        self._names = tuple(names)
        with _opened(path) as file:
            meta = file.metadata
            sizes = [meta.row_group(i).num_rows for i in range(meta.num_row_groups)]
        self._ends = list(itertools.accumulate(sizes))
        self.n_samples = self._ends[-1] if self._ends else 0

    def read(self, start: int, stop: int, rows: Sequence[int]) -> npt.NDArray[np.floating]:
        """Return samples [start, stop) of some columns; see :class:`Samples`."""
        found = np.full((len(rows), stop - start), np.nan)
        names = [self._names[row] for row in rows]
        starts = [0, *self._ends[:-1]]
        groups = [i for i, at in enumerate(starts) if at < stop and self._ends[i] > start]
        if not groups or not names:
            return found
        at = starts[groups[0]]
        with _opened(self._path) as file:
            for batch in _batches(file, groups, names):
                low, high = max(start, at), min(stop, at + batch.num_rows)
                for place, name in enumerate(names):
                    if low < high:
                        values = _values(batch.column(name))
                        found[place, low - start : high - start] = values[low - at : high - at]
                at += batch.num_rows
        if at < stop:
            raise RecordError(f"{self._path} holds {at} of {stop} rows; it is cut short")
        return found


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Lend a file of pyarrow, whose errors become ours.

    Raises:
        RecordError: pyarrow is not installed, or cannot read the file.
    """
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise RecordError(
            f"{path} is a Parquet file, which needs pyarrow; install ecglens[parquet]"
        ) from error
    try:
        with path.open("rb") as raw, parquet.ParquetFile(raw) as file:
            yield file
    except RecordError:
        raise
    except Exception as error:
        raise RecordError(
            f"cannot read {path} as Parquet: {type(error).__name__}: {error}; the file is damaged: "
            "save it again"
        ) from error


def _numeric(schema: Any) -> list[str]:
    """Return the names of columns of numbers and time stamps."""
    types = importlib.import_module("pyarrow").types
    names = [
        field.name
        for field in schema
        if types.is_integer(field.type) or types.is_floating(field.type) or _is_stamp(field.type)
    ]
    return [name for name in names if schema.names.count(name) == 1]


def _timing_label(field: Any) -> str:
    """Return a name by which a column of time or of sample numbers is known, ``""`` for a lead."""
    if _is_stamp(field.type):
        return "time"
    if _PANDAS_INDEX.fullmatch(field.name):
        types = importlib.import_module("pyarrow").types
        return "time" if types.is_floating(field.type) else "index"
    return str(field.name) if is_timing(field.name) else ""


def _is_stamp(kind: Any) -> bool:
    types = importlib.import_module("pyarrow").types
    return bool(types.is_timestamp(kind) or types.is_duration(kind))


def _check_size(path: Path, meta: Any, names: Sequence[str]) -> None:
    size = path.stat().st_size
    unpacked = sum(meta.row_group(i).total_byte_size for i in range(meta.num_row_groups))
    if len(names) > MAX_LEADS:
        raise RecordError(
            f"{path} has {len(names)} columns of numbers; a column is a lead, at most {MAX_LEADS}"
        )
    most = most_values(size)
    if meta.num_rows * len(names) > most or unpacked > max(_ALWAYS_FITS, size * MAX_PACKING):
        raise RecordError(
            f"{path} declares {meta.num_rows} rows of {len(names)} columns in {size} bytes, more "
            f"than {most} values or than it can hold; split it"
        )


def _batches(file: Any, groups: Sequence[int], names: Sequence[str]) -> Iterator[Any]:
    yield from file.iter_batches(
        _ROWS_AT_A_TIME, row_groups=list(groups), columns=list(dict.fromkeys(names)),
        use_threads=False,
    )  # fmt: skip


def _columns(file: Any, names: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return whole columns, shape (n_rows, len(names)); time stamps in seconds since the first."""
    table = np.empty((file.metadata.num_rows, len(names)))
    if names:
        at = 0
        for batch in _batches(file, range(file.metadata.num_row_groups), names):
            for place, name in enumerate(names):
                table[at : at + batch.num_rows, place] = _values(batch.column(name))
            at += batch.num_rows
        stamps = [i for i, n in enumerate(names) if _is_stamp(file.schema_arrow.field(n).type)]
        table[:, stamps] -= table[:1, stamps]
    return table


def _values(column: Any) -> npt.NDArray[np.floating]:
    """Return the numbers of a column, NaN where there is none, time stamps in seconds."""
    pyarrow = importlib.import_module("pyarrow")
    factor = 1.0
    if _is_stamp(column.type):
        factor = _SECONDS[column.type.unit]
        column = column.cast(pyarrow.int64())
    numbers = column.to_numpy(zero_copy_only=False)
    return np.asarray(numbers, dtype=np.float64) * factor
