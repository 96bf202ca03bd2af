"""Databases left out of training, and contrasts within one: rhythm learnt, or recorder?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ecglens.errors import EvaluationError
from ecglens.evaluation import DatabaseSplit, Score, split_databases, subject_folds
from ecglens.evaluation.metrics import check_draws, score_confusions, subject_confusions
from ecglens.evaluation.tables import counted
from ecglens.reports import Cell, Table
from ecglens.steps import Steps, quiet
from ecglens.studies.cells import Cells
from ecglens.studies.databases_figure import plot_databases
from ecglens.studies.learners import Index, Learner, learnt_answers
from ecglens.studies.study import CELLS, Study, score_cell
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
class Outcome:
    """How one database fares under one protocol.

    Attributes:
        database: its name.
        protocol: ``"left out"`` (trained on all other databases), ``"in the mix"``
            (subject-wise folds over all databases) or ``"within"`` (subject-wise folds over this
            one alone).
        n_windows: windows tested.
        n_subjects: people tested.
        accuracy: share of windows that were right.
        macro_f1: mean F1 over the classes tested.
        sensitivity: of each class that was tested.
    """

    database: str
    protocol: str
    n_windows: int
    n_subjects: int
    accuracy: Score
    macro_f1: Score
    sensitivity: dict[str, Score]


def study_databases(
    windows: Windows,
    learner: Learner,
    folder: Path,
    settings: DatabaseSettings | None = None,
    *,
    described: dict[str, Any] | None = None,
    notes: Sequence[str] = (),
    steps: Steps = quiet,
) -> Study:
    """Compare each database left out of training with the same windows in the mix, and within.

    A database is tested on the classes that another one has too: trained on the people of all
    others, and beside it by subject-wise folds over all databases. Where it has several classes
    of two people or more each, subject-wise folds within it show the contrast without any other
    recorder. What cannot be judged is left out and said in the notes. Nobody is ever on both
    sides: who is in the database left out and in another is not trained on, and that is said too.

    Args:
        windows: labelled, readable windows.
        learner: with features of all windows.
        folder: for finished fits.
        settings: how it is measured.
        described: what the features were made with, for the settings of the report.
        notes: what limits the figures, in words.
        steps: told of progress.

    Raises:
        EvaluationError: no database can be left out, or the windows cannot support the folds.
        OutputError: the folder cannot be written.
    """
    settings = settings or DatabaseSettings()
    splits = split_databases(windows.labels, windows.subjects, windows.databases)
    if not any(len(split.test) for split in splits):
        raise EvaluationError(
            f"no class is in two databases or more ({', '.join(_names(windows))}), of people "
            "of its own; leaving one out needs windows of a class from another; add a database"
        )
    plans, more_notes = _plans(windows, settings, splits)
    if not any(plan.protocol == LEFT_OUT for plan in plans):
        raise EvaluationError(f"{'; '.join(more_notes)}; add a database with another class")
    cells = Cells(folder / CELLS)
    answers: dict[tuple[str, str], Index] = {}
    todo = sum(len(plan.fits) for plan in plans)
    done = 0
    with steps("databases") as step:
        for plan in plans:
            said = np.full(len(windows), -1, dtype=np.int64)
            for where, train, test in plan.fits:
                said[test] = learnt_answers(
                    cells, learner, windows, train, test, where, settings.random_state
                )
                done += 1
                step(done, todo)
            answers[plan.protocol, plan.database] = said
    outcomes = tuple(_outcomes(windows, splits, answers, settings))
    return _study(windows, learner, outcomes, settings, described or {}, (*more_notes, *notes))


@dataclass(frozen=True, eq=False)
class _Plan:
    """The fits of one protocol; of one database, or ``""`` for all."""

    protocol: str
    database: str
    fits: list[Fit]


def _names(windows: Windows) -> list[str]:
    return [str(name) for name in np.unique(windows.databases)]


def _plans(
    windows: Windows, settings: DatabaseSettings, splits: Sequence[DatabaseSplit]
) -> tuple[list[_Plan], list[str]]:
    """Return all fits, and notes on what cannot be judged."""
    plans: list[_Plan] = []
    for split in splits:
        if len(split.test) and len(split.taught) > 1:
            fit = (f"{split.database} left out", split.train, split.test)
            plans.append(_Plan(LEFT_OUT, split.database, [fit]))
    everything = np.arange(len(windows))
    mix = _folds(windows, everything, settings.folds, settings.random_state, "the mix")
    plans.append(_Plan(IN_MIX, "", mix))
    notes = [note for split in splits for note in _notes(split)]
    for name in _names(windows):
        try:
            fits = _within(windows, name, settings)
        except EvaluationError as error:
            notes.append(f"within {name}: {error}")
            continue
        if fits:
            plans.append(_Plan(WITHIN, name, fits))
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


def _outcomes(
    windows: Windows,
    splits: Sequence[DatabaseSplit],
    answers: dict[tuple[str, str], Index],
    settings: DatabaseSettings,
) -> Iterator[Outcome]:
    for split in splits:
        name = split.database
        if len(split.test):
            for protocol, key in ((LEFT_OUT, name), (IN_MIX, "")):
                if (protocol, key) in answers:
                    said = answers[protocol, key]
                    yield _outcome(windows, split.test, said, name, protocol, settings)
        if (WITHIN, name) in answers:
            said = answers[WITHIN, name]
            index = np.flatnonzero(said >= 0)
            yield _outcome(windows, index, said, name, WITHIN, settings)


def _outcome(
    windows: Windows,
    index: Index,
    said: Index,
    database: str,
    protocol: str,
    settings: DatabaseSettings,
) -> Outcome:
    """Return the scores of some windows."""
    codes = np.searchsorted(windows.classes, windows.labels[index])
    people, who = np.unique(windows.subjects[index], return_inverse=True)
    confusions = subject_confusions(codes, said[index], who, len(windows.classes))
    accuracy, macro_f1, scores = score_confusions(
        confusions, n_bootstrap=settings.n_bootstrap, random_state=settings.random_state
    )
    return Outcome(
        database=database,
        protocol=protocol,
        n_windows=len(index),
        n_subjects=len(people),
        accuracy=accuracy,
        macro_f1=macro_f1,
        sensitivity={
            name: scores[i]["sensitivity"]
            for i, name in enumerate(windows.classes)
            if (codes == i).any()
        },
    )


def _study(
    windows: Windows,
    learner: Learner,
    outcomes: tuple[Outcome, ...],
    settings: DatabaseSettings,
    described: dict[str, Any],
    notes: Sequence[str],
) -> Study:
    return Study(
        name="databases",
        title="Does it hold for a recorder it has not seen?",
        said=_said(learner, outcomes),
        settings={
            "windows": len(windows),
            "subjects": len(np.unique(windows.subjects)),
            "learner": learner.title,
            **asdict(settings),
            **described,
        },
        rows=tuple(_rows(outcomes)),
        tables=(_table(windows, outcomes),),
        figure=plot_databases(outcomes, windows.classes),
        alt="Macro-F1 and the sensitivity of each class by database: left out of training, in the "
        "mix, and within the database alone.",
        notes=(
            "Macro-F1 is over the classes tested. 'left out' and 'in the mix' test the same "
            "windows, of classes that another database has; 'within' tells apart the classes of "
            "one database by its own people. Limits (95 %) are from drawing people anew.",
            *notes,
        ),
        classes=windows.classes,
    )


def _rows(outcomes: Sequence[Outcome]) -> Iterator[dict[str, Any]]:
    for one in outcomes:
        first = {
            "database": one.database,
            "protocol": one.protocol,
            "windows": one.n_windows,
            "subjects": one.n_subjects,
        }
        yield {**first, "score": "macro_f1", "class": "", **one.macro_f1.to_dict()}
        yield {**first, "score": "accuracy", "class": "", **one.accuracy.to_dict()}
        for name, score in one.sensitivity.items():
            yield {**first, "score": "sensitivity", "class": name, **score.to_dict()}


def _table(windows: Windows, outcomes: Sequence[Outcome]) -> Table:
    rows: list[tuple[Cell | str, ...]] = []
    for one in outcomes:
        scores = [one.sensitivity.get(name) for name in windows.classes]
        rows.append(
            (
                one.database,
                one.protocol,
                f"{one.n_windows} of {one.n_subjects}",
                score_cell(one.macro_f1),
                score_cell(one.accuracy),
                *("" if score is None else score_cell(score) for score in scores),
            )
        )
    return Table(
        head=(
            "database",
            "trained",
            "windows of people",
            "macro-F1",
            "accuracy",
            *(f"sensitivity {name}" for name in windows.classes),
        ),
        rows=rows,
        left=2,
    )


def _said(learner: Learner, outcomes: Sequence[Outcome]) -> str:
    """Return the answer in sentences."""
    out = _by_database(outcomes, LEFT_OUT)
    # One that cannot be left out is not compared.
    mix = {name: one for name, one in _by_database(outcomes, IN_MIX).items() if name in out}
    falls = {name: mix[name].macro_f1.value - out[name].macro_f1.value for name in out}
    worst = max(falls, key=lambda name: falls[name])
    mean_mix, mean_out = (_mean(side, lambda one: one.macro_f1.value) for side in (mix, out))
    parts = [
        f"New people of a database that {learner.title} learnt from have macro-F1 {mean_mix:.3f} "
        f"in the mean of {counted(len(mix), 'database')}; left out of training, {mean_out:.3f}."
    ]
    if falls[worst] > 0:
        parts.append(
            f"{worst} loses most: {mix[worst].macro_f1.value:.3f} to "
            f"{out[worst].macro_f1.value:.3f}."
        )
    within = _by_database(outcomes, WITHIN)
    if within:
        least = min(within.values(), key=lambda one: one.macro_f1.value)
        classes = " and ".join(least.sensitivity)
        parts.append(
            f"By its own people alone, {least.database} is the hardest to tell apart "
            f"({classes}): macro-F1 {least.macro_f1.value:.3f}."
        )
    return " ".join(parts)


def _by_database(outcomes: Sequence[Outcome], protocol: str) -> dict[str, Outcome]:
    return {one.database: one for one in outcomes if one.protocol == protocol}


def _mean(side: dict[str, Outcome], value: Callable[[Outcome], float]) -> float:
    return float(np.mean([value(one) for one in side.values()]))
