"""How many people one way of learning needs for what another has, as rows, table and words."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ecglens.evaluation.metrics import none_if_nan
from ecglens.reports import Cell, Table
from ecglens.studies.curves import Point, needed_with_limits
from ecglens.studies.learning_plan import SCRATCH

Needed = dict[str, Any]
"""One learner at one number of people, and how many another needs for that; JSON-ready."""


def needed_rows(people: Sequence[int], points: Mapping[str, Sequence[Point]]) -> list[Needed]:
    """Return how many people one learner needs for what a transferred one has at each level."""
    rows = []
    others = [name for name in (SCRATCH, "random", "handmade") if name in points]
    for mine, other in itertools.product(("imagenet", "backbone"), others):
        for n, point in zip(people, points.get(mine, []), strict=False):
            value, low, high = needed_with_limits(people, points[other], point)
            rows.append(
                {
                    "learner": mine,
                    "people": n,
                    "other": other,
                    "needed": _finite(value),
                    "low": _finite(low),
                    "high": _finite(high),
                    "limits": not math.isnan(low),
                    "at_least": people[0],
                    "at_most": people[-1],
                }
            )
    return rows


def _finite(value: float) -> float | None:
    """Return a number of people, or None where the other never comes to it."""
    return None if math.isinf(value) else none_if_nan(value)


def needed_table(needed: Sequence[Needed], titles: Mapping[str, str]) -> Table:
    """Return what :func:`needed_rows` found, a column for each of the others, by their titles."""
    others = list(dict.fromkeys(row["other"] for row in needed))
    by_row: dict[tuple[str, int], dict[str, Cell]] = {}
    for row in needed:
        cells = by_row.setdefault((row["learner"], row["people"]), {})
        cells[row["other"]] = _needed_cell(row)
    return Table(
        head=("what", "people of each class", *(titles[other] for other in others)),
        rows=[
            (titles[name], str(people), *(cells[other] for other in others))
            for (name, people), cells in by_row.items()
        ],
        caption="People of each class that the ways to learn at the head of a column need for the "
        "macro-F1 of what stands on the left; 'never': not with all people there are.",
    )


def _needed_cell(row: Needed) -> Cell:
    least = row["at_least"]
    value, low, high = (_words(row[name], least) for name in ("needed", "low", "high"))
    return (
        Cell(value) if not row["limits"] or low == value == high else Cell(value, f"{low} – {high}")
    )


def _words(n: float | None, least: int) -> str:
    """Return a number of people in words; None stands for one beyond all there are.

    Args:
        n: of people.
        least: number of the shortest curve: fewer were not tried.
    """
    return "never" if n is None else f"{n:.0f}" if n > least else f"{least} or fewer"


def needed_clause(row: Needed, titles: Mapping[str, str]) -> str:
    """Return one row in words."""
    other, low, high = titles[row["other"]], row["low"], row["high"]
    if row["needed"] is None:
        limits = "" if low is None else f", lower limit {low:.0f}"
        return f"{other} does not come to that with all {row['at_most']} there are{limits}"
    most = "more than there are" if high is None else f"{high:.0f}"
    limits = "" if low is None else f" (95 % limits {low:.0f} to {most})"
    return f"with {other} it takes {_words(row['needed'], row['at_least'])}{limits}"
