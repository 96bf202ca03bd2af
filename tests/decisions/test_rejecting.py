from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import binom

from ecglens.decisions import (
    NO_CLASS,
    SEVERAL_CLASSES,
    UNLIKE_TRAINING,
    HeldOut,
    RejectRule,
)
from ecglens.decisions.rejecting import low_quantile
from ecglens.errors import UsageError

CLASSES = ("AF", "N", "VF")
RULE = RejectRule(CLASSES, 0.1, (0.3, 0.4, 0.2), 2.0)


def _people(n: int, per: int, seed: int) -> HeldOut:
    """Return windows of exchangeable people: each has one class and a skill of their own."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(n) % 3, per)
    skill = np.repeat(rng.normal(1.5, 1.0, size=n), per)
    scores = rng.normal(size=(n * per, 3))
    scores[np.arange(n * per), truth] += skill
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return HeldOut(
        classes=CLASSES,
        probabilities=p,
        distances=rng.gamma(5.0, size=n * per),
        labels=np.array(CLASSES)[truth],
        subjects=np.repeat(np.array([f"s{i:04d}" for i in range(n)]), per),
    )


class TestJudging:
    @pytest.mark.parametrize(
        ("p", "distance", "reason"),
        [
            ([0.1, 0.8, 0.1], 1.0, ""),
            ([0.35, 0.55, 0.1], 1.0, SEVERAL_CLASSES),
            ([0.29, 0.39, 0.19], 1.0, NO_CLASS),
            ([0.1, 0.8, 0.1], 2.1, UNLIKE_TRAINING),
            ([0.35, 0.55, 0.1], 2.1, UNLIKE_TRAINING),
            ([0.3, 0.39, 0.19], 2.0, ""),
        ],
    )
    def test_a_window_is_claimed_when_one_class_conforms_nearby(
        self, p: list[float], distance: float, reason: str
    ) -> None:
        assert RULE.judge(np.array([p]), np.array([distance])).tolist() == [reason]

    def test_the_rule_that_never_rejects_claims_the_likeliest(self) -> None:
        rule = RejectRule.never(CLASSES)
        p = np.array([[0.3, 0.3001, 0.3999], [0.34, 0.33, 0.33]])
        assert rule.judge(p, np.array([1e9, np.inf])).tolist() == ["", ""]
        assert rule.claimed(p).tolist() == [2, 0]
        assert not rule.rejects


class TestQuantile:
    def test_worked_by_hand(self) -> None:
        # Nine people with a window each and one to come: 0.1 is for that one alone, so nobody
        # may be below; 0.2 lets one be, 0.3 two.
        values, people = np.arange(1.0, 10.0), np.arange(9)
        assert [low_quantile(values, people, level) for level in (0.1, 0.2, 0.3)] == [1, 2, 3]

    def test_people_weigh_the_same_however_many_windows_they_gave(self) -> None:
        values = np.concatenate([np.zeros(1000), np.arange(1.0, 10.0)])
        people = np.concatenate([np.zeros(1000), np.arange(1.0, 10.0)])
        assert low_quantile(values, people, 0.2) == 1.0

    def test_too_few_people_give_the_lowest_value(self) -> None:
        assert low_quantile([3.0, 1.0, 2.0], ["a", "b", "c"], 0.1) == 1.0


class TestCoverage:
    @pytest.mark.parametrize("alpha", [0.1, 0.25])
    def test_new_people_keep_their_class(self, alpha: float) -> None:
        # The theorem (Lee, Barber & Willett 2023): over draws of calibration people and one new
        # person, a window of theirs keeps its class with probability 1 - alpha at least.
        rng = np.random.default_rng(0)
        n = 1000
        kept = 0
        for _ in range(n):
            level = np.repeat(rng.normal(size=31), 3)
            values, people = level + 0.5 * rng.normal(size=93), np.repeat(np.arange(31), 3)
            kept += values[-1] >= low_quantile(values[:-3], people[:-3], alpha)
        # Near enough to what was asked for, too: it is no rule that keeps everything.
        assert binom.ppf(0.001, n, 1 - alpha) <= kept <= binom.ppf(0.999, n, 1 - alpha + 1 / 31)

    def test_thresholds_stay_within_their_limits(self) -> None:
        people = _people(60, 3, 0)
        p = np.where(people.labels[:, None] == np.array(CLASSES), 0.99, 0.005)
        p[people.labels == "AF"] = [0.01, 0.98, 0.01]
        rule = RejectRule.fit(p, people.labels, people.subjects, CLASSES)
        assert rule.thresholds == (pytest.approx(0.2), 0.7, 0.7)
        reasons = rule.judge(p, people.distances)
        # The class that is never found makes nothing doubtful.
        assert (reasons == "").all()

    def test_people_the_rule_did_not_see_are_called_strange_no_more_than_asked(self) -> None:
        people = _people(300, 3, 0)
        strange = people.judged(0.1)[0] == UNLIKE_TRAINING
        assert 0.01 < strange.mean() < 0.08

    def test_abstention_lowers_the_error_and_says_what_it_costs(self) -> None:
        figures = _people(150, 4, 1).figures(0.1)
        assert figures["error"] < figures["error_at_full_coverage"]
        assert 0.2 < figures["coverage"] < 1
        assert figures["coverage"] + sum(figures["reasons"].values()) == pytest.approx(1)
        json.dumps(figures, allow_nan=False)

    def test_the_error_is_that_of_what_is_claimed_which_need_not_be_the_likeliest(self) -> None:
        people = _people(150, 4, 1)
        p = people.probabilities.copy()
        # A class that the head finds badly conforms early, where another is likelier.
        p[people.labels == CLASSES[0], 0] *= 0.3
        p[people.labels != CLASSES[0]] **= 2
        people = replace(people, probabilities=p / p.sum(axis=1, keepdims=True))
        reasons, called = people.judged(0.4)
        likeliest = np.array(CLASSES)[people.probabilities.argmax(axis=1)]
        claimed = reasons == ""
        assert (called != likeliest)[claimed].any()
        # Everybody gave as many windows, so all weigh the same.
        wrong = (called != people.labels)[claimed].mean()
        assert people.figures(0.4)["error"] == pytest.approx(wrong)

    def test_few_people_give_no_limit_of_distance(self) -> None:
        assert _people(18, 3, 0).rule(0.1).max_distance is None
        assert _people(21, 3, 0).rule(0.1).max_distance is not None


class TestFile:
    def test_a_rule_comes_back_as_it_was(self) -> None:
        for rule in (RULE, RejectRule.never(CLASSES), _people(30, 2, 0).rule(0.2)):
            assert RejectRule.from_dict(json.loads(json.dumps(rule.to_dict()))) == rule

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"alpha": 1.5}, "alpha of a reject rule must be from 0 to 0.999, got 1.5"),
            ({"alpha": True}, "alpha of a reject rule must be a number"),
            ({"alpha": 10**400}, "alpha of a reject rule must be from 0"),
            ({"thresholds": [0.1]}, "thresholds must be a list of 3 numbers"),
            ({"thresholds": [0.1, 0.2, float("nan")]}, "thresholds must be from 0 to 1, got nan"),
            ({"thresholds": "abc"}, "thresholds must be a list of 3 numbers"),
            ({"max_distance": "far"}, "max_distance must be a number"),
            ({"classes": []}, "classes must be a list of names"),
            ({"classes": ["N", "N", "VF"]}, "classes must differ"),
            ({"tresholds": []}, "unknown setting 'tresholds'; did you mean 'thresholds'"),
        ],
    )
    def test_nonsense_is_refused(self, change: dict[str, Any], message: str) -> None:
        with pytest.raises(UsageError, match=message):
            RejectRule.from_dict({**RULE.to_dict(), **change})

    def test_a_missing_value_and_no_table_are_refused(self) -> None:
        with pytest.raises(UsageError, match="reject rule lacks alpha"):
            RejectRule.from_dict({k: v for k, v in RULE.to_dict().items() if k != "alpha"})
        with pytest.raises(UsageError, match="reject rule must be a table, got list"):
            RejectRule.from_dict([])

    @pytest.mark.parametrize("alpha", [0.0, 0.6, -1.0, float("nan")])
    def test_a_level_out_of_range_is_refused(self, alpha: float) -> None:
        with pytest.raises(UsageError, match=r"alpha must be over 0 and up to 0\.5"):
            _people(6, 2, 0).rule(alpha)


def test_a_class_without_windows_cannot_be_fitted() -> None:
    p: npt.NDArray[np.float64] = np.full((4, 2), 0.5)
    with pytest.raises(UsageError, match="class 'VF' has no window"):
        RejectRule.fit(p, ["N"] * 4, ["a", "b", "c", "d"], ("N", "VF"))
