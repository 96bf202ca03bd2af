"""The learners of a learning curve: networks that saw pictures, none, handmade measures, all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ecglens.backbones import Backbone, load_backbone
from ecglens.errors import BackboneError, UsageError, suggest
from ecglens.features import RHYTHM
from ecglens.recipes import Recipe, find_recipe
from ecglens.steps import Steps, quiet
from ecglens.studies.learners import (
    HANDMADE_C,
    HANDMADE_GAMMA,
    Learner,
    handmade_classifier,
    network_classifier,
    recipe_learner,
)
from ecglens.studies.learning_plan import SCRATCH
from ecglens.studies.material import Describing
from ecglens.studies.signal_network import signals_for_network, torch_is_here
from ecglens.windows import Windows

NAMES = ("backbone", "imagenet", "random", "handmade", "fusion", SCRATCH)


@dataclass(frozen=True)
class Entry:
    """What may learn.

    Attributes:
        backbone: frozen network that comes with ecglens, or an ONNX file.
        imagenet: timm network with ImageNet weights; None leaves it out.
        weights: of the timm network, ``"imagenet"`` or a safetensors file.
        recipe: images, layers and head of the networks.
        fusion: the recipe of network and handmade measures together.
        network_steps: of the network that is trained from scratch.
        random_state: seed of random weights.
    """

    backbone: str = "ecglens-s"
    imagenet: str | None = None
    weights: str | Path = "imagenet"
    recipe: str = "default"
    fusion: str = "fusion"
    network_steps: int = 600
    random_state: int = 0


@dataclass(frozen=True)
class Entrants:
    """Learners, ready to learn.

    Attributes:
        learners: in the order of :data:`NAMES`.
        described: what their features were made with, JSON-ready.
        notes: which are missing and why.
    """

    learners: tuple[Learner, ...]
    described: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _Maker:
    windows: Windows
    entry: Entry
    describing: Describing
    steps: Steps

    def backbone(self) -> Learner:
        return self._frozen("backbone", *self._own(), "frozen")

    def imagenet(self) -> Learner:
        return self._frozen("imagenet", *self._pictures(self.entry.weights), "ImageNet, frozen")

    def random(self) -> Learner:
        """Return the ImageNet network without what it learnt, or else the backbone."""
        if self.entry.imagenet is None:
            return self._frozen("random", *self._own("random"), "random weights, frozen")
        return self._frozen("random", *self._pictures("random"), "random weights, frozen")

    def handmade(self) -> Learner:
        recipe, backbone = self._own()
        with self.steps("features: handmade") as step:
            features = self.describing.outputs(
                self.windows, (RHYTHM,), recipe.image, backbone, step
            )
        head = {"head": "svm-memory of ranks", "C": HANDMADE_C, "gamma": HANDMADE_GAMMA}
        return Learner("handmade", "handmade measures", features, head, handmade_classifier)

    def fusion(self) -> Learner:
        recipe, backbone = _fitted(find_recipe(self.entry.fusion), self.entry.backbone, self.entry)
        return self._learner(
            "fusion", f"{recipe.name} of {backbone.name} and measures", recipe, backbone
        )

    def cnn1d(self) -> Learner:
        steps = self.entry.network_steps
        return Learner(
            SCRATCH,
            "1-D network from scratch",
            signals_for_network(self.windows.X, self.windows.fs),
            {"steps": steps},
            network_classifier(steps),
        )

    def _own(self, weights: str = "imagenet") -> tuple[Recipe, Backbone]:
        recipe = images_alone(find_recipe(self.entry.recipe))
        return _fitted(recipe, self.entry.backbone, self.entry, weights)

    def _pictures(self, weights: str | Path) -> tuple[Recipe, Backbone]:
        recipe = images_alone(find_recipe(self.entry.recipe))
        return _fitted(recipe, str(self.entry.imagenet), self.entry, weights)

    def _frozen(self, name: str, recipe: Recipe, backbone: Backbone, said: str) -> Learner:
        return self._learner(name, f"{backbone.name}, {said}", recipe, backbone)

    def _learner(self, name: str, title: str, recipe: Recipe, backbone: Backbone) -> Learner:
        with self.steps(f"features: {name}") as step:
            features = self.describing.features(self.windows, recipe, backbone, step)
        return replace(recipe_learner(recipe, backbone, features), name=name, title=title)


def make_learners(
    windows: Windows,
    names: Sequence[str] | None = None,
    entry: Entry | None = None,
    describing: Describing | None = None,
    *,
    steps: Steps = quiet,
) -> Entrants:
    """Return learners with the features of all windows.

    Args:
        windows: labelled, readable windows.
        names: of :data:`NAMES`; None for all that can be had here.
        entry: networks and recipes.
        describing: what runs networks, and where features are kept.
        steps: told of progress.

    Raises:
        UsageError: a name is unknown.
        BackboneError: a network cannot be had.
    """
    entry = entry or Entry()
    if names is None:
        missing = _missing(entry)
        chosen = [name for name in NAMES if name not in missing]
    else:
        missing, chosen = {}, _checked(names, entry)
    maker = _Maker(windows, entry, describing or Describing(), steps)
    makers: Mapping[str, Callable[[], Learner]] = {name: getattr(maker, name) for name in NAMES}
    return Entrants(
        learners=tuple(makers[name]() for name in chosen),
        described={
            "recipe": entry.recipe,
            "backbone": entry.backbone,
            "imagenet": entry.imagenet,
            "network_steps": entry.network_steps,
        },
        notes=tuple(missing.values()),
    )


def images_alone(recipe: Recipe) -> Recipe:
    """Return a recipe without handmade measures, and with a head that needs none."""
    if not recipe.rhythm:
        return recipe
    return replace(recipe, rhythm=False, head="svm-memory", head_params={})


def _fitted(
    recipe: Recipe, name: str, entry: Entry, weights: str | Path = "imagenet"
) -> tuple[Recipe, Backbone]:
    """Return a network, and the recipe with its layers and image size."""
    size = (recipe.image.height, recipe.image.width)
    backbone = load_backbone(
        name, weights=weights, image_size=size, random_state=entry.random_state
    )
    height, width = backbone.image_size
    image = recipe.image.sized(height, width)
    return replace(recipe, image=image).fit_to(backbone), backbone


def _missing(entry: Entry) -> dict[str, str]:
    """Return the learners that cannot be had, and why."""
    missing = {}
    if entry.imagenet is None:
        missing["imagenet"] = (
            "no ImageNet network was named (--imagenet densenet121), so none is shown"
        )
    if entry.imagenet is None and entry.backbone.lower().endswith(".onnx"):
        missing["random"] = "an ONNX file has its own weights, so none with random ones is shown"
    if not torch_is_here():
        missing[SCRATCH] = (
            "torch is not installed (pip install 'ecglens[timm]'), so no network trained from "
            "scratch is shown"
        )
    return missing


def _checked(names: Sequence[str], entry: Entry) -> list[str]:
    for name in names:
        if name not in NAMES:
            raise UsageError(
                f"unknown learner {name!r}{suggest(name, NAMES)}; known are {', '.join(NAMES)}"
            )
    if "imagenet" in names and entry.imagenet is None:
        raise UsageError("learner 'imagenet' needs a network; name one (--imagenet densenet121)")
    if SCRATCH in names and not torch_is_here():
        raise BackboneError(
            f"learner {SCRATCH!r} needs torch; pip install 'ecglens[timm]', or leave it out"
        )
    return [name for name in NAMES if name in names]
