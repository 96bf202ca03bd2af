"""Training, with all that the model's card says of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone

from ecglens.backbones import Backbone, load_backbone
from ecglens.cache import FeatureStore
from ecglens.classifiers import decisions_of, feature_space, temper
from ecglens.decisions import FeatureDistance
from ecglens.evaluation import Evaluation, evaluate
from ecglens.features import EngineSettings, Extractor, concatenate_outputs
from ecglens.models import RhythmModel, fit_model
from ecglens.quality import measure_quality
from ecglens.recipes import Recipe, find_recipe
from ecglens.windows import Windows
from tools.rhythm4.card import card_of
from tools.rhythm4.data import NO_AMPLITUDES, people_of

Floats = npt.NDArray[np.float32]
Steps = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]

FOLDS = 10
ALPHA = 0.2


@dataclass(frozen=True)
class Features:
    """Makes the features of a recipe; in fp32, which every processor computes alike."""

    recipe: Recipe
    backbone: Backbone
    store: FeatureStore

    @classmethod
    def of(cls, recipe: str, cache: Path) -> Features:
        """Open a recipe by name and its network."""
        found = find_recipe(recipe)
        size = (found.image.height, found.image.width)
        backbone = load_backbone(found.backbone, image_size=size)
        return cls(found.fit_to(backbone), backbone, FeatureStore(cache))

    def __call__(self, windows: Windows, progress: Callable[[int, int], None]) -> Floats:
        """Return the features of windows."""
        extractor = Extractor(
            self.backbone,
            self.recipe.outputs(),
            self.recipe.image,
            EngineSettings(precision="fp32"),
            self.store,
        )
        return concatenate_outputs(extractor.run(windows.X, windows.fs, progress=progress))


def train(
    windows: Windows,
    others: Windows | None,
    make: Features,
    trained: Mapping[str, str],
    steps: Steps,
    *,
    random_state: int = 0,
) -> tuple[RhythmModel, Evaluation]:
    """Evaluate and train, and write down on the model's card what is known of it.

    Args:
        windows: to train on.
        others: of rhythms that are no class, None where there are none.
        make: features.
        trained: when, from which revision and from what, for the card.
        steps: told of progress.
        random_state: seed of everything.
    """
    with steps("features") as step:
        features = make(windows, step)
    with steps("evaluation") as step:
        evaluation = evaluate(
            features,
            windows.labels,
            windows.subjects,
            databases=windows.databases,
            classifier=make.recipe.classifier(random_state=random_state),
            n_splits=FOLDS,
            random_state=random_state,
            progress=step,
        )
    with steps("training"):
        model = fit_model(
            windows, features, make.recipe, make.backbone, alpha=ALPHA, random_state=random_state
        )
    strange: list[dict[str, Any]] = []
    if others is not None:
        with steps("other rhythms") as step:
            strange = say_of_others(model, windows, features, others, make(others, step))
    card = card_of(windows, evaluation, strange, trained)
    card |= {"subjects": people_of(windows), "refused": refused_of_classes(windows)}
    return replace(model, card={**model.card, **card}), evaluation


def say_of_others(
    model: RhythmModel, windows: Windows, features: Floats, others: Windows, strange: Floats
) -> list[dict[str, Any]]:
    """Return what is said of windows of other rhythms, of people left out, each by itself.

    The folds are those of the model's calibration; people of none fall to the first. As in
    prediction, windows whose signal is refused are not judged.

    Args:
        model: trained on all.
        windows: that it was trained on.
        features: of these.
        others: of rhythms that are no class, in mV.
        strange: features of these.

    Returns:
        A row for each rhythm: windows, people, shares claimed for each class or for none, and of
        those for none the shares that are refused for their signal, by reason.
    """
    refused = measure_quality(others.X, others.fs, in_mv=True).reasons
    said = np.full(len(others), "", dtype="U16")
    for number, (train_part, test) in enumerate(model.head.cv):
        away = set(windows.subjects[test].tolist())
        if number == 0:
            away |= set(others.subjects.tolist()) - set(windows.subjects.tolist())
        mine = np.isin(others.subjects, sorted(away))
        if mine.any():
            labels = windows.labels[train_part]
            said[mine] = _judge(model, features[train_part], labels, strange[mine])
    said[refused != ""] = ""
    rows = []
    for rhythm in others.classes:
        of_it = others.labels == rhythm
        shares = {name: float((said[of_it] == name).mean()) for name in (*model.classes, "")}
        rows.append(
            {
                "rhythm": rhythm,
                "n_windows": int(of_it.sum()),
                "n_subjects": len(np.unique(others.subjects[of_it])),
                "claimed": {name: shares[name] for name in model.classes},
                "not_claimed": shares[""],
                "refused": shares_of(refused[of_it]),
            }
        )
    return rows


def shares_of(refused: npt.NDArray[np.str_]) -> dict[str, float]:
    """Return the share of windows that are refused for their signal, by reason."""
    reasons = [str(reason) for reason in np.unique(refused) if reason]
    return {reason: float((refused == reason).mean()) for reason in reasons}


def refused_of_classes(windows: Windows) -> dict[str, dict[str, float]]:
    """Return the shares of a class's windows that prediction refuses for their signal, by reason.

    Those of PTB-XL have no amplitudes, so that none of them can be called silent.
    """
    refused = measure_quality(
        windows.X, windows.fs, in_mv=~np.isin(windows.databases, NO_AMPLITUDES)
    ).reasons
    return {name: shares_of(refused[windows.labels == name]) for name in windows.classes}


def _judge(
    model: RhythmModel, features: Floats, labels: npt.NDArray[np.str_], judged: Floats
) -> npt.NDArray[np.str_]:
    """Return the class that each judged window is claimed for, ``""`` for none."""
    fitted = clone(model.head.estimator).fit(features, labels)
    p = temper(model.head, decisions_of(fitted, judged))
    distance = FeatureDistance.fit(feature_space(fitted, features), labels)
    reasons = model.reject_rule.judge(p, distance.of(feature_space(fitted, judged)))
    names = np.array(model.classes)[model.reject_rule.claimed(p)]
    return np.where(reasons == "", names, "")


def hash_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
