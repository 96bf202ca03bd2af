"""Which rhythm when: plans of records, and what may stand in them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from ecglens.errors import UsageError, suggest
from ecglens.records import RhythmSpan

RHYTHMS = ("N", "AFIB", "VFIB", "VFL", "ST")
"""Rhythms of a plan: sinus, atrial and ventricular fibrillation, ventricular flutter, ST change."""

Plan = list[tuple[str, float]]

_OTHERS = ("AFIB", "VFIB", "ST")
# Episodes in an hour of a Holter, and their lengths in seconds.
_PER_HOUR = {"AFIB": 0.5, "VFIB": 0.06, "ST": 0.7}
_LENGTHS_S = {"AFIB": (40.0, 900.0), "VFIB": (30.0, 120.0), "ST": (60.0, 600.0)}
_BETWEEN_S = 45.0


def make_spans(plan: Sequence[tuple[str, float]]) -> list[RhythmSpan]:
    """Check a plan and lay its rhythms one behind the other.

    Raises:
        UsageError: an unknown rhythm, a length that is not positive, or an empty plan.
    """
    if not plan:
        raise UsageError('the plan is empty; give rhythms and seconds, such as [("N", 60)]')
    for rhythm, seconds in plan:
        if rhythm not in RHYTHMS:
            raise UsageError(
                f"no rhythm {rhythm!r} of a virtual patient{suggest(rhythm, RHYTHMS)}; "
                f"known are {', '.join(RHYTHMS)}"
            )
        if not (math.isfinite(seconds) and seconds > 0):
            raise UsageError(f"{rhythm} must last over 0 s, got {seconds:g} s")
    ends = np.cumsum([seconds for _, seconds in plan]).tolist()
    starts = [0.0, *ends[:-1]]
    return [
        RhythmSpan(start, end, rhythm)
        for start, end, (rhythm, _) in zip(starts, ends, plan, strict=True)
    ]


def draw_plan(rng: np.random.Generator, number: int, seconds: float) -> Plan:
    """Draw the stretches of a short record: sinus rhythm between one to three other patterns.

    Args:
        rng: where the numbers come from.
        number: of the patient; it decides on one of the patterns, so that all occur.
        seconds: length of the record.
    """
    sure = _OTHERS[number % len(_OTHERS)]
    more = [name for name in rng.permutation(_OTHERS).tolist() if rng.random() < 0.5]
    # Half of the record is sinus rhythm; episodes of ischaemia last 30 s or more.
    most = max(1, int(seconds / 80))
    chosen = rng.permutation(list(dict.fromkeys([sure, *more]))[:most]).tolist()
    order = ["N", *itertools.chain.from_iterable((name, "N") for name in chosen)]
    share = rng.uniform(0.9, 1.1, size=len(order))
    share /= np.where(np.array(order) == "N", len(chosen) + 1, len(chosen))
    lengths = seconds * share / share.sum()
    return [(name, float(length)) for name, length in zip(order, lengths, strict=True)]


def draw_holter(rng: np.random.Generator, hours: float) -> Plan:
    """Draw a long record: sinus rhythm with episodes, at least one of each from one hour on."""
    seconds = 3600 * hours
    episodes: Plan = []
    for rhythm, per_hour in _PER_HOUR.items():
        count = max(int(rng.poisson(per_hour * hours)), 1 if hours >= 1 else 0)
        low, high = np.log(_LENGTHS_S[rhythm])
        episodes += [(rhythm, float(np.exp(x))) for x in rng.uniform(low, high, size=count)]
    rng.shuffle(episodes)
    while sum(length for _, length in episodes) + _BETWEEN_S * (len(episodes) + 1) > seconds / 2:
        episodes = _without_longest(episodes)
    free = seconds - sum(length for _, length in episodes) - _BETWEEN_S * (len(episodes) + 1)
    gaps = _BETWEEN_S + free * rng.dirichlet(np.ones(len(episodes) + 1))
    plan: Plan = []
    for gap, episode in zip(gaps, episodes, strict=False):
        plan += [("N", float(gap)), episode]
    return [*plan, ("N", float(gaps[-1]))]


def _without_longest(episodes: Plan) -> Plan:
    """Halve the longest episode that can be, or drop the last."""
    longest = max(range(len(episodes)), key=lambda i: episodes[i][1])
    rhythm, length = episodes[longest]
    if length >= 80:
        return [*episodes[:longest], (rhythm, length / 2), *episodes[longest + 1 :]]
    return episodes[:-1]
