"""A head of our own: a support vector machine that also remembers the windows it has seen."""

from __future__ import annotations

import itertools
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.special import log_expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.svm import SVC
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from ecglens.errors import UsageError

_BLOCK = 1024
_STEEPNESS = 4.0


class MemorySVC(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A broad RBF support vector machine, and votes of near twins.

    One kernel width cannot serve known and new people alike: a narrow kernel learns each person's
    own windows and says little of anyone else, a broad one carries over to new people and forgets
    the known. Here a broad, well regularised machine decides, and every class gets in addition
    ``votes * log(1 + sum of exp(sharpness * (1 - d2 / twin_d2)))``, summed over the training
    windows of the class, with d2 their squared distance and ``twin_d2`` the median squared
    distance of a training window to its nearest neighbour. That counts beside the machine's
    scores only within about the twin distance, so for people who were seen in training; for all
    others it vanishes.

    Args:
        C: penalty of the machine; classes are weighed inversely to their number of windows.
        gamma: width of its kernel, as a multiple of scikit-learn's ``"scale"``.
        votes: weight of the memory; 0 leaves it out.
        sharpness: how fast votes fade with distance.
        pairwise: True adds, as the machine's score of a class, the softened margins by which it
            beats or loses to each of the others, ``log(sigmoid(4 margin)) / 4``. False counts how
            many it beats, as scikit-learn does: near whole numbers, whatever the margins, which
            decide nearly alike and tell far less of how sure they are (docs/research/limits.md).
            Two classes have one margin, and both are the same.

    Attributes:
        classes_: sorted labels.
        machine_: the fitted ``SVC``.
        memory_: training windows, float32, shape (n_windows, n_features).
        memory_class_: class index of each, shape (n_windows,).
        twin_d2_: median squared distance to the nearest other training window.
    """

    pairwise = False  # of heads that were saved before there was a choice

    def __init__(
        self,
        C: float = 10.0,
        gamma: float = 0.2,
        votes: float = 6.0,
        sharpness: float = 4.0,
        pairwise: bool = True,
    ) -> None:
        self.C = C
        self.gamma = gamma
        self.votes = votes
        self.sharpness = sharpness
        self.pairwise = pairwise

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:
        """Fit the machine and keep the windows.

        Raises:
            UsageError: a parameter is not positive (``votes`` may be 0).
        """
        for name in ("C", "gamma", "votes", "sharpness"):
            value = getattr(self, name)
            if not value >= 0 or (value == 0 and name != "votes"):
                raise UsageError(f"{name} of MemorySVC must be over 0, got {value}")
        features, labels = validate_data(self, X, y)
        check_classification_targets(labels)
        self.classes_, self.memory_class_ = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"MemorySVC needs two classes or more, got {len(self.classes_)} class")
        variance = float(features.var()) * features.shape[1]
        self.machine_ = SVC(
            C=self.C,
            gamma=self.gamma / (variance or 1.0),
            class_weight="balanced",
            decision_function_shape="ovo" if self.pairwise else "ovr",
        ).fit(features, labels)
        self.memory_ = np.asarray(features, dtype=np.float32)
        self.twin_d2_ = _twin_distance(self.memory_)
        return self

    def decision_function(self, X: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return scores: (n_windows, n_classes), or (n_windows,) for two classes."""
        check_is_fitted(self)
        features = validate_data(self, X, reset=False)
        scores = np.asarray(self.machine_.decision_function(features), dtype=np.float64)
        votes = self.vote(features)
        if scores.ndim == 1:
            return np.asarray(scores + votes[:, 1] - votes[:, 0])
        if self.machine_.decision_function_shape == "ovo":
            scores = _from_pairs(scores, len(self.classes_))
        return scores + votes

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """Return the class of the highest score."""
        scores = self.decision_function(X)
        best = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
        return np.asarray(self.classes_[best])

    def vote(self, X: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return what near twins among the training windows add, (n_windows, n_classes)."""
        features = np.asarray(X, dtype=np.float32)
        votes = np.zeros((len(features), len(self.classes_)))
        if self.votes == 0:
            return votes
        member = np.eye(len(self.classes_))[self.memory_class_]
        for start in range(0, len(features), _BLOCK):
            part = slice(start, start + _BLOCK)
            with np.errstate(over="ignore"):  # What is infinitely far is no twin.
                d2 = euclidean_distances(features[part], self.memory_, squared=True)
            votes[part] = (
                np.exp(self.sharpness * (1 - d2.astype(np.float64) / self.twin_d2_)) @ member
            )
        return self.votes * np.log1p(votes)


def _from_pairs(margins: npt.NDArray[np.float64], n_classes: int) -> npt.NDArray[np.float64]:
    """Return scores (n_windows, n_classes) from margins of each class over each later one."""
    scores = np.zeros((len(margins), n_classes))
    for column, (first, second) in enumerate(itertools.combinations(range(n_classes), 2)):
        scores[:, first] += log_expit(_STEEPNESS * margins[:, column]) / _STEEPNESS
        scores[:, second] += log_expit(-_STEEPNESS * margins[:, column]) / _STEEPNESS
    return scores


def _twin_distance(X: npt.NDArray[np.float32]) -> float:
    """Return the median squared distance of a row to its nearest other row, above 0."""
    nearest = np.empty(len(X))
    for start in range(0, len(X), _BLOCK):
        d2 = euclidean_distances(X[start : start + _BLOCK], X, squared=True)
        d2[np.arange(len(d2)), start + np.arange(len(d2))] = np.inf
        nearest[start : start + _BLOCK] = d2.min(axis=1)
    return max(float(np.median(nearest)), float(np.finfo(np.float32).eps))
