"""The figure of an explanation: what spoke for a class, along the ECG and over its spectrogram."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from ecglens.explanation import Explanation
from ecglens.plots.examples import label_hz
from ecglens.plots.style import GRID, INK, SMALL_PT, WIDTH_IN, new_figure, set_title, tidy

FloatArray = npt.NDArray[np.float64]

# Orange for, blue against: told apart with every kind of colour vision, and by the sign of their
# lines in grey (whole for, dashed against).
FOR, AGAINST = "#E69F00", "#56B4E9"
_GREY = LinearSegmentedColormap.from_list("ecglens-grey", ["#ffffff", "#303030"])
# Parts of the strongest heat at which a line is drawn.
_LEVELS = (0.25, 0.5, 0.75)
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
