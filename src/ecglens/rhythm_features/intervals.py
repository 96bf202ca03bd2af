"""Measures of the R-R intervals of a window, most of them of how irregular they are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ecglens.groups import Groups

Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]

FS = 125.0
"""Rate in Hz of the beats measured here."""

INTERVAL_NAMES = (
    "rr_median_s", "rr_sd", "rr_rmssd", "rr_median_step", "rr_pnn10", "rr_second_step",
    "rr_second_rmssd", "rr_cosen", "rr_turning", "rr_sd1_sd2", "rr_lag1", "rr_shortest",
    "rr_longest", "rr_short", "rr_long", "rr_quartiles",
    "nn_share", "nn_median_step", "nn_rmssd", "nn_pnn10", "nn_cosen", "nn_turning",
)  # fmt: skip
"""In order: median (s), then relative to the mean interval: standard deviation, root mean square
and median of the steps between neighbours; share of steps over 10 %; median and root mean square of
the steps between second neighbours, small in bigeminy; coefficient of sample entropy; share of
turning points; width over length of the Poincare plot; correlation of neighbours; shortest and
longest over the median; share under 0.85 and over 1.15 of the median; inter-quartile range. Then
the same of intervals between beats of the usual shape: ectopic beats and their pauses are
irregular too, and no fibrillation."""

MIN_INTERVALS = 3

_MATCHES = 5
_SMALLEST_R_S = 0.03


def measure_intervals(beats: Groups, at: Index, usual: Mask) -> Floats:
    """Return the measures of :data:`INTERVAL_NAMES`, shape (n_windows, n_measures).

    Zeros for windows of fewer than 3 intervals.

    Args:
        beats: which beats are of one window.
        at: the sample of every beat, shape (n_beats,), 125 Hz.
        usual: whether it has the usual shape, shape (n_beats,).
    """
    out = np.zeros((len(beats), len(INTERVAL_NAMES)))
    enough = beats.sizes > MIN_INTERVALS
    beats, kept = beats.only(enough)
    at, usual = at[kept], usual[kept]
    windows, first = beats.neighbours()
    rr = (at[first + 1] - at[first]) / FS
    between_usual = usual[first] & usual[first + 1]
    out[enough] = np.column_stack([_of_all(windows, rr), _of_usual(windows, rr, between_usual)])
    return out


def _of_all(windows: Groups, rr: Floats) -> Floats:
    mean = windows.mean(rr)
    quarter, median, three_quarters = windows.quantiles(rr, (0.25, 0.5, 0.75))
    steps, first = windows.neighbours()
    step = (rr[first + 1] - rr[first]) / mean[steps.member]
    both = (rr[first + 1] + rr[first] - 2 * mean[steps.member]) / mean[steps.member]
    seconds, second_first = windows.neighbours(2)
    second = (rr[second_first + 2] - rr[second_first]) / mean[seconds.member]
    turns, turn_first = steps.neighbours()
    centred = rr - mean[windows.member]
    power = windows.sum(centred**2)
    together = steps.sum(centred[first + 1] * centred[first])
    of_median = rr / median[windows.member]
    return np.column_stack(
        [
            median,
            np.sqrt(power / windows.sizes) / mean,
            _rms(steps, step),
            steps.median(np.abs(step)),
            steps.mean(np.abs(step) > 0.1),
            seconds.median(np.abs(second)),
            _rms(seconds, second),
            _cosen(windows, rr),
            turns.mean(step[turn_first + 1] * step[turn_first] < 0),
            _rms(steps, step) / np.maximum(_rms(steps, both), 0.01),
            np.where(power > 1e-9, together / np.maximum(power, 1e-9), 0.0),
            windows.least(of_median),
            windows.greatest(of_median),
            windows.mean(rr < 0.85 * median[windows.member]),
            windows.mean(rr > 1.15 * median[windows.member]),
            (three_quarters - quarter) / median,
        ]
    )


def _of_usual(windows: Groups, rr: Floats, kept: Mask) -> Floats:
    """Measure intervals between beats of the usual shape, each with the next where that is one."""
    out = np.zeros((len(windows), 6))
    out[:, 0] = windows.mean(kept)
    steps, first = windows.neighbours()
    close = kept[first] & kept[first + 1]
    enough = windows.where(kept).sizes >= MIN_INTERVALS
    enough &= steps.where(close).sizes >= MIN_INTERVALS - 1
    # From here on windows with enough of them alone.
    windows, mine = windows.only(enough)
    rr, kept = rr[mine], kept[mine]
    steps, first = windows.neighbours()
    change = rr[first + 1] - rr[first]
    close = kept[first] & kept[first + 1]
    turns, turn_first = steps.neighbours()
    three = close[turn_first] & close[turn_first + 1]
    turning = (change[turn_first] * change[turn_first + 1] < 0)[three]
    nn, close_steps = windows.where(kept), steps.where(close)
    step = change[close] / nn.mean(rr[kept])[close_steps.member]
    out[enough, 1:] = np.column_stack(
        [
            close_steps.median(np.abs(step)),
            _rms(close_steps, step),
            close_steps.mean(np.abs(step) > 0.1),
            _cosen(nn, rr[kept]),
            turns.where(three).mean(turning),
        ]
    )
    return out


def _rms(groups: Groups, values: Floats) -> Floats:
    return np.sqrt(groups.mean(values**2))


def _cosen(windows: Groups, rr: Floats) -> Floats:
    """Return the coefficient of sample entropy, which short stretches suffice for.

    Lake and Moorman, Am J Physiol Heart Circ Physiol 2011, doi:10.1152/ajpheart.00561.2010:
    sample entropy of m = 1, the tolerance r as wide as five matches need, plus ln(2 r) less the
    logarithm of the mean interval. Windows have 3 intervals or more.
    """
    rows = windows.padded(rr, 0.0)
    i, j = np.triu_indices(rows.shape[1] - 1, 1)
    there = j < windows.sizes[:, None] - 1
    one = np.abs(rows[:, i] - rows[:, j])
    both = np.maximum(one, np.abs(rows[:, i + 1] - rows[:, j + 1]))
    both[~there] = one[~there] = np.inf
    n_nearest = min(_MATCHES, both.shape[1])
    nearest = np.sort(np.partition(both, n_nearest - 1, axis=1)[:, :n_nearest], axis=1)
    last = np.minimum(n_nearest, there.sum(axis=1)) - 1
    r = np.maximum(_SMALLEST_R_S, nearest[np.arange(len(rows)), last] + 1e-6)[:, None]
    longer = np.maximum((both < r).sum(axis=1), 1)
    shorter = np.maximum((one < r).sum(axis=1), 1)
    return np.asarray(np.log(shorter / longer) + np.log(2 * r[:, 0]) - np.log(windows.mean(rr)))
