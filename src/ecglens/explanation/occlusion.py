"""Occlusion: what a class's score loses when a tile of the image is taken away.

Zeiler and Fergus 2014 (arXiv 1311.2901). It asks nothing of the head.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ecglens.explanation.scores import score_of
from ecglens.features import Extractor

Floats = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]
Place = tuple[slice, slice]
Grid = tuple[list[slice], list[slice]]

TILES = ((4, 8), (2, 8))
"""Sizes of tiles, as parts of the image's height and width: found best on planted causes
(docs/explanations.md)."""

CORRELOGRAM_TILES = ((1, 8),)
"""The same for a correlogram, whose stripes span its height."""


def occlusion(
    extractor: Extractor,
    head: Any,
    image: Images,
    column: int,
    tiles: Sequence[tuple[int, int]] = TILES,
    *,
    measures: Images | None = None,
) -> Floats:
    """Return the heat of one image, shape (height, width).

    Tiles begin half a tile apart. What the score loses without a tile, for each of its points,
    stands at its middle; in between it is interpolated. The mean over the sizes is taken. The rows
    of a correlogram have tiles of their own (:data:`CORRELOGRAM_TILES`), so that none lies across.

    Args:
        extractor: images to features.
        head: fitted classifier.
        image: float32 (1, channels, height, width).
        column: of the class.
        tiles: their sizes: how many make up the height of the spectrogram and the width.
        measures: handmade measures of the window (:meth:`Extractor.measure`); they stay as they
            are.
    """
    height, width = image.shape[2:]
    split = extractor.image.spectrogram_rows
    parts = [(slice(0, split), tiles), (slice(split, height), CORRELOGRAM_TILES)]
    parts = parts[: 1 if split == height else 2]
    grids = [_grids(rows, width, sizes) for rows, sizes in parts]
    copies = [_without(image, parts[i][0], _places(grid)) for i, grid in enumerate(grids)]
    features = extractor.run_images(np.concatenate([image, *copies]), measures)
    scores = score_of(head, features, column)
    lost = np.split(scores[0] - scores[1:], np.cumsum([len(copy) for copy in copies])[:-1])
    heats = [_heat(grid, losses, width) for grid, losses in zip(grids, lost, strict=True)]
    return np.concatenate(heats)


def _grids(rows: slice, width: int, sizes: Sequence[tuple[int, int]]) -> list[Grid]:
    """Return for each size of tiles where they lie, in rows counted from the part's first."""
    height = rows.stop - rows.start
    return [(_spans(height, n_high), _spans(width, n_wide)) for n_high, n_wide in sizes]


def _places(grids: Sequence[Grid]) -> list[Place]:
    return [(row, column) for rows, columns in grids for row in rows for column in columns]


def _heat(grids: Sequence[Grid], lost: Floats, width: int) -> Floats:
    """Return the heat of one part of the image, (its rows, width), from what each tile loses."""
    sizes = [(rows.stop - rows.start) * (cols.stop - cols.start) for rows, cols in _places(grids)]
    per_point = lost / sizes
    height = grids[0][0][-1].stop
    heat = np.zeros((height, width))
    for rows, columns in grids:
        here, per_point = np.split(per_point, [len(rows) * len(columns)])
        points = here.reshape(len(rows), len(columns))
        heat += _between(height, len(rows)) @ points @ _between(width, len(columns)).T
    return heat / len(grids)


def _spans(size: int, n_parts: int) -> list[slice]:
    """Return stretches of ``size / n_parts`` that begin half a stretch apart, cut at the ends."""
    n_parts = min(n_parts, size // 2)
    edges = [round(step * size / (2 * n_parts)) for step in range(2 * n_parts + 1)]
    return [
        slice(low, high) for low, high in zip([0, *edges[:-1]], [*edges[1:], size], strict=True)
    ]


def _between(size: int, n_spans: int) -> Floats:
    """Return the matrix (size, n_spans) of linear interpolation between the stretches' middles."""
    places = (np.arange(size) + 0.5) / size * (n_spans - 1)
    return np.asarray(np.clip(1 - np.abs(places[:, None] - np.arange(n_spans)), 0, None))


def _without(image: Images, rows: slice, places: Sequence[Place]) -> Images:
    """Return the image as often as there are places in its rows, each time without one of them.

    In its place stands the mean of these rows in the channel: no structure in time or frequency,
    and no darker or brighter picture, which the network would see as a change of the rest.
    """
    level = image[0, :, rows].mean(axis=(1, 2), keepdims=True)
    copies = np.repeat(image, len(places), axis=0)
    for copy, (part, columns) in zip(copies, places, strict=True):
        copy[:, rows][:, part, columns] = level
    return copies
