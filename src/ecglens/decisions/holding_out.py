"""What abstention costs and saves on people that the rule was not fitted on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import GroupKFold

from ecglens.decisions.rejecting import RejectRule, subject_weights
from ecglens.decisions.words import FloatArray, StrArray
from ecglens.errors import UsageError

_FOLDS = 5


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What a head and a distance said of windows of people that neither had seen.

    Attributes:
        classes: in the order of the columns of ``probabilities``.
        probabilities: calibrated, shape (n_windows, n_classes).
        distances: from the training windows of the other people, shape (n_windows,).
        labels: class of each window, shape (n_windows,).
        subjects: person of each window, shape (n_windows,).
    """

    classes: tuple[str, ...]
    probabilities: FloatArray
    distances: FloatArray
    labels: StrArray
    subjects: StrArray

    def __post_init__(self) -> None:
        n = len(self.probabilities)
        if not n == len(self.distances) == len(self.labels) == len(self.subjects):
            raise UsageError("held-out windows need a distance, a label and a subject each")

    def rule(self, alpha: float, index: npt.NDArray[Any] | slice = slice(None)) -> RejectRule:
        """Return the rule fitted on these windows, or on some of them.

        Raises:
            UsageError: ``alpha`` is out of range, or a class has no window.
        """
        return RejectRule.fit(
            self.probabilities[index],
            self.labels[index],
            self.subjects[index],
            self.classes,
            distances=self.distances[index],
            alpha=alpha,
        )

    def judged(self, alpha: float) -> tuple[StrArray, StrArray]:
        """Return why each window is not claimed by a rule of other people, and its class if it is.

        The people are cut into five parts, or fewer where they are; where the others lack a class
        the rule of all stands in.
        """
        reasons = np.full(len(self.labels), "", dtype="U16")
        called = np.full(len(self.labels), "", dtype=np.array(self.classes).dtype)
        n_folds = min(_FOLDS, len(np.unique(self.subjects)))
        for train, test in GroupKFold(n_folds).split(self.labels, groups=self.subjects):
            whole = len(np.unique(self.labels[train])) == len(self.classes)
            rule = self.rule(alpha, train if whole else slice(None))
            reasons[test] = rule.judge(self.probabilities[test], self.distances[test])
            called[test] = np.array(self.classes)[rule.claimed(self.probabilities[test])]
        return reasons, called

    def figures(self, alpha: float) -> dict[str, Any]:
        """Return coverage and error of the rule, JSON-ready; every subject weighs the same.

        Coverage is the share of windows that are claimed, error the share of wrong classes among
        those claimed, ``error_at_full_coverage`` among all if each were called its likeliest
        class. ``None`` where nothing is claimed.
        """
        (reasons, called), weights = self.judged(alpha), subject_weights(self.subjects)
        likeliest = np.array(self.classes)[self.probabilities.argmax(axis=1)]
        claimed = reasons == ""

        def share(of: npt.NDArray[np.bool_], among: npt.NDArray[np.bool_]) -> float | None:
            whole = weights[among].sum()
            return float(weights[of & among].sum() / whole) if whole > 0 else None

        everything = np.ones(len(claimed), dtype=bool)
        return {
            "alpha": alpha,
            "subjects": len(np.unique(self.subjects)),
            "coverage": share(claimed, everything),
            "error": share(called != self.labels, claimed),
            "error_at_full_coverage": share(likeliest != self.labels, everything),
            "coverage_by_class": {
                name: share(claimed, self.labels == name) for name in self.classes
            },
            "reasons": {
                reason: share(reasons == reason, everything)
                for reason in np.unique(reasons).tolist()
                if reason
            },
        }
