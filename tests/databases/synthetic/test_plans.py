"""Plans of records."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest

from ecglens.databases.synthetic.plans import draw_holter, draw_plan, make_spans
from ecglens.errors import UsageError


def test_spans_lie_one_behind_the_other() -> None:
    spans = make_spans([("N", 10), ("AFIB", 2.5), ("N", 1)])
    assert [(s.start_s, s.end_s, s.rhythm) for s in spans] == [
        (0.0, 10.0, "N"), (10.0, 12.5, "AFIB"), (12.5, 13.5, "N"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ([], "the plan is empty; give rhythms and seconds"),
        ([("N", 5), ("AFB", 5)], "no rhythm 'AFB' of a virtual patient; did you mean 'AFIB'?"),
        ([("VT", 5)], "known are N, AFIB, VFIB, VFL, ST"),
        ([("N", 0)], "N must last over 0 s, got 0 s"),
        ([("N", -3)], "N must last over 0 s, got -3 s"),
        ([("ST", float("nan"))], "ST must last over 0 s, got nan s"),
        ([("ST", float("inf"))], "ST must last over 0 s, got inf s"),
    ],
)
def test_refused(plan: list[tuple[str, float]], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        make_spans(plan)


def test_short_records_hold_sinus_rhythm_and_others() -> None:
    seen: Counter[str] = Counter()
    for number in range(60):
        plan = draw_plan(np.random.default_rng(number), number, 240)
        assert sum(seconds for _, seconds in plan) == pytest.approx(240)
        assert [name for name, _ in plan[::2]] == ["N"] * (len(plan) // 2 + 1)
        others = [name for name, _ in plan[1::2]]
        assert 1 <= len(others) == len(set(others)) <= 3
        assert all(seconds > 30 for name, seconds in plan if name == "ST")
        seen.update(others)
    assert set(seen) == {"AFIB", "VFIB", "ST"}
    assert min(seen.values()) > 25


def test_three_patients_are_enough_for_every_pattern() -> None:
    plans = [draw_plan(np.random.default_rng(0), number, 60) for number in range(3)]
    assert {name for plan in plans for name, _ in plan} == {"N", "AFIB", "VFIB", "ST"}


@pytest.mark.parametrize("hours", [0.1, 0.3, 1.0, 24.0, 48.0])
def test_long_records_are_mostly_sinus_rhythm(hours: float) -> None:
    for seed in range(200):
        plan = draw_holter(np.random.default_rng(seed), hours)
        assert sum(seconds for _, seconds in plan) == pytest.approx(3600 * hours)
        assert all(name == "N" and seconds >= 45 for name, seconds in plan[::2])
        assert all(name != "N" and seconds >= 30 for name, seconds in plan[1::2])
        assert sum(seconds for name, seconds in plan if name == "N") >= 1800 * hours
        if hours >= 1:
            assert {name for name, _ in plan} == {"N", "AFIB", "VFIB", "ST"}
        assert len(plan) // 2 < 8 + 3 * hours
