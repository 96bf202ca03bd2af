"""Rhythm spans laid over one another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ecglens.records import RhythmSpan


def cut_out(spans: Iterable[RhythmSpan], over: Sequence[RhythmSpan]) -> list[RhythmSpan]:
    """Return what is left of spans outside others, whatever lead those are of."""
    holes = merged((span.start_s, span.end_s) for span in over)
    left: list[RhythmSpan] = []
    for span in spans:
        at = span.start_s
        for start, end in holes:
            if end <= at or start >= span.end_s:
                continue
            if start > at:
                left.append(replace(span, start_s=at, end_s=start))
            at = end
        if at < span.end_s:
            left.append(replace(span, start_s=at))
    return left


def fill_between(
    spans: Sequence[RhythmSpan], start_s: float, end_s: float, rhythm: str
) -> list[RhythmSpan]:
    """Return spans of a rhythm over what the others leave free from ``start_s`` to ``end_s``."""
    return cut_out([RhythmSpan(start_s, end_s, rhythm)], spans) if start_s < end_s else []


def merged(stretches: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return what stretches (start, end) cover together, in order and apart from each other."""
    found: list[tuple[float, float]] = []
    for start, end in sorted(stretches):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found
