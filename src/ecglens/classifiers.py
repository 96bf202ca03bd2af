"""Heads: from one vector per window to a class, as plain scikit-learn pipelines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC, NuSVC

from ecglens.errors import EvaluationError, UsageError, suggest
from ecglens.experts import ExpertPool, ImagePCA
from ecglens.heads import MemorySVC

_HEADS: dict[str, Callable[[], Any]] = {
    "svm-rbf": lambda: SVC(
        C=10.0, kernel="rbf", gamma="scale", class_weight="balanced", break_ties=True
    ),
    "svm-memory": MemorySVC,
    "experts": ExpertPool,
    "svm-linear": lambda: LinearSVC(C=0.1, class_weight="balanced", dual="auto", max_iter=5000),
    "logistic": lambda: LogisticRegression(C=0.1, class_weight="balanced", max_iter=5000),
    # A tree is no faster than brute force in some hundred dimensions, and skops does not know it.
    "knn": lambda: KNeighborsClassifier(n_neighbors=15, algorithm="brute"),
    "lda": lambda: LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
}
HEADS: tuple[str, ...] = tuple(_HEADS)


def make_classifier(
    head: str | BaseEstimator = "svm-rbf",
    *,
    pca: int | float | None = None,
    random_state: int | None = 0,
    scale: bool = True,
    **params: Any,
) -> Pipeline:
    """Return an unfitted pipeline: standard scaler, optional PCA, head.

    Everything that learns from data is a step of the pipeline, so that a fold fits it on its own
    training part. The steps are named ``"scale"``, ``"pca"`` and ``"head"``. All heads decide by
    ``decision_function`` or ``predict_proba``; for calibrated probabilities see
    :func:`calibrate`.

    Args:
        head: ``"svm-rbf"`` (C = 10), ``"svm-memory"`` (:class:`ecglens.heads.MemorySVC`),
            ``"experts"`` (:class:`ecglens.experts.ExpertPool`, for image features with handmade
            measures behind them), ``"svm-linear"``, ``"logistic"`` (all five weigh classes
            inversely to their number of windows), ``"knn"`` (15 neighbours), ``"lda"``
            (Ledoit-Wolf shrinkage), or any
            unfitted scikit-learn classifier, which is cloned.
        pca: number of components (int, at least 1) or the share of variance to keep (float,
            above 0 and below 1); None leaves PCA out. A number is never lowered in silence: a
            training part that cannot give that many makes :func:`check_components` raise.
        random_state: seed of PCA and of the named heads that draw numbers.
        scale: whether features are brought to mean 0 and standard deviation 1 first.
        **params: parameters of the head, for example ``C=1.0``.

    Raises:
        UsageError: the head, a parameter or ``pca`` is unknown or breaks a rule.
    """
    steps: list[tuple[str, Any]] = [("head", _make_head(head, random_state, params))]
    if pca is not None:
        steps.insert(0, ("pca", _make_pca(steps[-1][1], _checked_pca(pca), random_state)))
    if scale:
        steps.insert(0, ("scale", StandardScaler()))
    return Pipeline(steps)


def _make_pca(head: Any, components: int | float, random_state: int | None) -> Any:
    """Return the components of all features, or of those that are of images."""
    if isinstance(head, ExpertPool):
        return ImagePCA(components, kept=head.n_measures, random_state=random_state)
    return PCA(n_components=components, random_state=random_state)


def check_components(classifier: Any, n_windows: int, n_features: int) -> None:
    """Check that the pipeline's PCA can be fitted on this many windows and features.

    Raises:
        EvaluationError: it asks for more components than there are windows or features.
    """
    wanted = pca_components(classifier)
    most = min(n_windows, n_features)
    if wanted is not None and wanted > most:
        raise EvaluationError(
            f"PCA is to make {wanted} components of {n_features} features of {n_windows} "
            "training windows; it can make no more than the smaller of the two; "
            f"use pca={most} or less (--pca {most})"
        )


def pca_components(classifier: Any) -> int | None:
    """Return the number of components a pipeline's ``"pca"`` step asks for, or None."""
    step = getattr(classifier, "named_steps", {}).get("pca")
    wanted = getattr(step, "n_components", None)
    return wanted if isinstance(wanted, int) else None


def calibrate(
    pipeline: Pipeline,
    features: npt.ArrayLike,
    labels: npt.ArrayLike,
    subjects: npt.ArrayLike,
    *,
    n_splits: int = 5,
    random_state: int = 0,
) -> CalibratedClassifierCV:
    """Fit a pipeline on all windows and calibrate its probabilities on people it has not seen.

    The scores to calibrate on come from subject-wise folds. The method is temperature scaling
    (Guo et al., 2017, arXiv 1706.04599): one number for all classes, so the class with the
    highest probability is the one the head itself chose. One sigmoid per class would shift the
    classes against each other and undo balanced class weights.

    Args:
        pipeline: an unfitted pipeline, for example of :func:`make_classifier`; it is cloned.
        features: shape (n_windows, n_features), finite.
        labels: shape (n_windows,), the class of each window.
        subjects: shape (n_windows,), the person of each window.
        n_splits: number of folds, at least 2; every class needs as many subjects.
        random_state: seed of the folds.

    Returns:
        A fitted estimator with ``predict_proba`` (n, n_classes) and ``classes_`` (sorted). Its
        ``cv`` is the list of splits, so fitting it again on other windows fails and cannot leak.

    Raises:
        UsageError: ``n_splits`` is under 2, or the arrays differ in length.
        EvaluationError: one class only, too few subjects in a class, or PCA asks too much.
    """
    X = np.asarray(features)
    y, groups = np.asarray(labels).astype(str), np.asarray(subjects).astype(str)
    _check_calibration(X, y, groups, n_splits)
    folds = StratifiedGroupKFold(n_splits, shuffle=True, random_state=random_state)
    splits = list(folds.split(X, y, groups))
    for number, (train, test) in enumerate(splits):
        check_components(pipeline, len(train), X.shape[1])
        lacking = sorted(set(y) - set(y[train]))
        if lacking or not len(test):
            fault = (
                f"training part has no window of {', '.join(lacking)}" if lacking else "is empty"
            )
            raise EvaluationError(
                f"calibration fold {number + 1} of {n_splits}: {fault}; each fold needs windows "
                "and all classes to train on; use fewer folds or add subjects"
            )
    calibrated = CalibratedClassifierCV(
        clone(pipeline), method="temperature", cv=splits, ensemble=False
    )
    return calibrated.fit(X, y)


def feature_space(fitted: Any, features: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return features as the head sees them: scaled, and as principal components.

    Args:
        fitted: a fitted pipeline of :func:`make_classifier`, or what :func:`calibrate` made of
            one; with any other classifier the features stay as they are.
        features: shape (n_windows, n_features).
    """
    space = np.asarray(features)
    calibrated = getattr(fitted, "calibrated_classifiers_", None)
    pipeline = calibrated[0].estimator if calibrated else fitted
    for _, step in getattr(pipeline, "steps", ())[:-1]:
        space = step.transform(space)
    return np.asarray(space, dtype=np.float64)


def decisions_of(fitted: Any, features: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the scores that :func:`calibrate` makes probabilities of."""
    name = "decision_function" if hasattr(fitted, "decision_function") else "predict_proba"
    return np.asarray(getattr(fitted, name)(features), dtype=np.float64)


def temper(calibrated: CalibratedClassifierCV, scores: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the probabilities that a calibrated classifier makes of a pipeline's scores.

    Args:
        calibrated: of :func:`calibrate`.
        scores: of a pipeline of the same make, fitted on other windows (:func:`decisions_of`).

    Returns:
        Shape (n_windows, n_classes).
    """
    calibrator = calibrated.calibrated_classifiers_[0].calibrators[0]
    return np.asarray(calibrator.predict(np.asarray(scores)), dtype=np.float64)


def _checked_pca(pca: int | float) -> int | float:
    """Return ``pca`` as int or float, or raise UsageError."""
    if not isinstance(pca, bool):
        if isinstance(pca, (int, np.integer)) and pca >= 1:
            return int(pca)
        if isinstance(pca, (float, np.floating)) and 0.0 < pca < 1.0:
            return float(pca)
    raise UsageError(
        "pca must be a number of components (1 or more) or a share of variance "
        f"(above 0, below 1), got {pca!r}; pca=None leaves it out"
    )


def _make_head(head: str | BaseEstimator, random_state: int | None, params: dict[str, Any]) -> Any:
    """Return the head with its parameters set."""
    if isinstance(head, str):
        if head not in _HEADS:
            raise UsageError(
                f"unknown head {head!r}; known are {', '.join(HEADS)}, "
                f"or a scikit-learn classifier{suggest(head, HEADS)}"
            )
        name, estimator = repr(head), _HEADS[head]()
        if "random_state" in estimator.get_params():
            estimator.set_params(random_state=random_state)
    elif isinstance(head, BaseEstimator) and is_classifier(head):
        name, estimator = type(head).__name__, clone(head)
    else:
        raise UsageError(
            f"a head must be a name ({', '.join(HEADS)}) or an instance of a scikit-learn "
            f"classifier, got {head!r}"
        )
    _check_params(name, estimator, params)
    return estimator.set_params(**params)


def _check_params(name: str, estimator: Any, params: dict[str, Any]) -> None:
    """Raise UsageError for parameters the head does not have, all of them in one message."""
    known = sorted(
        key
        for key, value in estimator.get_params().items()
        if not (isinstance(value, str) and value == "deprecated")
    )
    # Before scikit-learn 1.9 a machine still has it, and fits it on people the head has seen.
    takes = "probability" in known and not isinstance(estimator, SVC | NuSVC)
    if "probability" in params and not takes:
        raise UsageError(
            f"head {name} takes no probability; its scores become probabilities "
            "with calibrate(), on people the head has not seen"
        )
    unknown = [key for key in params if key not in known]
    if unknown:
        asked = ", ".join(repr(key) for key in unknown)
        raise UsageError(
            f"head {name} has no parameter {asked}; it has {', '.join(known)}"
            f"{suggest(unknown[0], known)}"
        )


def _check_calibration(
    X: npt.NDArray[Any], y: npt.NDArray[np.str_], groups: npt.NDArray[np.str_], n_splits: int
) -> None:
    """Raise if the windows cannot be cut into ``n_splits`` folds with all classes."""
    if n_splits < 2:
        raise UsageError(f"n_splits must be 2 or more, got {n_splits}")
    if X.ndim != 2 or not len(X) == len(y) == len(groups):
        raise UsageError(
            f"features have shape {X.shape}, labels {y.shape}, subjects {groups.shape}; "
            "they must be (n_windows, n_features), (n_windows,) and (n_windows,)"
        )
    classes = np.unique(y)
    if len(classes) < 2:
        raise EvaluationError(
            f"calibration needs two classes or more, got {len(classes)}; add windows of another"
        )
    counts = {str(name): len(np.unique(groups[y == name])) for name in classes}
    scarce = min(counts, key=lambda name: counts[name])
    fewest = counts[scarce]
    if fewest < n_splits:
        cure = f"use n_splits={fewest} or add subjects" if fewest > 1 else "add subjects"
        raise EvaluationError(
            f"class {scarce!r} has {fewest} subject{'s' * (fewest != 1)}; calibration in "
            f"{n_splits} folds needs {n_splits} subjects in every class; {cure}"
        )
