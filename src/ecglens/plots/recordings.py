"""Figures of recordings: a record over time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, StepPatch
from matplotlib.ticker import MaxNLocator

from ecglens.errors import UsageError
from ecglens.plots.style import (
    FAINT,
    NEUTRAL,
    SMALL_PT,
    colours_of,
    new_figure,
    set_title,
    tidy,
)
from ecglens.prediction import INCONCLUSIVE, UNREADABLE, Timeline
from ecglens.records import runs_of

FloatArray = npt.NDArray[np.float64]
Span = tuple[float, float, str]

_HATCH = "////"
# Above these lengths in seconds the axis is in hours, in minutes; below, in seconds.
_HOURS_FROM_S, _MINUTES_FROM_S = 3 * 3600.0, 300.0
# Columns of pixels that a figure of full width has for its axes, nearly.
_MAX_CELLS = 1000


def plot_timeline(timeline: Timeline) -> Figure:
    """Draw what a model says of a record: see :func:`plot_windows`."""
    return plot_windows(
        start_s=timeline.start_s,
        length_s=timeline.length_s,
        labels=timeline.labels,
        probabilities=timeline.probabilities,
        classes=timeline.classes,
        duration_s=timeline.duration_s,
        episodes=[(one.start_s, one.end_s, one.label) for one in timeline.episodes],
        title=f"{timeline.record_id}, lead {timeline.lead}",
    )


def plot_windows(
    *,
    start_s: npt.ArrayLike,
    length_s: float,
    labels: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    classes: Sequence[str],
    duration_s: float,
    episodes: Iterable[Span] = (),
    title: str = "",
) -> Figure:
    """Draw a record over time: episodes, the class of each window, and its probabilities.

    Classes have colours, inconclusive windows are grey, unreadable ones hatched; what no window
    covers stays white. Where windows overlap, each one is drawn as the stretch around its centre
    that is nearest to it. Of more than 1,000 windows the probabilities are averaged over as many
    neighbours as share a column of pixels; the strips show every window.

    Args:
        start_s: start of each window in seconds, shape (n,), rising.
        length_s: length of a window in seconds.
        labels: shape (n,): a class, ``"inconclusive"`` or ``"unreadable"``.
        probabilities: shape (n, k), NaN where unreadable.
        classes: the k classes.
        duration_s: length of the record in seconds.
        episodes: (start, end, label), in seconds. Where they are just the windows, merged, they
            stand in the place of the windows.
        title: what is drawn.

    Raises:
        UsageError: shapes disagree, or a label is neither a class nor one of the two words.
    """
    starts = np.asarray(start_s, dtype=np.float64)
    words = np.asarray(labels).astype(str)
    shares = np.asarray(probabilities, dtype=np.float64)
    _check_windows(starts, words, shares, classes)
    spans = list(episodes)
    colours = {**colours_of(classes), INCONCLUSIVE: NEUTRAL, UNREADABLE: "white"}
    unit_s, unit = _time_unit(duration_s)
    cells = _cells(starts, length_s) / unit_s
    strips = {"windows": _merged(cells, words)}
    if spans:
        scaled = [(start / unit_s, end / unit_s, label) for start, end, label in spans]
        # Episodes that are the windows, merged, are not drawn twice.
        same = _same_spans(scaled, strips["windows"])
        strips = {"episodes": scaled} if same else {"episodes": scaled, **strips}
    figure = new_figure(2.4 + 0.5 * len(strips))
    heights = [*[0.5] * len(strips), 2.0]
    rows = list(figure.subplots(len(heights), 1, sharex=True, height_ratios=heights))
    set_title(rows[0], title)
    for axes, (name, drawn) in zip(rows, strips.items(), strict=False):
        _draw_strip(axes, drawn, colours, name)
    _draw_shares(rows[-1], cells, shares, classes, colours)
    rows[-1].set_xlim(0, duration_s / unit_s)
    rows[-1].set_xlabel(unit)
    rows[-1].xaxis.set_major_locator(MaxNLocator(9, steps=[1, 2, 3, 5, 6, 10]))
    shown = [*classes, *[word for word in (INCONCLUSIVE, UNREADABLE) if word in words]]
    handles = [_patch(word, colours) for word in shown]
    figure.legend(handles=handles, loc="outside right upper", frameon=False, fontsize=SMALL_PT)
    return figure


def _check_windows(
    starts: FloatArray, words: npt.NDArray[np.str_], shares: FloatArray, classes: Sequence[str]
) -> None:
    """Raise UsageError unless the arrays of a timeline fit together."""
    n = len(starts)
    if starts.shape != (n,) or words.shape != (n,) or shares.shape != (n, len(classes)) or not n:
        raise UsageError(
            f"starts have shape {starts.shape}, labels {words.shape}, probabilities "
            f"{shares.shape}, for {len(classes)} classes; they must be (n,), (n,) and "
            "(n, n_classes), n at least 1"
        )
    strange = sorted(set(words.tolist()) - {*classes, INCONCLUSIVE, UNREADABLE})
    if strange:
        raise UsageError(
            f"label {strange[0]!r} is not known; it must be a class ({', '.join(classes)}), "
            f"{INCONCLUSIVE!r} or {UNREADABLE!r}"
        )


def _time_unit(duration_s: float) -> tuple[float, str]:
    """Return seconds per unit and the unit of the time axis."""
    if duration_s >= _HOURS_FROM_S:
        return 3600.0, "hours"
    return (60.0, "minutes") if duration_s >= _MINUTES_FROM_S else (1.0, "seconds")


def _cells(starts: FloatArray, length_s: float) -> FloatArray:
    """Return the stretch (start, end) each window stands for, in seconds, shape (n, 2)."""
    ends = starts + length_s
    overlapping = starts[1:] < ends[:-1]
    borders = (starts[1:] + ends[:-1]) / 2
    cells = np.stack([starts, ends], axis=1)
    cells[:-1, 1] = np.where(overlapping, borders, ends[:-1])
    cells[1:, 0] = np.where(overlapping, borders, starts[1:])
    return cells


def _merged(cells: FloatArray, words: npt.NDArray[np.str_]) -> list[Span]:
    """Merge neighbouring cells of one label into spans."""
    breaks = (words[1:] != words[:-1]) | _apart(cells)
    firsts = [0, *(np.flatnonzero(breaks) + 1).tolist()]
    lasts = [*[first - 1 for first in firsts[1:]], len(words) - 1]
    return [
        (float(cells[first, 0]), float(cells[last, 1]), str(words[first]))
        for first, last in zip(firsts, lasts, strict=True)
    ]


def _same_spans(first: Sequence[Span], second: Sequence[Span]) -> bool:
    """Return whether two rows of spans look alike."""
    if [span[2] for span in first] != [span[2] for span in second]:
        return False
    return np.allclose([span[:2] for span in first], [span[:2] for span in second])


def _apart(cells: FloatArray) -> npt.NDArray[np.bool_]:
    """Return where a cell does not touch the next one, shape (n - 1,)."""
    apart: npt.NDArray[np.bool_] = cells[1:, 0] - cells[:-1, 1] > 1e-6
    return apart


def _draw_strip(axes: Axes, spans: Sequence[Span], colours: Mapping[str, str], name: str) -> None:
    """Draw spans as bars, one collection per label."""
    for label in dict.fromkeys(span[2] for span in spans):
        unreadable = label == UNREADABLE
        colour = colours.get(label, NEUTRAL)
        axes.broken_barh(
            [(start, end - start) for start, end, word in spans if word == label],
            (0, 1),
            facecolor=colour,
            edgecolor=FAINT if unreadable else colour,
            hatch=_HATCH if unreadable else None,
            # A thin edge keeps ten seconds of a whole day visible.
            linewidth=0.0 if unreadable else 0.6,
        )
    axes.set_ylim(0, 1)
    axes.set_yticks([0.5], [name])
    tidy(axes, spines=())
    axes.tick_params(length=0, labelbottom=False)


def _draw_shares(
    axes: Axes,
    cells: FloatArray,
    shares: FloatArray,
    classes: Sequence[str],
    colours: Mapping[str, str],
) -> None:
    """Stack the class probabilities over time, window by window; hatch unreadable stretches."""
    cells, shares = _thinned(cells, shares)
    known = np.asarray(np.isfinite(shares).all(axis=1))
    breaks = np.concatenate([[False], _apart(cells)])
    tops = np.cumsum(np.nan_to_num(shares), axis=1)
    for first, last in _stretches(known, breaks):
        edges = np.append(cells[first:last, 0], cells[last - 1, 1])
        # From the whole down to the first class, each over the last: no seams between them.
        for i in reversed(range(len(classes))):
            values = tops[first:last, i]
            # `axes.stairs` would look for limits, which are known, in every patch.
            axes.add_artist(StepPatch(values, edges, fill=True, color=colours[classes[i]]))
    gaps = [
        (cells[first, 0], cells[last - 1, 1])
        for first, last in _stretches(np.logical_not(known), breaks)
    ]
    axes.broken_barh(
        [(start, end - start) for start, end in gaps],
        (0, 1),
        facecolor="white",
        edgecolor=FAINT,
        hatch=_HATCH,
        linewidth=0.0,
    )
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1])
    axes.set_ylabel("probability")
    tidy(axes)


def _thinned(cells: FloatArray, shares: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Join neighbouring windows where there are more than a figure has columns.

    A joined cell has the mean probabilities of its readable windows, NaN where it has none.
    """
    n_joined = -(-len(cells) // _MAX_CELLS)
    if n_joined == 1:
        return cells, shares
    firsts = np.arange(0, len(cells), n_joined)
    lasts = np.append(firsts[1:], len(cells)) - 1
    known = np.isfinite(shares).all(axis=1, keepdims=True)
    count = np.add.reduceat(known, firsts, dtype=np.float64)
    total = np.add.reduceat(np.where(known, shares, 0.0), firsts)
    means = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    return np.stack([cells[firsts, 0], cells[lasts, 1]], axis=1), means


def _stretches(mask: npt.NDArray[np.bool_], breaks: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return [first, last) of every run of True that no break cuts."""
    pieces = []
    for first, last in runs_of(mask):
        cuts = np.flatnonzero(breaks[first + 1 : last]) + first + 1
        pieces += list(zip([first, *cuts.tolist()], [*cuts.tolist(), last], strict=True))
    return pieces


def _patch(word: str, colours: Mapping[str, str]) -> Patch:
    """Return the legend's mark of one label."""
    if word == UNREADABLE:
        return Patch(facecolor="white", edgecolor=FAINT, hatch=_HATCH, linewidth=0.0, label=word)
    return Patch(facecolor=colours[word], label=word)
