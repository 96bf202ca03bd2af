"""What must hold before and while windows are evaluated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ecglens.errors import EvaluationError, LeakError, UsageError, suggest
from ecglens.evaluation.tables import counted

PROTOCOLS = ("pooled", "subject")
NAMED_AT_MOST = 5


@dataclass(frozen=True, eq=False)
class Data:
    """Windows to evaluate, checked: equal lengths, finite features, a label and a subject each."""

    features: npt.NDArray[Any]
    labels: npt.NDArray[np.str_]
    subjects: npt.NDArray[np.str_]
    databases: npt.NDArray[np.str_]

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels that occur, sorted."""
        return tuple(str(name) for name in np.unique(self.labels))


def check_data(
    features: npt.ArrayLike,
    labels: npt.ArrayLike,
    subjects: npt.ArrayLike,
    databases: npt.ArrayLike | None = None,
    what: str = "",
) -> Data:
    """Return the arrays of one set of windows if they fit together.

    Args:
        features: shape (n, d).
        labels: shape (n,).
        subjects: shape (n,).
        databases: shape (n,), or None.
        what: the set's name with a blank behind it, for messages (``"test "``).

    Raises:
        EvaluationError: lengths differ, features are not finite, a label or subject is missing.
    """
    X = np.asarray(features)
    y, groups = _words(labels), _words(subjects)
    origins = np.full(len(y), "") if databases is None else _words(databases)
    if X.ndim != 2 or X.shape[1] == 0:
        raise EvaluationError(
            f"{what}features have shape {X.shape}; they must be (n_windows, n_features), "
            "one vector per window"
        )
    if {y.shape, groups.shape, origins.shape} != {(len(X),)}:
        raise EvaluationError(
            f"{what}windows disagree: {len(X)} rows of features, {y.size} labels, "
            f"{groups.size} subjects, {origins.size} databases; give one of each per window"
        )
    _check_values(X, y, groups, what)
    return Data(X, y, groups, origins)


def _words(values: npt.ArrayLike) -> npt.NDArray[np.str_]:
    """Return values as words, ``""`` for None and NaN, as tables have where nothing is known."""
    found = np.asarray(values)
    words: npt.NDArray[np.str_] = found.astype(str)
    if found.dtype.kind in "Of":
        unknown = [value is None or value != value for value in found.flat]  # NaN is not itself
        words[np.reshape(unknown, found.shape)] = ""
    return words


def _check_values(
    X: npt.NDArray[Any], y: npt.NDArray[np.str_], groups: npt.NDArray[np.str_], what: str
) -> None:
    """Raise if a row has no finite features, no label or no subject."""
    broken = np.flatnonzero(~np.isfinite(X).all(axis=1))
    if len(broken):
        raise EvaluationError(
            f"{what}features of {len(broken)} of {len(X)} windows are not finite "
            f"(first: row {broken[0]}); a classifier needs numbers; leave unreadable windows out "
            "before features are extracted"
        )
    for name, values in (("label", y), ("subject", groups)):
        missing = np.flatnonzero(values == "")
        if len(missing):
            raise EvaluationError(
                f"{len(missing)} of {len(y)} {what}windows have no {name} "
                f"(first: row {missing[0]}); every window needs one; leave the others out"
            )


def check_protocols(protocols: tuple[str, ...], n_splits: int) -> None:
    """Check the names of the protocols and the number of folds.

    Raises:
        UsageError: a name is unknown, none is given, or ``n_splits`` is under 2.
    """
    for name in protocols:
        if name not in PROTOCOLS:
            raise UsageError(
                f"unknown protocol {name!r}; known are {', '.join(PROTOCOLS)}"
                f"{suggest(name, PROTOCOLS)}"
            )
    if not protocols:
        raise UsageError(f"no protocol was asked for; choose from {', '.join(PROTOCOLS)}")
    if n_splits < 2:
        raise UsageError(f"n_splits must be 2 or more, got {n_splits}; 10 is usual")


def check_classes(data: Data) -> None:
    """Check that there are two classes or more.

    Raises:
        EvaluationError: there is one class or none.
    """
    if len(data.classes) < 2:
        found = ", ".join(repr(name) for name in data.classes) or "none"
        raise EvaluationError(
            f"windows have {counted(len(data.classes), 'class', 'classes')} ({found}); "
            "telling classes apart needs two or more; add windows of another class or check the "
            "label map"
        )


def check_pooled(data: Data, n_splits: int) -> None:
    """Check that every class has a window for every pooled fold.

    Raises:
        EvaluationError: a class has fewer windows than there are folds.
    """
    for name in data.classes:
        n = int((data.labels == name).sum())
        if n < n_splits:
            raise EvaluationError(
                f"class {name!r} has {counted(n, 'window')}; {n_splits} pooled folds need "
                f"{n_splits} windows of every class; {_fewer_folds(n)} or add windows of {name!r}"
            )


def check_subjects(data: Data, n_splits: int) -> tuple[str, ...]:
    """Check that people suffice for subject-wise folds; return what limits the figures.

    Raises:
        EvaluationError: there are fewer subjects than folds, or one subject is all of a class.
    """
    n_subjects = len(np.unique(data.subjects))
    if n_subjects < n_splits:
        raise EvaluationError(
            f"there {'is' if n_subjects == 1 else 'are'} {counted(n_subjects, 'subject')}; "
            f"{n_splits} subject-wise folds need {n_splits} people or more, each tested in one "
            f"fold; {_fewer_folds(n_subjects)} or add records of other people"
        )
    notes = []
    for name in data.classes:
        n = len(np.unique(data.subjects[data.labels == name]))
        if n == 1:
            only = data.subjects[data.labels == name][0]
            raise EvaluationError(
                f"class {name!r} comes from one subject ({only}); when that person is tested no "
                "one is left to learn the class from, so it cannot be judged subject-wise; "
                f"leave {name!r} out or add another person who has it"
            )
        if n < n_splits:
            notes.append(
                f"class {name!r} has {n} subjects for {n_splits} subject-wise folds, so it is "
                "missing from the test part of some folds; its limits are wide"
            )
    return tuple(notes)


def check_fold(
    data: Data,
    train: npt.NDArray[np.int64],
    test: npt.NDArray[np.int64],
    fold: str,
) -> None:
    """Check that a fold tests something and trains on every class.

    Raises:
        EvaluationError: the test part is empty or the training part lacks a class.
    """
    if not len(test):
        raise EvaluationError(
            f"{fold}: no window is left to test; a few subjects hold most windows; use fewer folds"
        )
    lacking = sorted(set(data.classes) - set(np.unique(data.labels[train])))
    if lacking:
        raise EvaluationError(
            f"{fold}: the training part has no window of {', '.join(map(repr, lacking))}, since "
            "all people with it are tested in this fold; a class must be learnt to be found; "
            "use another number of folds or random_state, or add subjects"
        )


def check_no_leak(
    subjects: npt.ArrayLike, train: npt.ArrayLike, test: npt.ArrayLike, fold: int | str
) -> None:
    """Check that no subject stands on both sides of a split.

    Args:
        subjects: the person of each window, shape (n,).
        train: indices of the windows that are trained on.
        test: indices of the windows that are tested.
        fold: number or name of the fold, for the message.

    Raises:
        LeakError: subjects are on both sides; the message names them and the fold.
    """
    people = np.asarray(subjects).astype(str)
    both = np.intersect1d(people[np.asarray(train)], people[np.asarray(test)])
    if not len(both):
        return
    named = ", ".join(str(name) for name in both[:NAMED_AT_MOST])
    more = f" and {len(both) - NAMED_AT_MOST} more" if len(both) > NAMED_AT_MOST else ""
    where = f"fold {fold}" if isinstance(fold, int) else fold
    raise LeakError(
        f"{where}: {counted(len(both), 'subject')} on both sides ({named}{more}); a person must be "
        "in the training or the test part, never in both; split by subject, and give all records "
        "of one person the same subject"
    )


def _fewer_folds(n: int) -> str:
    """Return the cure for too many folds."""
    return f"use {n} folds" if n >= 2 else "gather more"
