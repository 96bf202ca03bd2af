"""The geometry of a strip: where on which line a span is drawn, and where the ticks are."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ecglens.reports.blocks import Span, Strip

TICKS_S = (1, 2, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
_MOST_TICKS = 7
_MOST_SAID = 24
_EDGE = 4.0  # per cent of a line: half of the longest time on a narrow page


@dataclass(frozen=True, slots=True)
class Bar:
    """A span's share of a line: left edge and width in per cent of the line."""

    left: float
    width: float
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a strip.

    Attributes:
        lanes: names of the lanes with their bars.
        ticks: where in per cent, and what is written there.
        width: how much of a whole line is recorded, in per cent.
    """

    lanes: tuple[tuple[str, tuple[Bar, ...]], ...]
    ticks: tuple[tuple[float, str], ...]
    width: float


def lines_of(strip: Strip) -> Iterator[Line]:
    """Yield the lines of a strip; a span that crosses the end of a line goes on on the next."""
    length_s = min(strip.line_s, strip.duration_s)
    for number in range(math.ceil(strip.duration_s / length_s - 1e-9)):
        start_s = number * length_s
        end_s = min(start_s + length_s, strip.duration_s)
        lanes = tuple(
            (lane.name, tuple(_bars(lane.spans, start_s, end_s, length_s))) for lane in strip.lanes
        )
        width = 100 * (end_s - start_s) / length_s
        yield Line(lanes, tuple(_ticks(start_s, end_s, length_s)), width)


def labels_of(strip: Strip) -> list[str]:
    """Return the labels that a strip shows, sorted."""
    return sorted({label for lane in strip.lanes for _, _, label in lane.spans})


def said_of(bars: Sequence[Bar]) -> str:
    """Return the bars of a lane in words, for those who cannot see them."""
    if len(bars) <= _MOST_SAID:
        return "; ".join(bar.text for bar in bars)
    labels = sorted({bar.label for bar in bars})
    return f"{len(bars)} stretches of {', '.join(labels)}, listed in a table of the page"


def _bars(spans: Sequence[Span], start_s: float, end_s: float, length_s: float) -> Iterator[Bar]:
    for start, end, label in spans:
        left, right = max(start, start_s), min(end, end_s)
        if right > left:
            text = f"{label} {clock(start)} to {clock(end)}"
            share = 100 / length_s
            yield Bar((left - start_s) * share, (right - left) * share, label, text)


def _ticks(start_s: float, end_s: float, length_s: float) -> Iterator[tuple[float, str]]:
    step = next((s for s in TICKS_S if length_s / s < _MOST_TICKS), TICKS_S[-1])
    for number in range(math.floor((end_s - start_s) / step + 1e-9) + 1):
        yield 100 * number * step / length_s, clock(start_s + number * step)


def edge_of(at: float) -> str:
    """Return the edge that would cut off a text in the middle of which a tick stands.

    Args:
        at: where the tick stands, in per cent of the line.

    Returns:
        ``near-left``, ``near-right`` or nothing; style.css knows the same.
    """
    if at < _EDGE:
        return "near-left"
    return "near-right" if at > 100 - _EDGE else ""


def clock(seconds: float, n_decimals: int = 0) -> str:
    """Return a time within a record: ``m:ss``, or ``h:mm:ss`` from an hour on.

    Args:
        seconds: from the start of the record.
        n_decimals: how many decimals the seconds have at least; none is left out that tells, down
            to the millisecond.
    """
    whole, milliseconds = divmod(round(1000 * seconds), 1000)
    hours, minutes = whole // 3600, whole // 60 % 60
    decimals = f"{milliseconds:03d}".rstrip("0").ljust(n_decimals, "0")
    last = f"{whole % 60:02d}{'.' if decimals else ''}{decimals}"
    return f"{hours}:{minutes:02d}:{last}" if hours else f"{minutes}:{last}"


def decimals_of(times_s: Iterable[float]) -> int:
    """Return how many decimals the clock shows at most of some times."""
    return max((len(clock(time_s).partition(".")[2]) for time_s in times_s), default=0)
