"""Figures, made with matplotlib's object interface: no window opens, nothing global changes."""

from __future__ import annotations

from ecglens.plots.evaluations import plot_confusions, plot_subjects, plot_sweep
from ecglens.plots.examples import plot_examples, plot_stretch, row_ticks
from ecglens.plots.explanations import plot_explanation
from ecglens.plots.recordings import plot_timeline, plot_windows
from ecglens.plots.saving import check_figure, render_figure, render_inline, save_figure

__all__ = [
    "check_figure",
    "plot_confusions",
    "plot_examples",
    "plot_explanation",
    "plot_stretch",
    "plot_subjects",
    "plot_sweep",
    "plot_timeline",
    "plot_windows",
    "render_figure",
    "render_inline",
    "row_ticks",
    "save_figure",
]
