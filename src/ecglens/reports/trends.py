"""Rhythm, heart rate and signal quality over a whole recording."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ecglens.prediction import Timeline
from ecglens.reports.time_plots import Curve, Panel, TimePlot
from ecglens.reports.timelines import spans_of, thin_spans
from ecglens.reports.words import rank_of

FloatArray = npt.NDArray[np.float64]

_MOST_COLUMNS, _MOST_SPANS = 800, 800
_HR_STEPS = (20, 40, 50, 100)


def trend_plot(timeline: Timeline) -> TimePlot:
    """Return rhythm, heart rate and quality above each other, at most 800 columns of each."""
    spans, _ = thin_spans(spans_of(timeline), timeline.duration_s, _MOST_SPANS)
    beats = np.array([rank_of(str(label)) > 0 for label in timeline.classes])
    pulseless = np.isin(timeline.labels, np.array(timeline.classes)[~beats])
    rate = np.where(pulseless, np.nan, timeline.heart_rate)
    panels = [Panel("", 1.1, spans=spans), _rate_panel(timeline, rate)]
    panels.append(
        Panel(
            "quality",
            3.5,
            ticks=((0.0, "0"), (0.5, "0.5"), (1.0, "1")),
            curves=_curves(timeline, timeline.quality),
        )
    )
    return TimePlot(
        panels,
        0.0,
        timeline.duration_s,
        alt="Rhythm, heart rate and signal quality over the recording.",
        caption=(
            "Heart rate in beats/min, where beats can be found, and quality of the signal from 0 "
            "(none) to 1 (clean). Lines are medians, areas reach from the least to the greatest "
            "window."
        ),
    )


def _rate_panel(timeline: Timeline, rate: FloatArray) -> Panel:
    known = rate[np.isfinite(rate)]
    if not len(known):
        return Panel("beats/min", 6.0, 0.0, 1.0, ((0.5, "none"),))
    low, high = (float(x) for x in np.percentile(known, (0.1, 99.9)))
    low, high = 20 * math.floor((low - 5) / 20), 20 * math.ceil((high + 5) / 20)
    step = next((s for s in _HR_STEPS if (high - low) / s <= 5), 100)
    ticks = tuple((float(at), f"{at}") for at in range(-(-low // step) * step, high + 1, step))
    return Panel("beats/min", 6.0, low, high, ticks, curves=_curves(timeline, rate))


def _curves(timeline: Timeline, values: FloatArray) -> tuple[Curve, ...]:
    """Return the line of the medians, over the area of all values where windows share a column."""
    n = len(values)
    joined = -(-n // _MOST_COLUMNS)
    padded = np.full(-(-n // joined) * joined, np.nan)
    padded[:n] = values
    columns = padded.reshape(-1, joined)
    centres = timeline.start_s + timeline.length_s / 2
    firsts = np.arange(0, n, joined)
    times = (centres[firsts] + centres[np.minimum(firsts + joined, n) - 1]) / 2
    known = np.isfinite(columns)
    there = known.any(axis=1)
    low, middle, high = (np.full(len(columns), np.nan) for _ in range(3))
    low[there] = np.nanmin(columns[there], axis=1)
    middle[there] = np.nanmedian(columns[there], axis=1)
    high[there] = np.nanmax(columns[there], axis=1)
    width_s = (joined - 1) * timeline.hop_s + timeline.length_s
    line = Curve(times, middle, width_s=width_s)
    return (line,) if joined == 1 else (Curve(times, high, low, width_s), line)
