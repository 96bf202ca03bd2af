"""ST deviation that comes and goes, and is over 0.1 mV exactly where the truth says ST."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ecglens.databases.synthetic.patients import Ischaemia
from ecglens.databases.synthetic.slow import Floats
from ecglens.records import RhythmSpan

LIMIT_MV = 0.1
"""Deviation over which an ST episode counts, if it lasts 30 s or more.

After the European ST-T database and protocol B of the Long-Term ST database (Jager et al. 2003, Med
Biol Eng Comput 41(2), 172), in which episodes begin and end at 0.05 mV; here they do so at 0.1 mV,
so that every beat of an episode shows it.
"""

MARGIN_MV = 0.01
"""A beat inside an episode deviates by this more than the limit, one outside by this less."""

_RISE_SHARE, _LONGEST_RISE_S = 0.3, 60.0


def st_deviation(st: Ischaemia, spans: Sequence[RhythmSpan], time_s: Floats) -> Floats:
    """Return the ST deviation of beats in mV, from 0 over ramps to the peak and back.

    The ramp from 0 to the limit lies in the rhythm before an ST span and the ramp back in the one
    behind it, half of that rhythm at most.

    Args:
        st: the person's ST change.
        spans: rhythms that tile the record.
        time_s: R peaks in order of time.
    """
    deviation = np.zeros(len(time_s))
    for number, span in enumerate(spans):
        if span.rhythm != "ST":
            continue
        rise = min(_RISE_SHARE * (span.end_s - span.start_s), _LONGEST_RISE_S)
        run_up = rise * LIMIT_MV / (st.peak_mv - LIMIT_MV)
        before, behind = (min(run_up, _room(spans, number + step)) for step in (-1, 1))
        corners_s = [span.start_s - before, span.start_s, span.start_s + rise]
        corners_s += [span.end_s - rise, span.end_s, span.end_s + behind]
        heights = [0, LIMIT_MV, st.peak_mv, st.peak_mv, LIMIT_MV, 0]
        near = slice(*np.searchsorted(time_s, (corners_s[0], corners_s[-1])))
        inside = (time_s[near] >= span.start_s) & (time_s[near] < span.end_s)
        height = np.interp(time_s[near], corners_s, heights)
        height = np.where(
            inside,
            np.maximum(height, LIMIT_MV + MARGIN_MV),
            np.minimum(height, LIMIT_MV - MARGIN_MV),
        )
        deviation[near] = np.maximum(deviation[near], height)
    return deviation


def _room(spans: Sequence[RhythmSpan], number: int) -> float:
    """Return how much of a neighbouring span a ramp may take in seconds."""
    if not 0 <= number < len(spans) or spans[number].rhythm == "ST":
        return 0.0
    return (spans[number].end_s - spans[number].start_s) / 2
