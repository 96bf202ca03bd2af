"""A head of several experts: one sees the image features, two the handmade measures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import QuantileTransformer
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from ecglens.errors import UsageError
from ecglens.heads import MemorySVC

Floats = npt.NDArray[np.float64]

_QUANTILES = 200
_FARTHEST = 2.5
_LEAST = float(np.log(1e-3))


class ImagePCA(TransformerMixin, BaseEstimator):
    """Principal components of all columns but the last, which stay as they are.

    Args:
        n_components: components, as of scikit-learn's ``PCA``.
        kept: number of last columns that are no image features; at least 1.
        random_state: seed.

    Attributes:
        pca_: the fitted ``PCA``.
    """

    def __init__(
        self, n_components: int | float = 128, *, kept: int = 1, random_state: int | None = 0
    ) -> None:
        self.n_components = n_components
        self.kept = kept
        self.random_state = random_state

    def fit(self, X: npt.ArrayLike, y: object = None) -> Self:  # noqa: ARG002
        """Find the components.

        Raises:
            UsageError: there are no columns beside the ``kept``.
        """
        features = validate_data(self, X)
        check_kept(features.shape[1], self.kept, "ImagePCA")
        self.pca_ = PCA(self.n_components, random_state=self.random_state)
        self.pca_.fit(features[:, : -self.kept])
        return self

    def transform(self, X: npt.ArrayLike) -> Any:
        """Return the components and the kept columns, side by side."""
        check_is_fitted(self)
        features = validate_data(self, X, reset=False)
        found = self.pca_.transform(features[:, : -self.kept])
        return np.concatenate([found, features[:, -self.kept :]], axis=1)


class ExpertPool(ClassifierMixin, BaseEstimator):
    """Three experts whose log-probabilities are added, so that none decides alone.

    One machine (:class:`ecglens.heads.MemorySVC`) sees the image features, another the handmade
    measures, and a logistic regression a few of them: those of irregular rhythm without P waves,
    which hold for people unlike those of training where a machine of a hundred measures has learnt
    their QRS complexes instead. Measures are brought to a normal distribution by their ranks,
    held within 2.5 standard deviations: many have long tails. A logarithm below that of 0.001
    counts as that, so that one sure expert cannot overrule two. The votes of near twins of both
    machines are added as they are.

    Args:
        n_measures: number of last columns that are handmade measures.
        few: columns among them, from 0, that the logistic regression sees; the best are measures
            of irregularity and of P waves.
        C: penalty of the machine of image features.
        gamma: width of its kernel, as a multiple of scikit-learn's ``"scale"``.
        measures_C: penalty of the machine of measures.
        measures_gamma: width of its kernel.
        temperature: scores of the machines are divided by it before they become probabilities.
        votes: weight of near twins (:class:`ecglens.heads.MemorySVC`); 0 leaves them out.

    Attributes:
        classes_: sorted labels.
        image_: the machine of image features.
        ranks_: the ranks of the measures.
        measures_: the machine of measures.
        few_: the logistic regression.
    """

    def __init__(
        self,
        n_measures: int = 1,
        few: Sequence[int] = (0,),
        *,
        C: float = 10.0,
        gamma: float = 0.2,
        measures_C: float = 4.0,
        measures_gamma: float = 0.15,
        temperature: float = 0.3,
        votes: float = 20.0,
    ) -> None:
        self.n_measures = n_measures
        self.few = few
        self.C = C
        self.gamma = gamma
        self.measures_C = measures_C
        self.measures_gamma = measures_gamma
        self.temperature = temperature
        self.votes = votes

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:
        """Fit the three experts.

        Raises:
            UsageError: the columns do not fit ``n_measures`` and ``few``, or the temperature is
                not over 0.
        """
        features, labels = validate_data(self, X, y)
        check_classification_targets(labels)
        check_kept(features.shape[1], self.n_measures, "ExpertPool")
        few = list(self.few)
        if not few or not all(0 <= column < self.n_measures for column in few):
            raise UsageError(
                f"few of ExpertPool must name columns 0 to {self.n_measures - 1}, got {few}"
            )
        if not self.temperature > 0:
            raise UsageError(f"temperature of ExpertPool must be over 0, got {self.temperature}")
        self.image_ = MemorySVC(C=self.C, gamma=self.gamma, votes=self.votes, pairwise=False)
        self.image_.fit(features[:, : -self.n_measures], labels)
        self.ranks_ = QuantileTransformer(
            n_quantiles=min(_QUANTILES, len(features)),
            output_distribution="normal",
            random_state=0,
        ).fit(features[:, -self.n_measures :])
        ranked = self._ranked(features)
        self.measures_ = MemorySVC(
            C=self.measures_C, gamma=self.measures_gamma, votes=self.votes, pairwise=False
        )
        self.measures_.fit(ranked, labels)
        self.few_ = LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000)
        self.few_.fit(ranked[:, few], labels)
        self.classes_ = self.image_.classes_
        return self

    def decision_function(self, X: npt.ArrayLike) -> Floats:
        """Return scores: (n_windows, n_classes), or (n_windows,) for two classes."""
        check_is_fitted(self)
        features = validate_data(self, X, reset=False)
        image, ranked = features[:, : -self.n_measures], self._ranked(features)
        opinions = [
            self._opinion(self.image_.machine_.decision_function(image)),
            self._opinion(self.measures_.machine_.decision_function(ranked)),
            np.maximum(self.few_.predict_log_proba(ranked[:, list(self.few)]), _LEAST),
        ]
        scores = np.sum(opinions, axis=0) + self.image_.vote(image) + self.measures_.vote(ranked)
        if len(self.classes_) == 2:
            return np.asarray(scores[:, 1] - scores[:, 0])
        return np.asarray(scores)

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """Return the class of the highest score."""
        scores = self.decision_function(X)
        best = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
        return np.asarray(self.classes_[best])

    def _ranked(self, features: npt.NDArray[Any]) -> Floats:
        ranked = self.ranks_.transform(features[:, -self.n_measures :])
        return np.asarray(np.clip(ranked, -_FARTHEST, _FARTHEST))

    def _opinion(self, scores: Floats) -> Floats:
        """Return logarithms of probabilities of a machine's scores."""
        if scores.ndim == 1:
            scores = np.column_stack([-scores, scores])
        return np.asarray(np.maximum(log_softmax(scores / self.temperature, axis=1), _LEAST))


def check_kept(n_columns: int, kept: int, who: str) -> None:
    """Check that there are columns of both kinds.

    Raises:
        UsageError: ``kept`` is under 1 or leaves none.
    """
    if not 1 <= kept < n_columns:
        raise UsageError(
            f"{who} was told that {kept} of {n_columns} columns are handmade measures; "
            "it needs 1 or more of them and of the others"
        )
