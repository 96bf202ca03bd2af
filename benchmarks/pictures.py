"""Pictures, poolings and heads that were tried for new people, as a Markdown table.

    python benchmarks/pictures.py --data rhythm4_visible.npz --only correlogram
    python benchmarks/pictures.py --data rhythm4_visible.npz --confirm --only "default recipe"

Each row changes the recipe ``default`` in one place. Its head has no votes, which vanish for new
people, and scores by pairs won, as it did when the recipe was chosen. Figures are the mean of
three subject-wise ten-fold runs on the two thirds of the people on whom choices are made
(``studies.py``); ``--confirm`` adds the third that was kept apart, and all people. Features are
kept in the cache, so a second run is quick.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from ecglens.backbones import load_backbone
from ecglens.cache import FeatureStore
from ecglens.features import EngineSettings, Extractor, concatenate_outputs
from ecglens.files import cache_folder
from ecglens.images import ImageSettings
from ecglens.recipes import Recipe, find_recipe
from ecglens.windows import Windows
from rhythm4 import read_rhythm4, readable
from studies import SEEDS, Index, row, scores_of, split_people, subject_folds

Features = npt.NDArray[np.float32]
Fitted = Any
Fit = Callable[[Recipe, Features, Windows, Index], Fitted]
"""Recipe, features and windows of all, and those to fit on, to what predicts."""


@dataclass(frozen=True)
class Variant:
    """One change of the default recipe.

    Attributes:
        name: what is changed.
        image: settings of the image.
        recipe: of the rest.
        seconds: length of the windows, cut from their middle.
        adapt: what is done to all features first, without labels.
        fit: how a head is fitted; by default as the recipe says.
    """

    name: str
    image: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    seconds: float | None = None
    adapt: Callable[[Features, Windows], Features] | None = None
    fit: Fit | None = None


def as_recipe_says(recipe: Recipe, X: Features, windows: Windows, train: Index) -> Fitted:
    """Fit the recipe's own classifier."""
    return recipe.classifier().fit(X[train], windows.labels[train])


def weighed(*groups: str) -> Fit:
    """Return a fit in which every group of windows weighs the same, whatever its size."""

    def fit(recipe: Recipe, X: Features, windows: Windows, train: Index) -> Fitted:
        keys = np.array(["|".join(parts) for parts in zip(*_columns(windows, groups), strict=True)])
        _, group, sizes = np.unique(keys[train], return_inverse=True, return_counts=True)
        weights = 1.0 / sizes[group]
        return Weighed(recipe).fit(X[train], windows.labels[train], weights / weights.mean())

    return fit


def _columns(windows: Windows, names: tuple[str, ...]) -> list[npt.NDArray[np.str_]]:
    return [getattr(windows, name) for name in names]


class Weighed(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """The recipe's scaler, components and machine, with weights for windows."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe

    def fit(self, X: Features, y: npt.NDArray[np.str_], weights: npt.NDArray[np.float64]) -> Any:
        """Fit with weights; classes are balanced on top."""
        self.steps_ = Pipeline(
            [("scale", StandardScaler()), ("pca", PCA(self.recipe.pca, random_state=0))]
        )
        space = self.steps_.fit_transform(X)
        gamma = 0.2 / (space.var() * space.shape[1])
        counts = {name: weights[y == name].sum() for name in np.unique(y)}
        class_weight = {name: len(y) / (len(counts) * count) for name, count in counts.items()}
        self.machine_ = SVC(C=10.0, gamma=gamma, class_weight=class_weight)
        self.machine_.fit(space, y, sample_weight=weights)
        return self

    def predict(self, X: Features) -> npt.NDArray[np.str_]:
        """Return the classes."""
        return np.asarray(self.machine_.predict(self.steps_.transform(X)))


def layers_apart(recipe: Recipe, X: Features, windows: Windows, train: Index) -> Fitted:
    """Fit a head for each half of the features: an ensemble over layers."""
    return Together(recipe).fit(X[train], windows.labels[train])


class Together(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Heads of each layer, their log-probabilities added."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe

    def fit(self, X: Features, y: npt.NDArray[np.str_]) -> Any:
        """Fit a head on each layer; the second has twice the channels of the first."""
        third = X.shape[1] // 3
        self.parts_ = [slice(0, third), slice(third, None)]
        self.heads_ = [self.recipe.classifier().fit(X[:, part], y) for part in self.parts_]
        return self

    def predict(self, X: Features) -> npt.NDArray[np.str_]:
        """Return the classes."""
        told = [
            log_softmax(head.decision_function(X[:, part]) / 0.3, axis=1)
            for head, part in zip(self.heads_, self.parts_, strict=True)
        ]
        return np.asarray(self.heads_[0].classes_[np.sum(told, axis=0).argmax(axis=1)])


def standardised(*groups: str) -> Callable[[Features, Windows], Features]:
    """Return a change that gives every group mean 0 and deviation 1, test windows included."""

    def adapt(X: Features, windows: Windows) -> Features:
        found = X.copy()
        keys = np.array(["|".join(parts) for parts in zip(*_columns(windows, groups), strict=True)])
        level, spread = X.mean(axis=0), X.std(axis=0) + 1e-6
        for key in np.unique(keys):
            mine = keys == key
            if mine.sum() >= 5:  # fewer windows have no statistics of their own
                found[mine] = (X[mine] - X[mine].mean(axis=0)) / (X[mine].std(axis=0) + 1e-6)
            else:
                found[mine] = (X[mine] - level) / spread
        return found

    return adapt


def centred(X: Features, windows: Windows) -> Features:
    """Add the features less their mean over the record (five windows or more) to themselves."""
    less = X - X.mean(axis=0)
    for record in np.unique(windows.records):
        mine = windows.records == record
        if mine.sum() >= 5:
            less[mine] = X[mine] - X[mine].mean(axis=0)
    return np.concatenate([X, less], axis=1)


PLAIN = {"height": 128, "correlogram_rows": 0}
VARIANTS = (
    Variant("default recipe"),
    Variant("spectrogram alone", PLAIN, {"pooling": ("bands4", "bandstd4")}),
    Variant(
        "spectrogram alone, meanstd and bands4, 128 components (default until then)",
        PLAIN,
        {"pooling": ("meanstd", "bands4"), "pca": 128},
    ),
    Variant("meanstd and bands6", recipe={"pooling": ("meanstd", "bands6")}),
    Variant("bands6 alone", recipe={"pooling": ("bands6",)}),
    Variant("bandstd6 alone", recipe={"pooling": ("bandstd6",)}),
    Variant("bands12 and bandstd12", recipe={"pooling": ("bands12", "bandstd12")}),
    Variant("bands3 and bandstd3", recipe={"pooling": ("bands3", "bandstd3")}),
    Variant("correlogram alone", {"height": 80}, {"pooling": ("bands5", "bandstd5")}),
    Variant(
        "correlogram of 32 rows",
        {"height": 160, "correlogram_rows": 32},
        {"pooling": ("bands5", "bandstd5")},
    ),
    Variant(
        "correlogram beside 64 rows of spectrogram",
        {"height": 128},
        {"pooling": ("bands4", "bandstd4")},
    ),
    Variant(
        "correlogram beside 96 rows of spectrogram",
        {"height": 160},
        {"pooling": ("bands5", "bandstd5")},
    ),
    Variant("correlogram, 96 columns", {"width": 96}),
    Variant("correlogram, stretches of 0.7 s", {"correlogram_window_s": 0.7}),
    Variant("correlogram, stretches of 1.5 s", {"correlogram_window_s": 1.5}),
    Variant("correlogram, stretches of 2 s", {"correlogram_window_s": 2.0}),
    Variant("correlogram, lags to 1.6 s", {"correlogram_lag_s": (0.2, 1.6)}),
    Variant("correlogram, lags to 2.6 s", {"correlogram_lag_s": (0.12, 2.6)}),
    Variant("32 components", recipe={"pca": 32}),
    Variant("48 components", recipe={"pca": 48}),
    Variant("96 components", recipe={"pca": 96}),
    Variant("128 components", recipe={"pca": 128}),
    Variant("192 components", recipe={"pca": 192}),
    Variant("kernel half as wide", recipe={"head_params": {"gamma": 0.4}}),
    Variant("kernel twice as wide", recipe={"head_params": {"gamma": 0.1}}),
    Variant("C = 3", recipe={"head_params": {"C": 3.0}}),
    Variant("C = 30", recipe={"head_params": {"C": 30.0}}),
    Variant("margins of pairs of classes", recipe={"head_params": {"pairwise": True}}),
    Variant("head logistic, C = 0.01", recipe={"head": "logistic", "head_params": {"C": 0.01}}),
    Variant("head lda", recipe={"head": "lda"}),
    Variant("transition1 alone", recipe={"layers": ("transition1",)}),
    Variant("transition2 alone", recipe={"layers": ("transition2",)}),
    Variant("a head for each layer, log-probabilities added", fit=layers_apart),
    Variant(
        "temporal pyramid: time2 and time4 beside",
        recipe={"pooling": ("bands6", "bandstd6", "time2", "time4")},
    ),
    Variant(
        "frames of 0.256, 0.448 and 0.768 s in three channels", {"stft_s": (0.256, 0.448, 0.768)}
    ),
    Variant("windows of 5 s", seconds=5.0),
    Variant("windows weigh 1 / those of their person", fit=weighed("subjects")),
    Variant(
        "windows weigh 1 / those of their database and class", fit=weighed("databases", "labels")
    ),
    Variant("features standardised by person", adapt=standardised("subjects")),
    Variant("features standardised by database", adapt=standardised("databases")),
    Variant("features less the mean of their record beside", adapt=centred),
)


def recipe_of(variant: Variant) -> Recipe:
    """Return the default recipe with one change."""
    recipe = find_recipe("default")
    changes = dict(variant.recipe)
    if changes.get("head", recipe.head) == recipe.head:
        changes["head_params"] = {"votes": 0.0, "pairwise": False} | changes.get("head_params", {})
    image = ImageSettings.from_dict({**recipe.image.to_dict(), **variant.image})
    return replace(recipe, image=image, **changes)


def features_of(recipe: Recipe, windows: Windows, seconds: float | None) -> Features:
    """Return the features of all windows by ``ecglens-s`` in fp32."""
    X = windows.X
    if seconds is not None:
        n = round(seconds * windows.fs)
        start = (X.shape[1] - n) // 2
        X = np.ascontiguousarray(X[:, start : start + n])
    size = (recipe.image.height, recipe.image.width)
    extractor = Extractor(
        load_backbone("ecglens-s", image_size=size),
        recipe.outputs(),
        recipe.image,
        EngineSettings(precision="fp32"),
        FeatureStore(cache_folder() / "features"),
    )
    return concatenate_outputs(extractor.run(X, windows.fs))


def scored(
    fit: Fit, recipe: Recipe, X: Features, windows: Windows, index: Index
) -> npt.NDArray[np.float64]:
    """Return the scores of each seed, (3, 6)."""
    rows = []
    for seed in SEEDS:
        said = windows.labels.copy()
        for train, test in subject_folds(windows, index, seed):
            said[test] = fit(recipe, X, windows, train).predict(X[test])
        rows.append(scores_of(windows.labels[index], said[index]))
    return np.array(rows)


def rows_of(variant: Variant, windows: Windows, confirm: bool) -> list[str]:
    """Return the lines of one variant."""
    recipe, fit = recipe_of(variant), variant.fit or as_recipe_says
    X = features_of(recipe, windows, variant.seconds)
    if variant.adapt is not None:
        X = variant.adapt(X, windows)
    chosen, kept = split_people(windows)
    scores = scored(fit, recipe, X, windows, chosen)
    lines = [row(variant.name, "two thirds, mean of 3", scores.mean(axis=0))]
    if confirm:
        said = fit(recipe, X, windows, chosen).predict(X[kept])
        lines.append(
            row(variant.name, "the third", np.array(scores_of(windows.labels[kept], said)))
        )
        scores = scored(fit, recipe, X, windows, np.arange(len(windows)))
        seeds = " ".join(f"{value:.4f}" for value in scores[:, 0])
        lines.append(row(variant.name, f"all, seeds {seeds}", scores.mean(axis=0)))
    return lines


def main() -> int:
    """Print the table, a line at a time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", help="rows whose name holds this text")
    parser.add_argument("--confirm", action="store_true", help="score the third and all people too")
    args = parser.parse_args()
    windows = readable(read_rhythm4(args.data))
    print("| change | people | macro-F1 | accuracy | sensitivity N AF VF ST |")
    print("|---|---|---|---|---|")
    for variant in VARIANTS:
        if args.only is None or args.only in variant.name:
            print("\n".join(rows_of(variant, windows, args.confirm)), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
