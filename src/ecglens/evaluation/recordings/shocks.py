"""Windows of a record with their annotated rhythm, and whether a shock would be advised."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ecglens.evaluation.recordings.spans import Span, shared_s
from ecglens.records import Recording
from ecglens.signals import band_pass, fill_gaps

_HEIGHT_BAND_HZ = (1.0, 30.0)
_CLOSE = 1e-6


@dataclass(frozen=True, slots=True)
class ShockWindow:
    """One window.

    Attributes:
        start_s: in seconds.
        rhythm: annotated throughout the window.
        shocked: whether half of it or more was predicted as a rhythm to shock.
        undecided: whether less than half of it was predicted as any class.
    """

    start_s: float
    rhythm: str
    shocked: bool
    undecided: bool


def shock_windows(
    rhythms: Sequence[Span],
    predicted: Sequence[Span],
    shock: Sequence[str],
    classes: Sequence[str],
    *,
    length_s: float,
) -> Iterator[ShockWindow]:
    """Cut the annotated time into windows side by side.

    Windows lie on a grid from the start of the record; one in which the rhythm changes is left out.
    One with several annotations, as of ST changes in two leads, is one window of what began last.

    Args:
        rhythms: annotated spans, their labels as annotated.
        predicted: predicted spans, which do not overlap.
        shock: predicted labels for which a shock is advised.
        classes: predicted labels that are a decision; all others, and time without any, are none.
        length_s: length of a window in seconds.
    """
    to_shock = [span for span in predicted if span[2] in shock]
    decided = [span for span in predicted if span[2] in classes]
    rhythm_at: dict[int, str] = {}
    for start, end, rhythm in sorted(rhythms):
        first = math.ceil(start / length_s - _CLOSE)
        last = math.floor(end / length_s + _CLOSE)
        rhythm_at |= dict.fromkeys(range(first, last), rhythm)
    for place, rhythm in sorted(rhythm_at.items()):
        window = (place * length_s, (place + 1) * length_s)
        yield ShockWindow(
            start_s=window[0],
            rhythm=rhythm,
            shocked=shared_s(window, to_shock) >= length_s / 2,
            undecided=shared_s(window, decided) < length_s / 2,
        )


def window_height_mv(record: Recording, start_s: float, length_s: float) -> float | None:
    """Return the peak to peak of a window's first lead within 1 to 30 Hz, in mV.

    Returns:
        None where the lead is not in mV, its rate is too low, or nothing of the window is there.
    """
    if record.leads[0].unit != "mV" or record.fs <= 2 * _HEIGHT_BAND_HZ[1]:
        return None
    start = round(start_s * record.fs)
    stop = min(record.n_samples, start + round(length_s * record.fs))
    signal = record.read(start, stop, [0])[0]
    if stop - start < 2 or not np.isfinite(signal).any():
        return None
    return float(np.ptp(band_pass(fill_gaps(signal), record.fs, *_HEIGHT_BAND_HZ)))
