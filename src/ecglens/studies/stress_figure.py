"""The figure of a stress study: small multiples."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ecglens.plots.style import (
    FAINT,
    GRID,
    INK,
    SMALL_PT,
    TEXT_PT,
    colours_of,
    new_figure,
    tidy,
)
from ecglens.studies.stress_level import Level

_COLUMNS = 4
_RIGHT, _CLAIMED = (0, (4, 2)), (0, (1, 1.5))


def plot_stress(levels: Sequence[Level]) -> Figure:
    """Draw a panel for each kind of stress; the first level is that of clean windows."""
    clean, kinds = levels[0], by_kind(levels[1:])
    classes = list(clean.sensitivity)
    colours = colours_of(classes)
    n_rows = max(1, math.ceil(len(kinds) / _COLUMNS))
    figure = new_figure(0.5 + 2.05 * n_rows)
    panels = figure.subplots(n_rows, _COLUMNS, sharey=True, squeeze=False).ravel()
    for axes, (kind, mine) in zip(panels, kinds.items(), strict=False):
        shown = [clean, *mine]
        for name in classes:
            values = [level.sensitivity[name].value for level in shown]
            axes.plot(values, color=colours[name], linewidth=1.1, marker=".", markersize=4)
        axes.fill_between(
            range(len(shown)),
            [level.macro_f1.low for level in shown],
            [level.macro_f1.high for level in shown],
            color=INK, alpha=0.10, linewidth=0,
        )  # fmt: skip
        axes.plot([x.macro_f1.value for x in shown], color=INK, linewidth=1.9)
        axes.plot([x.claimed for x in shown], color=FAINT, linestyle=_CLAIMED, linewidth=1.3)
        axes.plot([x.right for x in shown], color=FAINT, linestyle=_RIGHT, linewidth=1.1)
        _finish(axes, kind, shown)
    for axes in panels[len(kinds) :]:
        axes.set_axis_off()
    handles = [Line2D([], [], color=INK, linewidth=1.9, label="macro-F1, with 95 % limits")]
    handles += [
        Line2D([], [], color=colours[name], marker=".", label=f"sensitivity {name}")
        for name in classes
    ]
    handles += [
        Line2D([], [], color=FAINT, linestyle=_CLAIMED, label="share claimed"),
        Line2D([], [], color=FAINT, linestyle=_RIGHT, label="right among the claimed"),
    ]
    figure.legend(
        handles=handles, loc="outside upper left", ncols=4, frameon=False, fontsize=SMALL_PT
    )
    return figure


def by_kind(levels: Sequence[Level]) -> dict[str, list[Level]]:
    """Return the levels of each kind of stress, in their order."""
    kinds: dict[str, list[Level]] = {}
    for level in levels:
        kinds.setdefault(level.stress.kind, []).append(level)
    return kinds


def _finish(axes: Axes, kind: str, shown: Sequence[Level]) -> None:
    axes.set_title(kind, fontsize=TEXT_PT, color=INK, loc="left")
    axes.set_xticks(range(len(shown)), [level.stress.level for level in shown])
    axes.set_xlabel(shown[-1].stress.unit)
    axes.set_ylim(-0.03, 1.03)
    axes.grid(axis="y", color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    tidy(axes)
    axes.xaxis.label.set_fontsize(SMALL_PT)
    axes.tick_params(labelsize=SMALL_PT - 1.5)
