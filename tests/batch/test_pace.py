from __future__ import annotations

import pytest

from ecglens.batch.pace import Pace


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_time_left_comes_from_the_rate_over_all_recordings() -> None:
    clock = Clock()
    pace = Pace([3000, 1000], clock)
    clock.now_s += 10
    step = pace.judge(0, "a", 50, 100)
    assert (step.share, step.seconds_left) == (0.375, pytest.approx(10 * 2500 / 1500))
    clock.now_s += 10
    pace.judge(0, "a", 100, 100)
    step = pace.end(0, "a", judged=True)
    assert (step.n_ended, step.n_recordings) == (1, 2)
    assert step.seconds_left == pytest.approx(20 / 3)


def test_what_is_skipped_or_fails_is_neither_done_nor_to_do() -> None:
    clock = Clock()
    pace = Pace([1000, 5000, 1000], clock)
    step = pace.end(1, "b", judged=False)
    assert (step.share, step.seconds_left, step.n_ended) == (0, None, 1)
    clock.now_s += 7
    step = pace.end(0, "a", judged=True)
    assert (step.share, step.seconds_left) == (0.5, pytest.approx(7))
    pace.judge(2, "c", 1, 2)
    step = pace.end(2, "c", judged=False)
    assert (step.share, step.seconds_left, step.n_ended) == (1, 0, 3)


def test_nothing_but_what_is_left_out() -> None:
    pace = Pace([0], Clock())
    assert pace.judge(0, "a", 0, 0).seconds_left is None
    assert pace.end(0, "a", judged=False).share == 1
