"""Exact class activation, where the score is linear in averaged feature maps.

Zhou et al. 2016 (arXiv 1512.04150): if a score is a weighted sum of averages over feature maps, it
is as well the average of the weighted sum of the maps, and that one has places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from ecglens.backbones import Backbone
from ecglens.backbones.pooling import pooled_size, unpool
from ecglens.explanation.scores import temperature_of
from ecglens.features import Output

Floats = npt.NDArray[np.float64]
MapWeights = Mapping[str, tuple[Floats, Floats]]
"""By layer, the weight of every point of every map, (C, h, w), and what is taken off, (h, w)."""

_LINEAR_HEADS = (LinearSVC, LogisticRegression, LinearDiscriminantAnalysis)


def linear_score(head: Any, column: int) -> tuple[Floats, Floats] | None:
    """Return the weights of a class's score and the features at which they are counted from.

    The score (:func:`ecglens.explanation.scores.score_of`) is exactly
    ``weights @ (features - centre)`` more than the score of the centre.

    Args:
        head: a fitted, calibrated classifier of :func:`ecglens.classifiers.calibrate`.
        column: of the class.

    Returns:
        Weights and centre, shape (n_features,); the centre is the average training window. None
        where the score is not linear in the features.
    """
    inner = temperature_of(head)
    if inner is None:
        return None
    pipeline, beta = inner
    if not isinstance(pipeline, Pipeline) or not isinstance(pipeline[-1], _LINEAR_HEADS):
        return None
    weights = _contrast(pipeline[-1].coef_, column) * beta
    centre = np.zeros_like(weights)
    for step in [step for _, step in pipeline.steps[-2::-1]]:
        if isinstance(step, PCA) and not step.whiten:
            components = step.components_.astype(np.float64)
            weights, centre = weights @ components, centre @ components + step.mean_
        elif isinstance(step, StandardScaler):
            weights, centre = weights / step.scale_, centre * step.scale_ + step.mean_
        else:
            return None
    return weights, centre


def _contrast(coefficients: Floats, column: int) -> Floats:
    """Return the weights of a class less the mean of the others' weights."""
    rows = np.asarray(coefficients, dtype=np.float64)
    if len(rows) == 1:  # two classes: the decision is the second's, and the first's is its negative
        rows = np.concatenate([-rows, rows])
    return np.asarray(rows[column] - np.delete(rows, column, axis=0).mean(axis=0))


def map_weights(
    weights: Floats, centre: Floats, outputs: Sequence[Output], backbone: Backbone
) -> MapWeights | None:
    """Return what every point of the maps gives to ``weights @ (features - centre)``.

    Returns:
        The weights, or None where a pooling is no average of the maps.
    """
    found: dict[str, tuple[Floats, Floats]] = {}
    start = 0
    for name, pooling in outputs:
        layer = backbone.layer(name)
        part = slice(start, start + pooled_size(layer, pooling))
        points = unpool(weights[part], pooling, layer)
        level = unpool(weights[part] * centre[part], pooling, layer)
        if points is None or level is None:
            return None
        before = found.get(name, (0.0, 0.0))
        found[name] = (before[0] + points, before[1] + level.sum(axis=0))
        start = part.stop
    return found


def activation(
    weights: MapWeights, maps: Mapping[str, npt.NDArray[np.float32]], shape: tuple[int, int]
) -> Floats:
    """Return the heat that one window's maps put on its image, (height, width).

    Each point of a map is spread over the pixels around its place, and its sum stays what it was.

    Args:
        weights: of :func:`map_weights`.
        maps: float32 (1, C, h, w) by layer.
        shape: of the image.
    """
    heat = np.zeros(shape)
    for name, (of_points, level) in weights.items():
        points = np.einsum("chw,chw->hw", of_points, maps[name][0].astype(np.float64)) - level
        height, width = points.shape
        heat += _spreading(shape[0], height) @ points @ _spreading(shape[1], width).T
    return heat


def _spreading(n_pixels: int, n_points: int) -> Floats:
    """Return the matrix (n_pixels, n_points) that shares each point out: its columns sum to 1."""
    places = (np.arange(n_pixels) + 0.5) * n_points / n_pixels - 0.5
    distance = np.abs(np.clip(places, 0, n_points - 1)[:, None] - np.arange(n_points))
    weights = np.clip(1 - distance, 0, None)
    return np.asarray(weights / weights.sum(axis=0))
