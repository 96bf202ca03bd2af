"""One look for all figures, set on the artists themselves: no global state is touched."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

# Okabe and Ito (2008), told apart with every kind of colour vision; yellow is left out because
# it is too faint on white.
PALETTE = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#332288", "#117733")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = ("-", "--", ":", "-.")
INK, FAINT, GRID = "#222222", "#6b6b6b", "#dddddd"
NEUTRAL = "#a6a6a6"
MARK = "#00a0c6"  # a moment in time: seen on white, on black and on the colours of an image

TITLE_PT, TEXT_PT, SMALL_PT = 10.0, 9.0, 8.0
WIDTH_IN = 8.0  # 1200 px at the 150 dots per inch of save_figure


def new_figure(height_in: float, *, width_in: float = WIDTH_IN) -> Figure:
    """Return an empty white figure that makes room for its own labels."""
    return Figure(figsize=(width_in, height_in), layout="constrained", facecolor="white")


def tidy(axes: Axes, *, spines: Sequence[str] = ("left", "bottom")) -> Axes:
    """Give axes the common look, with only the named spines."""
    axes.set_facecolor("white")
    for side, spine in axes.spines.items():
        spine.set_visible(side in spines)
        spine.set_color(FAINT)
        spine.set_linewidth(0.8)
    axes.tick_params(labelsize=TEXT_PT, colors=INK, color=FAINT, width=0.8, length=3)
    for text in (axes.xaxis.label, axes.yaxis.label):
        text.set_fontsize(TEXT_PT)
        text.set_color(INK)
    return axes


def set_title(axes: Axes, title: str) -> Text:
    """Set a title flush left."""
    return axes.set_title(title, fontsize=TITLE_PT, color=INK, loc="left")


def colours_of(names: Sequence[str]) -> dict[str, str]:
    """Return a colour for each name, by position; they repeat after eight names."""
    return {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(names)}
