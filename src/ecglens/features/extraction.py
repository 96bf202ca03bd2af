"""Windows to feature vectors: images and network over windows, a block at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from ecglens import __version__
from ecglens.backbones import Backbone
from ecglens.backbones.engine import Engine, make_engine
from ecglens.backbones.pooling import pool, pooled_size
from ecglens.backbones.precision import resolve_precision
from ecglens.cache import FeatureStore, rounded_to_half
from ecglens.errors import BackboneError, UsageError
from ecglens.images import (
    ImageSettings,
    draw_channels,
    filter_windows,
    refuse_unreadable,
)
from ecglens.rhythm_features import RHYTHM_NAMES, measure_rhythm
from ecglens.threads import helpers, one_ahead

FloatArray = npt.NDArray[np.float32]
Output = tuple[str, str]
"""One layer and one pooling of it."""

RHYTHM: Output = ("rhythm", "measures")
"""The handmade measures of a window, beside the layers of the network."""

BLOCK = 256
"""Windows per block of the cache. The images of two blocks exist at one time: 50 MB at 192 x 128
where the three channels are equal, else 150 MB."""

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
    """Windows on their way: what the store had of them, images and measures for the rest."""

    n_windows: int
    keys: Mapping[Output, str]
    found: dict[Output, FloatArray]
    images: Sequence[Future[FloatArray]]
    measures: Sequence[Future[FloatArray]]


@dataclass
class Extractor:
    """Runs images and network over windows, a block at a time.

    Images of the next block, and the handmade measures where they are asked for, are made while
    the network runs on one.

    Attributes:
        backbone: the frozen network.
        outputs: layers and poolings to compute, and :data:`RHYTHM`, each once.
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
        for output in self.outputs:
            self._size(output)
        if self.backbone.image_size != (self.image.height, self.image.width):
            raise UsageError(
                f"images are {self.image.height} x {self.image.width} but backbone "
                f"{self.backbone.name!r} was prepared for {self.backbone.image_size[0]} x "
                f"{self.backbone.image_size[1]}; load it with image_size of the images"
            )

    @property
    def n_features(self) -> int:
        """Number of values of a window, over all outputs."""
        return sum(self._size(output) for output in self.outputs)

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
            BackboneError: the network gives features that are not finite.
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

    def measure(self, X: FloatArray, fs: float) -> FloatArray:
        """Return the handmade measures among the outputs: (n_windows, 0) where there are none."""
        asked = RHYTHM in self.outputs
        return measure_rhythm(X, fs) if asked else np.empty((len(X), 0), np.float32)

    def run_images(self, images: FloatArray, measures: FloatArray | None = None) -> FloatArray:
        """Return the features of images that :meth:`draw` made, whatever was done to them since.

        Args:
            images: shape (n_images, 1 or 3, height, width).
            measures: what :meth:`measure` says of the one window all images are of, shape (1, n);
                None where the outputs hold none.

        Returns:
            float32, shape (n_images, n_features), the outputs side by side.

        Raises:
            BackboneError: the network gives features that are not finite.
        """
        parts = (images[start : start + BATCH] for start in range(0, len(images), BATCH))
        outputs = [output for output in self.outputs if output != RHYTHM]
        with helpers(self.engine.threads) as executor:
            found = concatenate_outputs(self._compute(parts, outputs, executor))
        if measures is None:
            return found
        return np.concatenate([found, np.repeat(measures, len(images), axis=0)], axis=1)

    def run_maps(self, images: FloatArray) -> dict[str, FloatArray]:
        """Return the feature maps of images, before pooling: float32 (n, C, h, w) by layer."""
        return self._engine().run(images)

    def _size(self, output: Output) -> int:
        if output == RHYTHM:
            return len(RHYTHM_NAMES)
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
        todo = [output for output in self.outputs if output not in found]
        parts = [X[start : start + BATCH] for start in range(0, len(X), BATCH)]
        seen = parts if any(output != RHYTHM for output in todo) else []
        images = [executor.submit(self._drawn, part, fs) for part in seen]
        measured = parts if RHYTHM in todo else []
        measures = [executor.submit(measure_rhythm, part, fs) for part in measured]
        return _Block(len(X), keys, found, images, measures)

    def _drawn(self, X: FloatArray, fs: float) -> FloatArray:
        return draw_channels(filter_windows(X, fs, self.image), self.image)

    def _finish(self, block: _Block, executor: Executor) -> dict[Output, FloatArray]:
        """Return a block's features, and keep those that are new."""
        todo = [output for output in self.outputs if output not in block.found]
        made = (images.result() for images in block.images)
        computed = self._compute(made, [o for o in todo if o != RHYTHM], executor)
        if RHYTHM in todo:
            measures = np.concatenate([part.result() for part in block.measures])
            computed[RHYTHM] = rounded_to_half(measures) if self.half else measures
        if self.store is not None:
            for output, rows in computed.items():
                self.store.save(block.keys[output], rows)
        return block.found | computed

    def _compute(
        self, parts: Iterable[FloatArray], outputs: Sequence[Output], executor: Executor
    ) -> dict[Output, FloatArray]:
        """Run the network here, while helpers pool the maps before and make the images behind."""
        if not outputs:
            return {}
        engine = self._engine()
        waiting = [
            executor.submit(_pooled, engine.run(images), outputs, self.half) for images in parts
        ]
        rows = [pooled.result() for pooled in waiting]
        found = {output: np.concatenate([row[output] for row in rows]) for output in outputs}
        self._refuse_broken(found)
        return found

    def _refuse_broken(self, found: Mapping[Output, FloatArray]) -> None:
        for (layer, _), values in found.items():
            n_broken = len(values) - int(np.isfinite(values).all(axis=1).sum())
            if n_broken:
                raise BackboneError(
                    f"layer {layer!r} of backbone {self.backbone.name!r} gives features that are "
                    f"not finite for {n_broken} of {len(values)} images; its weights are damaged: "
                    "get them again, or choose another network"
                )

    @property
    def _layers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(layer for layer, _ in self.outputs if layer != RHYTHM[0]))

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
        if output == RHYTHM:
            return {"fs": fs, "output": list(output), "half": self.half, "version": __version__}
        return {
            "versions": [__version__, version(self.engine.engine)],
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


def concatenate_outputs(features: Mapping[Output, FloatArray]) -> FloatArray:
    """Join the outputs of :meth:`Extractor.run` side by side, in their order."""
    return np.concatenate(list(features.values()), axis=1)
