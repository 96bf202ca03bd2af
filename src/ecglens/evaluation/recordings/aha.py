"""The American Heart Association's table for rhythm analysis of defibrillators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ecglens.errors import UsageError

COARSE_MV = 0.2
"""Peak to peak, over which VF is coarse (Kerber et al. 1997, p. 1678)."""

CONFIDENCE = 0.9

COARSE_VF, FINE_VF, FAST_VT = "coarse VF", "fine VF", "VT"
SINUS, OTHER, ASYSTOLE = "normal sinus rhythm", "other non-shockable", "asystole"


@dataclass(frozen=True, slots=True)
class AhaGoal:
    """What Kerber et al. (1997, Circulation 95:1677, doi 10.1161/01.CIR.95.6.1677) ask for.

    Attributes:
        shock: whether the rhythm is to be shocked; None where nothing is asked.
        performance: share of right decisions to exceed.
        lower_limit: what the lower 90 % one-sided limit must reach.
        n_least: number of samples to test on.
    """

    shock: bool | None
    performance: float
    lower_limit: float
    n_least: int


AHA_GOALS: Mapping[str, AhaGoal] = MappingProxyType(
    {
        COARSE_VF: AhaGoal(True, 0.90, 0.87, 200),
        FAST_VT: AhaGoal(True, 0.75, 0.67, 50),
        SINUS: AhaGoal(False, 0.99, 0.97, 100),
        OTHER: AhaGoal(False, 0.95, 0.88, 30),
        ASYSTOLE: AhaGoal(False, 0.95, 0.92, 100),
        FINE_VF: AhaGoal(None, 0.0, 0.0, 25),
    }
)
"""By category, in the order of the table. Rapid VT is asked of devices by the rate they are set to;
annotations give no rate, so the row of VT holds VT of all rates."""

VF_RHYTHMS = ("VF", "VFIB", "VFL")
"""Annotated rhythms that are fibrillation or flutter of the ventricles."""

_CATEGORY = {
    **dict.fromkeys(VF_RHYTHMS, COARSE_VF),
    "VT": FAST_VT,
    **dict.fromkeys(("N", "NSR"), SINUS),
    "ASYS": ASYSTOLE,
}


def aha_category(rhythm: str, height_mv: float | None = None) -> str | None:
    """Return the category of a rhythm as annotated, or None for what is no rhythm.

    Args:
        rhythm: for example ``"VFIB"``; any that is named neither here nor noise is another
            non-shockable one.
        height_mv: peak to peak of the window; below 0.2 mV VF is fine, without it coarse.
    """
    if rhythm in ("", "NOISE"):
        return None
    category = _CATEGORY.get(rhythm, OTHER)
    if category == COARSE_VF and height_mv is not None and height_mv <= COARSE_MV:
        return FINE_VF
    return category


def exact_lower_limit(right: int, n: int, confidence: float = CONFIDENCE) -> float:
    """Return the exact lower one-sided limit of a share (Clopper and Pearson, 1934).

    It is the share of which ``right`` of ``n`` or more would be seen with a probability of
    ``1 - confidence``; NaN where ``n`` is 0.
    """
    from scipy.stats import beta

    if right == 0:
        return 0.0 if n else float("nan")
    return float(beta.ppf(1 - confidence, right, n - right + 1))


@dataclass(frozen=True, slots=True)
class AhaRow:
    """One category of the table.

    Attributes:
        category: of rhythms.
        goal: what is asked.
        n: number of windows.
        n_subjects: people they are of.
        right: windows decided rightly.
        undecided: windows without a class; no shock is advised in them.
    """

    category: str
    goal: AhaGoal
    n: int
    n_subjects: int
    right: int
    undecided: int

    @property
    def performance(self) -> float:
        """Sensitivity of a rhythm to shock, else specificity; NaN without windows."""
        return self.right / self.n if self.n else float("nan")

    @property
    def lower_limit(self) -> float:
        """Exact lower 90 % one-sided limit; NaN without windows."""
        return exact_lower_limit(self.right, self.n)

    @property
    def verdict(self) -> str:
        """Return in words whether the goal is met."""
        if self.goal.shock is None:
            return "no goal"
        if self.n < self.goal.n_least:
            return f"too few ({self.goal.n_least} needed)"
        if self.performance <= self.goal.performance:
            return "not met"
        return "met" if self.lower_limit >= self.goal.lower_limit else "met, limit not"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, JSON-ready; None where there are no windows."""
        return {
            "category": self.category,
            "shock": self.goal.shock,
            "n": self.n,
            "n_subjects": self.n_subjects,
            "right": self.right,
            "undecided": self.undecided,
            "performance": self.performance if self.n else None,
            "lower_limit": self.lower_limit if self.n else None,
            "goal": self.goal.performance if self.goal.shock is not None else None,
            "goal_lower_limit": self.goal.lower_limit if self.goal.shock is not None else None,
            "n_least": self.goal.n_least,
            "verdict": self.verdict,
        }


def aha_table(
    categories: Sequence[str | None],
    shocked: Sequence[bool],
    subjects: Sequence[str],
    undecided: Sequence[bool] | None = None,
) -> tuple[AhaRow, ...]:
    """Count right decisions by category; windows of no category are left out.

    The limits take windows for independent, as the association's recommendation does; windows of
    few people are not, so the number of people stands beside them.

    Args:
        categories: of each window; see :func:`aha_category`.
        shocked: whether a shock would be advised; an inconclusive window advises none.
        subjects: the person of each window.
        undecided: whether no class was predicted; none by default.

    Raises:
        UsageError: lengths differ, or a category is unknown.
    """
    unsaid = [False] * len(categories) if undecided is None else undecided
    if not len(categories) == len(shocked) == len(subjects) == len(unsaid):
        raise UsageError(
            f"{len(categories)} categories, {len(shocked)} decisions, {len(subjects)} subjects and "
            f"{len(unsaid)} marks of no decision; give one of each for every window"
        )
    unknown = {category for category in categories if category is not None} - set(AHA_GOALS)
    if unknown:
        raise UsageError(f"unknown category {min(unknown)!r}; take one of aha_category()")
    rows = []
    for category, goal in AHA_GOALS.items():
        mine = [i for i, each in enumerate(categories) if each == category]
        wanted = goal.shock is not False
        rows.append(
            AhaRow(
                category=category,
                goal=goal,
                n=len(mine),
                n_subjects=len({subjects[i] for i in mine}),
                right=sum(bool(shocked[i]) == wanted for i in mine),
                undecided=sum(bool(unsaid[i]) for i in mine),
            )
        )
    return tuple(rows)
