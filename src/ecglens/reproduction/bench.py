"""What all parts of the experiment are measured with: windows, network, head, folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ecglens.backbones import Backbone, load_backbone
from ecglens.backbones.precision import resolve_precision
from ecglens.cache import FeatureStore
from ecglens.classifiers import make_classifier
from ecglens.errors import EvaluationError
from ecglens.evaluation import Evaluation, evaluate
from ecglens.features import EngineSettings, Extractor
from ecglens.images import ImageSettings
from ecglens.recipes import Recipe
from ecglens.reproduction.figures import Figures, Row
from ecglens.reproduction.gathering import Gathered
from ecglens.reproduction.settings import ReproductionSettings
from ecglens.reproduction.stages import Stages, fingerprint
from ecglens.reproduction.telling import Telling
from ecglens.threads import one_blas_core
from ecglens.windows import Windows

Features = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Bench:
    """What is given before anything is measured.

    Attributes:
        settings: what was asked for.
        recipe: the preset with the network's own image size.
        backbone: the network.
        gathered: the windows.
        stages: results on disk.
        store: features on disk.
        telling: told of progress.
    """

    settings: ReproductionSettings
    recipe: Recipe
    backbone: Backbone
    gathered: Gathered
    stages: Stages
    store: FeatureStore
    telling: Telling

    def features(
        self,
        windows: Windows,
        layers: Sequence[str],
        title: str,
        *,
        backbone: Backbone | None = None,
        image: ImageSettings | None = None,
    ) -> dict[str, Features]:
        """Return the averaged maps of some layers, all of them in one pass."""
        extractor = Extractor(
            backbone=backbone or self.backbone,
            outputs=[(layer, "mean") for layer in layers],
            image=image or self.recipe.image,
            engine=EngineSettings(),
            store=self.store,
        )
        with self.telling.steps(title) as step:
            found = extractor.run(windows.X, windows.fs, progress=step)
        return {layer: rows for (layer, _), rows in found.items()}

    def classifier(self, n_windows: int, n_features: int) -> Any:
        """Return the preset's head, with no more components than there can be."""
        pca = min(self.recipe.pca or n_features, n_features, n_windows)
        seed = self.settings.random_state
        return make_classifier(self.recipe.head, pca=pca, random_state=seed)

    def evaluate(
        self, features: Features, windows: Windows, title: str, **changes: Any
    ) -> Evaluation:
        """Cross-validate the head, by default in both protocols."""
        n_splits = changes.pop("n_splits", self.settings.n_splits)
        smallest = len(windows) // 2  # the training part of two folds
        with self.telling.steps(title) as step, one_blas_core():
            return evaluate(
                features,
                changes.pop("labels", windows.labels),
                windows.subjects,
                databases=windows.databases,
                classifier=self.classifier(smallest, features.shape[1]),
                n_splits=n_splits,
                n_bootstrap=self.settings.n_bootstrap,
                random_state=self.settings.random_state,
                progress=step,
                **changes,
            )

    def inputs(self, windows: Windows, **more: Any) -> dict[str, Any]:
        """Return all that decides a result, JSON-ready: the settings and what is given."""
        return {
            "windows": fingerprint(windows),
            "recipe": {**self.recipe.to_dict(), "layers": []},
            "backbone": self.backbone.sha256,
            "precision": resolve_precision("openvino", "auto"),
            "folds": self.settings.n_splits,
            "bootstrap": self.settings.n_bootstrap,
            "random_state": self.settings.random_state,
            **more,
        }


def open_network(settings: ReproductionSettings) -> tuple[Recipe, Backbone]:
    """Return the preset with the network's image size and layers, and the network.

    Raises:
        BackboneError: the network, its weights or a layer cannot be had.
    """
    recipe = settings.recipe
    backbone = load_backbone(
        recipe.backbone,
        weights=settings.weights,
        image_size=(recipe.image.height, recipe.image.width),
        random_state=settings.random_state,
    )
    height, width = backbone.image_size
    names = tuple(layer.name for layer in backbone.layers)
    layers = settings.layers or names
    for name in layers:
        backbone.layer(name)
    in_order = tuple(name for name in names if name in layers)
    image = recipe.image.sized(height, width)
    return replace(recipe, image=image, layers=in_order, backbone=backbone.name), backbone


def two_rows(key: str, evaluation: Evaluation) -> list[Row]:
    """Return a row for each protocol of an evaluation."""
    return [
        Row(f"{key}/{name}", result.short_title, Figures.of(result, evaluation.notes))
        for name, result in evaluation.results.items()
    ]


def both_protocols(
    bench: Bench, key: str, title: str, features: Features, windows: Windows, **changes: Any
) -> list[Row]:
    """Cross-validate in both protocols; the subject-wise one may have too few people."""
    try:
        return two_rows(key, bench.evaluate(features, windows, title, **changes))
    except EvaluationError as error:
        changes["protocols"] = ("pooled",)
        pooled = two_rows(key, bench.evaluate(features, windows, title, **changes))
        return [*pooled, Row(f"{key}/subject", "subject-wise", None, str(error))]
