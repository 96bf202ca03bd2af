"""Learning curves from confusion matrices: limits, and how many people one needs for another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ecglens.evaluation.metrics import IntArray, Score, hold_classes, ratios

FloatArray = npt.NDArray[np.float64]

LIMITS = (0.025, 0.975)


@dataclass(frozen=True, eq=False)
class Point:
    """One learner at one number of people.

    Attributes:
        accuracy: mean over the draws of training people, shape (1 + n_bootstrap,): the value,
            then what it is when people and draws are drawn anew.
        macro_f1: like ``accuracy``.
        sensitivity: of each class, shape (1 + n_bootstrap, k).
    """

    accuracy: FloatArray
    macro_f1: FloatArray
    sensitivity: FloatArray


def weights_of_people(n_subjects: int, n_bootstrap: int, random_state: int) -> FloatArray:
    """Return how often each person is drawn, shape (1 + n_bootstrap, n_subjects); first once each.

    The same weights serve all learners, so that they are compared on the same people.
    """
    rng = np.random.default_rng(random_state)
    drawn = rng.multinomial(n_subjects, np.full(n_subjects, 1 / n_subjects), size=n_bootstrap)
    return np.concatenate([np.ones((1, n_subjects)), drawn.astype(np.float64)])


def point_of(confusions: Sequence[IntArray], weights: FloatArray, random_state: int) -> Point:
    """Return the mean scores over draws of training people, and their bootstrap.

    In every bootstrap round test people are drawn by ``weights`` and as many draws of training
    people as there are, both with replacement.

    Args:
        confusions: for each draw one matrix per test person, shape (n_subjects, k, k).
        weights: of :func:`weights_of_people`.
        random_state: seed of the draws of draws.
    """
    n_subjects, k = confusions[0].shape[:2]
    n_draws, n_rounds = len(confusions), len(weights)
    stacked = np.stack([c.reshape(n_subjects, k * k) for c in confusions], axis=1)
    sums = np.rint(weights @ stacked.reshape(n_subjects, -1).astype(np.float64)).astype(np.int64)
    drawn = sums.reshape(n_rounds, n_draws, k, k)
    found = ratios(drawn)
    rng = np.random.default_rng(random_state)
    times = rng.multinomial(n_draws, np.full(n_draws, 1 / n_draws), size=n_rounds) / n_draws
    times[0] = 1 / n_draws
    # Without a class the mean over classes is another score.
    macro_f1 = np.where(hold_classes(drawn, drawn[:1]) | (times == 0), found.macro_f1, np.nan)
    return Point(
        accuracy=(found.accuracy * times).sum(axis=1),
        macro_f1=(macro_f1 * times).sum(axis=1),
        sensitivity=(found.sensitivity * times[..., None]).sum(axis=1),
    )


def score_of(values: FloatArray) -> Score:
    """Return a value and its limits from a column of :class:`Point`."""
    drawn = values[1:][~np.isnan(values[1:])]
    value = float(values[0])
    if np.isnan(value) or not len(drawn):
        return Score(value)
    low, high = np.quantile(drawn, LIMITS)
    return Score(value, min(value, float(low)), max(value, float(high)))


def people_needed(people: npt.ArrayLike, curve: npt.ArrayLike, target: float) -> float:
    """Return at how many people a curve comes to a target, interpolated on a logarithmic axis.

    A curve that falls is taken to stay at its highest so far: more people do no harm.

    Args:
        people: increasing, shape (n,).
        curve: score at each, shape (n,).
        target: score asked for.

    Returns:
        Number of people; the first of ``people`` where fewer may do, infinite where the curve
        never comes to the target.
    """
    x, y = np.log(np.asarray(people, np.float64)), np.maximum.accumulate(np.asarray(curve))
    above = np.flatnonzero(y >= target)
    if not len(above):
        return float("inf")
    first = int(above[0])
    if first == 0:
        return float(np.asarray(people)[0])
    share = (target - y[first - 1]) / (y[first] - y[first - 1])
    return float(np.exp(x[first - 1] + share * (x[first] - x[first - 1])))


def needed_with_limits(
    people: Sequence[float], other: Sequence[Point], mine: Point
) -> tuple[float, float, float]:
    """Return how many people another learner needs for what one has, and the 95 % limits.

    Args:
        people: at each point of the other learner.
        other: its points.
        mine: the point of the one.

    Returns:
        Value, lower and upper limit as of :func:`people_needed`; limits are NaN without draws in
        which the one has a score.
    """
    curves = np.stack([point.macro_f1 for point in other], axis=1)
    needed = np.array(
        [
            people_needed(people, curve, target)
            for curve, target in zip(curves, mine.macro_f1, strict=True)
        ]
    )
    drawn = needed[1:][~np.isnan(mine.macro_f1[1:])]
    if not len(drawn):
        return float(needed[0]), float("nan"), float("nan")
    # Infinite values have no mean: limits are values that occur.
    low, high = np.quantile(drawn, LIMITS, method="inverted_cdf")
    return float(needed[0]), float(low), float(high)
