"""Jobs that are timed in turns, so that a machine that slows down slows all of them."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Key = tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """Something that can be done n times over.

    Attributes:
        key: what it is, as (part of the report, details ...).
        run: does it n times; n is a multiple of ``unit``.
        unit: the least number of times.
        most: the largest number of times.
    """

    key: Key
    run: Callable[[int], object]
    unit: int = 64
    most: int = 1024


def times_per_second(jobs: Sequence[Job], seconds: float, rounds: int) -> dict[Key, float]:
    """Return how often a second each job can be done: the median over rounds.

    Args:
        jobs: each is run once untimed, then in every round, in this order.
        seconds: how long a job should take in each round, within its limits.
        rounds: how often each is timed.
    """
    amounts = {job.key: _amount(job, seconds) for job in jobs}
    rates: dict[Key, list[float]] = {job.key: [] for job in jobs}
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
        for job in jobs:
            amount = amounts[job.key]
            rates[job.key].append(amount / _seconds_of(job, amount))
    return {key: statistics.median(values) for key, values in rates.items()}


def _amount(job: Job, seconds: float) -> int:
    """Return how many times fill the time, after a first run that loads and compiles."""
    job.run(job.unit)
    spent = _seconds_of(job, job.unit)
    return job.unit * max(1, min(round(seconds / spent), job.most // job.unit))


def _seconds_of(job: Job, amount: int) -> float:
    start = time.perf_counter()
    job.run(amount)
    return time.perf_counter() - start
