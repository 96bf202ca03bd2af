"""Occlusion: what a class's score loses when a tile of the image is taken away.

Zeiler and Fergus 2014 (arXiv 1311.2901). It asks nothing of the head.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ecglens.features import Extractor

Floats = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]
Tile = tuple[slice, slice]

TILES = ((4, 8), (2, 4))
"""Sizes of tiles, as parts of the image's height and width: found best on planted causes
(docs/explanations.md)."""

_LEAST = 1e-300


def score_of(head: Any, features: npt.NDArray[Any], column: int) -> Floats:
    """Return how much likelier than the other classes a class is, shape (n_windows,).

    It is the log of its probability less the mean log of the others', in nats; for two classes
    that is the log-odds. Unlike a probability it does not stand still where a class is sure.
    """
    logs = np.log(np.maximum(head.predict_proba(features), _LEAST))
    return np.asarray(logs[:, column] - np.delete(logs, column, axis=1).mean(axis=1))


def occlusion(
    extractor: Extractor,
    head: Any,
    image: Images,
    column: int,
    parts: Sequence[tuple[int, int]] = TILES,
) -> Floats:
    """Return the heat of one image, shape (height, width).

    Tiles of each size overlap by half. What the score loses without a tile is shared out evenly
    over the tile's points; at each point the mean over the tiles that cover it is taken, then the
    mean over the sizes.

    Args:
        extractor: images to features.
        head: fitted classifier.
        image: float32 (1, channels, height, width).
        column: of the class.
        parts: sizes of tiles, as parts of height and width.
    """
    height, width = image.shape[2:]
    sizes = [_tiles(height, width, *part) for part in parts]
    tiles = [tile for of_size in sizes for tile in of_size]
    features = extractor.run_images(np.concatenate([image, _without(image, tiles)]))
    scores = score_of(head, features, column)
    lost = iter((scores[0] - scores[1:]).tolist())
    heat = np.zeros((height, width))
    for of_size in sizes:
        total, count = np.zeros((2, height, width))
        for tile in of_size:
            total[tile] += next(lost) / total[tile].size
            count[tile] += 1
        heat += total / count
    return heat / len(sizes)


def _tiles(height: int, width: int, n_high: int, n_wide: int) -> list[Tile]:
    """Return overlapping tiles that cover every point of an image."""
    rows, columns = _spans(height, n_high), _spans(width, n_wide)
    return [(row, column) for row in rows for column in columns]


def _spans(size: int, n_parts: int) -> list[slice]:
    """Return stretches of ``size / n_parts`` that begin half a stretch apart, cut at the ends."""
    edges = [round(step * size / (2 * n_parts)) for step in range(2 * n_parts + 1)]
    inner = [slice(low, high) for low, high in zip(edges, edges[2:], strict=False)]
    return [slice(0, edges[1]), *inner, slice(edges[-2], size)]


def _without(image: Images, tiles: Sequence[Tile]) -> Images:
    """Return the image as often as there are tiles, each time without one of them.

    In its place stands each row's median over time: what the window usually shows at that
    frequency. So the picture stays one of this person and recorder, without what is special there.
    """
    usual = np.broadcast_to(np.median(image[0], axis=-1, keepdims=True), image.shape[1:])
    copies = np.repeat(image, len(tiles), axis=0)
    for copy, (rows, columns) in zip(copies, tiles, strict=True):
        copy[:, rows, columns] = usual[:, rows, columns]
    return copies
