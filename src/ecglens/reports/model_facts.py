"""What the files of a prediction say of the model that made it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ecglens import __version__
from ecglens.images import ImageSettings
from ecglens.models import RhythmModel, find_model


@dataclass(frozen=True)
class ModelFacts:
    """A model in words and figures.

    Attributes:
        name: of the model, such as its file.
        card: on whom and on what it was trained, JSON-ready; see ``RhythmModel.card``.
        image: how a window becomes the image that reports show.
        method: recipe and network, in a few words.
        thresholds: by name, what decides on a claim: a number, or one for each class.
        sha256: of the model's file, ``""`` where there is none.
        version: of ecglens.
    """

    name: str
    card: Mapping[str, Any] = field(default_factory=dict)
    image: ImageSettings = field(default_factory=ImageSettings)
    method: str = ""
    thresholds: Mapping[str, float | Mapping[str, float]] = field(default_factory=dict)
    sha256: str = ""
    version: str = __version__

    @classmethod
    def of(cls, model: RhythmModel, path: str | Path | None = None) -> ModelFacts:
        """Return the facts of a model, and of its file where it has one.

        Raises:
            OSError: the file cannot be read.
        """
        sha256 = ""
        if path is not None:
            with find_model(path).open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        recipe, backbone = model.recipe, model.backbone
        return cls(
            name=recipe.name if path is None else Path(path).name,
            card=model.card,
            image=recipe.image,
            method=f"{recipe.name}, {backbone.name} ({backbone.weights}), {recipe.head}",
            thresholds=_thresholds(model),
            sha256=sha256,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return what ``summary.json`` says: without the card, which the model file holds."""
        return {
            "name": self.name,
            "method": self.method,
            "sha256": self.sha256 or None,
            "thresholds": dict(self.thresholds),
            "ecglens": self.version,
        }


def _thresholds(model: RhythmModel) -> dict[str, float | Mapping[str, float]]:
    """Return what decides on a claim, without what this model does not limit."""
    rule, change = model.reject_rule, model.rhythm_change
    named: dict[str, float | Mapping[str, float]] = {}
    if rule.thresholds:
        named["alpha"] = rule.alpha
        named["min_probability"] = dict(zip(rule.classes, rule.thresholds, strict=True))
    if rule.max_distance is not None:
        named["max_distance"] = rule.max_distance
    if change.weight:
        # Behind the classes comes what is none of them.
        named["min_duration_s"] = dict(zip(change.classes, change.min_s, strict=False))
    return named
