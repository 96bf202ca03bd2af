"""Windows to feature vectors: pooled feature maps of a frozen image network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from ecglens.backbones import Backbone, load_backbone
from ecglens.backbones.engine import Engine, make_engine
from ecglens.backbones.pooling import pool, pooled_size
from ecglens.backbones.precision import resolve_precision
from ecglens.cache import FeatureStore, as_half, rounded_to_half
from ecglens.errors import UsageError, suggest
from ecglens.images import (
    IMAGE_PRESETS,
    ImageSettings,
    draw_channels,
    filter_windows,
    refuse_unreadable,
)
from ecglens.signals import unreadable_reasons
from ecglens.threads import helpers, one_ahead

FloatArray = npt.NDArray[np.float32]
Features = npt.NDArray[np.float32] | npt.NDArray[np.float16]
Output = tuple[str, str]
"""One layer and one pooling of it."""

BLOCK = 256
"""Windows per block of the cache. The images of two blocks exist at one time: 33 MB at 128 x 128
where the three channels are equal, else 100 MB."""

BATCH = 64
"""Windows whose images are made, shown to the network and pooled together."""


@dataclass(frozen=True)
class EngineSettings:
    """What runs the network.

    Attributes:
        engine: ``"openvino"`` or ``"torch"`` (needs ``ecglens[timm]``).
        device: ``"cpu"``, or ``"cuda"`` with the torch engine.
        precision: ``"fp32"``, ``"bf16"``, or ``"auto"``: bf16 where the processor has it.
        threads: of the processor; None for all.
    """

    engine: str = "openvino"
    device: str = "cpu"
    precision: str = "auto"
    threads: int | None = None


@dataclass(frozen=True)
class _Block:
    """Windows on their way: what the store had of them, and images for the rest."""

    n_windows: int
    keys: Mapping[Output, str]
    found: dict[Output, FloatArray]
    images: Sequence[Future[FloatArray]]


@dataclass
class Extractor:
    """Runs images and network over windows, a block at a time.

    Images of the next block are made while the network runs on one.

    Attributes:
        backbone: the frozen network.
        outputs: layers and poolings to compute, each once.
        image: how windows become images; its size must be the backbone's.
        engine: what runs the network.
        store: where blocks are kept, or None.
        half: round features to what float16 holds, so that they take half the space in the store;
            those beyond 65504, where float16 ends, stay as they are.

    Raises:
        BackboneError: a layer or the engine is unknown.
        UsageError: an unknown pooling, or image and backbone differ in size.
    """

    backbone: Backbone
    outputs: Sequence[Output]
    image: ImageSettings
    engine: EngineSettings = field(default_factory=EngineSettings)
    store: FeatureStore | None = None
    half: bool = False
    _running: Engine | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.outputs:
            raise UsageError("no layer to extract; name one or more")
        for layer, pooling in self.outputs:
            pooled_size(self.backbone.layer(layer), pooling)
        if self.backbone.image_size != (self.image.height, self.image.width):
            raise UsageError(
                f"images are {self.image.height} x {self.image.width} but backbone "
                f"{self.backbone.name!r} was prepared for {self.backbone.image_size[0]} x "
                f"{self.backbone.image_size[1]}; load it with image_size of the images"
            )

    def run(
        self, X: npt.ArrayLike, fs: float, *, progress: Callable[[int, int], None] | None = None
    ) -> dict[Output, FloatArray]:
        """Return the features of readable windows, one array per output.

        Args:
            X: windows in mV, shape (n_windows, n_samples).
            fs: their rate in Hz.
            progress: called with windows done and windows in all.

        Raises:
            UnreadableWindowError: a window is flat or missing.
        """
        array = np.ascontiguousarray(X, dtype=np.float32)
        refuse_unreadable(array, fs)
        blocks: dict[Output, list[FloatArray]] = {output: [] for output in self.outputs}
        parts = [array[start : start + BLOCK] for start in range(0, len(array), BLOCK)]
        done = 0
        with helpers(self.engine.threads) as executor:
            for block in one_ahead(self._begin(part, fs, executor) for part in parts):
                for output, rows in self._finish(block, executor).items():
                    blocks[output].append(rows)
                done += block.n_windows
                if progress is not None:
                    progress(done, len(array))
        return {
            output: np.concatenate([np.empty((0, self._size(output)), np.float32), *rows])
            for output, rows in blocks.items()
        }

    def draw(self, X: FloatArray, fs: float) -> FloatArray:
        """Return the images of readable windows as the network takes them.

        Returns:
            float32, shape (n_windows, 1 or 3, height, width), in [0, 1]; one channel where the
            three are equal.

        Raises:
            UnreadableWindowError: a window is flat or missing.
        """
        refuse_unreadable(X, fs)
        return draw_channels(filter_windows(X, fs, self.image), self.image)

    def run_images(self, images: FloatArray) -> FloatArray:
        """Return the features of images that :meth:`draw` made, whatever was done to them since.

        Returns:
            float32, shape (n_images, n_features), the outputs side by side.
        """
        parts = (images[start : start + BATCH] for start in range(0, len(images), BATCH))
        with helpers(self.engine.threads) as executor:
            return concatenate_outputs(self._compute(parts, self.outputs, executor))

    def run_maps(self, images: FloatArray) -> dict[str, FloatArray]:
        """Return the feature maps of images, before pooling: float32 (n, C, h, w) by layer."""
        return self._engine().run(images)

    def _size(self, output: Output) -> int:
        return pooled_size(self.backbone.layer(output[0]), output[1])

    def _begin(self, X: FloatArray, fs: float, executor: Executor) -> _Block:
        """Look up a block, and have images made where it is not all there."""
        keys: dict[Output, str] = {}
        found: dict[Output, FloatArray] = {}
        if self.store is not None:
            names = self.store.keys(X, (self._identity(out, fs) for out in self.outputs))
            keys = dict(zip(self.outputs, names, strict=True))
            for output, key in keys.items():
                rows = self.store.load(key, len(X))
                if rows is not None:
                    found[output] = rows
        parts = range(0, len(X) if len(found) < len(self.outputs) else 0, BATCH)
        images = [executor.submit(self._drawn, X[i : i + BATCH], fs) for i in parts]
        return _Block(len(X), keys, found, images)

    def _drawn(self, X: FloatArray, fs: float) -> FloatArray:
        return draw_channels(filter_windows(X, fs, self.image), self.image)

    def _finish(self, block: _Block, executor: Executor) -> dict[Output, FloatArray]:
        """Return a block's features, and keep those that are new."""
        todo = [output for output in self.outputs if output not in block.found]
        if not todo:
            return block.found
        made = (images.result() for images in block.images)
        computed = self._compute(made, todo, executor)
        if self.store is not None:
            for output, rows in computed.items():
                self.store.save(block.keys[output], rows)
        return block.found | computed

    def _compute(
        self, parts: Iterable[FloatArray], outputs: Sequence[Output], executor: Executor
    ) -> dict[Output, FloatArray]:
        """Run the network here, while helpers pool the maps before and make the images behind."""
        engine = self._engine()
        waiting = [
            executor.submit(_pooled, engine.run(images), outputs, self.half) for images in parts
        ]
        rows = [pooled.result() for pooled in waiting]
        return {output: np.concatenate([row[output] for row in rows]) for output in outputs}

    @property
    def _layers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(layer for layer, _ in self.outputs))

    def _engine(self) -> Engine:
        if self._running is None:
            chosen = self.engine
            self._running = make_engine(
                self.backbone,
                self._layers,
                engine=chosen.engine,
                device=chosen.device,
                precision=chosen.precision,
                threads=chosen.threads,
                gray=len(self.image.stft_s) == 1,
            )
        return self._running

    def _identity(self, output: Output, fs: float) -> dict[str, Any]:
        """Return all that decides a feature besides the windows themselves."""
        return {
            "fs": fs,
            "image": self.image.to_dict(),
            "backbone": self.backbone.sha256,
            "output": list(output),
            # Layers that run together are fused together, which rounds bf16 differently.
            "layers": list(self._layers),
            "engine": [self.engine.engine, self.engine.device],
            "precision": resolve_precision(self.engine.engine, self.engine.precision),
            "half": self.half,
        }


def _pooled(
    maps: Mapping[str, FloatArray], outputs: Sequence[Output], half: bool
) -> dict[Output, FloatArray]:
    rows = {(layer, pooling): pool(maps[layer], pooling) for layer, pooling in outputs}
    return {output: rounded_to_half(values) for output, values in rows.items()} if half else rows


def outputs_of(layers: str | Sequence[str], pooling: str | Sequence[str]) -> tuple[Output, ...]:
    """Return every layer with every pooling, layers first, without repeats."""
    layer_names = (layers,) if isinstance(layers, str) else tuple(layers)
    poolings = (pooling,) if isinstance(pooling, str) else tuple(pooling)
    return tuple(dict.fromkeys((name, way) for name in layer_names for way in poolings))


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


def concatenate_outputs(features: Mapping[Output, FloatArray]) -> FloatArray:
    """Join the outputs of :meth:`Extractor.run` side by side, in their order."""
    return np.concatenate(list(features.values()), axis=1)
