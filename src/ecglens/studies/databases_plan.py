"""Which databases can be left out, and the fits of each protocol."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecglens.errors import EvaluationError
from ecglens.evaluation import subject_folds
from ecglens.evaluation.metrics import check_draws
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


def shared_classes(windows: Windows) -> dict[str, tuple[str, ...]]:
    """Return the classes of each database that another has too; none without any."""
    held = {
        name: set(windows.labels[windows.databases == name].tolist()) for name in names_of(windows)
    }
    shared = {
        name: tuple(sorted(c for c in held[name] if any(c in held[o] for o in held if o != name)))
        for name in held
    }
    return {name: classes for name, classes in shared.items() if classes}


def plans_of(
    windows: Windows, settings: DatabaseSettings, shared: dict[str, tuple[str, ...]]
) -> tuple[list[Plan], list[str]]:
    """Return all fits, and notes on what cannot be judged."""
    everything = np.arange(len(windows))
    plans: list[Plan] = []
    notes: list[str] = []
    for name, classes in shared.items():
        test = everything[(windows.databases == name) & np.isin(windows.labels, classes)]
        train = everything[windows.databases != name]
        if len(np.unique(windows.labels[train])) < 2:
            notes.append(f"{name} cannot be left out: the others teach one class alone")
            continue
        plans.append(Plan(LEFT_OUT, name, [(f"{name} left out", train, test)]))
    mix = _folds(windows, everything, settings.folds, settings.random_state, "the mix")
    plans.append(Plan(IN_MIX, "", mix))
    notes += [
        f"{name} has no class that another database has, so it cannot be left out"
        for name in names_of(windows)
        if name not in shared
    ]
    for name in names_of(windows):
        try:
            fits = _within(windows, name, settings)
        except EvaluationError as error:
            notes.append(f"within {name}: {error}")
            continue
        if fits:
            plans.append(Plan(WITHIN, name, fits))
    return plans, notes


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
