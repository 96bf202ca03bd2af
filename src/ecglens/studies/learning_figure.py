"""The figure of a learning curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from ecglens.plots.style import GRID, SMALL_PT, TEXT_PT, colours_of, new_figure, set_title, tidy
from ecglens.studies.curves import Point, score_of

_APART = 0.06
_DODGE = 0.022


class _End(NamedTuple):
    """The last point of a line, and its name."""

    x: float
    y: float
    title: str
    colour: str


def plot_learning_curve(
    curves: Mapping[str, Sequence[Point]], people: Sequence[int], classes: Sequence[str]
) -> Figure:
    """Draw macro-F1, and below it the sensitivity of each class, against people per class.

    Args:
        curves: points of each learner.
        people: of each class at each point, increasing; the last are all there are.
        classes: in the order of the points' columns.
    """
    figure = new_figure(6.2)
    parts = figure.subfigures(2, 1, squeeze=False, height_ratios=(2.2, 1))
    upper, lower = parts[0, 0], parts[1, 0]
    main = upper.subplots()
    colours = colours_of(list(curves))
    ends = []
    for number, (title, points) in enumerate(curves.items()):
        scores = [score_of(point.macro_f1) for point in points]
        shift = 1 + _DODGE * (number - (len(curves) - 1) / 2)
        x = np.array(people) * shift
        y = np.array([score.value for score in scores])
        main.vlines(
            x, [s.low for s in scores], [s.high for s in scores],
            color=colours[title], linewidth=0.9, alpha=0.45,
        )  # fmt: skip
        main.plot(x, y, color=colours[title], marker="o", markersize=3.5, linewidth=1.6)
        ends.append(_End(float(x[-1]), float(y[-1]), title, colours[title]))
    _finish(main, people, small=False)
    set_title(main, "macro-F1 on new people (subject-wise), with 95 % limits")
    main.set_xlabel("training people of each class (at most)")
    _label_ends(main, ends)
    panels = lower.subplots(1, len(classes), sharey=True, squeeze=False)[0]
    for column, (name, axes) in enumerate(zip(classes, panels, strict=True)):
        for title, points in curves.items():
            values = [point.sensitivity[0, column] for point in points]
            axes.plot(people, values, color=colours[title], linewidth=1.2)
        _finish(axes, people, small=True)
        axes.set_ylim(-0.03, 1.03)
        set_title(axes, f"sensitivity {name}")
    return figure


def _finish(axes: Axes, people: Sequence[int], *, small: bool) -> None:
    axes.set_xscale("log")
    shown = [people[0], people[len(people) // 2], people[-1]] if small else list(people)
    names = [str(n) for n in shown[:-1]] + ["all" if small else f"all\n({people[-1]})"]
    axes.set_xticks(shown, names)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(axis="y", color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    tidy(axes)
    if small:
        axes.tick_params(labelsize=SMALL_PT)


def _label_ends(axes: Axes, ends: Sequence[_End]) -> None:
    """Write each line's name behind its end, moved apart where lines meet."""
    low, high = axes.get_ylim()
    order = sorted(ends, key=lambda end: end.y)
    places: list[float] = []
    for end in order:
        at = (end.y - low) / (high - low)
        places.append(max(at, places[-1] + _APART) if places else at)
    for i in range(len(places) - 1, -1, -1):  # back inside, where the topmost were pushed out
        roof = places[i + 1] - _APART if i + 1 < len(places) else 1.0
        places[i] = min(places[i], roof)
    for end, place in zip(order, places, strict=True):
        axes.annotate(
            end.title,
            (end.x, end.y),
            (1.04, place),
            textcoords="axes fraction",
            va="center",
            fontsize=TEXT_PT,
            color=end.colour,
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-", "color": end.colour, "linewidth": 0.6, "alpha": 0.6,
                "relpos": (0.0, 0.5), "shrinkA": 1, "shrinkB": 3,
            },
        )  # fmt: skip
