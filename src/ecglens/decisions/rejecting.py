"""Which windows are claimed for a class, each by itself: conformal sets and a distance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ecglens.decisions.tables import check_classes, check_keys, check_number, check_numbers
from ecglens.decisions.words import (
    NO_CLASS,
    SEVERAL_CLASSES,
    UNLIKE_TRAINING,
    FloatArray,
    StrArray,
)
from ecglens.errors import UsageError

DEFAULT_ALPHA = 0.2
DEFAULT_UNLIKE = 0.05

# Limits of thresholds, chosen with the default alpha (see docs/decisions.md): a class that got more
# than the one always conforms, one that got less than the other share of chance never does.
_ALWAYS = 0.7
_SHARE_OF_CHANCE = 0.6


@dataclass(frozen=True)
class RejectRule:
    """Label-conditional conformal sets, and a limit to the distance from training.

    A class conforms to a window when the window's probability of it is at least the class's
    threshold: the ``alpha`` quantile of what windows of that class got which people the head had
    not seen gave (Vovk, Gammerman & Shafer 2005, section 4.5; Sadinle, Lei & Wasserman 2019,
    doi 10.1080/01621459.2017.1395341). So a window of a new person keeps its true class with
    probability ``1 - alpha`` or more, in every class that the head finds well enough
    (:meth:`fit`). A window is claimed when exactly one class
    conforms and it is no farther from training than ``max_distance``.

    Attributes:
        classes: in the order of the columns of probabilities.
        alpha: share of each class's windows that may lose their class, over 0 and under 1; 0 in a
            rule that never rejects.
        thresholds: one probability for each class; empty in a rule that never rejects, which
            claims the likeliest class of every window.
        max_distance: of a window from training; None for no limit.

    Raises:
        UsageError: a value is out of its range.
    """

    classes: tuple[str, ...]
    alpha: float
    thresholds: tuple[float, ...]
    max_distance: float | None = None

    def __post_init__(self) -> None:
        check_classes(self.classes)
        check_number(self.alpha, 0.0, 0.999, "alpha of a reject rule")
        if self.thresholds:
            check_numbers(self.thresholds, len(self.classes), 0.0, 1.0, "thresholds")
        if self.max_distance is not None:
            check_number(self.max_distance, -1e30, 1e30, "max_distance")

    @classmethod
    def never(cls, classes: Sequence[str]) -> Self:
        """Return the rule that claims the likeliest class of every window."""
        return cls(classes=tuple(classes), alpha=0.0, thresholds=())

    @classmethod
    def fit(
        cls,
        probabilities: npt.ArrayLike,
        labels: npt.ArrayLike,
        subjects: npt.ArrayLike,
        classes: Sequence[str],
        *,
        distances: npt.ArrayLike | None = None,
        alpha: float = DEFAULT_ALPHA,
        unlike: float = DEFAULT_UNLIKE,
    ) -> Self:
        """Fit a rule on windows of people that neither head nor distance had seen.

        Within a class every subject weighs the same, however many windows they gave, and one more
        subject stands for the person to come: hierarchical conformal prediction (Lee, Barber &
        Willett 2023, arXiv 2306.06342). A class with fewer than ``1 / alpha - 1`` subjects cannot
        bear that; its threshold is then the lowest probability that a window of it got.

        Thresholds are kept from 0.6 of chance (one over the number of classes) to 0.7. Lowering
        one keeps the promise. Raising one gives it up for a class that the head hardly finds:
        such a class would else conform to nearly every window and make all doubtful.

        Args:
            probabilities: calibrated, shape (n_windows, n_classes).
            labels: class of each window, shape (n_windows,).
            subjects: person of each window, shape (n_windows,).
            classes: in the order of the columns.
            distances: of each window from training, shape (n_windows,); None for no limit.
            alpha: see above, over 0 and up to 0.5.
            unlike: share of windows that may be called unlike training, over 0 and up to 0.5; with
                fewer than ``1 / unlike - 1`` subjects there is no limit.

        Raises:
            UsageError: ``alpha`` or ``unlike`` is out of range, or a class has no window.
        """
        alpha, unlike = check_level(alpha, "alpha"), check_level(unlike, "unlike")
        p, y, who = np.asarray(probabilities), np.asarray(labels), np.asarray(subjects)
        thresholds = []
        for column, name in enumerate(classes):
            mine = y == name
            if not mine.any():
                raise UsageError(f"class {name!r} has no window to fit a threshold on; add some")
            found = low_quantile(p[mine, column], who[mine], alpha)
            thresholds.append(min(max(found, _SHARE_OF_CHANCE / len(classes)), _ALWAYS))
        limit = None
        # Of fewer people nothing is known of the rarest windows, and each new one would stand out.
        if distances is not None and len(np.unique(who)) >= 1 / unlike - 1:
            limit = -low_quantile(-np.asarray(distances, dtype=np.float64), who, unlike)
        return cls(tuple(classes), alpha, tuple(thresholds), limit)

    @property
    def rejects(self) -> bool:
        """Whether any window can be rejected."""
        return bool(self.thresholds) or self.max_distance is not None

    def judge(self, probabilities: FloatArray, distances: FloatArray) -> StrArray:
        """Return why each window is not claimed, ``""`` where one is; see :meth:`claimed`.

        Args:
            probabilities: shape (n_windows, n_classes).
            distances: shape (n_windows,).
        """
        reasons = np.full(len(probabilities), "", dtype="U16")
        if self.thresholds:
            conforming = (probabilities >= np.array(self.thresholds)).sum(axis=1)
            reasons[conforming > 1] = SEVERAL_CLASSES
            reasons[conforming == 0] = NO_CLASS
        if self.max_distance is not None:
            reasons[distances > self.max_distance] = UNLIKE_TRAINING
        return reasons

    def claimed(self, probabilities: FloatArray) -> npt.NDArray[np.intp]:
        """Return the column of the class that each window is claimed for where it is claimed.

        It is the conforming class, which need not be the likeliest one.
        """
        likeliest: npt.NDArray[np.intp] = probabilities.argmax(axis=1)
        if not self.thresholds:
            return likeliest
        conforms = probabilities >= np.array(self.thresholds)
        one = conforms.sum(axis=1) == 1
        claimed: npt.NDArray[np.intp] = np.where(one, conforms.argmax(axis=1), likeliest)
        return claimed

    def to_dict(self) -> dict[str, Any]:
        """Return the rule as JSON-ready values."""
        return {
            "classes": list(self.classes),
            "alpha": self.alpha,
            "thresholds": list(self.thresholds),
            "max_distance": self.max_distance,
        }

    @classmethod
    def from_dict(cls, table: object) -> Self:
        """Undo :meth:`to_dict`.

        Raises:
            UsageError: a value is missing, unknown or out of range.
        """
        values = check_keys(table, [f.name for f in fields(cls)], "reject rule")
        thresholds = values["thresholds"]
        classes = check_classes(values["classes"])
        return cls(
            classes=classes,
            alpha=check_number(values["alpha"], 0.0, 0.999, "alpha of a reject rule"),
            thresholds=()
            if thresholds == []
            else check_numbers(thresholds, len(classes), 0.0, 1.0, "thresholds"),
            max_distance=None
            if values["max_distance"] is None
            else check_number(values["max_distance"], -1e30, 1e30, "max_distance"),
        )


def check_level(level: float, name: str) -> float:
    """Return a share over 0 and up to 0.5.

    Raises:
        UsageError: it is not one.
    """
    if not 0 < level <= 0.5:
        raise UsageError(f"{name} must be over 0 and up to 0.5, got {level:g}")
    return float(level)


def subject_weights(subjects: npt.ArrayLike) -> FloatArray:
    """Return a weight for each window so that each subject's windows weigh 1 together."""
    _, inverse, counts = np.unique(np.asarray(subjects), return_inverse=True, return_counts=True)
    return np.asarray(1.0 / counts[inverse], dtype=np.float64)


def low_quantile(values: npt.ArrayLike, subjects: npt.ArrayLike, level: float) -> float:
    """Return the largest value that a new subject's window is below with at most ``level``.

    The new subject counts as one whose windows are all below. Where that alone is more than
    ``level``, it is the smallest value.

    Args:
        values: shape (n_windows,), one or more.
        subjects: person of each, shape (n_windows,); each weighs the same.
        level: over 0 and under 1.
    """
    v, weights = np.asarray(values, dtype=np.float64), subject_weights(subjects)
    order = np.argsort(v, kind="stable")
    v, weights = v[order], weights[order]
    below = np.concatenate([[0.0], np.cumsum(weights)[:-1]])
    total = weights.sum() + 1
    # Equal values are below or above together: what counts is the first of them.
    first = np.searchsorted(v, v, side="left")
    allowed = np.flatnonzero((1 + below[first]) / total <= level + 1e-12)
    return float(v[allowed[-1]] if len(allowed) else v[0])
