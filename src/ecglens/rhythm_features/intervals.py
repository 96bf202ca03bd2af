"""Measures of the R-R intervals of a window, most of them of how irregular they are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

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


def measure_intervals(rr_s: Floats, usual: npt.NDArray[np.bool_]) -> Floats:
    """Return the measures of :data:`INTERVAL_NAMES`; zeros for fewer than 3 intervals.

    Args:
        rr_s: intervals between neighbouring beats in seconds, shape (n,), over 0.
        usual: whether a beat has the usual shape, shape (n + 1,).
    """
    if len(rr_s) < MIN_INTERVALS:
        return np.zeros(len(INTERVAL_NAMES))
    mean, in_order = rr_s.mean(), np.sort(rr_s)
    median = _quantile(in_order, 0.5)
    step, second = np.diff(rr_s) / mean, (rr_s[2:] - rr_s[:-2]) / mean
    return np.array(
        [
            median,
            rr_s.std() / mean,
            _rms(step),
            _quantile(np.sort(np.abs(step)), 0.5),
            np.mean(np.abs(step) > 0.1),
            _quantile(np.sort(np.abs(second)), 0.5),
            _rms(second),
            _cosen(rr_s),
            np.mean(step[1:] * step[:-1] < 0),
            _rms(step) / max(_rms(rr_s[1:] + rr_s[:-1] - 2 * mean) / mean, 0.01),
            _lag1(rr_s - mean),
            rr_s.min() / median,
            rr_s.max() / median,
            np.mean(rr_s < 0.85 * median),
            np.mean(rr_s > 1.15 * median),
            (_quantile(in_order, 0.75) - _quantile(in_order, 0.25)) / median,
            *_between_usual(rr_s, usual),
        ]
    )


def _between_usual(rr_s: Floats, usual: npt.NDArray[np.bool_]) -> Floats:
    """Measure intervals between beats of the usual shape, each with the next where that is one."""
    kept = usual[:-1] & usual[1:]
    neighbours = kept[:-1] & kept[1:]
    nn = rr_s[kept]
    if len(nn) < MIN_INTERVALS or np.count_nonzero(neighbours) < MIN_INTERVALS - 1:
        return np.array([kept.mean(), 0.0, 0.0, 0.0, 0.0, 0.0])
    step = np.diff(rr_s)[neighbours] / nn.mean()
    turning = np.diff(rr_s)[:-1] * np.diff(rr_s)[1:] < 0
    three = neighbours[:-1] & neighbours[1:]
    return np.array(
        [
            kept.mean(),
            _quantile(np.sort(np.abs(step)), 0.5),
            _rms(step),
            np.mean(np.abs(step) > 0.1),
            _cosen(nn),
            turning[three].mean() if three.any() else 0.0,
        ]
    )


def _quantile(in_order: Floats, share: float) -> float:
    """Return a quantile of sorted values as ``np.quantile`` does, in a tenth of its time."""
    at = share * (len(in_order) - 1)
    low = int(at)
    high = min(low + 1, len(in_order) - 1)
    return float(in_order[low] + (at - low) * (in_order[high] - in_order[low]))


def _rms(values: Floats) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _lag1(centred: Floats) -> float:
    power = float(centred @ centred)
    return float(centred[1:] @ centred[:-1]) / power if power > 1e-9 else 0.0


def _cosen(rr_s: Floats) -> float:
    """Return the coefficient of sample entropy, which short stretches suffice for.

    Lake and Moorman, Am J Physiol Heart Circ Physiol 2011, doi:10.1152/ajpheart.00561.2010:
    sample entropy of m = 1, the tolerance r as wide as five matches need, plus ln(2 r) less the
    logarithm of the mean interval.
    """
    apart = np.abs(rr_s[:, None] - rr_s[None, :])
    both = np.maximum(apart[:-1, :-1], apart[1:, 1:])
    pairs = np.triu_indices(len(both), 1)
    distances = np.sort(both[pairs])
    if not len(distances):
        return 0.0
    r = max(_SMALLEST_R_S, float(distances[min(_MATCHES, len(distances)) - 1]) + 1e-6)
    longer = max(int(np.count_nonzero(distances < r)), 1)
    shorter = max(int(np.count_nonzero(apart[:-1, :-1][pairs] < r)), 1)
    return float(np.log(shorter / longer) + np.log(2 * r) - np.log(rr_s.mean()))
