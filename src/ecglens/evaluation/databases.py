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
    names = [str(name) for name in np.unique(data.databases)]
    if len(names) < 2 or "" in names:
        found = ", ".join(repr(name) for name in names)
        raise EvaluationError(
            f"windows are of {counted(len(names), 'database')} ({found}); leaving one out needs "
            "two or more, each with a name; add windows of another database"
        )
    rows: list[LeftOut] = []
    for name in names:
        rows.append(_left_out(data, name, classifier, random_state, n_bootstrap))
        if progress is not None:
            progress(len(rows), len(names))
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
    data: Data, name: str, classifier: Any, random_state: int, n_bootstrap: int
) -> LeftOut:
    """Test one database on what the others teach."""
    test = data.databases == name
    train = ~test & ~np.isin(data.subjects, data.subjects[test])
    taught = np.unique(data.labels[train])
    untaught = tuple(str(one) for one in np.setdiff1d(data.labels[test], taught))
    test &= np.isin(data.labels, taught)
    n_people = len(np.unique(data.subjects[train]))
    if len(taught) < 2:
        why = f"the other databases teach {', '.join(taught) or 'no class'}; two classes are needed"
        return LeftOut(name, None, why, untaught, int(train.sum()), n_people)
    if not test.any():
        why = f"no other database has its {', '.join(untaught)}"
        return LeftOut(name, None, why, untaught, int(train.sum()), n_people)
    try:
        result = evaluate_holdout(
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
        raise EvaluationError(f"with {name} left out: {error}") from error
    return LeftOut(name, result, "", untaught, int(train.sum()), n_people)
