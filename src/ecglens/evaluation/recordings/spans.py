"""Arithmetic of spans: joined, cut out, and shared time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Span = tuple[float, float, str]
"""Start and end in seconds, and a label."""

Interval = tuple[float, float]

_TOUCHING_S = 1e-6


def joined(spans: Iterable[Span]) -> list[Span]:
    """Return spans in order of time; those of one label that touch or overlap become one."""
    whole: dict[str, list[Span]] = {}
    for start, end, label in sorted(spans):
        if end <= start:
            continue
        same = whole.setdefault(label, [])
        if same and start <= same[-1][1] + _TOUCHING_S:
            same[-1] = (same[-1][0], max(same[-1][1], end), label)
        else:
            same.append((start, end, label))
    return sorted(span for same in whole.values() for span in same)


def without(spans: Iterable[Span], holes: Iterable[Interval]) -> list[Span]:
    """Return what is left of spans when some time is cut out of them."""
    left = list(spans)
    for low, high in holes:
        pieces: list[Span] = []
        for start, end, label in left:
            if high <= start or end <= low:
                pieces.append((start, end, label))
                continue
            if start < low:
                pieces.append((start, low, label))
            if high < end:
                pieces.append((high, end, label))
        left = pieces
    return left


def shared_s(one: Interval | Span, others: Sequence[Span]) -> float:
    """Return the seconds of a span that lie in others, which do not overlap each other."""
    return sum(max(0.0, min(one[1], other[1]) - max(one[0], other[0])) for other in others)


def total_s(spans: Iterable[Span]) -> float:
    """Return the seconds of all spans together."""
    return sum(end - start for start, end, _ in spans)
