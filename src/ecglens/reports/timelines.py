"""Blocks that show what a model says of a record, beside what an annotator says where one did."""

from __future__ import annotations

from collections.abc import Sequence

from ecglens.evaluation import EpisodeMatch
from ecglens.prediction import INCONCLUSIVE, UNREADABLE, Timeline
from ecglens.reports.blocks import Cell, Lane, Span, Strip, Table
from ecglens.reports.strips import clock

MOST_ROWS = 60


def rhythm_strip(timeline: Timeline, reference: Sequence[Span] = ()) -> Strip:
    """Return the predicted rhythm over time, above the annotated one where there is one."""
    lanes = [Lane("predicted", spans_of(timeline))]
    if reference:
        lanes.append(Lane("true", tuple(reference)))
    return Strip(tuple(lanes), timeline.duration_s)


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
            difference = f"{(seconds - true_s) / 60:+.1f} min"
            row += (_burden(true_s, true_s / annotated_s), difference)
        rows.append(row)
    head = ("rhythm", "predicted", *(("true", "difference") if reference else ()))
    return Table(head, tuple(rows))


def _burden(seconds: float, share: float) -> Cell:
    return Cell(f"{seconds / 60:.1f} min", f"{100 * share:.1f} %")


def match_table(matches: Sequence[EpisodeMatch], caption: str = "") -> Table:
    """Return true beside predicted episodes with the errors of their edges, at most 60 rows."""
    rows = tuple(_match_row(match) for match in matches[:MOST_ROWS])
    if len(matches) > MOST_ROWS:
        caption = f"{caption} The first {MOST_ROWS} of {len(matches)} are shown.".strip()
    head = ("class", "true episode", "predicted", "start error", "end error")
    return Table(head, rows, caption, left=3)


def _match_row(match: EpisodeMatch) -> tuple[Cell | str, ...]:
    label = Cell(match.label, label=match.label)
    if match.reference is None:
        return (label, "none", _when(match.predicted), "", "")
    if match.predicted is None:
        return (label, _when(match.reference), "missed", "", "")
    pieces = f"in {match.n_pieces} pieces, " if match.n_pieces > 1 else ""
    whole = match.covered > 0.9995
    detail = "" if whole else f"{pieces}{100 * match.covered:.0f} % covered"
    return (
        label,
        _when(match.reference),
        Cell(_when(match.predicted), detail),
        _error(match.start_error_s),
        _error(match.end_error_s),
    )


def _when(span: tuple[float, float] | None) -> str:
    return "" if span is None else f"{clock(span[0])} – {clock(span[1])}"


def _error(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:+.1f} s"
