"""The figures of one evaluation as they are kept on disk and shown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ecglens.evaluation import ProtocolResult, Score


@dataclass(frozen=True)
class Figures:
    """Scores of one evaluation.

    Attributes:
        classes: in the order of the matrix.
        n_windows: windows tested.
        n_subjects: people they are of.
        accuracy: share of windows that were right.
        macro_f1: mean F1 over the classes that have windows.
        sensitivity: by class.
        confusion: windows, rows = reference.
        notes: what limits the figures.
    """

    classes: tuple[str, ...]
    n_windows: int
    n_subjects: int
    accuracy: Score
    macro_f1: Score
    sensitivity: Mapping[str, Score]
    confusion: Sequence[Sequence[int]]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, result: ProtocolResult, notes: Sequence[str] = ()) -> Figures:
        """Return the figures of a result."""
        return cls(
            classes=result.classes,
            n_windows=len(result.predictions),
            n_subjects=len(result.per_subject),
            accuracy=result.accuracy,
            macro_f1=result.macro_f1,
            sensitivity={row.name: row.sensitivity for row in result.per_class},
            confusion=result.confusion.tolist(),
            notes=tuple(notes),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; None stands for NaN."""
        return {
            "classes": list(self.classes),
            "n_windows": self.n_windows,
            "n_subjects": self.n_subjects,
            "accuracy": self.accuracy.to_dict(),
            "macro_f1": self.macro_f1.to_dict(),
            "sensitivity": {name: score.to_dict() for name, score in self.sensitivity.items()},
            "confusion": [list(row) for row in self.confusion],
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Figures:
        """Undo :meth:`to_dict`."""
        return cls(
            classes=tuple(table["classes"]),
            n_windows=int(table["n_windows"]),
            n_subjects=int(table["n_subjects"]),
            accuracy=_score(table["accuracy"]),
            macro_f1=_score(table["macro_f1"]),
            sensitivity={name: _score(one) for name, one in table["sensitivity"].items()},
            confusion=table["confusion"],
            notes=tuple(table["notes"]),
        )


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        key: names the line in the JSON file, such as ``"left-out/afdb"``.
        title: what was done, in words.
        figures: what came of it; None where it was not possible.
        why_not: why it was not possible.
    """

    key: str
    title: str
    figures: Figures | None
    why_not: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        figures = None if self.figures is None else self.figures.to_dict()
        return {"key": self.key, "title": self.title, "figures": figures, "why_not": self.why_not}

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Row:
        """Undo :meth:`to_dict`."""
        figures = table["figures"]
        return cls(
            key=str(table["key"]),
            title=str(table["title"]),
            figures=None if figures is None else Figures.from_dict(figures),
            why_not=str(table["why_not"]),
        )


def _score(table: Mapping[str, float | None]) -> Score:
    value, low, high = (
        math.nan if table[name] is None else float(table[name] or 0.0)
        for name in ("value", "low", "high")
    )
    return Score(value, low, high)
