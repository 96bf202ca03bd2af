"""Which columns of a table count samples or tell the time, and the sampling rate they state."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecglens.errors import RecordError
from ecglens.readers.assembly import agree_on_fs, file_fs
from ecglens.records import MAX_FS_HZ

UNIT_IN_BRACKETS = re.compile(r"(.*?)\s*[(\[]\s*([^)\]]*?)\s*[)\]]")

_TIME_NAMES = {"time": 1.0, "t": 1.0, "time_s": 1.0, "t_s": 1.0, "seconds": 1.0, "second": 1.0}
_TIME_NAMES |= {"sec": 1.0, "secs": 1.0, "elapsed": 1.0, "elapsed_s": 1.0, "elapsed time": 1.0}
_TIME_NAMES |= {"timestamp": 1.0, "time_ms": 1e-3, "t_ms": 1e-3, "ms": 1e-3, "milliseconds": 1e-3}
_TIME_UNITS = {"": 1.0, "s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6}
_COUNT_NAMES = frozenset({"sample", "samples", "sample #", "sample number", "index", "n", "#"})
_NO_NAME = re.compile(r"(unnamed: \d+)?", re.IGNORECASE)  # an index saved twice by pandas has one

# Fewer rows may rise evenly by chance.
_FEWEST_ROWS = 3
# How far a value may be off an even rise, in steps; times rounded to milliseconds are far off it,
# which no lead imitates over many rows.
_OFF, _OFF_ROUNDED, _ROWS_ROUNDED = 1e-3, 0.5, 20
# An unnamed column with smaller steps is taken as time in seconds.
_MAX_STEP_S = 0.1
_TOLERATED = 0.01


@dataclass(frozen=True)
class Timing:
    """The sampling rate in Hz, the columns that are not leads, and notes about them."""

    fs: float
    columns: frozenset[int]
    notes: tuple[str, ...]


def read_timing(
    path: Path, table: npt.NDArray[np.float64], names: Sequence[str], given_fs: float | None
) -> Timing:
    """Tell the columns of time and of sample numbers from the leads.

    They are known by name. A column without a name (or, in a table without names, the first
    ones) that rises by one constant step throughout is an index, or time where the step is under
    0.1, which then counts as seconds and gives the rate. One column is always left.

    Args:
        path: the file, for messages.
        table: shape (n_rows, n_columns).
        names: of the columns; empty where there is no header.
        given_fs: Hz, or None.

    Raises:
        RecordError: a time column is uneven or contradicts ``given_fs``, or no rate is known.
    """
    counts = {i for i, name in enumerate(names) if _is_count(name) and len(names) > 1}
    notes = ["the column of sample numbers is left out"] if counts else []
    units_s = {i: unit for i, name in enumerate(names) if (unit := _seconds_per(name)) is not None}
    timed = next(iter(units_s), None)
    stated = None if timed is None else _rate_of(path, table[:, timed], units_s[timed])
    taken = counts if timed is None else counts | {timed}
    for column, step in _unnamed_ramps(table, names, taken).items():
        taken = taken | {column}
        rate = _rate_of(path, table[:, column]) if 1 / MAX_FS_HZ <= step < _MAX_STEP_S else None
        notes.append(_note(column, step, rate))
        if stated is None and rate is not None:
            stated = given_fs = _agreed(path, column, rate, given_fs)
    return Timing(agree_on_fs(stated, given_fs, str(path)), frozenset(taken), tuple(notes))


def is_timing(name: str) -> bool:
    """Tell whether a column of this name holds times or sample numbers."""
    return _is_count(name) or _seconds_per(name) is not None


def _is_count(name: str) -> bool:
    return name.casefold() in _COUNT_NAMES


def _seconds_per(name: str) -> float | None:
    """Return how many seconds a time column counts by, None for another column."""
    if name.casefold() in _TIME_NAMES:
        return _TIME_NAMES[name.casefold()]
    found = UNIT_IN_BRACKETS.fullmatch(name)
    if found is None or found[1].casefold() not in _TIME_NAMES:
        return None
    return _TIME_UNITS.get(found[2].casefold())


def _unnamed_ramps(
    table: npt.NDArray[np.float64], names: Sequence[str], taken: set[int]
) -> dict[int, float]:
    """Return the columns without a name that rise evenly, with their steps; never all columns."""
    ramps: dict[int, float] = {}
    width = table.shape[1]
    for column in range(width):
        if names and not _NO_NAME.fullmatch(names[column]):
            continue
        step = _step_of(table[:, column]) if len(taken) + len(ramps) + 1 < width else None
        if step is not None:
            ramps[column] = step
        elif not names:
            break
    return ramps


def _step_of(values: npt.NDArray[np.float64]) -> float | None:
    """Return the step of values that rise evenly, None for others."""
    n_rows = len(values)
    if n_rows < _FEWEST_ROWS or not np.isfinite(values).all():
        return None
    if not (values[1:] > values[:-1]).all():
        return None
    step = float(values[-1] / (n_rows - 1) - values[0] / (n_rows - 1))
    with np.errstate(over="ignore", invalid="ignore"):
        off = float(np.abs(values - values[0] - np.arange(n_rows) * step).max())
    allowed = _OFF_ROUNDED if n_rows >= _ROWS_ROUNDED else _OFF
    return step if off <= allowed * step else None


def _note(column: int, step: float, rate: float | None) -> str:
    what = "an index" if rate is None else f"time in seconds ({rate:g} Hz)"
    return (
        f"column {column + 1} has no name and rises by {step:.4g} a row; it is taken as {what}, "
        "not as a lead"
    )


def _agreed(path: Path, column: int, rate: float, given_fs: float | None) -> float:
    """Return the rate to use: the given one, unless an unnamed time column contradicts it."""
    if given_fs is None:
        return rate
    if abs(given_fs - rate) > _TOLERATED * rate:
        raise RecordError(
            f"{path}: column {column + 1} has no name and rises like time in seconds at {rate:g} "
            f"Hz, but fs={given_fs:g} Hz was given; leave fs out, or name or remove the column"
        )
    return given_fs


@np.errstate(over="ignore", invalid="ignore")  # no such number makes a rate, as is told below
def _rate_of(path: Path, times: npt.NDArray[np.float64], unit_s: float = 1.0) -> float:
    """Return the rate in Hz of evenly spaced times, of which each may be half a step off."""
    times_s = times * unit_s
    if len(times_s) < 2 or not np.isfinite(times_s).all() or times_s[-1] <= times_s[0]:
        raise RecordError(f"{path}: the time column must rise and have no empty cells; correct it")
    span_s = float(times_s[-1] - times_s[0])
    step_s = span_s / (len(times_s) - 1)
    off_s = np.abs(times_s - times_s[0] - np.arange(len(times_s)) * step_s)
    worst = int(off_s.argmax())
    if off_s[worst] > 0.5 * step_s:
        raise RecordError(
            f"{path}: the time column is not even; row {worst + 1} is {off_s[worst]:.4g} s off a "
            f"step of {step_s:.4g} s: resample the recording, or fill its gaps with nan"
        )
    fs = 1.0 / step_s
    # Times are rounded in the file; a whole number of Hz within that rounding is meant.
    if abs(fs - round(fs)) <= fs * (2.0 * float(off_s[worst]) / span_s + 1e-9):
        fs = float(round(fs))
    return file_fs(fs, str(path))
