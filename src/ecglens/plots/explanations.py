"""The figure of an explanation: what spoke for a class, along the ECG and over its spectrogram."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ecglens.explanation import Explanation
from ecglens.plots.examples import label_rows
from ecglens.plots.style import INK, SMALL_PT, WIDTH_IN, new_figure, set_title, tidy

# Orange for, blue against: told apart with every kind of colour vision, and by the sign of their
# lines in grey (whole for, dashed against).
FOR, AGAINST = "#E69F00", "#56B4E9"
_GREY = LinearSegmentedColormap.from_list("ecglens-grey", ["#ffffff", "#303030"])
# Parts of the strongest heat at which a line is drawn.
_LEVELS = (0.25, 0.5, 0.75)
_FULLEST = 0.8  # opacity of the strongest shade
_SMALL_IN = (4.6, 2.9)
_LARGE_IN = (WIDTH_IN, 4.4)


def plot_explanation(explanation: Explanation, *, small: bool = False) -> Figure:
    """Draw what spoke for a class in one window.

    Above stands the ECG, shaded where the image of that moment spoke for the class (orange) or
    against it (blue), the more the stronger. Below stands its spectrogram in grey with the heat
    over it: whole orange lines where a point spoke for the class with a quarter, half and three
    quarters of the strongest heat, dashed blue lines where it spoke against it. Both share the
    record's time in seconds.

    Args:
        explanation: of :func:`ecglens.explanation.explain_window`.
        small: for a page, to be embedded by ``render_inline``.
    """
    width_in, height_in = _SMALL_IN if small else _LARGE_IN
    figure = new_figure(height_in, width_in=width_in)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[1, 1.4])
    set_title(upper, _title(explanation))
    _draw_ecg(upper, explanation)
    _draw_heat(lower, explanation)
    lower.set_xlim(explanation.start_s, explanation.end_s)
    lower.set_xlabel("seconds")
    figure.align_ylabels()
    return figure


def _title(explanation: Explanation) -> str:
    place = ", ".join(
        part
        for part in (explanation.record_id, explanation.lead and f"lead {explanation.lead}")
        if part
    )
    said = f"{explanation.label}, probability {explanation.probability:.2f}"
    return f"{said} · {place}" if place else said


def _draw_ecg(axes: Axes, explanation: Explanation) -> None:
    """Draw the ECG over shades of the time course, fullest where that is strongest."""
    course = explanation.time_course
    strongest = np.abs(course).max()
    shade = np.zeros((1, len(course), 4))
    if strongest > 0:
        shade[0, :, :3] = np.where((course > 0)[:, None], to_rgb(FOR), to_rgb(AGAINST))
        shade[0, :, 3] = _FULLEST * np.abs(course) / strongest
    axes.imshow(
        shade,
        aspect="auto",
        extent=(explanation.start_s, explanation.end_s, 0.0, 1.0),
        transform=axes.get_xaxis_transform(),
        interpolation="nearest",
        zorder=0,
    )
    seconds = explanation.start_s + np.arange(len(explanation.signal)) / explanation.fs
    axes.plot(seconds, explanation.signal, color=INK, linewidth=0.8)
    low, high = float(explanation.signal.min()), float(explanation.signal.max())
    margin = 0.08 * (high - low)
    axes.set_ylim(low - margin, high + margin)
    axes.set_ylabel(explanation.unit)
    tidy(axes, spines=()).tick_params(length=0)


def _draw_heat(axes: Axes, explanation: Explanation) -> None:
    """Draw the spectrogram in grey and lines of equal heat over it."""
    axes.imshow(
        explanation.image,
        cmap=_GREY,
        vmin=0.0,
        vmax=1.0,
        aspect="auto",
        extent=(explanation.start_s, explanation.end_s, 0.0, 1.0),
        interpolation="nearest",
    )
    heat = explanation.heat
    strongest = np.abs(heat).max()
    rows = 1 - (np.arange(len(heat)) + 0.5) / len(heat)
    for sign, colour, dashes in ((1, FOR, "solid"), (-1, AGAINST, "dashed")):
        levels = [part * strongest for part in _LEVELS if part * strongest < (sign * heat).max()]
        if levels:
            axes.contour(
                explanation.times_s, rows, sign * heat, levels=levels,
                colors=colour, linestyles=dashes, linewidths=(1.0, 1.5, 2.0)[: len(levels)],
            )  # fmt: skip
    axes.set_ylabel("Hz")
    label_rows(axes, explanation.frequencies_hz, None, explanation.lags_s)
    tidy(axes)
    handles = [
        Line2D([], [], color=FOR, linewidth=1.5, label=f"for {explanation.label}"),
        Line2D([], [], color=AGAINST, linewidth=1.5, linestyle="dashed", label="against"),
    ]
    axes.figure.legend(
        handles=handles, loc="outside upper right", ncols=2, frameon=False, fontsize=SMALL_PT
    )
