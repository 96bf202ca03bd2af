"""Limits of learning curves, and how many people one learner needs for what another has."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ecglens.evaluation.metrics import IntArray
from ecglens.studies.curves import (
    Point,
    needed_with_limits,
    people_needed,
    point_of,
    score_of,
    weights_of_people,
)

PEOPLE = (1, 10, 100)


def people_right(n_right: int, n: int = 10) -> IntArray:
    """One window of two classes for each person; some people are all right, others wrong."""
    right, wrong = np.eye(2, dtype=np.int64), np.eye(2, dtype=np.int64)[::-1]
    return np.stack([right if i < n_right else wrong for i in range(n)])


def point(*macro_f1: float) -> Point:
    values = np.array(macro_f1)
    return Point(values, values, values[:, None])


class TestPeopleNeeded:
    def test_at_the_points_it_is_the_points(self) -> None:
        for n, score in zip(PEOPLE, (0.5, 0.7, 0.9), strict=True):
            assert people_needed(PEOPLE, (0.5, 0.7, 0.9), score) == pytest.approx(n)

    def test_halfway_on_a_logarithmic_axis(self) -> None:
        assert people_needed(PEOPLE, (0.5, 0.7, 0.9), 0.6) == pytest.approx(math.sqrt(10))

    def test_never_reached_is_infinite_and_reached_at_once_is_the_first(self) -> None:
        assert people_needed(PEOPLE, (0.5, 0.7, 0.9), 0.91) == math.inf
        assert people_needed(PEOPLE, (0.5, 0.7, 0.9), 0.1) == 1
        assert people_needed((5, 10), (0.5, 0.7), 0.1) == 5

    def test_more_is_never_needed_for_less(self) -> None:
        curve = np.random.default_rng(0).random(8)
        needed = [people_needed(2 ** np.arange(8), curve, t) for t in np.linspace(0, 1, 50)]
        assert needed == sorted(needed)

    def test_a_curve_that_falls_stays_where_it_was(self) -> None:
        assert people_needed(PEOPLE, (0.5, 0.9, 0.6), 0.8) < 10


class TestPoint:
    def test_the_value_is_the_mean_over_draws(self) -> None:
        weights = weights_of_people(10, 50, 0)
        found = point_of([people_right(10), people_right(5)], weights, 0)
        assert found.accuracy[0] == pytest.approx(0.75)
        assert found.macro_f1[0] == pytest.approx(0.75)
        assert found.sensitivity[0] == pytest.approx([0.75, 0.75])
        assert found.macro_f1.shape == (51,)

    def test_limits_hold_people_and_draws(self) -> None:
        weights = weights_of_people(10, 400, 0)
        alone = score_of(point_of([people_right(7)], weights, 0).accuracy)
        same = score_of(point_of([people_right(7)] * 3, weights, 0).accuracy)
        apart = score_of(point_of([people_right(n) for n in (4, 7, 10)], weights, 0).accuracy)
        assert (same.value, same.low, same.high) == pytest.approx(
            (alone.value, alone.low, alone.high)
        )
        assert apart.value == pytest.approx(alone.value)
        assert apart.low < 0.7 < apart.high

    def test_nobody_errs_so_nothing_varies(self) -> None:
        found = point_of([people_right(10)] * 2, weights_of_people(10, 30, 0), 0)
        assert np.all(found.macro_f1 == 1.0)

    def test_one_seed_one_answer(self) -> None:
        assert np.array_equal(weights_of_people(5, 9, 3), weights_of_people(5, 9, 3))
        assert weights_of_people(5, 9, 3).sum(axis=1).tolist() == [5.0] * 10

    def test_a_round_without_a_class_says_nothing_of_the_mean_over_classes(self) -> None:
        confusions = np.zeros((6, 2, 2), dtype=np.int64)
        confusions[:5, 0, 0], confusions[5, 1, 0] = 9, 9  # the one person of the second is missed
        found = score_of(point_of([confusions] * 2, weights_of_people(6, 200, 0), 0).macro_f1)
        assert found.value == pytest.approx(10 / 22)
        assert found.high < 0.5

    def test_an_undefined_score_has_no_limits(self) -> None:
        assert str(score_of(np.array([np.nan, np.nan]))) == "-"


class TestNeededWithLimits:
    def test_limits_come_from_the_same_rounds(self) -> None:
        other = [point(0.5, 0.5, 0.4), point(0.7, 0.7, 0.6), point(0.9, 0.9, 0.8)]
        # In the last round all are worse alike, so that nothing changes between them.
        value, low, high = needed_with_limits(PEOPLE, other, point(0.7, 0.7, 0.6))
        assert (value, low, high) == pytest.approx((10, 10, 10))

    def test_limits_may_be_never(self) -> None:
        other = [point(0.5, 0.5, 0.5), point(0.7, 0.7, 0.7), point(0.9, 0.9, 0.7)]
        value, low, high = needed_with_limits(PEOPLE, other, point(0.9, 0.7, 0.9))
        assert (value, low, high) == (pytest.approx(100), pytest.approx(10), math.inf)

    def test_a_round_without_a_score_says_nothing(self) -> None:
        other = [point(0.5, 0.5, 0.5), point(0.7, 0.7, 0.7), point(0.9, 0.9, 0.9)]
        assert needed_with_limits(PEOPLE, other, point(0.7, math.nan, 0.7)) == pytest.approx(
            (10, 10, 10)
        )

    @pytest.mark.parametrize("rounds", [(), (math.nan,)])
    def test_no_round_with_a_score_gives_no_limits(self, rounds: tuple[float, ...]) -> None:
        other = [point(score, *(score for _ in rounds)) for score in (0.5, 0.7, 0.9)]
        value, *limits = needed_with_limits(PEOPLE, other, point(0.7, *rounds))
        assert value == pytest.approx(10)
        assert np.isnan(limits).all()
