"""One opinion from several leads."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ecglens.errors import UsageError

Floats = npt.NDArray[np.float64]

_LEAST = 1e-6
"""A lead that gives a class no chance at all must not overrule the others."""


def combine_leads(
    probabilities: npt.ArrayLike, quality: npt.ArrayLike, readable: npt.ArrayLike
) -> Floats:
    """Combine the class probabilities that leads of one record give for the same windows.

    The logarithms of the probabilities are averaged, each lead weighing its quality: a
    logarithmic opinion pool (Genest and Zidek 1986, Statistical Science 1, 114).

    Args:
        probabilities: shape (n_leads, n_windows, n_classes); not looked at where unreadable.
        quality: score of each lead's window, 0 to 1, shape (n_leads, n_windows).
        readable: which of them can be judged, shape (n_leads, n_windows).

    Returns:
        Shape (n_windows, n_classes), rows of sum 1; NaN where no lead is readable.

    Raises:
        UsageError: the shapes do not fit together, or a quality is out of range.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    weight = np.asarray(quality, dtype=np.float64)
    judged = np.asarray(readable, dtype=np.bool_)
    if p.ndim != 3 or weight.shape != p.shape[:2] or judged.shape != p.shape[:2]:
        raise UsageError(
            f"probabilities {p.shape}, quality {weight.shape} and readable {judged.shape} must be "
            "(n_leads, n_windows, n_classes) and twice (n_leads, n_windows)"
        )
    if not ((weight >= 0) & (weight <= 1))[judged].all():
        raise UsageError("quality of a readable window must be from 0 to 1; give the score")
    # A readable window of quality 0 still counts where it is all there is.
    weight = np.where(judged, np.maximum(weight, _LEAST), 0.0)
    log_p = np.log(np.clip(np.where(judged[..., None], p, 1.0), _LEAST, None))
    with np.errstate(invalid="ignore"):
        mean = np.einsum("lw,lwk->wk", weight, log_p) / weight.sum(axis=0)[:, None]
    combined = np.exp(mean)
    return np.asarray(combined / combined.sum(axis=-1, keepdims=True))
