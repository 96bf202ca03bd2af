"""Blocks that show what a model says of a record, beside what an annotator says where one did."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from ecglens.evaluation import EpisodeMatch
from ecglens.prediction import INCONCLUSIVE, UNREADABLE, Timeline
from ecglens.reports.blocks import Cell, Lane, Span, Strip, Table
from ecglens.reports.strips import clock
from ecglens.reports.words import rank_of

MOST_ROWS = 30
MOST_SPANS = 2500
_LINES_S = tuple(3600.0 * hours for hours in (1, 2, 3, 4, 6, 12, 24))
_MOST_LINES = 48
_CELLS_S = (5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200)


def rhythm_strip(timeline: Timeline, reference: Sequence[Span] = ()) -> Strip:
    """Return the predicted rhythm over time, above the annotated one where there is one.

    There are at most 48 lines of whole hours, up to a week, and some 2,500 spans; see
    :func:`thin_spans`.
    """
    spans, cell_s = thin_spans(spans_of(timeline), timeline.duration_s, MOST_SPANS)
    lanes = [Lane("predicted" if reference else "rhythm", spans)]
    if reference:
        lanes.append(Lane("true", tuple(reference)))
    fits = (line_s for line_s in _LINES_S if timeline.duration_s <= _MOST_LINES * line_s)
    return Strip(tuple(lanes), timeline.duration_s, next(fits, _LINES_S[-1]), _coarse(cell_s))


def _coarse(cell_s: float) -> str:
    return (
        f"Drawn in steps of {cell_s:g} s: of what is shorter, the most urgent is seen."
        if cell_s
        else ""
    )


def thin_spans(
    spans: Sequence[Span], duration_s: float, most: int
) -> tuple[tuple[Span, ...], float]:
    """Return at most so many spans, or as few as there can be, that look like those given.

    Where there are more, time is divided into equal cells, each of which has the most urgent label
    that touches it; see :func:`ecglens.reports.words.rank_of`.

    Returns:
        The spans, and the length of a cell in seconds, 0 where the spans are those given.
    """
    if len(spans) <= most:
        return tuple(spans), 0.0
    urgent = sorted({label for _, _, label in spans}, key=lambda label: (rank_of(label), label))
    thinned: tuple[Span, ...] = ()
    for cell_s in _CELLS_S:
        cells = np.full(math.ceil(duration_s / cell_s), len(urgent), dtype=np.int64)
        for start, end, label in spans:
            part = slice(math.floor(start / cell_s + 1e-9), math.ceil(end / cell_s - 1e-9))
            cells[part] = np.minimum(cells[part], urgent.index(label))
        edges = [0, *(np.flatnonzero(np.diff(cells)) + 1).tolist(), len(cells)]
        thinned = tuple(
            (first * cell_s, min(last * cell_s, duration_s), urgent[cells[first]])
            for first, last in itertools.pairwise(edges)
            if cells[first] < len(urgent)
        )
        if len(thinned) <= most:
            break
    return thinned, float(cell_s)


def spans_of(timeline: Timeline) -> tuple[Span, ...]:
    """Return the episodes of a timeline as spans."""
    return tuple((one.start_s, one.end_s, one.label) for one in timeline.episodes)


def burden_table(timeline: Timeline, reference: Sequence[Span] = ()) -> Table:
    """Return minutes and share of every label, beside the annotated ones where there are any.

    Predicted shares are of the readable time, annotated ones of the annotated time.
    """
    summary = timeline.summary()
    annotated_s = sum(end - start for start, end, _ in reference)
    rows: list[tuple[Cell | str, ...]] = []
    for label in (*timeline.classes, INCONCLUSIVE, UNREADABLE):
        seconds, share = summary["seconds"][label], summary["share"][label]
        if label not in timeline.classes and not seconds:
            continue
        row: tuple[Cell | str, ...] = (Cell(label, label=label), _burden(seconds, share))
        if reference:
            true_s = sum(end - start for start, end, name in reference if name == label)
            row += (
                _burden(true_s, true_s / annotated_s),
                f"{_signed((seconds - true_s) / 60)} min",
            )
        rows.append(row)
    head = ("rhythm", "predicted", *(("true", "difference") if reference else ()))
    return Table(head, tuple(rows))


def _burden(seconds: float, share: float) -> Cell:
    return Cell(f"{seconds / 60:.1f} min", f"{100 * share:.1f} %")


def match_table(matches: Sequence[EpisodeMatch]) -> Table:
    """Return annotated beside predicted episodes with the errors of their edges."""
    real = [match for match in matches if match.reference is not None]
    return Table(
        head=("class", "true", "predicted", "error, s"),
        rows=tuple(_match_row(match) for match in real[:MOST_ROWS]),
        caption=_shown(
            "Episodes. The errors are the seconds by which the prediction starts and ends later "
            "(+) or earlier (\u2212) than the truth.",
            real,
        ),
        left=3,
    )


def _match_row(match: EpisodeMatch) -> tuple[Cell | str, ...]:
    label = Cell(match.label, label=match.label)
    if match.predicted is None:
        return (label, _when(match.reference), "missed", "")
    pieces = f" in {match.n_pieces} pieces" if match.n_pieces > 1 else ""
    whole = match.covered > 0.995
    detail = "" if whole else f"{100 * match.covered:.0f} % covered{pieces}"
    errors = f"{_signed(match.start_error_s)}, {_signed(match.end_error_s)}"
    return (label, _when(match.reference), Cell(_when(match.predicted), detail), errors)


def false_table(matches: Sequence[EpisodeMatch], reference: Sequence[Span]) -> Table:
    """Return predicted episodes of classes that were not annotated there, with what was."""
    false = [match for match in matches if match.reference is None and match.predicted is not None]
    rows = []
    for match in false[:MOST_ROWS]:
        start, end = match.predicted or (0.0, 0.0)
        there = sorted({label for begin, stop, label in reference if begin < end and start < stop})
        row = (Cell(match.label, label=match.label), _when(match.predicted), ", ".join(there))
        rows.append((*row, f"{end - start:.0f} s"))
    return Table(
        head=("class", "predicted", "true", "length"),
        rows=tuple(rows),
        caption=_shown("False episodes: predicted where nothing of the class was.", false),
        left=3,
    )


def _shown(caption: str, matches: Sequence[EpisodeMatch]) -> str:
    n = len(matches)
    return f"{caption} The first {MOST_ROWS} of {n}." if n > MOST_ROWS else caption


def _when(span: tuple[float, float] | None) -> str:
    return "" if span is None else "–".join(clock(round(at, 1)) for at in span)


def _signed(value: float | None) -> str:
    """Return a number with one decimal and its sign, a true minus."""
    return "" if value is None else f"{round(value, 1) + 0.0:+.1f}".replace("-", "\u2212")
