"""What an evaluation found: plain values, as text and ready for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ecglens.evaluation.metrics import IntArray, Score, none_if_nan
from ecglens.evaluation.tables import align, beside, counted, number

TITLES = {
    "pooled": "pooled (leaks: one person's windows are on both sides)",
    "subject": "subject-wise (no person is on both sides)",
    "holdout": "holdout (trained on other people)",
}
SHORT_TITLES = {"pooled": "pooled (leaks)", "subject": "subject-wise", "holdout": "holdout"}
RATIO_NAMES = {
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "ppv": "PPV",
    "f1": "F1",
}


@dataclass(frozen=True, slots=True)
class ClassScores:
    """Scores of one class against all others.

    Attributes:
        name: the class.
        sensitivity: TP / (TP + FN).
        specificity: TN / (TN + FP).
        ppv: positive predictive value, TP / (TP + FP).
        f1: 2 TP / (2 TP + FP + FN).
        n_windows: reference windows of the class.
        n_subjects: subjects who have such windows.
    """

    name: str
    sensitivity: Score
    specificity: Score
    ppv: Score
    f1: Score
    n_windows: int
    n_subjects: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        scores = {name: getattr(self, name).to_dict() for name in RATIO_NAMES}
        counts = {"n_windows": self.n_windows, "n_subjects": self.n_subjects}
        return {"name": self.name, **scores, **counts}


@dataclass(frozen=True, slots=True)
class DatabaseScores:
    """Scores of the windows of one database.

    Attributes:
        database: its name, ``""`` where none was given.
        n_windows: number of windows.
        n_subjects: number of subjects.
        accuracy: share of windows that were right.
        macro_f1: mean F1 over the classes present in this database.
        sensitivity: of every class, NaN where the database has no window of it.
    """

    database: str
    n_windows: int
    n_subjects: int
    accuracy: float
    macro_f1: float
    sensitivity: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; None stands for NaN."""
        return {
            "database": self.database,
            "n_windows": self.n_windows,
            "n_subjects": self.n_subjects,
            "accuracy": none_if_nan(self.accuracy),
            "macro_f1": none_if_nan(self.macro_f1),
            "sensitivity": {name: none_if_nan(x) for name, x in self.sensitivity.items()},
        }


@dataclass(frozen=True, slots=True)
class SubjectScores:
    """How one subject fared.

    Attributes:
        subject: the person.
        database: where the windows are from, several joined by ``", "``; ``""`` where not given.
        n_windows: number of windows.
        accuracy: share of windows that were right.
        classes: reference windows by class, only classes the subject has.
    """

    subject: str
    database: str
    n_windows: int
    accuracy: float
    classes: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "subject": self.subject,
            "database": self.database,
            "n_windows": self.n_windows,
            "accuracy": self.accuracy,
            "classes": dict(self.classes),
        }


@dataclass(frozen=True, eq=False)
class ProtocolResult:
    """Predictions on windows that were not trained on, and their scores.

    Attributes:
        protocol: ``"pooled"``, ``"subject"`` or ``"holdout"``.
        classes: sorted.
        predictions: predicted class of every window, shape (n,), in the order of the windows.
        folds: fold in which each window was tested, shape (n,), from 0 on.
        accuracy: share of windows that were right, over all folds together.
        macro_f1: mean F1 over the classes, over all folds together.
        per_class: one row per class, in the order of ``classes``.
        confusion: number of windows, shape (k, k), rows = reference, columns = predicted.
        per_database: one row per database, by name.
        per_subject: one row per subject, by name.
    """

    protocol: str
    classes: tuple[str, ...]
    predictions: npt.NDArray[np.str_]
    folds: IntArray
    accuracy: Score
    macro_f1: Score
    per_class: tuple[ClassScores, ...]
    confusion: IntArray
    per_database: tuple[DatabaseScores, ...]
    per_subject: tuple[SubjectScores, ...]

    @property
    def title(self) -> str:
        """The protocol in words; the pooled one is named as leaking."""
        return TITLES[self.protocol]

    @property
    def short_title(self) -> str:
        """The protocol in a word or two, for the head of a column."""
        return SHORT_TITLES[self.protocol]

    def to_dict(self) -> dict[str, Any]:
        """Return the scores as plain values for JSON, without windows; None stands for NaN."""
        return {
            "protocol": self.protocol,
            "title": self.title,
            "classes": list(self.classes),
            "accuracy": self.accuracy.to_dict(),
            "macro_f1": self.macro_f1.to_dict(),
            "per_class": [row.to_dict() for row in self.per_class],
            "confusion": self.confusion.tolist(),
            "per_database": [row.to_dict() for row in self.per_database],
            "per_subject": [row.to_dict() for row in self.per_subject],
        }

    def format_table(self) -> str:
        """Return the scores as text."""
        return "\n".join(format_results([self]))


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One classifier under one or more protocols, on the same windows.

    Attributes:
        classes: sorted.
        results: by protocol, in the order they were asked for.
        n_windows: number of windows.
        n_subjects: number of subjects.
        n_splits: number of folds.
        n_bootstrap: draws of subjects behind the 95 % limits.
        random_state: seed of folds and draws.
        notes: what limits the figures, in words for the user.
    """

    classes: tuple[str, ...]
    results: dict[str, ProtocolResult]
    n_windows: int
    n_subjects: int
    n_splits: int
    n_bootstrap: int
    random_state: int
    notes: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; None stands for NaN."""
        return {
            "classes": list(self.classes),
            "n_windows": self.n_windows,
            "n_subjects": self.n_subjects,
            "n_splits": self.n_splits,
            "n_bootstrap": self.n_bootstrap,
            "random_state": self.random_state,
            "notes": list(self.notes),
            "results": {name: result.to_dict() for name, result in self.results.items()},
        }

    def format_table(self) -> str:
        """Return the protocols side by side as text."""
        head = (
            f"{counted(self.n_windows, 'window')} of {counted(self.n_subjects, 'subject')}, "
            f"{len(self.classes)} classes, {self.n_splits} folds, seed {self.random_state}; "
            f"in brackets 95 % limits from {self.n_bootstrap} draws of subjects"
        )
        notes = [f"note: {note}" for note in self.notes]
        return "\n".join([head, *format_results(list(self.results.values())), *notes])


def format_results(results: Sequence[ProtocolResult]) -> list[str]:
    """Return lines of text with the protocols side by side; ``-`` stands for undefined."""
    titles = [f"  {result.title}" for result in results]
    sections = [_score_rows(results), _database_rows(results)]
    lines = ["from left to right:" if len(results) > 1 else "protocol:", *titles]
    for rows in sections:
        lines += ["", *rows] if rows else []
    confusions = [_confusion_block(result) for result in results]
    return [*lines, "", "confusion, rows = reference", *beside(confusions)]


def _score_rows(results: Sequence[ProtocolResult]) -> list[str]:
    """Return the lines of overall and per-class scores."""
    rows = [
        ["class", "score", *[result.short_title for result in results], "windows", "subjects"],
        ["all", "accuracy", *[str(result.accuracy) for result in results]],
        ["", "macro-F1", *[str(result.macro_f1) for result in results]],
        ["", "accuracy, mean of subjects", *[_mean_of_subjects(result) for result in results]],
    ]
    for i, row in enumerate(results[0].per_class if results else ()):
        for attribute, word in RATIO_NAMES.items():
            scores = [str(getattr(result.per_class[i], attribute)) for result in results]
            first = attribute == "sensitivity"
            counts = [str(row.n_windows), str(row.n_subjects)] if first else []
            rows.append([row.name if first else "", word, *scores, *counts])
    return align(rows, left=2)


def _mean_of_subjects(result: ProtocolResult) -> str:
    """Return the mean of the subjects' accuracies, each subject counting once."""
    return number(float(np.mean([row.accuracy for row in result.per_subject])))


def _database_rows(results: Sequence[ProtocolResult]) -> list[str]:
    """Return the lines per database, or none where no database was named."""
    if not results or all(not row.database for row in results[0].per_database):
        return []
    classes = results[0].classes
    head = ["database", "windows", "subjects", "protocol", "accuracy", "macro-F1"]
    rows = [[*head, *[f"sens. {name}" for name in classes]]]
    for i, shared in enumerate(results[0].per_database):
        for j, result in enumerate(results):
            row = result.per_database[i]
            counts = [shared.database, str(shared.n_windows), str(shared.n_subjects)]
            scores = [row.accuracy, row.macro_f1, *[row.sensitivity[name] for name in classes]]
            start = ["", "", ""] if j else counts
            rows.append([*start, result.short_title, *[number(score) for score in scores]])
    return align(rows)


def _confusion_block(result: ProtocolResult) -> list[str]:
    """Return the confusion matrix of one protocol as lines."""
    rows = [["", *result.classes]]
    for name, counts in zip(result.classes, result.confusion, strict=True):
        rows.append([name, *[str(int(count)) for count in counts]])
    return [result.short_title, *align(rows)]
