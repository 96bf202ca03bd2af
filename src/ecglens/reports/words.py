"""What reports say in words: classes, durations, shares, and what counts most."""

from __future__ import annotations

from ecglens.prediction import INCONCLUSIVE, UNREADABLE

RESEARCH_USE = "Research use only. ecglens is not a medical device; not for diagnosis or treatment."

NORMAL = "N"
"""Its stretches are what lies between episodes."""

BACKGROUND = (NORMAL, "other")
"""What is not looked for: the normal rhythm, and what the maps ``af`` and ``shockable`` set against
their class."""

CLASS_NAMES = {
    "N": "normal rhythm",
    "AF": "atrial fibrillation",
    "VF": "ventricular fibrillation or flutter",
    "ST": "change of the ST segment",
}

_KEPT = "\N{NO-BREAK SPACE}"
_URGENT = ("VF", "VFL", "VFIB")


def rank_of(label: str) -> int:
    """Return how soon a label is to be seen: 0 for ventricular fibrillation, 4 for the unreadable.

    Classes come after it, then what is inconclusive, then the background.
    """
    if label in _URGENT:
        return 0
    return {INCONCLUSIVE: 2, UNREADABLE: 4, **dict.fromkeys(BACKGROUND, 3)}.get(label, 1)


def duration(seconds: float) -> str:
    """Return a length in the two units that matter: ``3 h 12 min``, ``4 min 10.5 s``, ``12.5 s``.

    Seconds are exact to the millisecond, so that lengths fit the times of a clock. A number and its
    unit stay on one line.
    """
    exact = round(seconds, 3)
    if exact < 60:
        return f"{exact:g}{_KEPT}s"
    large, small = divmod(exact, 60)
    units = ("min", "s")
    if exact >= 3600:
        (large, small), units = divmod(round(exact / 60), 60), ("h", "min")
    rest = f"{round(small, 3):g}"
    return f"{large:.0f}{_KEPT}{units[0]}" + (f" {rest}{_KEPT}{units[1]}" if rest != "0" else "")


def per_cent(share: float) -> str:
    """Return a share with the digits that matter, and never 0 % of something."""
    value = 100 * share
    if 0 < value < 0.1:
        return f"<0.1{_KEPT}%"
    return f"{value:.{0 if value >= 9.95 or not value else 1}f}{_KEPT}%"
