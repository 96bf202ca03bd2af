"""Recipes: every choice between a window and a class probability, under one name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ecglens.backbones import Backbone
from ecglens.backbones.pooling import fitting
from ecglens.classifiers import make_classifier
from ecglens.errors import UsageError, suggest
from ecglens.features import RHYTHM, Output, outputs_of
from ecglens.images import IMAGE_PRESETS, ImageSettings
from ecglens.rhythm_features import RHYTHM_NAMES

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

_FALLBACK_STRIDES = (8, 16)


@dataclass(frozen=True)
class Recipe:
    """All settings of a classifier of windows but the network's weights.

    Attributes:
        name: of the recipe.
        image: how a window becomes an image.
        backbone: name of the network the recipe was made for.
        layers: layers of that network.
        pooling: poolings; every layer gets every one.
        head: name of the classifier (:func:`ecglens.make_classifier`).
        pca: components kept before the classifier; None keeps all features.
        head_params: parameters of the classifier.
        rhythm: whether the handmade measures (:mod:`ecglens.rhythm_features`) stand behind the
            pooled layers.
    """

    name: str
    image: ImageSettings
    backbone: str
    layers: tuple[str, ...]
    pooling: tuple[str, ...]
    head: str = "svm-rbf"
    pca: int | None = None
    head_params: Mapping[str, Any] = field(default_factory=dict)
    rhythm: bool = False

    def outputs(self) -> tuple[Output, ...]:
        """Return the layers and poolings to extract, and the handmade measures last."""
        return outputs_of(self.layers, self.pooling) + (RHYTHM,) * self.rhythm

    def classifier(self, *, random_state: int = 0) -> Pipeline:
        """Return the unfitted classifier."""
        return make_classifier(
            self.head, pca=self.pca, random_state=random_state, **self.head_params
        )

    def fit_to(self, backbone: Backbone) -> Recipe:
        """Return the recipe with layers that ``backbone`` has.

        A network of another make has other layer names; unless layers were named for it, the last
        layers at strides 8 and 16 stand in, and poolings have no more bands than their maps rows.
        """
        known = {layer.name for layer in backbone.layers}
        if backbone.name == self.backbone or set(self.layers) <= known:
            return replace(self, backbone=backbone.name)
        height = backbone.image_size[0]
        deepest = {height // layer.height: layer.name for layer in backbone.layers}
        layers = tuple(deepest[s] for s in _FALLBACK_STRIDES if s in deepest)
        layers = layers or (backbone.layers[-1].name,)
        least = min(map(backbone.layer, layers), key=lambda layer: (layer.height, layer.width))
        pooling = tuple(dict.fromkeys(fitting(name, least) for name in self.pooling))
        return replace(self, layers=layers, pooling=pooling, backbone=backbone.name)

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as JSON-ready values."""
        return {
            "name": self.name,
            "image": self.image.to_dict(),
            "backbone": self.backbone,
            "layers": list(self.layers),
            "pooling": list(self.pooling),
            "head": self.head,
            "pca": self.pca,
            "head_params": dict(self.head_params),
            "rhythm": self.rhythm,
        }

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Recipe:
        """Undo :meth:`to_dict`.

        Raises:
            UsageError: a key is unknown or missing.
        """
        known = [f.name for f in fields(cls)]
        for key in table:
            if key not in known:
                raise UsageError(f"unknown recipe setting {key!r}{suggest(key, known)}")
        try:
            return cls(
                **{
                    **table,
                    "image": ImageSettings.from_dict(table["image"]),
                    "layers": tuple(table["layers"]),
                    "pooling": tuple(table["pooling"]),
                }
            )
        except (KeyError, TypeError) as error:
            raise UsageError(f"a recipe setting is missing or wrong: {error}") from error


_IRREGULAR = (
    "nn_median_step", "nn_pnn10", "nn_rmssd", "nn_cosen", "nn_share", "rr_cosen", "rr_second_step",
    "rr_turning", "rr_lag1", "p_alike", "p_shared", "rhythm_peak", "contrast",
)  # fmt: skip

_DEFAULT = Recipe(
    name="default",
    image=IMAGE_PRESETS["default"],
    backbone="ecglens-s",
    layers=("transition1", "transition2"),
    pooling=("bands6", "bandstd6"),
    head="svm-memory",
    pca=64,
)

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "default": _DEFAULT,
        "fast": replace(
            _DEFAULT, name="fast", image=IMAGE_PRESETS["fast"], pooling=("bands4", "bandstd4")
        ),
        "fusion": Recipe(
            name="fusion",
            image=IMAGE_PRESETS["spectrogram"],
            backbone="ecglens-s",
            layers=("transition1", "transition2"),
            pooling=("meanstd", "bands4"),
            head="experts",
            pca=128,
            head_params={
                "n_measures": len(RHYTHM_NAMES),
                "few": [RHYTHM_NAMES.index(name) for name in _IRREGULAR],
            },
            rhythm=True,
        ),
        "salem2018": Recipe(
            name="salem2018",
            image=IMAGE_PRESETS["salem2018"],
            backbone="densenet161",
            layers=("transition2",),
            pooling=("mean",),
            head="svm-rbf",
            pca=128,
        ),
    }
)


def find_recipe(name: str) -> Recipe:
    """Return a recipe by name.

    Raises:
        UsageError: no such recipe.
    """
    if name not in RECIPES:
        raise UsageError(
            f"unknown recipe {name!r}{suggest(name, RECIPES)}; known are {', '.join(RECIPES)}"
        )
    return RECIPES[name]
