"""Feature maps to one vector per window.

A map has frequency along its rows (row 0 is the highest frequency) and time along its columns.
Every pooling treats a window by itself, so a vector does not depend on its batch.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ecglens.backbones.backbone import Layer
from ecglens.errors import UsageError, suggest

Floats = npt.NDArray[np.float32]
Weights = npt.NDArray[np.float64]

PLAIN_POOLINGS = ("mean", "max", "std", "meanstd", "timestd")
_COUNTED = re.compile(r"(bands|bandstd|time)([1-9][0-9]{0,3})")


def pool(maps: Floats, pooling: str) -> Floats:
    """Turn feature maps into vectors.

    With C channels, in this order and each block channel by channel:

    - ``"mean"``: mean over the map (C values).
    - ``"max"``: maximum over the map (C).
    - ``"std"``: standard deviation over the map, divisor h w (C).
    - ``"meanstd"``: ``mean``, then ``std`` (2 C).
    - ``"timestd"``: mean over frequency at each time, then its standard deviation over time,
      divisor w (C): how much the picture changes within the window.
    - ``"bands<k>"``: k equal stretches of rows, the top one (highest frequencies) first; in each
      the mean over the stretch (k C). Values are ordered band, channel.
    - ``"bandstd<k>"``: the standard deviation over each of the same stretches (k C), ordered alike:
      how uneven the map is there, whatever the level of other stretches.
    - ``"time<k>"``: k equal stretches of columns, earliest first; in each the mean over the
      stretch (k C). Values are ordered stretch, channel.

    Where k does not divide the size, stretch i runs from floor(i n / k) to floor((i + 1) n / k).

    Args:
        maps: float32 (n, C, h, w).
        pooling: one of the names above.

    Returns:
        float32 (n, d), where d is ``pooled_size`` of the layer.

    Raises:
        UsageError: the pooling is unknown, k exceeds the map, or maps are not 4-D.
    """
    if maps.ndim != 4:
        raise UsageError(f"feature maps must be (n, channels, height, width), got {maps.shape}")
    kind, count = _parse(pooling, maps.shape[2], maps.shape[3])
    # Of a broken network; the extractor refuses features that are not finite.
    with np.errstate(over="ignore", invalid="ignore"):
        pooled = _POOLINGS[kind](np.asarray(maps, dtype=np.float32), count)
    return np.ascontiguousarray(pooled, dtype=np.float32)


def unpool(weights: Weights, pooling: str, layer: Layer) -> Weights | None:
    """Return the weight of every point of a map, given those of the pooled values.

    For every map, ``(unpool(weights, ...) * maps).sum() == (weights * pool(maps, ...)).sum()``
    but for rounding.

    Args:
        weights: shape (pooled_size(layer, pooling),).
        pooling: as for :func:`pool`.
        layer: the layer that the maps are of.

    Returns:
        float64 (C, h, w), or None where the pooling is no average, so that there is no such weight.

    Raises:
        UsageError: the pooling is unknown or k exceeds the map.
    """
    kind, count = _parse(pooling, layer.height, layer.width)
    if kind not in ("mean", "bands", "time"):
        return None
    of_stretch = weights.reshape(count, layer.channels).T
    full = (layer.channels, layer.height, layer.width)
    if kind == "time":
        by_column = of_stretch @ _stretches(layer.width, count).astype(np.float64)
        return np.broadcast_to(by_column[:, None, :] / layer.height, full)
    by_row = of_stretch @ _stretches(layer.height, count).astype(np.float64)
    return np.broadcast_to(by_row[:, :, None] / layer.width, full)


def pooled_size(layer: Layer, pooling: str) -> int:
    """Return the number of values that ``pool`` makes of one window of this layer.

    Raises:
        UsageError: the pooling is unknown or k exceeds the map.
    """
    kind, count = _parse(pooling, layer.height, layer.width)
    per_channel = {"meanstd": 2, "bands": count, "bandstd": count, "time": count}
    return layer.channels * per_channel.get(kind, 1)


def fitting(pooling: str, layer: Layer) -> str:
    """Return the pooling with no more stretches than the layer's maps have rows or columns."""
    match = _COUNTED.fullmatch(pooling)
    if match is None:
        return pooling
    return f"{match[1]}{min(int(match[2]), layer.width if match[1] == 'time' else layer.height)}"


def _parse(pooling: str, height: int, width: int) -> tuple[str, int]:
    """Return (kind, k), with k = 1 for poolings that take none."""
    if pooling in PLAIN_POOLINGS:
        return pooling, 1
    match = _COUNTED.fullmatch(pooling)
    if match is None:
        hint = suggest(pooling, (*PLAIN_POOLINGS, "bands4", "time4")) or ";"
        raise UsageError(
            f"unknown pooling '{pooling}'{hint} poolings are {', '.join(PLAIN_POOLINGS)}, "
            "bands<k>, bandstd<k> and time<k> (k from 1)"
        )
    kind, count = match[1], int(match[2])
    limit, noun = (width, "columns") if kind == "time" else (height, "rows")
    if count > limit:
        raise UsageError(
            f"pooling '{pooling}' needs maps of at least {count} {noun}, this layer has {limit}; "
            f"take '{kind}{limit}' or less, an earlier layer or a larger image"
        )
    return kind, count


def _stretches(size: int, count: int) -> Floats:
    """Matrix (count, size) whose product with ``size`` values is the mean of each stretch.

    Means are taken as products throughout: several times faster than ``mean`` over an axis.
    """
    matrix = np.zeros((count, size), dtype=np.float32)
    for row, (low, high) in enumerate(_edges(size, count)):
        matrix[row, low:high] = 1.0 / (high - low)
    return matrix


def _edges(size: int, count: int) -> list[tuple[int, int]]:
    """Where each stretch begins and ends."""
    return list(itertools.pairwise(index * size // count for index in range(count + 1)))


def _course(maps: Floats) -> Floats:
    """Mean over frequency at each time, (n, C, h, w) to (n, C, w)."""
    return np.asarray(np.matmul(_stretches(maps.shape[2], 1)[0], maps), dtype=np.float32)


def _flat(maps: Floats) -> Floats:
    return maps.reshape(maps.shape[0], maps.shape[1], maps.shape[2] * maps.shape[3])


def _last_mean(values: Floats) -> Floats:
    return np.asarray(values @ _stretches(values.shape[-1], 1)[0], dtype=np.float32)


def _last_std(values: Floats, mean: Floats) -> Floats:
    """Standard deviation over the last axis of (n, C, m), given its mean (n, C)."""
    variance = np.empty(values.shape[:2], dtype=np.float32)
    centred = np.empty(values.shape[1:], dtype=np.float32)
    # One window at a time stays in the processor's cache. Two passes, because the difference of
    # squares loses every digit where the spread is small.
    for window, window_mean, out in zip(values, mean, variance, strict=True):
        np.subtract(window, window_mean[:, None], out=centred)
        np.vecdot(centred, centred, out=out)
    return np.asarray(np.sqrt(variance / np.float32(values.shape[-1])), dtype=np.float32)


def _mean(maps: Floats, _count: int) -> Floats:
    return _last_mean(_flat(maps))


def _max(maps: Floats, _count: int) -> Floats:
    return np.asarray(_flat(maps).max(axis=2))


def _std(maps: Floats, _count: int) -> Floats:
    flat = _flat(maps)
    return _last_std(flat, _last_mean(flat))


def _mean_std(maps: Floats, _count: int) -> Floats:
    flat = _flat(maps)
    mean = _last_mean(flat)
    return np.concatenate([mean, _last_std(flat, mean)], axis=1)


def _time_std(maps: Floats, _count: int) -> Floats:
    course = _course(maps)
    return _last_std(course, _last_mean(course))


def _bands(maps: Floats, count: int) -> Floats:
    n, channels, height, width = maps.shape
    flat = _flat(maps)
    means = np.empty((n, count, channels), dtype=np.float32)
    for band, (low, high) in enumerate(_edges(height, count)):
        # The rows of a band lie one behind the other.
        means[:, band] = _last_mean(flat[:, :, low * width : high * width])
    return means.reshape(n, count * channels)


def _band_std(maps: Floats, count: int) -> Floats:
    n, channels, height, width = maps.shape
    if height % count == 0:  # the points of a band lie one behind the other: no loop over bands
        points = maps.reshape(n, channels * count, height // count * width)
        spreads = _last_std(points, _last_mean(points)).reshape(n, channels, count)
        return spreads.swapaxes(1, 2).reshape(n, count * channels)
    flat = _flat(maps)
    bands = [flat[:, :, low * width : high * width] for low, high in _edges(height, count)]
    return np.concatenate([_last_std(band, _last_mean(band)) for band in bands], axis=1)


def _time(maps: Floats, count: int) -> Floats:
    n, channels, _, width = maps.shape
    stretches = np.matmul(_stretches(width, count), _course(maps).swapaxes(1, 2))
    return np.asarray(stretches.reshape(n, count * channels), dtype=np.float32)


_POOLINGS: dict[str, Callable[[Floats, int], Floats]] = {
    "mean": _mean,
    "max": _max,
    "std": _std,
    "meanstd": _mean_std,
    "timestd": _time_std,
    "bands": _bands,
    "bandstd": _band_std,
    "time": _time,
}
