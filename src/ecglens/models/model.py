"""A trained model: from windows to what is known of each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ecglens.backbones import Backbone
from ecglens.classifiers import feature_space
from ecglens.decisions import FeatureDistance, RejectRule, RhythmChange
from ecglens.errors import WindowError
from ecglens.features import EngineSettings, Extractor, concatenate_outputs
from ecglens.recipes import Recipe
from ecglens.threads import one_blas_core

FloatArray = npt.NDArray[np.float64]

_ROWS = 64


@dataclass(frozen=True, eq=False)
class Judgement:
    """What a model says of each window by itself.

    Attributes:
        probabilities: calibrated, shape (n_windows, n_classes).
        distances: from the training windows, shape (n_windows,); 0 where the model has no distance.
    """

    probabilities: FloatArray
    distances: FloatArray


@dataclass(frozen=True, eq=False)
class RhythmModel:
    """A classifier of windows, ready to use, and the rules that make labels of a record.

    Attributes:
        classes: in the order of the columns of :meth:`predict_proba`.
        fs: rate in Hz of the windows it was trained on.
        length_s: length of those windows in seconds.
        recipe: images, layers, pooling and head.
        backbone: the frozen network.
        head: fitted, calibrated scikit-learn classifier.
        card: on whom and on what it was trained, JSON-ready.
        reject_rule: which windows are claimed for a class, each by itself.
        rhythm_change: how rhythms change from window to window.
        distance: from the training windows; None where the model has none.
        engine: what runs the network; not part of the file.
    """

    classes: tuple[str, ...]
    fs: float
    length_s: float
    recipe: Recipe
    backbone: Backbone
    head: Any
    card: Mapping[str, Any]
    reject_rule: RejectRule
    rhythm_change: RhythmChange
    distance: FeatureDistance | None = None
    engine: EngineSettings = field(default_factory=EngineSettings)

    def __post_init__(self) -> None:
        extractor = Extractor(self.backbone, self.recipe.outputs(), self.recipe.image, self.engine)
        object.__setattr__(self, "_extractor", extractor)

    @property
    def extractor(self) -> Extractor:
        """Images and network, ready to run."""
        found: Extractor = object.__getattribute__(self, "_extractor")
        return found

    @property
    def training_subjects(self) -> frozenset[str]:
        """People the model was trained on."""
        return frozenset(self.card.get("subjects", ()))

    @property
    def training_records(self) -> frozenset[str]:
        """Records the model was trained on; none are named by models of older versions."""
        return frozenset(self.card.get("records", ()))

    @property
    def highest_hz(self) -> float:
        """Highest frequency that its images show, in Hz."""
        return self.recipe.image.max_hz

    def judge(
        self,
        X: npt.ArrayLike,
        fs: float,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> Judgement:
        """Return class probabilities of windows, and how far each is from training.

        Args:
            X: readable windows in mV, shape (n_windows, n_samples).
            fs: their rate in Hz; above twice :attr:`highest_hz` any will do.
            progress: called with windows done and windows in all.

        Raises:
            WindowError: the windows have another length than those of training.
            UnreadableWindowError: a window is flat or missing.
            BackboneError: the network gives features that are not finite.
        """
        length_s = np.shape(X)[-1] / fs
        if abs(length_s - self.length_s) > 1 / fs:
            raise WindowError(
                f"windows last {length_s:g} s; this model was trained on {self.length_s:g} s"
            )
        features = concatenate_outputs(self.extractor.run(X, fs, progress=progress))
        probabilities = np.empty((len(features), len(self.classes)))
        distances = np.zeros(len(features))
        with one_blas_core():
            for start in range(0, len(features), _ROWS):
                rows = slice(start, start + _ROWS)
                probabilities[rows], distances[rows] = self._judge(features[rows])
        return Judgement(probabilities, distances)

    def _judge(self, features: npt.NDArray[np.float32]) -> tuple[FloatArray, FloatArray]:
        """Return probabilities and distances of some windows, up to ``_ROWS``.

        Rows are filled up: how many there are may change the last bit of a product of matrices,
        and what is said of a window must not depend on those beside it.
        """
        n = len(features)
        filled = np.concatenate([features, np.zeros((_ROWS - n, features.shape[1]), np.float32)])
        probabilities = np.asarray(self.head.predict_proba(filled)[:n], dtype=np.float64)
        if self.distance is None:
            return probabilities, np.zeros(n)
        return probabilities, self.distance.of(feature_space(self.head, filled))[:n]

    def predict_proba(
        self,
        X: npt.ArrayLike,
        fs: float,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> FloatArray:
        """Return class probabilities, shape (n_windows, n_classes); see :meth:`judge`."""
        return self.judge(X, fs, progress=progress).probabilities
