"""From labelled windows to a model, with all that is fitted on people the head had not seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone

from ecglens.backbones import Backbone, load_backbone
from ecglens.cache import FeatureStore
from ecglens.classifiers import calibrate, decisions_of, feature_space, temper
from ecglens.databases import name_of_record
from ecglens.decisions import DEFAULT_ALPHA, FeatureDistance, HeldOut, RejectRule, RhythmChange
from ecglens.decisions.rejecting import check_level
from ecglens.errors import WindowError
from ecglens.features import EngineSettings, Extractor, concatenate_outputs
from ecglens.models.model import RhythmModel
from ecglens.recipes import Recipe
from ecglens.threads import one_blas_core
from ecglens.windows import Windows

_CALIBRATION_FOLDS = 5


def train_model(
    windows: Windows,
    recipe: Recipe,
    backbone: Backbone | None = None,
    *,
    alpha: float | None = DEFAULT_ALPHA,
    smooth: bool = True,
    engine: EngineSettings | None = None,
    store: FeatureStore | None = None,
    random_state: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> RhythmModel:
    """Train a calibrated classifier on labelled windows: features, then :func:`fit_model`.

    ``backbone`` is a network prepared for images of the recipe's size; None means the recipe's own.

    Raises:
        BackboneError: the recipe's own network cannot be had.
        WindowError: windows without a label.
        EvaluationError: fewer than two classes, or too few subjects to calibrate.
        UnreadableWindowError: a window is flat or missing.
        UsageError: ``alpha`` is out of range.
    """
    if backbone is None:
        size = (recipe.image.height, recipe.image.width)
        backbone = load_backbone(recipe.backbone, image_size=size, random_state=random_state)
    recipe = recipe.fit_to(backbone)
    extractor = Extractor(
        backbone, recipe.outputs(), recipe.image, engine or EngineSettings(), store
    )
    features = concatenate_outputs(extractor.run(windows.X, windows.fs, progress=progress))
    return fit_model(
        windows,
        features,
        recipe,
        backbone,
        alpha=alpha,
        smooth=smooth,
        random_state=random_state,
    )


@one_blas_core()
def fit_model(
    windows: Windows,
    features: npt.NDArray[np.float32],
    recipe: Recipe,
    backbone: Backbone,
    *,
    alpha: float | None = DEFAULT_ALPHA,
    smooth: bool = True,
    random_state: int = 0,
) -> RhythmModel:
    """Fit head, calibration, abstention and rhythm change on features of the windows.

    The head is fitted on all windows. Its probabilities are calibrated, and the reject rule and
    the rhythm change fitted, on what subject-grouped cross-validation said of people the head had
    not seen; scaler, components and distance are fitted anew in every fold.

    Args:
        windows: labelled windows.
        features: float32, shape (n_windows, n_features), from the recipe's layers and poolings.
        recipe: images, layers, pooling and head.
        backbone: the network.
        alpha: share of each class's windows that may lose their class
            (:class:`ecglens.decisions.RejectRule`), over 0 and up to 0.5; None for a model that
            claims a class for every window.
        smooth: whether windows are read together (:class:`ecglens.decisions.RhythmChange`).
        random_state: seed of folds and head.

    Raises:
        WindowError: windows without a label.
        EvaluationError: fewer than two classes, or too few subjects to calibrate.
        UsageError: ``alpha`` is out of range.
    """
    _check_labels(windows)
    if alpha is not None:
        check_level(alpha, "alpha")
    n_splits = _calibration_folds(windows)
    head = calibrate(
        recipe.classifier(random_state=random_state),
        features,
        windows.labels,
        windows.subjects,
        n_splits=n_splits,
        random_state=random_state,
    )
    decided = _decisions(head, features, windows, alpha, smooth=smooth)
    return RhythmModel(
        classes=decided.rule.classes,
        fs=windows.fs,
        length_s=windows.length_s,
        recipe=recipe,
        backbone=backbone,
        head=head,
        card={
            **_card(windows, random_state),
            "calibration_folds": n_splits,
            **({} if decided.abstention is None else {"abstention": decided.abstention}),
        },
        reject_rule=decided.rule,
        rhythm_change=decided.change,
        distance=FeatureDistance.fit(feature_space(head, features), windows.labels),
    )


@dataclass(frozen=True)
class _Decisions:
    """When a window is claimed, how rhythms change, and what abstention costs, if it was fitted."""

    rule: RejectRule
    change: RhythmChange
    abstention: dict[str, Any] | None = None


def _decisions(
    head: Any,
    features: npt.NDArray[np.float32],
    windows: Windows,
    alpha: float | None,
    *,
    smooth: bool,
) -> _Decisions:
    """Fit what is asked for on people the head had not seen."""
    classes = tuple(str(label) for label in head.classes_)
    rule, change = RejectRule.never(classes), RhythmChange.none(classes, windows.length_s)
    if alpha is None and not smooth:
        return _Decisions(rule, change)
    held_out = hold_out(head, features, windows)
    abstention = None
    if alpha is not None:
        rule, abstention = held_out.rule(alpha), held_out.figures(alpha)
    if smooth:
        tracks = np.char.add(windows.databases, "\n")
        for names in (windows.records, "\n", windows.leads):
            tracks = np.char.add(tracks, names)
        change = RhythmChange.fit(held_out, rule, tracks, windows.start_s, windows.length_s)
    return _Decisions(rule, change, abstention)


def _check_labels(windows: Windows) -> None:
    if (windows.labels == "").any():
        raise WindowError(
            f"{int((windows.labels == '').sum())} of {len(windows)} windows have no label; "
            "training needs one on each"
        )


@one_blas_core()
def hold_out(head: Any, features: npt.NDArray[np.float32], windows: Windows) -> HeldOut:
    """Return what the folds of a calibrated head say of the people they leave out.

    Args:
        head: of :func:`ecglens.classifiers.calibrate`, on these very windows.
        features: shape (n_windows, n_features).
        windows: labelled windows.
    """
    probabilities = np.empty((len(features), len(head.classes_)))
    distances = np.empty(len(features))
    for train, test in head.cv:
        fitted = clone(head.estimator).fit(features[train], windows.labels[train])
        probabilities[test] = temper(head, decisions_of(fitted, features[test]))
        distance = FeatureDistance.fit(
            feature_space(fitted, features[train]), windows.labels[train]
        )
        distances[test] = distance.of(feature_space(fitted, features[test]))
    return HeldOut(
        classes=tuple(str(label) for label in head.classes_),
        probabilities=probabilities,
        distances=distances,
        labels=windows.labels,
        subjects=windows.subjects,
    )


def _calibration_folds(windows: Windows) -> int:
    """Return how many subject-wise folds the rarest class allows, 2 to 5."""
    people = [len(set(windows.subjects[windows.labels == name])) for name in windows.classes]
    return max(2, min(_CALIBRATION_FOLDS, *people))


def _card(windows: Windows, random_state: int) -> dict[str, Any]:
    def counts(values: npt.NDArray[np.str_]) -> dict[str, int]:
        names, n = np.unique(values, return_counts=True)
        return dict(zip(names.tolist(), n.tolist(), strict=True))

    return {
        "intended_use": "Research only. Not a medical device; not for diagnosis or treatment.",
        "windows": counts(windows.labels),
        "databases": counts(windows.databases),
        "subjects": sorted(set(windows.subjects.tolist())),
        "records": sorted(set(map(name_of_record, windows.databases, windows.records))),
        "holds": "feature vectors of training windows, as support vectors and neighbours do",
        "random_state": random_state,
    }
