"""The episodes of a timeline: which come first, and what is known of each."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ecglens.prediction import Episode, Timeline
from ecglens.reports.blocks import Block, Cell, Folded, Table, Text
from ecglens.reports.strips import clock
from ecglens.reports.words import duration, rank_of

MOST_SHOWN, MOST_FOLDED = 20, 300
_URGENT, _CLASS, _INCONCLUSIVE, _NORMAL = range(4)
# How many of each rank are drawn: what is urgent leaves room for the rest.
_MOST_DRAWN = {_URGENT: 10, _CLASS: 10, _INCONCLUSIVE: 3, _NORMAL: 1}


@dataclass(frozen=True, slots=True)
class Listed:
    """An episode and what its windows say.

    Attributes:
        episode: as the timeline gives it.
        heart_rate: median in beats/min, None where there is none.
        quality: median, 0 to 1.
        reason: the most frequent one, ``""`` where none is given.
    """

    episode: Episode
    heart_rate: float | None
    quality: float | None
    reason: str


def listed(timeline: Timeline) -> list[Listed]:
    """Return all episodes, the most urgent and then the longest first."""
    episodes = timeline.episodes
    ends = list(itertools.accumulate(episode.n_windows for episode in episodes))
    order = sorted(range(len(episodes)), key=lambda i: _order(episodes[i]))
    return [
        _look(timeline, episodes[i], slice(ends[i] - episodes[i].n_windows, ends[i])) for i in order
    ]


def _order(episode: Episode) -> tuple[int, float, float]:
    return rank_of(episode.label), -episode.duration_s, episode.start_s


def _look(timeline: Timeline, episode: Episode, part: slice) -> Listed:
    reasons, counts = np.unique(timeline.reasons[part], return_counts=True)
    return Listed(
        episode=episode,
        heart_rate=_median(timeline.heart_rate[part]) if rank_of(episode.label) else None,
        quality=_median(timeline.quality[part]),
        reason=str(reasons[counts.argmax()]),
    )


def _median(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float | None:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else None


def drawn(rows: Sequence[Listed]) -> list[Episode]:
    """Return the episodes whose start is drawn, in the order of the rows: at most 24.

    These are up to ten of ventricular fibrillation, ten of other classes, three inconclusive and
    one of the normal rhythm, the longest of each.
    """
    left = dict(_MOST_DRAWN)
    chosen = []
    for row in rows:
        rank = rank_of(row.episode.label)
        if left.get(rank, 0):
            left[rank] -= 1
            chosen.append(row.episode)
    return chosen


def episode_tables(rows: Sequence[Listed]) -> Iterator[Block]:
    """Yield the table of episodes: the first ones, more of them folded, and what is left out."""
    yield _table(rows[:MOST_SHOWN], "Most urgent first, then longest first.")
    more = rows[MOST_SHOWN : MOST_SHOWN + MOST_FOLDED]
    if more:
        yield Folded(f"The next {len(more)} of {len(rows)} episodes", (_table(more, ""),))
    n_left = len(rows) - MOST_SHOWN - len(more)
    if n_left > 0:
        yield Text(f"{n_left:,} more episodes are in episodes.csv.", small=True)


_COLUMNS: tuple[tuple[str, Callable[[Listed], Cell | str]], ...] = (
    ("rhythm", lambda row: Cell(row.episode.label, row.reason, row.episode.label)),
    ("from", lambda row: clock(row.episode.start_s)),
    ("to", lambda row: clock(row.episode.end_s)),
    ("length", lambda row: duration(row.episode.duration_s)),
    ("probability", lambda row: _figure(row.episode.probability, 2)),
    ("beats/min", lambda row: _figure(row.heart_rate, 0)),
    ("quality", lambda row: _figure(row.quality, 2)),
)


def _table(rows: Sequence[Listed], caption: str) -> Table:
    return Table(
        head=tuple(name for name, _ in _COLUMNS),
        rows=tuple(tuple(cell(row) for _, cell in _COLUMNS) for row in rows),
        caption=caption,
    )


def _figure(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
