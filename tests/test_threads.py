from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import numpy as np
import pytest
import scipy.linalg
from threadpoolctl import threadpool_info, threadpool_limits

from ecglens.threads import helpers, one_ahead, usable_cores


def blas_threads() -> list[int]:
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_blas_takes_one_core_meanwhile_and_all_of_them_afterwards() -> None:
    scipy.linalg.eigh(np.ones((2, 2)))  # its BLAS is there from the beginning
    with threadpool_limits(2, user_api="blas"):
        assert set(blas_threads()) == {2}
        with helpers(2):
            assert set(blas_threads()) == {1}
        assert set(blas_threads()) == {2}


def test_the_blas_that_scipy_brings_is_one_of_them() -> None:
    said = """
from ecglens.threads import one_blas_core
with one_blas_core():
    import scipy.linalg, threadpoolctl
    print([pool["num_threads"] for pool in threadpoolctl.threadpool_info()
           if pool["user_api"] == "blas"])
"""
    done = subprocess.run(
        [sys.executable, "-c", said], env=os.environ | {"OPENBLAS_NUM_THREADS": "2"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert set(json.loads(done.stdout)) == {1}


def test_what_waits_is_dropped_when_an_error_comes() -> None:
    done: list[int] = []
    started, dropped = threading.Event(), threading.Event()

    def work(number: int) -> None:
        started.set()
        assert dropped.wait(120)
        done.append(number)

    def interrupted() -> None:
        with helpers(1) as executor:
            waiting = [executor.submit(work, number) for number in range(100)]
            waiting[-1].add_done_callback(lambda _: dropped.set())
            assert started.wait(120)
            raise KeyboardInterrupt

    before = blas_threads()
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert done == [0]
    assert blas_threads() == before


@pytest.mark.parametrize("threads", [1, 3])
def test_as_many_helpers_as_asked_for(threads: int) -> None:
    barrier = threading.Barrier(threads, timeout=120)
    with helpers(threads) as executor:
        waited = [executor.submit(barrier.wait) for _ in range(threads)]
        assert sorted(each.result() for each in waited) == list(range(threads))
        names = executor.map(lambda _: threading.current_thread().name, range(9))
        assert len(set(names)) <= threads


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux")
def test_cores_that_are_not_this_process_s_are_not_counted() -> None:
    mine = os.sched_getaffinity(0)
    assert usable_cores() == len(mine)
    os.sched_setaffinity(0, {min(mine)})
    try:
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, mine)


def test_the_next_item_is_begun_before_one_is_used() -> None:
    seen: list[str] = []

    def source() -> Iterator[int]:
        for number in range(3):
            seen.append(f"begin {number}")
            yield number

    seen.extend(f"use {number}" for number in one_ahead(source()))
    assert seen == ["begin 0", "begin 1", "use 0", "begin 2", "use 1", "use 2"]
    assert list(one_ahead([])) == []
