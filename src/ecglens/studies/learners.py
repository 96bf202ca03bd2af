"""What learns in a study: a description of the windows, and the classifier on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import QuantileTransformer
from sklearn.utils.validation import check_is_fitted, validate_data

from ecglens.backbones import Backbone
from ecglens.classifiers import pca_components
from ecglens.errors import EvaluationError
from ecglens.evaluation import check_no_leak
from ecglens.heads import MemorySVC
from ecglens.recipes import Recipe
from ecglens.studies.cells import Cells, cell_key
from ecglens.studies.signal_network import SignalNetwork
from ecglens.threads import one_blas_core
from ecglens.windows import Windows

Index = npt.NDArray[np.int64]
MakeClassifier = Callable[[int, int], Any]

HANDMADE_C, HANDMADE_GAMMA = 4.0, 0.15
"""Of the support vector machine of handmade measures."""

_QUANTILES = 200
_FARTHEST = 2.5


@dataclass(frozen=True, eq=False)
class Learner:
    """One way to learn from windows.

    Attributes:
        name: a short one.
        title: in words.
        features: description of all windows, float32, shape (n_windows, n_features).
        settings: what decides the classifier beside the features, JSON-ready.
        classifier: called with the number of training windows and a seed, returns it unfitted.
    """

    name: str
    title: str
    features: npt.NDArray[np.float32]
    settings: dict[str, Any]
    classifier: MakeClassifier

    @cached_property
    def identity(self) -> str:
        """A name for all that decides what it learns from given windows."""
        return cell_key(self.features, self.settings)

    @one_blas_core()
    def answers(
        self, labels: npt.NDArray[np.str_], train: Index, test: Index, seed: int, where: str
    ) -> list[str]:
        """Learn from the training windows and return what is said of the test windows.

        Raises:
            EvaluationError: the classifier refuses the training windows.
        """
        try:
            fitted = self.classifier(len(train), seed).fit(self.features[train], labels[train])
        except ValueError as error:
            raise EvaluationError(
                f"{where}: {self.title} refused {len(train)} training windows: {error}; use fewer "
                "folds or more people"
            ) from error
        return [str(label) for label in fitted.predict(self.features[test])]


def learnt_answers(
    cells: Cells,
    learner: Learner,
    windows: Windows,
    train: Index,
    test: Index,
    where: str,
    seed: int = 0,
) -> Index:
    """Return the class numbers that a learner gives to test windows, kept from one run to another.

    Args:
        cells: what is known already.
        learner: with features of all windows.
        windows: labelled windows.
        train: indices to learn from.
        test: indices to answer.
        where: the fold, for messages.
        seed: of the learner.

    Returns:
        For each test window a place in ``windows.classes``.

    Raises:
        LeakError: a person is on both sides.
        EvaluationError: the classifier refuses the training windows.
    """
    check_no_leak(windows.subjects, train, test, where)

    def compute() -> list[int]:
        said = learner.answers(windows.labels, train, test, seed, where)
        return [int(code) for code in np.searchsorted(windows.classes, said)]

    key = cell_key("answers", learner.identity, windows.labels, train, test, seed)
    return np.asarray(cells.get(key, compute), dtype=np.int64)


def recipe_learner(
    recipe: Recipe, backbone: Backbone, features: npt.NDArray[np.float32]
) -> Learner:
    """Return a recipe on a network as a learner."""
    return Learner(
        name="recipe",
        title=f"{recipe.name} on {backbone.name}",
        features=features,
        settings={"recipe": recipe.to_dict(), "weights": backbone.sha256},
        classifier=recipe_classifier(recipe, features.shape[1]),
    )


def recipe_classifier(recipe: Recipe, n_features: int) -> MakeClassifier:
    """Return a maker of a recipe's classifier, with no more components than windows allow.

    Args:
        recipe: the recipe.
        n_features: length of a window's vector.
    """

    def make(n_windows: int, seed: int) -> Any:
        classifier = recipe.classifier(random_state=seed)
        wanted = pca_components(classifier)
        if wanted is None:
            return classifier
        kept = getattr(classifier.named_steps["pca"], "kept", 0)
        most = max(1, min(n_windows - 1, n_features - kept))
        return classifier.set_params(pca__n_components=min(wanted, most))

    return make


def handmade_classifier(n_windows: int, seed: int) -> Pipeline:  # noqa: ARG001
    """Return a classifier of the handmade measures alone: that of the recipe ``fusion``'s expert.

    Measures are brought to a normal distribution by their ranks; a broad support vector machine
    with the memory of the other recipes decides.

    Args:
        n_windows: of training.
        seed: nothing in it is drawn.
    """
    return Pipeline(
        [
            ("ranks", NormalRanks(min(_QUANTILES, n_windows))),
            ("head", MemorySVC(C=HANDMADE_C, gamma=HANDMADE_GAMMA)),
        ]
    )


class NormalRanks(TransformerMixin, BaseEstimator):
    """Features brought to a normal distribution by rank, held within 2.5 standard deviations.

    Args:
        n_quantiles: of scikit-learn's ``QuantileTransformer``.

    Attributes:
        ranks_: the fitted transformer.
    """

    def __init__(self, n_quantiles: int = _QUANTILES) -> None:
        self.n_quantiles = n_quantiles

    def fit(self, X: npt.ArrayLike, y: object = None) -> Self:  # noqa: ARG002
        """Learn the ranks."""
        self.ranks_ = QuantileTransformer(
            n_quantiles=self.n_quantiles, output_distribution="normal", random_state=0
        ).fit(validate_data(self, X))
        return self

    def transform(self, X: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the ranks as a normal distribution has them."""
        check_is_fitted(self)
        ranked = self.ranks_.transform(validate_data(self, X, reset=False))
        return np.asarray(np.clip(ranked, -_FARTHEST, _FARTHEST), dtype=np.float64)


def network_classifier(n_steps: int) -> MakeClassifier:
    """Return a maker of networks trained from scratch."""
    return lambda _n_windows, seed: SignalNetwork(n_steps=n_steps, random_state=seed)
