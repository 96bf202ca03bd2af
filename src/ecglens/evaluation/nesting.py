"""Nested choice: the layer, pooling and head are chosen anew for every fold, without its people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ecglens.errors import UsageError
from ecglens.evaluation.checks import Data, check_data
from ecglens.evaluation.metrics import check_draws
from ecglens.evaluation.protocols import Progress, fit_predict, subject_folds
from ecglens.evaluation.results import ProtocolResult
from ecglens.evaluation.summary import summarise
from ecglens.evaluation.sweep import FeatureKey, fitted_to, sweep_layers

Choice = tuple[str, str, str]
"""Layer, pooling and head."""


@dataclass(frozen=True, eq=False)
class NestedEvaluation:
    """Subject-wise figures of choosing and fitting together.

    Attributes:
        result: figures over all folds.
        chosen: what each fold chose, in the order of the folds.
    """

    result: ProtocolResult
    chosen: tuple[Choice, ...]


def evaluate_nested(
    features: Mapping[FeatureKey, npt.ArrayLike],
    labels: npt.ArrayLike,
    subjects: npt.ArrayLike,
    *,
    heads: Mapping[str, Any],
    n_splits: int = 10,
    n_inner: int = 5,
    random_state: int = 0,
    n_bootstrap: int = 1000,
    n_jobs: int | None = 1,
    progress: Progress | None = None,
) -> NestedEvaluation:
    """Cross-validate subject-wise with the choice inside (Varma and Simon 2006).

    In every fold the training people alone are swept, subject-wise, and the best macro-F1 decides;
    the choice is then fitted on them and tested on people who had no part in it. So the figure,
    unlike that of the best row of a sweep, holds for new people.

    Args:
        features: by (layer, pooling), each of shape (n, d).
        labels: class of each window, shape (n,).
        subjects: person of each window, shape (n,).
        heads: unfitted classifiers by name.
        n_splits: number of folds that are tested.
        n_inner: number of folds of each sweep.
        random_state: seed of all folds and of the limits.
        n_bootstrap: draws of subjects behind the limits.
        n_jobs: folds of a sweep fitted at the same time.
        progress: called with the folds done and all folds, after each fold.

    Raises:
        UsageError: there are no features or heads, or a number is out of range.
        EvaluationError: the windows cannot support the evaluation, or a sweep within it.
        LeakError: a fold has a subject on both sides.
    """
    check_draws(n_bootstrap)
    arrays, data = _checked(features, labels, subjects, heads)
    splits = subject_folds(labels, subjects, n_splits=n_splits, random_state=random_state)
    called, folds = np.empty_like(data.labels), np.empty(len(data.labels), dtype=np.int64)
    chosen: list[Choice] = []
    for number, (train, test) in enumerate(splits):
        layer, pooling, name = _choose(
            {key: values[train] for key, values in arrays.items()},
            data.labels[train],
            data.subjects[train],
            heads=heads,
            n_splits=n_inner,
            random_state=random_state,
            n_jobs=n_jobs,
        )
        chosen.append((layer, pooling, name))
        X, where = arrays[layer, pooling], f"fold {number + 1} of {n_splits}, nested"
        head, _ = fitted_to(heads[name], X, layer, pooling, name)
        called[test] = fit_predict(head, X[train], data.labels[train], X[test], where)
        folds[test] = number
        if progress is not None:
            progress(number + 1, n_splits)
    result = summarise("subject", data, data.classes, called, folds, n_bootstrap, random_state)
    return NestedEvaluation(result, tuple(chosen))


def _choose(
    features: Mapping[FeatureKey, npt.NDArray[Any]],
    labels: npt.NDArray[np.str_],
    subjects: npt.NDArray[np.str_],
    **options: Any,
) -> Choice:
    """Return what has the best subject-wise macro-F1; options are those of the sweep."""
    row = sweep_layers(
        features, labels, subjects, protocols=("subject",), n_bootstrap=0, **options
    ).best()
    return row.layer, row.pooling, row.head


def _checked(
    features: Mapping[FeatureKey, npt.ArrayLike],
    labels: npt.ArrayLike,
    subjects: npt.ArrayLike,
    heads: Mapping[str, Any],
) -> tuple[dict[FeatureKey, npt.NDArray[Any]], Data]:
    """Return the features as arrays, and the windows; all features are checked with them."""
    if not features or not heads:
        raise UsageError("a nested choice needs features and heads to choose from, got none")
    arrays = {key: np.asarray(values) for key, values in features.items()}
    for key, values in arrays.items():
        data = check_data(values, labels, subjects, what=f"{'/'.join(key)} ")
    return arrays, data
