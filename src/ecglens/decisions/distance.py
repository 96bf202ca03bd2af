"""How far a window is from those of training, in the space the head decides in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA

from ecglens.decisions.words import FloatArray
from ecglens.errors import UsageError

MAX_AXES = 128
SHRINKAGE = 0.9


@dataclass(frozen=True, eq=False)
class FeatureDistance:
    """Mahalanobis distance to the nearest class mean, with a much shrunken common covariance.

    The squared distance is divided by the number of axes, so that it does not grow with them.
    The covariance within classes is drawn towards a sphere of the same trace by 0.9 of the way:
    of the distances compared in ``docs/decisions.md`` that one told noise best.

    Attributes:
        axes: from features to axes of unit spread, float64, shape (n_features, n_axes).
        centres: mean of each class on those axes, float64, shape (n_classes, n_axes).

    Raises:
        UsageError: shapes do not fit or a number is not finite.
    """

    axes: FloatArray
    centres: FloatArray

    def __post_init__(self) -> None:
        a, c = self.axes, self.centres
        fits = a.ndim == c.ndim == 2 and a.shape[1] == c.shape[1] and a.size and c.size
        if not fits or not (np.isfinite(a).all() and np.isfinite(c).all()):
            raise UsageError(
                f"axes of shape {a.shape} and centres of shape {c.shape} make no distance; they "
                "must be finite, (n_features, n_axes) and (n_classes, n_axes)"
            )

    @classmethod
    def fit(cls, space: npt.ArrayLike, labels: npt.ArrayLike) -> Self:
        """Fit the distance.

        Args:
            space: the windows in the head's space, shape (n_windows, n_features); above 128
                features their first 128 principal components are looked at.
            labels: class of each, shape (n_windows,).
        """
        X = np.asarray(space, dtype=np.float64)
        classes, member = np.unique(np.asarray(labels), return_inverse=True)
        reduce = np.eye(X.shape[1])
        if X.shape[1] > MAX_AXES:
            n_axes = min(MAX_AXES, len(X))
            reduce = PCA(n_axes, svd_solver="randomized", random_state=0).fit(X).components_.T
            X = X @ reduce
        means = np.stack([X[member == k].mean(axis=0) for k in range(len(classes))])
        axes = _whitening(X - means[member])
        return cls(reduce @ axes, means @ axes)

    def of(self, space: npt.ArrayLike) -> FloatArray:
        """Return the distance of each window, shape (n_windows,), from 0; infinite if it is lost.

        Args:
            space: shape (n_windows, n_features).
        """
        with np.errstate(over="ignore", invalid="ignore"):
            Z = np.asarray(space, dtype=np.float64) @ self.axes
            squared = np.stack([((Z - centre) ** 2).mean(axis=1) for centre in self.centres])
            nearest = np.sqrt(squared.min(axis=0))
        # What is no number compares with nothing, and so would never be called far.
        return np.where(np.isnan(nearest), np.inf, nearest)


def _whitening(residuals: FloatArray) -> FloatArray:
    """Return the matrix that gives residuals the shrunken covariance's unit spread."""
    covariance = residuals.T @ residuals / len(residuals)
    spread, directions = np.linalg.eigh(covariance)
    mean = float(spread.mean()) or 1.0
    shrunk = (1 - SHRINKAGE) * np.clip(spread, 0, None) + SHRINKAGE * mean
    # A sign for each axis, so that the same training gives the same bytes.
    signs = np.sign(directions[np.abs(directions).argmax(axis=0), np.arange(len(spread))])
    return np.asarray(directions * signs / np.sqrt(shrunk))
