"""Figures of evaluations: confusion matrices, layer sweeps, subjects."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ecglens.errors import UsageError
from ecglens.evaluation import Evaluation, ProtocolResult, SubjectScores, Sweep
from ecglens.plots.style import (
    DASHES,
    FAINT,
    GRID,
    INK,
    MARKERS,
    PALETTE,
    SMALL_PT,
    TEXT_PT,
    colours_of,
    new_figure,
    set_title,
    tidy,
)

_TITLE_CHARACTERS = 42
_MANY_SUBJECTS = 40
_SWEEP_TITLES = {
    "pooled accuracy": "accuracy, pooled (leaks: one person's windows are on both sides)",
    "subject macro-F1": "macro-F1, subject-wise (no person is on both sides)",
}


def plot_confusions(evaluation: Evaluation | ProtocolResult) -> Figure:
    """Draw the confusion matrix of every protocol, side by side.

    Rows are the reference. Colour and per cent are shares of the row, the number below them
    counts windows; a class without windows has grey dashes.
    """
    if isinstance(evaluation, ProtocolResult):
        results = [evaluation]
    else:
        results = list(evaluation.results.values())
    k = len(results[0].classes)
    side = 3.2 if k <= 6 else 0.55 * k
    longest = max(map(len, results[0].classes))
    width_in = (side + 0.65 + 0.075 * longest) * len(results)
    figure = new_figure(side + 1.3 + 0.05 * longest, width_in=width_in)
    rows = figure.subplots(1, len(results), squeeze=False)
    for axes, result in zip(rows[0], results, strict=True):
        _draw_confusion(axes, result)
    return figure


def _draw_confusion(axes: Axes, result: ProtocolResult) -> None:
    """Draw one confusion matrix."""
    counts = result.confusion
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.where(totals > 0, counts / np.maximum(totals, 1), 0.0)
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0, aspect="equal")
    size = TEXT_PT if len(counts) <= 6 else 6.5
    for i, j in np.ndindex(*counts.shape):
        text = _cell(float(shares[i, j]), int(counts[i, j])) if totals[i] else "-"
        # White on the dark half of the colour scale, so that figures can be read on every cell.
        colour = "white" if shares[i, j] > 0.55 else INK if counts[i, j] else FAINT
        axes.text(j, i, text, ha="center", va="center", fontsize=size, color=colour)
    ticks = range(len(counts))
    slant = 0 if max(map(len, result.classes)) * len(counts) <= 24 else 40
    axes.set_xticks(ticks, result.classes, rotation=slant, ha="right" if slant else "center")
    axes.set_yticks(ticks, result.classes)
    axes.set_xlabel("predicted")
    axes.set_ylabel("reference")
    tidy(axes, spines=())
    score = f"macro-F1 {result.macro_f1.value:.3f}, accuracy {result.accuracy.value:.3f}"
    wrapped = textwrap.wrap(result.title, _TITLE_CHARACTERS)
    set_title(axes, "\n".join([*wrapped, score]))


def _cell(share: float, count: int) -> str:
    """Return the text of a cell: per cent of the row above the number of windows."""
    if not count:
        return "0"
    return f"{'<1' if share < 0.005 else f'{100 * share:.0f}'} %\n{count}"


def plot_sweep(sweep: Sweep) -> Figure:
    """Draw pooled accuracy and subject-wise macro-F1 over the layers in network order.

    One line per pooling (colour) and head (dashes and marker); a ring marks the best, and a pale
    band the 95 % limits of a line that is alone in its panel.
    """
    panels = [name for name in _SWEEP_TITLES if name in sweep.columns]
    layers = sweep.layers
    longest = max(map(len, layers))
    upright = len(layers) * longest > 90
    labels_in = longest * (0.085 if upright else 0.0) + 0.3
    figure = new_figure(2.3 * len(panels) + labels_in + 0.3)
    rows = figure.subplots(len(panels), 1, squeeze=False, sharex=True, sharey=True)[:, 0]
    for axes, panel in zip(rows, panels, strict=True):
        _draw_sweep(axes, sweep, panel)
    size = TEXT_PT if len(layers) <= 20 else 6.5
    rows[-1].set_xticks(range(len(layers)), layers)
    rows[-1].tick_params(axis="x", rotation=90 if upright else 0, labelsize=size)
    rows[-1].set_xlim(-0.5, len(layers) - 0.5)
    handles, names = rows[0].get_legend_handles_labels()
    figure.legend(
        handles, names, loc="outside upper left", ncols=4, frameon=False, fontsize=SMALL_PT
    )
    return figure


def _draw_sweep(axes: Axes, sweep: Sweep, column: str) -> None:
    """Draw one column of a sweep, a line per pooling and head."""
    at = {layer: i for i, layer in enumerate(sweep.layers)}
    poolings = list(dict.fromkeys(row.pooling for row in sweep.rows))
    heads = list(dict.fromkeys(row.head for row in sweep.rows))
    series = list(dict.fromkeys((row.pooling, row.head) for row in sweep.rows))
    for pooling, head in series:
        rows = [row for row in sweep.rows if (row.pooling, row.head) == (pooling, head)]
        x = [at[row.layer] for row in rows]
        scores = [row.scores[column] for row in rows]
        number = heads.index(head)
        line = axes.plot(
            x,
            [score.value for score in scores],
            color=PALETTE[poolings.index(pooling) % len(PALETTE)],
            linestyle=DASHES[number % len(DASHES)],
            marker=MARKERS[number % len(MARKERS)],
            linewidth=1.3,
            markersize=4,
            label=f"{pooling}, {head}",
        )[0]
        if len(series) == 1:
            low, high = [score.low for score in scores], [score.high for score in scores]
            axes.fill_between(x, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
    best = sweep.best(column)
    _mark_best(axes, at[best.layer], best.scores[column].value)
    axes.margins(y=0.15)
    axes.grid(axis="y", color=GRID, linewidth=0.7)
    tidy(axes)
    set_title(axes, _SWEEP_TITLES[column])


def _mark_best(axes: Axes, x: float, y: float) -> None:
    """Put a ring around the best point and its figure above it."""
    axes.plot(x, y, "o", markersize=11, markerfacecolor="none", markeredgecolor=INK)
    axes.annotate(
        f"{y:.3f}", (x, y), (0, 9), textcoords="offset points", ha="center", fontsize=TEXT_PT
    )


def plot_subjects(result: ProtocolResult, *, colour_by: str = "class") -> Figure:
    """Draw the accuracy of every subject as a dot, sorted from worst to best.

    The area of a dot follows the number of windows, the colour the class most of the subject's
    windows are of, or the database.

    Args:
        result: one protocol.
        colour_by: ``"class"`` or ``"database"``.

    Raises:
        UsageError: ``colour_by`` is neither.
    """
    if colour_by not in ("class", "database"):
        raise UsageError(f"colour_by must be 'class' or 'database', got {colour_by!r}")
    rows = sorted(result.per_subject, key=lambda row: (row.accuracy, row.n_windows, row.subject))
    groups = [_group(row, colour_by) for row in rows]
    names = list(result.classes) if colour_by == "class" else sorted(set(groups))
    colours = colours_of(names)
    figure = new_figure(3.9)
    axes = figure.subplots()
    axes.axhline(result.accuracy.value, color=FAINT, linewidth=0.9, linestyle="--", zorder=1)
    most = max(row.n_windows for row in rows)
    axes.scatter(
        range(len(rows)),
        [row.accuracy for row in rows],
        s=[12 + 150 * row.n_windows / most for row in rows],
        c=[colours[group] for group in groups],
        alpha=0.75,
        linewidths=0.6 if len(rows) <= _MANY_SUBJECTS else 0.0,
        edgecolors="white",
        zorder=2,
    )
    _label_subjects(axes, rows)
    _add_legend(figure, {name: colours[name] for name in names if name in groups}, colour_by)
    whole = f"dashed: all windows, {result.accuracy.value:.3f}"
    what = f"accuracy of each subject; area: windows, up to {most}; {whole}"
    set_title(axes, f"{result.title}\n{what}")
    return figure


def _add_legend(figure: Figure, colours: Mapping[str, str], colour_by: str) -> None:
    """Add a column of coloured dots to the right of a figure."""
    handles = [
        Line2D([], [], linestyle="", marker="o", color=colour, label=name or "-")
        for name, colour in colours.items()
    ]
    figure.legend(
        handles=handles,
        loc="outside right upper",
        frameon=False,
        fontsize=SMALL_PT,
        title="most windows" if colour_by == "class" else "database",
        title_fontsize=SMALL_PT,
    )


def _group(row: SubjectScores, colour_by: str) -> str:
    """Return what a subject's dot is coloured by."""
    if colour_by == "database":
        return row.database
    return max(row.classes, key=lambda name: row.classes[name])


def _label_subjects(axes: Axes, rows: Sequence[SubjectScores]) -> None:
    """Set the axes of the subject figure; names are written only where they can be read."""
    if len(rows) <= _MANY_SUBJECTS:
        axes.set_xticks(range(len(rows)), [row.subject for row in rows], rotation=90)
    else:
        axes.set_xlabel(f"{len(rows)} subjects, worst to best")
    axes.set_ylim(-0.07, 1.07)
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.grid(axis="y", color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    tidy(axes)
    if len(rows) <= _MANY_SUBJECTS:
        axes.tick_params(axis="x", labelsize=SMALL_PT)
