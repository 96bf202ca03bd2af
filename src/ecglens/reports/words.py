"""What reports say in words: classes, durations, shares, and what counts most."""

from __future__ import annotations

from ecglens.prediction import INCONCLUSIVE, UNREADABLE

RESEARCH_USE = "Research use only. ecglens is not a medical device; not for diagnosis or treatment."

NORMAL = "N"
"""Its stretches are what lies between episodes."""

CLASS_NAMES = {
    "N": "normal rhythm",
    "AF": "atrial fibrillation",
    "VF": "ventricular fibrillation or flutter",
    "ST": "change of the ST segment",
}

_URGENT = ("VF", "VFL", "VFIB")


def rank_of(label: str) -> int:
    """Return how soon a label is to be seen: 0 for ventricular fibrillation, 4 for the unreadable.

    Classes come after it, then what is inconclusive, then the normal rhythm.
    """
    if label in _URGENT:
        return 0
    return {INCONCLUSIVE: 2, NORMAL: 3, UNREADABLE: 4}.get(label, 1)


def duration(seconds: float) -> str:
    """Return a length in the two units that matter: ``3 h 12 min``, ``4 min 10 s``, ``12.5 s``."""
    if round(seconds, 1) < 60:
        return f"{round(seconds, 1):g} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    minutes = round(seconds / 60)
    return f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")


def per_cent(share: float) -> str:
    """Return a share with the digits that matter, and never 0 % of something."""
    value = 100 * share
    if 0 < value < 0.1:
        return "<0.1 %"
    return f"{value:.0f} %" if value >= 9.95 or value == 0 else f"{value:.1f} %"
