"""What the folder of each recording's results is called."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

RECORDS_TABLE = "records.csv"
"""Stands beside the folders, so none of them may have its name."""


def folder_names(paths: Iterable[Path]) -> dict[Path, str]:
    """Return a name for each recording's results, no two alike even where case does not count.

    It is the stem; where two are alike with the folder's name before it, then with the ending
    behind it, then with a number.
    """
    names = {path: _plain(path.stem) for path in paths}
    for path, name in _alike(names):
        names[path] = _plain(f"{path.resolve().parent.name}-{name}")
    for path, name in _alike(names):
        names[path] = f"{name}{path.suffix.replace('.', '-')}"
    for path, name in _alike(names):
        taken = {other.casefold() for key, other in names.items() if key != path}
        numbered = (f"{name}-{number}" for number in itertools.count(1))
        names[path] = next(word for word in numbered if word.casefold() not in taken)
    return names


def _plain(name: str) -> str:
    """Return a name that is neither hidden nor a way up, nor taken by the table of records."""
    name = name.lstrip(".") or "record"
    return f"record-{name}" if name.casefold() == RECORDS_TABLE else name


def _alike(names: Mapping[Path, str]) -> list[tuple[Path, str]]:
    times = Counter(name.casefold() for name in names.values())
    return [(path, name) for path, name in names.items() if times[name.casefold()] > 1]
