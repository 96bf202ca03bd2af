"""Training images and the teacher's layers for them, in shards that are made once and kept.

A shard is drawn from its own seed, so any of them can be made again alone, and an interrupted run
goes on with the first that is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from ecglens.backbones import Backbone, Engine, make_engine
from ecglens.files import make_folder, write_atomically
from ecglens.npy import read_array
from tools.distill.pictures import draw_picture
from tools.distill.signals import draw_spectrograms, drawn_windows, virtual_windows

SHARD = 256
"""Images of a shard."""

GROUP = 16
"""Spectrograms of a shard that are drawn in one way."""

_NAMES = {"s": "signals", "v": "virtual", "p": "pictures"}
KINDS = tuple(_NAMES[letter] for letter in "svspsvsvspsvsvsp")
"""What the shards hold, in turn: half of them trains of waves, oscillations and noise."""


def kind_of(index: int) -> str:
    """Return what a shard holds: ``"signals"``, ``"virtual"`` or ``"pictures"``."""
    return KINDS[index % len(KINDS)]


@dataclass(frozen=True)
class ShardStore:
    """A folder of shards.

    Attributes:
        folder: where they are kept.
        size: height and width of the images.
        layers: the teacher's layers.
        seed: of all images.
    """

    folder: Path
    size: int
    layers: tuple[str, ...]
    seed: int

    def path(self, index: int, what: str) -> Path:
        """Return the file of a shard's images (``"images"``) or of one layer."""
        return self.folder / f"shard-{self.seed}-{index:04d}-{what}.npy"

    def is_whole(self, index: int) -> bool:
        """Whether a shard has all its files."""
        return all(self.path(index, what).is_file() for what in ("images", *self.layers))

    def load(self, index: int) -> tuple[npt.NDArray[np.uint8], list[npt.NDArray[np.float16]]]:
        """Return a shard: images uint8 (n, 3, size, size), and maps float16 of each layer."""
        images, *maps = (self._read(index, what) for what in ("images", *self.layers))
        return images, maps

    def _read(self, index: int, what: str) -> npt.NDArray[Any]:
        path = self.path(index, what)
        return read_array(lambda: path.open("rb"), path.stat().st_size)

    def save(self, index: int, what: str, array: npt.NDArray[Any]) -> None:
        """Write one file of a shard, whole or not at all."""
        write_atomically(
            self.path(index, what), lambda file: np.save(file, array, allow_pickle=False)
        )


def draw_shard(seed: int, index: int, size: int) -> npt.NDArray[np.uint8]:
    """Draw the images of a shard, uint8 (SHARD, 3, size, size), of the kind of its index."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, index]))
    kind = kind_of(index)
    with threadpool_limits(1):  # matrix products this small lose by threads
        if kind == "pictures":
            images = np.stack([draw_picture(rng, size) for _ in range(SHARD)])
        else:
            draw = virtual_windows if kind == "virtual" else drawn_windows
            groups = range(SHARD // GROUP)
            images = np.concatenate(
                [draw_spectrograms(rng, size, draw(rng, GROUP)) for _ in groups]
            )
    return np.round(images * 255).astype(np.uint8)


def make_shards(
    store: ShardStore,
    teacher: Backbone,
    n_shards: int,
    *,
    workers: int,
    engine: str,
    device: str,
    progress: Callable[[int, int], None],
) -> None:
    """Draw the missing shards and let the teacher see them.

    Args:
        store: where they go.
        teacher: the network whose layers are copied.
        n_shards: number of shards in all.
        workers: processes that draw.
        engine: what runs the teacher, ``"openvino"`` or ``"torch"``.
        device: ``"cpu"`` or ``"cuda"``.
        progress: called with shards done and in all.
    """
    make_folder(store.folder)
    missing = [index for index in range(n_shards) if not store.is_whole(index)]
    if not missing:
        return
    running = make_engine(teacher, store.layers, engine=engine, device=device)
    for index, images in _drawn(store, missing, workers):
        for name, maps in _seen(running, images).items():
            store.save(index, name, maps)
        store.save(index, "images", images)
        progress(n_shards - len(missing) + missing.index(index) + 1, n_shards)


def _drawn(
    store: ShardStore, indices: list[int], workers: int
) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
    with ProcessPoolExecutor(workers) as pool:
        n = len(indices)
        drawn = pool.map(draw_shard, [store.seed] * n, indices, [store.size] * n)
        yield from zip(indices, drawn, strict=True)


def _seen(engine: Engine, images: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[np.float16]]:
    maps = engine.run(images.astype(np.float32) / np.float32(255))
    return {name: values.astype(np.float16) for name, values in maps.items()}
