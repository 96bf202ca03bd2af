"""Which databases can be left out, and the fits of each protocol."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ecglens.errors import EvaluationError
from ecglens.evaluation import DatabaseSplit, subject_folds
from ecglens.evaluation.metrics import check_draws
from ecglens.evaluation.tables import counted
from ecglens.studies.learners import Index
from ecglens.windows import Windows

LEFT_OUT, IN_MIX, WITHIN = "left out", "in the mix", "within"

Fit = tuple[str, Index, Index]
"""Name of a fit for messages, training windows and test windows."""


@dataclass(frozen=True)
class DatabaseSettings:
    """How databases are compared.

    Attributes:
        folds: subject-wise folds of the mix, and within a database where its people allow.
        n_bootstrap: draws of people behind the 95 % limits.
        random_state: seed of folds, limits and learner.
    """

    folds: int = 5
    n_bootstrap: int = 1000
    random_state: int = 0

    def __post_init__(self) -> None:
        check_draws(self.n_bootstrap)


@dataclass(frozen=True, eq=False)
class Plan:
    """The fits of one protocol; of one database, or ``""`` for all."""

    protocol: str
    database: str
    fits: list[Fit]


def names_of(windows: Windows) -> list[str]:
    """Return the names of all databases, in order."""
    return [str(name) for name in np.unique(windows.databases)]


def plans_of(
    windows: Windows, settings: DatabaseSettings, splits: Sequence[DatabaseSplit]
) -> tuple[list[Plan], list[str]]:
    """Return all fits, and notes on what cannot be judged."""
    plans: list[Plan] = []
    for split in splits:
        if len(split.test) and len(split.taught) > 1:
            fit = (f"{split.database} left out", split.train, split.test)
            plans.append(Plan(LEFT_OUT, split.database, [fit]))
    everything = np.arange(len(windows))
    mix = _folds(windows, everything, settings.folds, settings.random_state, "the mix")
    plans.append(Plan(IN_MIX, "", mix))
    notes = [note for split in splits for note in _notes(split)]
    for name in names_of(windows):
        try:
            fits = _within(windows, name, settings)
        except EvaluationError as error:
            notes.append(f"within {name}: {error}")
            continue
        if fits:
            plans.append(Plan(WITHIN, name, fits))
    return plans, notes


def _notes(split: DatabaseSplit) -> Iterator[str]:
    """Say what of a database is not judged as it is meant."""
    if not len(split.test):
        yield f"{split.database} has no class that another database has, so it cannot be left out"
    elif len(split.taught) < 2:
        yield f"{split.database} cannot be left out: the others teach one class alone"
    if split.in_others:
        people = counted(len(split.in_others), "person", "people")
        verb = "is" if len(split.in_others) == 1 else "are"
        yield (
            f"{people} of {split.database} {verb} in another database too: with {split.database} "
            f"left out, nothing of theirs is trained on ({', '.join(split.in_others[:5])})"
        )


def _within(windows: Windows, name: str, settings: DatabaseSettings) -> list[Fit]:
    """Return the folds within a database over its classes of two people or more."""
    here = np.flatnonzero(windows.databases == name)
    people = {
        label: len(np.unique(windows.subjects[here[windows.labels[here] == label]]))
        for label in np.unique(windows.labels[here]).tolist()
    }
    classes = [label for label, n in people.items() if n > 1]
    if len(classes) < 2:
        return []
    index = here[np.isin(windows.labels[here], classes)]
    n_folds = min(settings.folds, *(people[label] for label in classes))
    return _folds(windows, index, n_folds, settings.random_state, f"within {name}")


def _folds(windows: Windows, index: Index, n_folds: int, seed: int, where: str) -> list[Fit]:
    labels, subjects = windows.labels[index], windows.subjects[index]
    folds = subject_folds(labels, subjects, n_splits=n_folds, random_state=seed)
    return [
        (f"{where}, fold {number} of {n_folds}", index[train], index[test])
        for number, (train, test) in enumerate(folds, start=1)
    ]
