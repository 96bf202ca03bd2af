"""The windows of the model: the yardstick's, more of annotated records, and other rhythms."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecglens.databases import find_database, open_record
from ecglens.databases.subjects import person_in
from ecglens.labels import LabelMap, load_label_map
from ecglens.readers import find_records
from ecglens.records import Recording
from ecglens.signals import resample, unreadable_reasons
from ecglens.windows import WindowRule, Windows, make_windows

FS = 125.0
LENGTH_S = 10
MAP = "rhythm4"
NO_AMPLITUDES = ("ptbxl",)
"""Databases of the yardstick whose windows are z-scored and not in mV."""

Mask = npt.NDArray[np.bool_]


def read_yardstick(path: Path) -> Windows:
    """Return the readable windows of the yardstick file (``benchmarks/rhythm4.py``) at 125 Hz."""
    with np.load(path, allow_pickle=False) as archive:
        table = {name: archive[name] for name in archive.files}
    X = np.empty((len(table["fs"]), round(LENGTH_S * FS)), np.float32)
    for i, fs in enumerate(table["fs"].tolist()):
        window = table["x_milli"][table["offset"][i] : table["offset"][i + 1]] / 1000
        X[i] = resample(window, fs, FS)[: X.shape[1]]
    windows = Windows(
        X=X,
        fs=FS,
        labels=table["label"].astype(str),
        subjects=table["subject"].astype(str),
        databases=table["database"].astype(str),
        records=table["record"].astype(str),
        leads=np.full(len(X), "?"),
        start_s=table["start_s"].astype(np.float64),
    )
    return windows.subset(unreadable_reasons(windows.X, windows.fs) == "")


def open_records(folders: Iterable[Path]) -> list[Recording]:
    """Return the annotated records of folders, opened and not read."""
    records = (open_record(path) for folder in folders for path in find_records(folder))
    return [record for record in records if record.rhythms]


def more_windows(
    yardstick: Windows, records: Sequence[Recording], most: int, leads: str = "first"
) -> Windows | None:
    """Return windows of records at times that the yardstick does not hold.

    Args:
        yardstick: its windows count towards ``most``.
        records: annotated; their people are named as in the yardstick.
        most: windows of each person and class, those of the yardstick and these together.
        leads: as of :class:`WindowRule`.

    Returns:
        Windows spread evenly over the time there is; None where none is left.
    """
    cut = make_windows(records, load_label_map(MAP), WindowRule(leads=leads))
    held = Counter(zip(yardstick.subjects.tolist(), yardstick.labels.tolist(), strict=True))
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for i in np.flatnonzero(~_overlaps(cut, yardstick)).tolist():
        groups[str(cut.subjects[i]), str(cut.labels[i])].append(i)
    picked: list[int] = []
    for group, mine in groups.items():
        n = min(len(mine), max(0, most - held[group]))
        picked += [mine[i * len(mine) // n] for i in range(n)]
    return cut.subset(np.array(sorted(picked), dtype=np.intp)) if picked else None


def _overlaps(windows: Windows, others: Windows) -> Mask:
    """Return which windows share time with one of the others of the same record."""
    taken: dict[tuple[str, str], list[float]] = defaultdict(list)
    for key, start in zip(_recordings(others), others.start_s.tolist(), strict=True):
        taken[key].append(start)
    return np.array(
        [
            any(abs(start - other) < windows.length_s for other in taken[key])
            for key, start in zip(_recordings(windows), windows.start_s.tolist(), strict=True)
        ]
    )


def _recordings(windows: Windows) -> list[tuple[str, str]]:
    return list(zip(windows.databases.tolist(), windows.records.tolist(), strict=True))


def other_windows(records: Sequence[Recording]) -> Windows | None:
    """Return windows of the records in one rhythm that is none of the classes, named by it."""
    known = load_label_map(MAP)
    rhythms = {span.rhythm for record in records for span in record.rhythms} & known.ignored
    if not rhythms:
        return None
    taken = [rhythm for names in known.classes.values() for rhythm in names]
    others = LabelMap(
        name="others",
        classes={rhythm: (rhythm,) for rhythm in sorted(rhythms)},
        ignored=(known.ignored - rhythms) | frozenset(taken),
    )
    return make_windows(records, others)


def people_of(windows: Windows) -> list[str]:
    """Return the people of windows by the names that recordings of them get.

    The yardstick names people of ltstdb in its own way. Those of PTB-XL it names by the number of
    the ECG, of which the person cannot be told; their names stay.
    """
    ltstdb = find_database("ltstdb")
    found = {
        person_in(ltstdb, record) if database == "ltstdb" else subject
        for database, record, subject in zip(
            windows.databases.tolist(),
            windows.records.tolist(),
            windows.subjects.tolist(),
            strict=True,
        )
    }
    return sorted(found)
