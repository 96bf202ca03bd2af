"""Checks of tables that were read from a file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from ecglens.errors import UsageError, suggest


def check_keys(table: Any, known: Iterable[str], what: str) -> Mapping[str, Any]:
    """Return the table if it is one and has these keys, all of them and no other.

    Raises:
        UsageError: it is not, or has not.
    """
    keys = list(known)
    if not isinstance(table, Mapping):
        raise UsageError(f"{what} must be a table, got {type(table).__name__}")
    for key in table:
        if key not in keys:
            raise UsageError(f"{what} has an unknown setting {key!r}{suggest(str(key), keys)}")
    lacking = [key for key in keys if key not in table]
    if lacking:
        raise UsageError(f"{what} lacks {', '.join(lacking)}")
    return table


def check_classes(classes: object) -> tuple[str, ...]:
    """Return the names if they are one or more words, no two alike.

    Raises:
        UsageError: they are not.
    """
    fault = not isinstance(classes, (list, tuple)) or not classes
    if fault or not all(isinstance(name, str) and name for name in classes):  # type: ignore[attr-defined]
        raise UsageError(f"classes must be a list of names, got {classes!r:.80}")
    names: tuple[str, ...] = tuple(classes)  # type: ignore[arg-type]
    if len(set(names)) != len(names):
        raise UsageError(f"classes must differ, got {', '.join(names)}")
    return names


def check_number(value: object, low: float, high: float, what: str) -> float:
    """Return a number within closed limits as a float.

    Raises:
        UsageError: it is no number, not finite, or outside.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UsageError(f"{what} must be a number, got {value!r:.80}")
    # A long whole number of JSON has no float.
    if not low <= value <= high or not math.isfinite(value):
        raise UsageError(f"{what} must be from {low:g} to {high:g}, got {value!r:.80}")
    return float(value)


def check_numbers(values: object, n: int, low: float, high: float, what: str) -> tuple[float, ...]:
    """Return ``n`` numbers within closed limits.

    Raises:
        UsageError: they are not as many, or one is not within.
    """
    if not isinstance(values, (list, tuple)) or len(values) != n:
        raise UsageError(f"{what} must be a list of {n} numbers, got {values!r:.80}")
    return tuple(check_number(value, low, high, what) for value in values)
