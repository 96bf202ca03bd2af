"""The episodes of a timeline: which come first, and what is known of each."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ecglens.prediction import Episode, Timeline
from ecglens.reports.blocks import Block, Cell, Folded, Table, Text
from ecglens.reports.strips import clock, decimals_of
from ecglens.reports.words import duration, rank_of

MOST_SHOWN, MOST_FOLDED = 20, 300
# How many of each rank are drawn, the labels of a rank alike: what is urgent leaves room.
_MOST_IN_ALL = 24
_MOST_DRAWN = {0: 8, 1: 12, 2: 3, 3: 1}


class Ranked(NamedTuple):
    """An episode and where its windows are.

    Attributes:
        episode: as the timeline gives it.
        windows: of the timeline.
    """

    episode: Episode
    windows: slice


def ranked(timeline: Timeline) -> list[Ranked]:
    """Return all episodes, the most urgent and then the longest first."""
    episodes = timeline.episodes
    ends = itertools.accumulate(episode.n_windows for episode in episodes)
    rows = [Ranked(e, slice(end - e.n_windows, end)) for e, end in zip(episodes, ends, strict=True)]
    return sorted(rows, key=lambda row: _order(row.episode))


def _order(episode: Episode) -> tuple[int, float, float]:
    return rank_of(episode.label), -episode.duration_s, episode.start_s


def drawn(rows: Sequence[Ranked]) -> list[Episode]:
    """Return the episodes whose start is drawn, in the order of the rows: at most 24.

    These are the longest eight of ventricular fibrillation, twelve of other classes, each class
    having its share, three inconclusive ones and one of the normal rhythm.
    """
    labels = sorted({row.episode.label for row in rows})
    ranks = Counter(rank_of(label) for label in labels)
    left = {
        label: math.ceil(_MOST_DRAWN.get(rank_of(label), 0) / ranks[rank_of(label)])
        for label in labels
    }
    chosen: list[Episode] = []
    for row in rows:
        left[row.episode.label] -= 1
        if left[row.episode.label] >= 0 and len(chosen) < _MOST_IN_ALL:
            chosen.append(row.episode)
    return chosen


def episode_tables(timeline: Timeline, rows: Sequence[Ranked]) -> Iterator[Block]:
    """Yield the table of episodes: the first ones, more of them folded, and what is left out."""
    yield _table(timeline, rows[:MOST_SHOWN], "Most urgent first, then longest first.")
    more = rows[MOST_SHOWN : MOST_SHOWN + MOST_FOLDED]
    if more:
        title = f"The next {len(more)} of {len(rows)} episodes"
        yield Folded(title, (_table(timeline, more, ""),))
    n_left = len(rows) - MOST_SHOWN - len(more)
    if n_left > 0:
        yield Text(f"{n_left} more episodes are in episodes.csv.", small=True)


def _table(timeline: Timeline, rows: Sequence[Ranked], caption: str) -> Table:
    bounds = (s for row in rows for s in (row.episode.start_s, row.episode.end_s))
    n_decimals = decimals_of(bounds)
    return Table(
        head=("rhythm", "from", "to", "length", "probability", "beats/min", "quality"),
        rows=[_row(timeline, row.episode, row.windows, n_decimals) for row in rows],
        caption=caption,
    )


def _row(
    timeline: Timeline, episode: Episode, part: slice, n_decimals: int
) -> tuple[Cell | str, ...]:
    pulse = rank_of(episode.label) > 0
    return (
        Cell(episode.label, episode.reason, episode.label),
        clock(episode.start_s, n_decimals),
        clock(episode.end_s, n_decimals),
        duration(episode.duration_s),
        _figure(episode.probability, 2),
        _figure(_median(timeline.heart_rate[part]) if pulse else None, 0),
        _figure(_median(timeline.quality[part]), 2),
    )


def _median(values: npt.NDArray[np.float64]) -> float | None:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else None


def _figure(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
