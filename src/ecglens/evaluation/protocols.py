"""Cross-validation and holdout: who is trained on, who is tested, and what came of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.utils.parallel import Parallel, delayed

from ecglens.classifiers import check_components
from ecglens.errors import EcglensError, EvaluationError
from ecglens.evaluation.checks import (
    PROTOCOLS,
    Data,
    check_classes,
    check_data,
    check_fold,
    check_no_leak,
    check_pooled,
    check_protocols,
    check_subjects,
)
from ecglens.evaluation.metrics import IntArray, check_draws
from ecglens.evaluation.results import Evaluation, ProtocolResult
from ecglens.evaluation.summary import summarise
from ecglens.threads import one_blas_core

Progress = Callable[[int, int], None]
Split = tuple[IntArray, IntArray]


def evaluate(
    features: npt.ArrayLike,
    labels: npt.ArrayLike,
    subjects: npt.ArrayLike,
    *,
    databases: npt.ArrayLike | None = None,
    classifier: Any,
    protocols: Sequence[str] = PROTOCOLS,
    n_splits: int = 10,
    random_state: int = 0,
    n_bootstrap: int = 1000,
    n_jobs: int | None = 1,
    progress: Progress | None = None,
) -> Evaluation:
    """Cross-validate a classifier, pooled and subject-wise, on the same windows.

    The classifier is cloned and fitted anew in every fold. Scores are taken from the predictions
    of all folds together, each window being tested once.

    Args:
        features: shape (n, d), finite.
        labels: class of each window, shape (n,).
        subjects: person of each window, shape (n,).
        databases: where each window is from, shape (n,), for the table per database.
        classifier: unfitted scikit-learn estimator, for example of ``make_classifier``.
        protocols: ``"pooled"`` (stratified folds over windows, which leak: one person's windows
            are on both sides) and ``"subject"`` (stratified folds over people).
        n_splits: number of folds, at least 2.
        random_state: seed of the folds and of the limits.
        n_bootstrap: draws of subjects behind the 95 % limits; 0 leaves the limits out.
        n_jobs: folds fitted at the same time, as in joblib; the figures do not depend on it.
        progress: called with the folds done and all folds, after each fold.

    Raises:
        UsageError: a protocol is unknown, ``n_splits`` is under 2, ``n_bootstrap`` negative.
        EvaluationError: the windows cannot support the evaluation; the message says why.
        LeakError: a subject-wise fold has a subject on both sides.
    """
    asked = tuple(dict.fromkeys([protocols] if isinstance(protocols, str) else protocols))
    check_protocols(asked, n_splits)
    check_draws(n_bootstrap)
    data = check_data(features, labels, subjects, databases)
    check_classes(data)
    notes = [note for name in asked for note in _check_protocol(data, name, n_splits)]
    splits = {name: _splits(data, name, n_splits, random_state) for name in asked}
    predictions = iter(_predictions(data, classifier, splits, n_jobs, progress))
    results = {}
    for name in asked:
        called, folds = _gather(data, splits[name], predictions)
        results[name] = summarise(
            name, data, data.classes, called, folds, n_bootstrap, random_state
        )
    n_subjects = len(np.unique(data.subjects))
    run = (len(data.labels), n_subjects, n_splits, n_bootstrap, random_state)
    return Evaluation(data.classes, results, *run, notes=tuple(notes))


def evaluate_holdout(
    train_features: npt.ArrayLike,
    train_labels: npt.ArrayLike,
    train_subjects: npt.ArrayLike,
    test_features: npt.ArrayLike,
    test_labels: npt.ArrayLike,
    test_subjects: npt.ArrayLike,
    *,
    classifier: Any,
    test_databases: npt.ArrayLike | None = None,
    random_state: int = 0,
    n_bootstrap: int = 1000,
) -> ProtocolResult:
    """Train on one set of people and test on another.

    Args:
        train_features: shape (n, d), finite.
        train_labels: shape (n,).
        train_subjects: shape (n,).
        test_features: shape (m, d), finite.
        test_labels: shape (m,); classes of the training set only, not necessarily all.
        test_subjects: shape (m,); none of them in the training set.
        classifier: unfitted scikit-learn estimator; it is cloned.
        test_databases: shape (m,), for the table per database.
        random_state: seed of the limits.
        n_bootstrap: draws of test subjects behind the 95 % limits.

    Raises:
        EvaluationError: the windows cannot support the evaluation; the message says why.
        LeakError: a subject is in both sets.
    """
    check_draws(n_bootstrap)
    train = check_data(train_features, train_labels, train_subjects, what="training ")
    test = check_data(test_features, test_labels, test_subjects, test_databases, what="test ")
    check_classes(train)
    _check_same_kind(train, test)
    n = len(train.labels)
    both = np.concatenate([train.subjects, test.subjects])
    check_no_leak(both, np.arange(n), np.arange(n, len(both)), "holdout")
    _check_size(classifier, n, train.features.shape[1], "holdout")
    predicted = fit_predict(classifier, train.features, train.labels, test.features, "holdout")
    folds = np.zeros(len(predicted), dtype=np.int64)
    return summarise("holdout", test, train.classes, predicted, folds, n_bootstrap, random_state)


def subject_folds(
    labels: npt.ArrayLike, subjects: npt.ArrayLike, *, n_splits: int = 10, random_state: int = 0
) -> list[Split]:
    """Return the subject-wise folds of :func:`evaluate`: indices of training and test windows.

    Args:
        labels: class of each window, shape (n,).
        subjects: person of each window, shape (n,).
        n_splits: number of folds, at least 2.
        random_state: seed of the folds.

    Raises:
        UsageError: ``n_splits`` is under 2.
        EvaluationError: the windows cannot support the folds; the message says why.
        LeakError: a fold has a subject on both sides.
    """
    check_protocols(("subject",), n_splits)
    data = check_data(np.zeros((np.size(labels), 1)), labels, subjects)
    check_classes(data)
    check_subjects(data, n_splits)
    return _splits(data, "subject", n_splits, random_state)


def shuffle_labels(labels: npt.ArrayLike, random_state: int) -> npt.NDArray[np.str_]:
    """Return the labels in random order: what is learnt from them is chance.

    Args:
        labels: shape (n,).
        random_state: seed.
    """
    return np.random.default_rng(random_state).permutation(np.asarray(labels).astype(str))


def _check_same_kind(train: Data, test: Data) -> None:
    """Raise if the test set is empty, has other features or classes that were never learnt."""
    if not len(test.labels):
        raise EvaluationError("the test set has no windows; give one or more")
    if train.features.shape[1] != test.features.shape[1]:
        raise EvaluationError(
            f"training windows have {train.features.shape[1]} features, test windows "
            f"{test.features.shape[1]}; both sets must be extracted with the same settings"
        )
    strange = [name for name in test.classes if name not in train.classes]
    if strange:
        raise EvaluationError(
            f"test windows have classes that were never trained: {', '.join(strange)}; known are "
            f"{', '.join(train.classes)}; leave them out or use one label map for both sets"
        )


def _check_protocol(data: Data, protocol: str, n_splits: int) -> tuple[str, ...]:
    """Check the windows for one protocol; return notes for the user."""
    if protocol == "subject":
        return check_subjects(data, n_splits)
    check_pooled(data, n_splits)
    return ()


def _splits(data: Data, protocol: str, n_splits: int, random_state: int) -> list[Split]:
    """Return the checked folds of one protocol."""
    if protocol == "pooled":
        folds = StratifiedKFold(n_splits, shuffle=True, random_state=random_state)
        return list(folds.split(data.features, data.labels))
    grouped = StratifiedGroupKFold(n_splits, shuffle=True, random_state=random_state)
    with warnings.catch_warnings():
        # Said in the notes, with the name of the class and counted in subjects.
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        splits = list(_grouped_splits(grouped, data, n_splits))
    for number, (train, test) in enumerate(splits):
        check_no_leak(data.subjects, train, test, number + 1)
        check_fold(data, train, test, f"fold {number + 1} of {n_splits}, subject-wise")
    return splits


def _grouped_splits(folds: Any, data: Data, n_splits: int) -> Iterator[Split]:
    """Yield subject-wise folds, with a refusal of scikit-learn in this program's words."""
    most = max(int((data.labels == name).sum()) for name in data.classes)
    if most < n_splits:
        raise EvaluationError(
            f"no class has more than {most} windows; {n_splits} subject-wise folds need "
            f"{n_splits} windows in one class or more; use fewer folds or add windows"
        )
    yield from folds.split(data.features, data.labels, data.subjects)


def _predictions(
    data: Data,
    classifier: Any,
    splits: dict[str, list[Split]],
    n_jobs: int | None,
    progress: Progress | None,
) -> Iterator[npt.NDArray[np.str_]]:
    """Yield the predictions of every fold, protocol after protocol, and report progress."""
    folds = [
        (train, test, f"fold {number + 1} of {len(parts)}, {name}")
        for name, parts in splits.items()
        for number, (train, test) in enumerate(parts)
    ]
    for train, _, where in folds:
        _check_size(classifier, len(train), data.features.shape[1], where)
    work = (
        delayed(fit_predict)(
            classifier, data.features[train], data.labels[train], data.features[test], where
        )
        for train, test, where in folds
    )
    done = Parallel(n_jobs=n_jobs, return_as="generator")(work)
    for number, predicted in enumerate(done):
        if progress is not None:
            progress(number + 1, len(folds))
        yield predicted


def _check_size(classifier: Any, n_windows: int, n_features: int, where: str) -> None:
    """Check the pipeline's PCA against a training part and name the fold."""
    try:
        check_components(classifier, n_windows, n_features)
    except EvaluationError as error:
        raise EvaluationError(f"{where}: {error}") from error


@one_blas_core()
def fit_predict(
    classifier: Any,
    train_features: npt.NDArray[Any],
    train_labels: npt.NDArray[np.str_],
    test_features: npt.NDArray[Any],
    where: str,
) -> npt.NDArray[np.str_]:
    """Fit a clone on the training part and return what it says of the test part."""
    try:
        fitted = clone(classifier).fit(train_features, train_labels)
        return np.asarray(fitted.predict(test_features)).astype(str)
    except EcglensError:
        raise
    except ValueError as error:
        raise EvaluationError(
            f"{where}: the classifier refused {len(train_features)} training windows of "
            f"{train_features.shape[1]} features: {error}; choose other parameters or more windows"
        ) from error


def _gather(
    data: Data, splits: list[Split], predictions: Iterator[npt.NDArray[np.str_]]
) -> tuple[npt.NDArray[np.str_], IntArray]:
    """Put the folds' predictions in the order of the windows; return them and the fold numbers."""
    predicted = np.empty_like(data.labels)
    folds = np.full(len(data.labels), -1, dtype=np.int64)
    for number, (_, test) in enumerate(splits):
        predicted[test] = next(predictions)
        folds[test] = number
    return predicted, folds
