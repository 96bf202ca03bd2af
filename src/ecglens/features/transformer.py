"""The scikit-learn transformer from windows to pooled feature maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from ecglens.backbones import Backbone, load_backbone
from ecglens.backbones.pooling import pooled_size
from ecglens.cache import FeatureStore, as_half
from ecglens.errors import UsageError, suggest
from ecglens.features.extraction import (
    EngineSettings,
    Extractor,
    FloatArray,
    concatenate_outputs,
    outputs_of,
)
from ecglens.images import IMAGE_PRESETS, ImageSettings
from ecglens.signals import unreadable_reasons

Features = npt.NDArray[np.float32] | npt.NDArray[np.float16]


class CNNFeatures(TransformerMixin, BaseEstimator):
    """Transformer from windows to pooled feature maps of a frozen image network.

    Nothing is learnt from the windows, so fitting on any of them is no leak. Images exist one
    batch at a time.

    Args:
        fs: rate of the windows in Hz.
        backbone: name of a bundled or timm network, path of an ONNX file, or a loaded
            :class:`Backbone`.
        weights: ``"imagenet"``, ``"random"`` or a safetensors file; unused with a loaded backbone.
        layers: name or names of the layers; ``ecglens backbones NAME`` lists them.
        pooling: name or names of poolings (:mod:`ecglens.backbones.pooling`); every layer gets
            every pooling, concatenated with layers first.
        image: :class:`ImageSettings` or the name of a preset.
        engine: ``"openvino"`` or ``"torch"``.
        device: ``"cpu"`` or, with torch, ``"cuda"``.
        precision: ``"auto"``, ``"bf16"`` or ``"fp32"``.
        cache_dir: folder for computed features; None keeps none.
        unreadable: ``"error"``, or ``"nan"`` for rows of NaN where a window is flat or missing.
        dtype: ``"float32"``, or ``"float16"`` for features that take half the memory and half the
            space in ``cache_dir``, rounded by up to 0.05 % (or 3e-8 where they are below 6e-5).

    Attributes:
        backbone_: the loaded network.
        n_features_in_: samples per window.
    """

    def __init__(
        self,
        fs: float,
        backbone: str | Path | Backbone = "ecglens-s",
        *,
        weights: str | Path = "imagenet",
        layers: str | Sequence[str] = "transition2",
        pooling: str | Sequence[str] = "mean",
        image: str | ImageSettings = "salem2018",
        engine: str = "openvino",
        device: str = "cpu",
        precision: str = "auto",
        cache_dir: str | Path | None = None,
        unreadable: str = "error",
        dtype: str = "float32",
    ) -> None:
        self.fs = fs
        self.backbone = backbone
        self.weights = weights
        self.layers = layers
        self.pooling = pooling
        self.image = image
        self.engine = engine
        self.device = device
        self.precision = precision
        self.cache_dir = cache_dir
        self.unreadable = unreadable
        self.dtype = dtype

    def fit(self, X: npt.ArrayLike, y: object = None) -> Self:  # noqa: ARG002
        """Load the network and check that layers, poolings and images fit together.

        Args:
            X: windows in mV, shape (n_windows, n_samples); only the number of samples is used.
            y: ignored.
        """
        validate_data(self, X, dtype=np.float32, ensure_all_finite=False)
        if self.unreadable not in ("error", "nan"):
            raise UsageError(f"unreadable must be 'error' or 'nan', got {self.unreadable!r}")
        if self.dtype not in ("float32", "float16"):
            raise UsageError(f"dtype must be 'float32' or 'float16', got {self.dtype!r}")
        image = image_settings(self.image)
        if isinstance(self.backbone, Backbone):
            self.backbone_ = self.backbone
        else:
            size = (image.height, image.width)
            self.backbone_ = load_backbone(self.backbone, weights=self.weights, image_size=size)
        self._extractor = Extractor(
            backbone=self.backbone_,
            outputs=outputs_of(self.layers, self.pooling),
            image=image,
            engine=EngineSettings(self.engine, self.device, self.precision),
            store=None if self.cache_dir is None else FeatureStore(self.cache_dir),
            half=self.dtype == "float16",
        )
        return self

    def transform(self, X: npt.ArrayLike) -> Features:
        """Return features of type ``dtype``, shape (n_windows, n_features).

        Args:
            X: windows in mV, shape (n_windows, n_samples).

        Raises:
            UnreadableWindowError: a window is flat or missing and ``unreadable`` is ``"error"``.
            UsageError: a feature is beyond 65504, which float16 cannot hold.
        """
        check_is_fitted(self, "backbone_")
        array = validate_data(self, X, reset=False, dtype=np.float32, ensure_all_finite=False)
        if self.unreadable == "error":
            return self._concatenated(array)
        readable = unreadable_reasons(array, self.fs) == ""
        found = self._concatenated(array[readable])
        rows = np.full((len(array), found.shape[1]), np.nan, dtype=found.dtype)
        rows[readable] = found
        return rows

    def get_feature_names_out(
        self,
        input_features: object = None,  # noqa: ARG002
    ) -> npt.NDArray[np.object_]:
        """Return names such as ``transition2:mean:17``."""
        check_is_fitted(self, "backbone_")
        names = [
            f"{layer}:{pooling}:{i}"
            for layer, pooling in self._extractor.outputs
            for i in range(pooled_size(self.backbone_.layer(layer), pooling))
        ]
        return np.array(names, dtype=object)

    def _concatenated(self, X: FloatArray) -> Features:
        features = concatenate_outputs(self._extractor.run(X, self.fs))
        if self.dtype == "float32":
            return features
        half = as_half(features)
        if np.isinf(half).any():
            raise UsageError(
                f"features of {self.backbone_.name} reach {np.abs(features).max():g}, beyond the "
                "65504 of float16; take dtype='float32'"
            )
        return half

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # Missing samples are bridged or marked, as `unreadable` says.
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = []  # features are of `dtype`, whatever came in
        return tags

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "_extractor" in state:
            # A compiled network stays in its process; the copy compiles its own.
            state["_extractor"] = replace(state["_extractor"], _running=None)
        return state


def image_settings(image: str | ImageSettings) -> ImageSettings:
    """Return settings as they are, or a preset by name.

    Raises:
        UsageError: no such preset.
    """
    if isinstance(image, ImageSettings):
        return image
    if image not in IMAGE_PRESETS:
        raise UsageError(
            f"unknown image preset {image!r}{suggest(image, IMAGE_PRESETS)}; "
            f"known are {', '.join(IMAGE_PRESETS)}"
        )
    return IMAGE_PRESETS[image]
