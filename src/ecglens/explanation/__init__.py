"""Which part of the time-frequency image spoke for a class."""

from ecglens.explanation.explaining import (
    METHODS,
    Evidence,
    Explanation,
    explain_episode,
    explain_record,
    explain_window,
)

__all__ = [
    "METHODS",
    "Evidence",
    "Explanation",
    "explain_episode",
    "explain_record",
    "explain_window",
]
