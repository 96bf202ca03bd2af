"""Scores from confusion matrices, with limits from drawing subjects: pure functions on arrays."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ecglens.errors import UsageError

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

LOWER_PERCENT, UPPER_PERCENT = 2.5, 97.5
DRAWN_AT_ONCE = 2_000_000  # subjects times draws held in memory, 16 MB each way


@dataclass(frozen=True, slots=True)
class Score:
    """A share from 0 to 1 and its 95 % limits.

    Attributes:
        value: NaN where it is undefined (0 of 0).
        low: lower limit, at most ``value``; NaN where fewer than two subjects bear on the score,
            since one person says nothing about how people differ.
        high: upper limit, at least ``value``; NaN like ``low``.
    """

    value: float
    low: float = math.nan
    high: float = math.nan

    def to_dict(self) -> dict[str, float | None]:
        """Return value, low and high for JSON; None stands for NaN."""
        return {
            "value": none_if_nan(self.value),
            "low": none_if_nan(self.low),
            "high": none_if_nan(self.high),
        }

    def __str__(self) -> str:
        if math.isnan(self.value):
            return "-"
        if math.isnan(self.low):
            return f"{self.value:.3f} (-)"
        return f"{self.value:.3f} ({self.low:.3f}-{self.high:.3f})"


@dataclass(frozen=True, slots=True)
class Ratios:
    """Ratios of a stack of confusion matrices; NaN where 0 of 0.

    Attributes:
        accuracy: shape (...).
        macro_f1: shape (...), mean F1 over the classes that have reference windows.
        sensitivity: shape (..., k): of a class's windows, the share that was found.
        specificity: shape (..., k): of the other windows, the share that was left alone.
        ppv: shape (..., k): of the windows called a class, the share that is of it.
        f1: shape (..., k): 2 TP / (2 TP + FP + FN).
    """

    accuracy: FloatArray
    macro_f1: FloatArray
    sensitivity: FloatArray
    specificity: FloatArray
    ppv: FloatArray
    f1: FloatArray


def none_if_nan(value: float) -> float | None:
    """Return a plain float, or None for NaN."""
    return None if math.isnan(value) else float(value)


def subject_confusions(
    reference: IntArray, predicted: IntArray, subjects: IntArray, n_classes: int
) -> IntArray:
    """Return one confusion matrix per subject, shape (n_subjects, k, k), rows = reference.

    Args:
        reference: class index of each window, shape (n,).
        predicted: class index that was predicted, shape (n,).
        subjects: subject index of each window from 0 on without holes, shape (n,).
        n_classes: k.
    """
    n_subjects = int(subjects.max()) + 1 if len(subjects) else 0
    cells = (subjects * n_classes + reference) * n_classes + predicted
    counts = np.bincount(cells, minlength=n_subjects * n_classes**2)
    return counts.reshape(n_subjects, n_classes, n_classes).astype(np.int64)


def ratios(confusion: npt.NDArray[np.integer]) -> Ratios:
    """Return accuracy, macro-F1 and the ratios of each class.

    Args:
        confusion: counts, shape (..., k, k), rows = reference, columns = predicted.
    """
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    reference, called = confusion.sum(axis=-1), confusion.sum(axis=-2)
    total = confusion.sum(axis=(-2, -1))
    others = total[..., None] - reference
    f1 = _share(2 * hits, reference + called)
    present = reference > 0
    return Ratios(
        accuracy=_share(hits.sum(axis=-1), total),
        macro_f1=_share(np.where(present, f1, 0.0).sum(axis=-1), present.sum(axis=-1)),
        sensitivity=_share(hits, reference),
        specificity=_share(others - (called - hits), others),
        ppv=_share(hits, called),
        f1=f1,
    )


def draw_subjects(confusions: IntArray, n_bootstrap: int, random_state: int) -> IntArray:
    """Return the confusion matrices of ``n_bootstrap`` draws of subjects with replacement.

    Drawing windows instead would treat the windows of one person as independent and give limits
    that are far too narrow.

    Args:
        confusions: one matrix per subject, shape (n_subjects, k, k).
        n_bootstrap: number of draws, 0 or more.
        random_state: seed.

    Returns:
        Shape (n_bootstrap, k, k).

    Raises:
        UsageError: ``n_bootstrap`` is negative.
    """
    check_draws(n_bootstrap)
    n_subjects, k = confusions.shape[:2]
    rng = np.random.default_rng(random_state)
    evenly = np.full(n_subjects, 1 / n_subjects)
    flat = confusions.reshape(n_subjects, k * k).astype(np.float64)
    drawn = np.empty((n_bootstrap, k * k), dtype=np.int64)
    at_once = max(1, DRAWN_AT_ONCE // n_subjects)
    for start in range(0, n_bootstrap, at_once):
        stop = min(start + at_once, n_bootstrap)
        # How often each subject is drawn is multinomial; the sum is then one matrix product.
        times = rng.multinomial(n_subjects, evenly, size=stop - start)
        drawn[start:stop] = np.rint(times.astype(np.float64) @ flat)
    return drawn.reshape(n_bootstrap, k, k)


def check_draws(n_bootstrap: int) -> None:
    """Check the number of draws behind the limits.

    Raises:
        UsageError: it is negative.
    """
    if n_bootstrap < 0:
        raise UsageError(
            f"n_bootstrap must be 0 (no limits) or more, got {n_bootstrap}; 1000 is usual"
        )


def score_confusions(
    confusions: IntArray, *, n_bootstrap: int, random_state: int
) -> tuple[Score, Score, list[dict[str, Score]]]:
    """Return accuracy, macro-F1 and the scores of each class, with their limits.

    The limits are the 2.5th and 97.5th percentile over draws of subjects (percentile bootstrap,
    Efron and Tibshirani, 1993), widened to the value where a skewed score lies outside them.
    Draws in which a score is undefined do not count for it.

    Args:
        confusions: one matrix per subject, shape (n_subjects, k, k).
        n_bootstrap: number of draws.
        random_state: seed of the draws.

    Returns:
        Accuracy, macro-F1, and per class the keys sensitivity, specificity, ppv and f1.
    """
    whole = ratios(confusions.sum(axis=0))
    draws = draw_subjects(confusions, n_bootstrap, random_state)
    drawn = ratios(draws)
    reference, called = confusions.sum(axis=2), confusions.sum(axis=1)
    others = reference.sum(axis=1, keepdims=True) - reference
    everyone = int((reference.sum(axis=1) > 0).sum())
    # A draw without a class says nothing of how well it is found, nor of the mean over classes.
    drawn_f1 = np.where(draws.sum(axis=2) > 0, drawn.f1, np.nan)
    drawn_macro = np.where(hold_classes(draws, confusions.sum(axis=0)), drawn.macro_f1, np.nan)
    table = {
        "sensitivity": (whole.sensitivity, drawn.sensitivity, (reference > 0).sum(axis=0)),
        "specificity": (whole.specificity, drawn.specificity, (others > 0).sum(axis=0)),
        "ppv": (whole.ppv, drawn.ppv, (called > 0).sum(axis=0)),
        "f1": (whole.f1, drawn_f1, (reference > 0).sum(axis=0)),
    }
    per_class = [
        {
            name: _limited(float(value[i]), draw[:, i], int(bearing[i]))
            for name, (value, draw, bearing) in table.items()
        }
        for i in range(confusions.shape[1])
    ]
    accuracy = _limited(float(whole.accuracy), drawn.accuracy, everyone)
    return accuracy, _limited(float(whole.macro_f1), drawn_macro, everyone), per_class


def hold_classes(drawn: npt.NDArray[Any], whole: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Tell which drawn confusion matrices hold every class that the whole holds.

    Args:
        drawn: shape (..., k, k).
        whole: shape (k, k), or one that broadcasts to ``drawn``.
    """
    held: npt.NDArray[np.bool_] = (drawn.sum(axis=-1) > 0) | (whole.sum(axis=-1) == 0)
    every: npt.NDArray[np.bool_] = np.asarray(held.all(axis=-1))
    return every


def _limited(value: float, draws: FloatArray, n_bearing: int) -> Score:
    """Return a score with limits, unless fewer than two subjects bear on it."""
    defined = draws[~np.isnan(draws)]
    if math.isnan(value) or n_bearing < 2 or not len(defined):
        return Score(value)
    low, high = np.percentile(defined, [LOWER_PERCENT, UPPER_PERCENT])
    return Score(value, min(value, float(low)), max(value, float(high)))


def _share(
    part: npt.NDArray[np.integer] | FloatArray, whole: npt.NDArray[np.integer]
) -> FloatArray:
    """Divide, with NaN where the whole is 0."""
    whole = np.asarray(whole, dtype=np.float64)
    share: FloatArray = np.divide(
        np.asarray(part, dtype=np.float64),
        whole,
        out=np.full(whole.shape, np.nan),
        where=whole > 0,
    )
    return share
