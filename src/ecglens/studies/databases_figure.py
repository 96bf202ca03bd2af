"""The figure of databases left out, in the mix and alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ecglens.evaluation import Score
from ecglens.plots.style import (
    GRID,
    MARKERS,
    SMALL_PT,
    TEXT_PT,
    colours_of,
    new_figure,
    set_title,
    tidy,
)
from ecglens.studies.databases_outcome import Outcome

_WORDS = {
    "in the mix": "new people of databases in training",
    "left out": "database left out of training",
    "within": "trained on other people of this database alone",
}


def plot_databases(outcomes: Sequence[Outcome], classes: Sequence[str]) -> Figure:
    """Draw macro-F1 and the sensitivity of each class, a row for each database."""
    names = list(dict.fromkeys(one.database for one in outcomes))
    colours = colours_of(list(_WORDS))
    figure = new_figure(1.3 + 0.5 * len(names))
    panels = figure.subplots(1, 1 + len(classes), sharey=True, squeeze=False)[0]
    for number, axes in enumerate(panels):
        for one in outcomes:
            score = one.macro_f1 if not number else one.sensitivity.get(classes[number - 1])
            if score is not None and not math.isnan(score.value):
                place = list(_WORDS).index(one.protocol)
                _mark(axes, score, names.index(one.database) + 0.23 * (place - 1), place)
        _finish(axes, names)
        set_title(axes, "macro-F1" if not number else f"sensitivity {classes[number - 1]}")
    handles = [
        Line2D([], [], linestyle="", marker=MARKERS[place], color=colours[name], label=word)
        for place, (name, word) in enumerate(_WORDS.items())
    ]
    figure.legend(
        handles=handles, loc="outside lower left", ncols=3, frameon=False, fontsize=SMALL_PT
    )
    return figure


def _mark(axes: Axes, score: Score, y: float, place: int) -> None:
    colour = list(colours_of(list(_WORDS)).values())[place]
    if not math.isnan(score.low):
        axes.hlines(y, score.low, score.high, color=colour, linewidth=1.0, alpha=0.5)
    axes.plot(score.value, y, MARKERS[place], color=colour, markersize=5)


def _finish(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(-0.03, 1.03)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.grid(axis="x", color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    tidy(axes)
    axes.tick_params(axis="y", labelsize=TEXT_PT)
