"""From records of several databases to the windows of the experiment and those of the controls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecglens.databases import open_record
from ecglens.errors import WindowError
from ecglens.labels import LabelMap, load_label_map
from ecglens.readers.source import RecordSource, Samples
from ecglens.reproduction.settings import ReproductionSettings
from ecglens.reproduction.sources import Planned
from ecglens.reproduction.telling import Telling
from ecglens.windows import (
    WindowRule,
    Windows,
    balance_windows,
    concatenate_windows,
    make_windows,
    share_out,
)


@dataclass(frozen=True, eq=False)
class Gathered:
    """The windows.

    Attributes:
        main: of the experiment.
        beside: of the same databases, for the controls; None where there are none.
        notes: what was assumed and what is missing, in words for the user.
    """

    main: Windows
    beside: Windows | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def all(self) -> Windows:
        """Both, those of the experiment first."""
        return self.main if self.beside is None else concatenate_windows([self.main, self.beside])

    def rows(self) -> list[dict[str, Any]]:
        """Return windows and people by database and class."""
        rows = []
        windows, n_main = self.all, len(self.main)
        main = np.arange(len(windows)) < n_main
        pairs = np.unique(np.stack([windows.databases, windows.labels], axis=1), axis=0)
        for database, label in pairs:
            mine = (windows.databases == database) & (windows.labels == label)
            rows.append(
                {
                    "database": str(database),
                    "class": str(label),
                    "windows": int((mine & main).sum()),
                    "controls": int((mine & ~main).sum()),
                    "subjects": len(np.unique(windows.subjects[mine])),
                }
            )
        return rows


@dataclass(frozen=True)
class _First:
    """The first samples of a recording."""

    samples: Samples
    n_samples: int

    def read(self, start: int, stop: int, rows: Sequence[int]) -> npt.NDArray[np.floating]:
        """Return samples [start, stop) of some rows; see :class:`Samples`."""
        return self.samples.read(start, stop, rows)


def gather(
    planned: Sequence[Planned], settings: ReproductionSettings, telling: Telling
) -> Gathered:
    """Cut the records of all databases into windows and choose among them.

    Args:
        planned: databases whose records are here.
        settings: how many windows, of which classes.
        telling: told of progress.

    Raises:
        RecordError: a record is damaged.
        WindowError: a class has no window, or the label map does not know a rhythm.
    """
    label_map = load_label_map("rhythm4")
    found: dict[str, Windows] = {}
    notes: list[str] = []
    for each in planned:
        name = each.source.database
        if not each.records:
            notes.append(f"{name} is not in the folder, so it gives nothing")
            continue
        windows = _cut(each, label_map, telling)
        if windows is not None:
            windows = _of_classes(windows, settings.classes)
        if windows is None:
            notes.append(f"{name}: {_gives_nothing(each)}")
            continue
        lacking = [one for one in each.source.classes if one not in windows.classes]
        if lacking:
            notes.append(f"{name}, first choice for {', '.join(lacking)}, gives no such window")
        found[name] = balance_windows(windows, settings.total, random_state=settings.random_state)
    return _choose(planned, found, settings, notes)


def gather_from(windows: Windows, settings: ReproductionSettings) -> Gathered:
    """Take windows that are cut and labelled already; all of them are the experiment's.

    Raises:
        WindowError: a class has no window.
    """
    kept = _of_classes(windows, settings.classes)
    if kept is None:
        raise WindowError(
            f"no window has a class of the experiment ({', '.join(settings.classes)}), only "
            f"{', '.join(windows.classes) or 'none'}; label them with --map rhythm4"
        )
    missing = [name for name in settings.classes if name not in kept.classes]
    if missing:
        raise WindowError(
            f"the windows have no {', '.join(missing)}, only {', '.join(windows.classes)}; use a "
            f"file that has every class, or leave classes out: {_without(missing)}"
        )
    strange = sorted(set(windows.classes) - set(settings.classes))
    notes = [f"windows of {', '.join(strange)} are left out"] if strange else []
    if settings.n_windows is not None:
        kept = _balanced(kept, settings.total, settings.random_state)
    return Gathered(kept, None, tuple(notes))


def first_minutes(record: RecordSource, minutes: float | None) -> RecordSource:
    """Return the start of a recording, its rhythms cut to it."""
    if minutes is None or record.n_samples <= round(minutes * 60 * record.fs):
        return record
    n_samples = round(minutes * 60 * record.fs)
    end_s = n_samples / record.fs
    rhythms = tuple(
        replace(span, end_s=min(span.end_s, end_s))
        for span in record.rhythms
        if span.start_s < end_s
    )
    return replace(record, samples=_First(record.samples, n_samples), rhythms=rhythms)


def _cut(planned: Planned, label_map: LabelMap, telling: Telling) -> Windows | None:
    """Return the labelled windows of a database, None where it gives none."""
    source, folder = planned.source, planned.folder or Path()
    records = [
        first_minutes(open_record(folder / f"{name}.hea", database=source.database), source.minutes)
        for name in planned.records
    ]
    # What the map does not know is an error; a database without any window is none.
    spans = [span for record in records for span in record.known_rhythms()]
    classes = [label_map.class_of(span.rhythm) for span in spans]
    if not any(classes):
        return None
    with telling.steps(f"windows of {source.database}") as step:

        def one_by_one() -> Iterator[RecordSource]:
            for done, record in enumerate(records):
                step(done, len(records))
                yield record

        try:
            return make_windows(one_by_one(), label_map, WindowRule(leads=source.leads))
        except WindowError:
            return None


def _of_classes(windows: Windows, classes: Sequence[str]) -> Windows | None:
    kept = np.isin(windows.labels, list(classes))
    return windows.subset(kept) if kept.any() else None


def _gives_nothing(planned: Planned) -> str:
    said = planned.database.annotations or "no annotations"
    return f"no window of any class in {len(planned.records)} records (it annotates: {said})"


def _choose(
    planned: Sequence[Planned],
    found: dict[str, Windows],
    settings: ReproductionSettings,
    notes: list[str],
) -> Gathered:
    """Choose the windows of the experiment, and of what is left some for the controls."""
    chosen: dict[str, list[str]] = {}
    for label in settings.classes:
        first = [each.source.database for each in planned if label in each.source.classes]
        have = [name for name, windows in found.items() if label in windows.classes]
        chosen[label] = [name for name in first if name in have] or have
        if have and not set(first) & set(have):
            notes.append(f"{label} is of {', '.join(have)}, for want of {' and '.join(first)}")
    _refuse_missing([label for label, names in chosen.items() if not names], planned)
    main, beside = [], []
    for label, names in chosen.items():
        for name, windows in found.items():
            mine = windows.subset(windows.labels == label)
            if not len(mine):
                continue
            if name in names:
                main.append(mine)
            else:
                beside.append(
                    balance_windows(mine, settings.beside, random_state=settings.random_state)
                )
    experiment = _balanced(concatenate_windows(main), settings.total, settings.random_state)
    n = len(experiment)
    if n < 0.9 * settings.total:
        notes.append(f"the records give {n} windows of the {settings.total} that were asked for")
    return Gathered(experiment, concatenate_windows(beside) if beside else None, tuple(notes))


def _balanced(windows: Windows, total: int, random_state: int) -> Windows:
    """Pick windows, of every class as many as scarce classes allow, spread over people."""
    of_class = [windows.subset(windows.labels == label) for label in windows.classes]
    shares = share_out([len(part) for part in of_class], total)
    return concatenate_windows(
        [
            balance_windows(part, share, random_state=random_state)
            for part, share in zip(of_class, shares, strict=True)
        ]
    )


def _refuse_missing(missing: list[str], planned: Sequence[Planned]) -> None:
    if not missing:
        return
    wanted = [
        f"{label} ({', '.join(e.source.database for e in planned if label in e.source.classes)})"
        for label in missing
    ]
    here = [each.source.database for each in planned if each.records]
    raise WindowError(
        f"no window of {' and '.join(wanted)} in the records of {', '.join(here)}; add a database "
        f"that has it ('ecglens fetch'), or leave it out: {_without(missing)}"
    )


def _without(missing: Sequence[str]) -> str:
    return f"--without {','.join(missing)}"
