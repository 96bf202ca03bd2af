"""Leave one database out: what is learnt elsewhere, tested where nothing was learnt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ecglens.errors import EvaluationError
from ecglens.evaluation.checks import Data, check_classes, check_data
from ecglens.evaluation.protocols import Progress, evaluate_holdout
from ecglens.evaluation.results import ProtocolResult
from ecglens.evaluation.tables import align, counted, number


@dataclass(frozen=True, eq=False)
class DatabaseSplit:
    """What is trained on and tested when one database is left out.

    Attributes:
        database: its name.
        train: windows of all others, but for people who are in this one too.
        test: its windows of classes that are taught.
        taught: classes of the training windows, sorted.
        untaught: its classes that are not taught.
        in_others: its people who are in another database too; nothing of theirs is trained on.
    """

    database: str
    train: npt.NDArray[np.int64]
    test: npt.NDArray[np.int64]
    taught: tuple[str, ...]
    untaught: tuple[str, ...]
    in_others: tuple[str, ...]


def split_databases(
    labels: npt.NDArray[np.str_],
    subjects: npt.NDArray[np.str_],
    databases: npt.NDArray[np.str_],
) -> tuple[DatabaseSplit, ...]:
    """Leave each database out in turn, by name; nobody is ever on both sides.

    Whoever is in the database left out and in another is tested, and not trained on. Nothing is
    tested of classes that the training windows lack.

    Args:
        labels: class of each window, shape (n,).
        subjects: person of each window, shape (n,).
        databases: where each window is from, shape (n,).
    """
    splits: list[DatabaseSplit] = []
    for name in np.unique(databases):
        here = databases == name
        known = np.isin(subjects, subjects[here])
        train = ~here & ~known
        taught = np.unique(labels[train])
        splits.append(
            DatabaseSplit(
                database=str(name),
                train=np.flatnonzero(train),
                test=np.flatnonzero(here & np.isin(labels, taught)),
                taught=tuple(taught.tolist()),
                untaught=tuple(np.setdiff1d(labels[here], taught).tolist()),
                in_others=tuple(np.unique(subjects[~here & known]).tolist()),
            )
        )
    return tuple(splits)


@dataclass(frozen=True, eq=False)
class LeftOut:
    """One database that was kept out of the training and tested.

    Attributes:
        database: its name.
        result: protocol ``"holdout"``; None where the test was not possible.
        why_not: why it was not possible, ``""`` where it was.
        untaught: its classes that no other database has; their windows were not tested.
        n_trained: windows that were trained on.
        n_trained_subjects: people who were trained on.
    """

    database: str
    result: ProtocolResult | None
    why_not: str = ""
    untaught: tuple[str, ...] = ()
    n_trained: int = 0
    n_trained_subjects: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; None stands for NaN."""
        return {
            "database": self.database,
            "result": None if self.result is None else self.result.to_dict(),
            "why_not": self.why_not,
            "untaught": list(self.untaught),
            "n_trained": self.n_trained,
            "n_trained_subjects": self.n_trained_subjects,
        }


@dataclass(frozen=True, eq=False)
class DatabasesLeftOut:
    """Every database in turn.

    Attributes:
        rows: by the name of the database.
        classes: sorted, of all windows.
        n_windows: of all databases.
        random_state: seed of the limits.
        databases_of: for each class the databases that have it.
    """

    rows: tuple[LeftOut, ...]
    classes: tuple[str, ...]
    n_windows: int
    random_state: int
    databases_of: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; None stands for NaN."""
        return {
            "classes": list(self.classes),
            "n_windows": self.n_windows,
            "random_state": self.random_state,
            "databases_of": {name: list(where) for name, where in self.databases_of.items()},
            "rows": [row.to_dict() for row in self.rows],
        }

    def format_table(self) -> str:
        """Return one line per database as text; ``-`` stands for undefined or not tested."""
        names = [f"sens. {name}" for name in self.classes]
        lines = [["left out", "windows", "subjects", "accuracy", "macro-F1", *names]]
        for row in self.rows:
            if row.result is None:
                lines.append([row.database, *["-"] * (4 + len(names))])
                continue
            by_name = {scores.name: scores for scores in row.result.per_class}
            sensitivity = [
                number(by_name[name].sensitivity.value) if name in by_name else "-"
                for name in self.classes
            ]
            counts = [str(len(row.result.predictions)), str(len(row.result.per_subject))]
            figures = [str(row.result.accuracy), str(row.result.macro_f1)]
            lines.append([row.database, *counts, *figures, *sensitivity])
        return "\n".join([*align(lines), *[f"note: {note}" for note in self.notes]])

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be tested, in words for the user."""
        said = [f"{row.database}: {row.why_not}" for row in self.rows if row.why_not]
        said += [
            f"{row.database}: no other database has {', '.join(row.untaught)}, so those windows "
            "were not tested"
            for row in self.rows
            if row.untaught and row.result is not None
        ]
        return tuple(said)


def leave_one_database_out(
    features: npt.ArrayLike,
    labels: npt.ArrayLike,
    subjects: npt.ArrayLike,
    databases: npt.ArrayLike,
    *,
    classifier: Any,
    random_state: int = 0,
    n_bootstrap: int = 1000,
    progress: Progress | None = None,
) -> DatabasesLeftOut:
    """Train on all databases but one and test on that one, for each in turn.

    People who are also in the database left out are not trained on. Windows of a class that only
    the database left out has are not tested, since nothing could be learnt of it.

    Args:
        features: shape (n, d), finite.
        labels: class of each window, shape (n,).
        subjects: person of each window, shape (n,).
        databases: where each window is from, shape (n,).
        classifier: unfitted scikit-learn estimator; it is cloned for each database.
        random_state: seed of the limits.
        n_bootstrap: draws of subjects behind the 95 % limits; 0 leaves the limits out.
        progress: called with the databases done and all databases, after each.

    Raises:
        EvaluationError: the windows cannot support the evaluation, or are of one database.
    """
    data = check_data(features, labels, subjects, databases)
    check_classes(data)
    splits = split_databases(data.labels, data.subjects, data.databases)
    names = [split.database for split in splits]
    if len(names) < 2 or "" in names:
        found = ", ".join(repr(name) for name in names)
        raise EvaluationError(
            f"windows are of {counted(len(names), 'database')} ({found}); leaving one out needs "
            "two or more, each with a name; add windows of another database"
        )
    rows: list[LeftOut] = []
    for split in splits:
        rows.append(_left_out(data, split, classifier, random_state, n_bootstrap))
        if progress is not None:
            progress(len(rows), len(splits))
    return DatabasesLeftOut(
        rows=tuple(rows),
        classes=data.classes,
        n_windows=len(data.labels),
        random_state=random_state,
        databases_of=dict(_databases_of(data)),
    )


def _databases_of(data: Data) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name in data.classes:
        where = np.unique(data.databases[data.labels == name])
        yield name, tuple(str(database) for database in where)


def _left_out(
    data: Data, split: DatabaseSplit, classifier: Any, random_state: int, n_bootstrap: int
) -> LeftOut:
    """Test one database on what the others teach."""
    result, why = None, ""
    if len(split.taught) < 2:
        known = ", ".join(split.taught) or "no class"
        why = f"the other databases teach {known}; two classes are needed"
    elif not len(split.test):
        why = f"no other database has its {', '.join(split.untaught)}"
    else:
        result = _tested(data, split, classifier, random_state, n_bootstrap)
    n_people = len(np.unique(data.subjects[split.train]))
    return LeftOut(split.database, result, why, split.untaught, len(split.train), n_people)


def _tested(
    data: Data, split: DatabaseSplit, classifier: Any, random_state: int, n_bootstrap: int
) -> ProtocolResult:
    train, test = split.train, split.test
    try:
        return evaluate_holdout(
            data.features[train],
            data.labels[train],
            data.subjects[train],
            data.features[test],
            data.labels[test],
            data.subjects[test],
            test_databases=data.databases[test],
            classifier=classifier,
            random_state=random_state,
            n_bootstrap=n_bootstrap,
        )
    except EvaluationError as error:
        raise EvaluationError(f"with {split.database} left out: {error}") from error
