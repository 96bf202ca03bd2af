"""How rhythms change: a hidden Markov model of a record's windows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ecglens.decisions.chains import Chain, IntArray
from ecglens.decisions.holding_out import HeldOut
from ecglens.decisions.rejecting import RejectRule, subject_weights
from ecglens.decisions.tables import check_classes, check_keys, check_number, check_numbers
from ecglens.decisions.words import REASONS, FloatArray, StrArray
from ecglens.errors import UsageError

MIN_S: Mapping[str, float] = MappingProxyType(
    {"N": 30.0, "AF": 30.0, "AFIB": 30.0, "ST": 30.0, "VF": 5.0, "VFIB": 5.0, "shockable": 5.0}
)
"""Shortest stretch in seconds that is called an episode, by class; others 10 s.

AF: 30 s of one lead (ESC guideline 2020, doi 10.1093/eurheartj/ehaa612, section 4). ST: 30 s, the
shortest ischaemic episode of the Long-Term ST Database's protocols A and B (Jager et al. 2003,
doi 10.1007/BF02345448). N: as long, so that AF is not cut in two by a few doubtful windows. VF is
given next to no minimum: ten seconds without circulation cost consciousness.
"""
OTHER_MIN_S = 10.0
WEIGHTS = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0)

WEIGHT = 0.7
SURE = 0.9
"""A window of this probability, the rest shared by the others, says the most that is not enough by
itself to be believed against its neighbours; two such windows are."""
IN_CLASS = (0.75, 0.12, 0.08, 0.05)
IN_OTHER = (0.25, 0.25, 0.20, 0.30)

_LEAST_P = 1e-6
_PRIOR_PEOPLE = 5
_LEAST_PEOPLE = 10
_LEAST_STRETCH_S = 60.0
# Windows that start closer together than this share of their length are taken together.
_FINEST = 0.1


@dataclass(frozen=True)
class RhythmChange:
    """One state for each class and one for everything else, each with a least duration.

    A window's evidence for a class is ``(K p P(reason | class)) ** weight`` with its calibrated
    probability ``p`` of the class, and ``(K max(p) P(reason | other)) ** weight`` for the other
    rhythms, where the reason is why the reject rule did not claim it: others look like some class,
    and as surely, so what tells them is the rule and classes that take turns. The power is under 1
    because windows of one person err together, and falls in proportion where windows overlap. A
    state lasts its least duration, then is left at the rate ``1 / dwell_s`` for any other alike.

    Attributes:
        classes: in the order of the columns of probabilities.
        length_s: of a window in seconds.
        min_s: least duration of each class, and last that of other rhythms, in seconds.
        dwell_s: mean time in each of them beyond the least duration, in seconds.
        weight: power of the evidence, over 0 and up to 1; 0 in a model that changes nothing.
        in_class: shares of a class's windows that are claimed, or not because of
            several classes, of no class, of being unlike training.
        in_other: the same for other rhythms and noise.

    Raises:
        UsageError: a value is out of its range.
    """

    classes: tuple[str, ...]
    length_s: float
    min_s: tuple[float, ...]
    dwell_s: tuple[float, ...]
    weight: float = WEIGHT
    in_class: tuple[float, ...] = IN_CLASS
    in_other: tuple[float, ...] = IN_OTHER

    def __post_init__(self) -> None:
        n = len(check_classes(self.classes)) + 1
        check_number(self.length_s, 0.001, 1e5, "length_s of a rhythm change")
        check_numbers(self.min_s, n, 0.0, 3600.0, "min_s")
        check_numbers(self.dwell_s, n, 0.001, 1e7, "dwell_s")
        check_number(self.weight, 0.0, 1.0, "weight")
        for name in ("in_class", "in_other"):
            shares = check_numbers(getattr(self, name), len(REASONS), 1e-6, 1.0, name)
            if abs(math.fsum(shares) - 1) > 1e-6:
                raise UsageError(f"{name} must be shares of one whole, got a sum of {sum(shares)}")

    @classmethod
    def none(cls, classes: Sequence[str], length_s: float = 10.0) -> Self:
        """Return the model that leaves every window its own label."""
        return cls.default(classes, length_s, weight=0.0)

    @classmethod
    def default(
        cls, classes: Sequence[str], length_s: float = 10.0, *, weight: float = WEIGHT
    ) -> Self:
        """Return the model for windows that tell nothing of durations, such as single ones."""
        return cls(
            classes=tuple(classes),
            length_s=length_s,
            min_s=(*(MIN_S.get(name, OTHER_MIN_S) for name in classes), OTHER_MIN_S),
            dwell_s=(dwell_of(weight, len(classes), length_s),) * (len(classes) + 1),
            weight=weight,
        )

    @classmethod
    def fit(
        cls,
        held_out: HeldOut,
        rule: RejectRule,
        tracks: npt.ArrayLike,
        start_s: npt.ArrayLike,
        length_s: float,
    ) -> Self:
        """Fit the evidence of windows, which are of people that the head had not seen.

        How often windows of a class are claimed is counted, every subject weighing the same and
        :data:`IN_CLASS` as five subjects. The weight is the one of :data:`WEIGHTS` by which the
        windows' true classes, given all windows of their stretch, get the most probability
        (logarithmic score, every subject weighing the same). That takes stretches of windows in a
        row: with fewer than ten subjects that have a minute of them, :data:`WEIGHT` stands.

        Args:
            held_out: what was said of the windows.
            rule: which of them it claims.
            tracks: record and lead of each window, shape (n_windows,).
            start_s: start of each window in seconds, shape (n_windows,).
            length_s: of a window in seconds.
        """
        reasons = rule.judge(held_out.probabilities, held_out.distances)
        shares = _shares(reasons, held_out.subjects)
        stretches = find_stretches(tracks, start_s, length_s)
        best = replace(cls.default(held_out.classes, length_s), in_class=shares)
        people = {str(held_out.subjects[index[0]]) for index, _ in stretches}
        if len(people) < _LEAST_PEOPLE:
            return best
        tried = [
            replace(cls.default(held_out.classes, length_s, weight=weight), in_class=shares)
            for weight in WEIGHTS
        ]
        return max(tried, key=lambda change: _log_score(change, held_out, rule, stretches))

    @property
    def does_nothing(self) -> bool:
        """Whether windows keep their own labels."""
        return self.weight == 0

    def read(
        self, probabilities: FloatArray, reasons: StrArray, hop_s: float, *, others: bool = True
    ) -> tuple[StrArray, FloatArray]:
        """Return what each window is given all windows, and how sure that is.

        Args:
            probabilities: shape (n_windows, n_classes), n_windows from 1; a row of NaN carries no
                evidence.
            reasons: why each window is not claimed, ``""`` where it is.
            hop_s: from one window's start to the next in seconds.
            others: whether a window may be of none of the classes.

        Returns:
            Labels, ``""`` where none of the classes is likeliest; and probabilities of the
            classes, of the same shape as given. What a row lacks to 1 is for other rhythms.
        """
        # Finer than a tenth of a window there is nothing to tell apart, and long chains are slow.
        together = max(1, math.floor(_FINEST * self.length_s / hop_s))
        evidence = self._log_evidence(probabilities, reasons, hop_s, others)
        starts = np.arange(0, len(evidence), together)
        evidence = np.add.reduceat(evidence, starts, axis=0)
        kinds = self._chain(hop_s * together, len(evidence), path=True).likeliest(evidence)
        sure = self._chain(hop_s * together, len(evidence), path=False).posteriors(evidence)
        part = np.arange(len(probabilities)) // together
        names = np.array([*self.classes, ""])
        return names[kinds[part]], sure[part, :-1]

    def _log_evidence(
        self, probabilities: FloatArray, reasons: StrArray, hop_s: float, others: bool
    ) -> FloatArray:
        """Return the weighed log evidence of every window for every state."""
        n_classes = len(self.classes)
        kind = np.select([reasons == reason for reason in REASONS], range(len(REASONS)), default=0)
        evidence = np.empty((len(probabilities), n_classes + 1))
        evidence[:, :-1] = np.log(n_classes * np.clip(probabilities, _LEAST_P, 1.0))
        likeliest = evidence[:, :-1].max(axis=1)
        evidence[:, -1] = likeliest + np.log(self.in_other)[kind] if others else -1e6
        evidence[:, :-1] += np.log(self.in_class)[kind][:, None]
        evidence *= self.weight * min(1.0, hop_s / self.length_s)
        silent = np.isnan(probabilities).any(axis=1)
        evidence[silent, : None if others else -1] = 0.0
        return evidence

    def _chain(self, hop_s: float, n_steps: int, *, path: bool) -> Chain:
        """Return the chain at a hop, for the likeliest path or for probabilities of states.

        The likeliest path is the densest one: its changes are weighed by the window's length
        however short the hop is, so that overlapping windows do not make changes dearer.
        """
        dwell = np.array(self.dwell_s)
        stay = np.exp(-hop_s / dwell)
        leave = -np.expm1(-(self.length_s if path else hop_s) / dwell)
        least = [self._least_steps(seconds, hop_s, n_steps) for seconds in self.min_s]
        change = np.repeat(leave[:, None] / len(self.classes), len(dwell), axis=1)
        return Chain.make(least, stay, change)

    def _least_steps(self, seconds: float, hop_s: float, n_steps: int) -> int:
        """Return how many whole windows an episode of some length has at least."""
        whole = math.floor((seconds - self.length_s) / hop_s + 1e-9)
        return min(max(1, whole), n_steps)

    def to_dict(self) -> dict[str, Any]:
        """Return the model as JSON-ready values."""
        return {
            f.name: list(value) if isinstance(value := getattr(self, f.name), tuple) else value
            for f in fields(self)
        }

    @classmethod
    def from_dict(cls, table: object) -> Self:
        """Undo :meth:`to_dict`.

        Raises:
            UsageError: a value is missing, unknown or out of range.
        """
        values = check_keys(table, [f.name for f in fields(cls)], "rhythm change")
        kept: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        return cls(**kept)


def find_stretches(
    tracks: npt.ArrayLike, start_s: npt.ArrayLike, length_s: float
) -> list[tuple[IntArray, float]]:
    """Return windows that follow each other at one hop for a minute or more, and the hop.

    Args:
        tracks: record and lead of each window, shape (n_windows,).
        start_s: start of each window in seconds, shape (n_windows,).
        length_s: of a window in seconds; a longer hop leaves time unseen, so it ends a stretch.
    """
    names, start = np.asarray(tracks), np.asarray(start_s, dtype=np.float64)
    order = np.lexsort((start, names))
    steps = np.diff(start[order])
    near = (names[order][1:] == names[order][:-1]) & (steps > 0) & (steps < length_s + 1e-3)
    if not near.any():
        return []
    hop_s = float(steps[near].min())
    follows = near & (steps < hop_s + 1e-3)
    parts = np.split(order, np.flatnonzero(~follows) + 1)
    return [(part, hop_s) for part in parts if len(part) * hop_s >= _LEAST_STRETCH_S]


def _shares(reasons: StrArray, subjects: StrArray) -> tuple[float, ...]:
    """Return how often each reason is given, with the defaults as some more subjects."""
    weights = subject_weights(subjects)
    n_people = weights.sum()
    counted = np.array([weights[reasons == reason].sum() for reason in REASONS])
    mixed = (counted + _PRIOR_PEOPLE * np.array(IN_CLASS)) / (n_people + _PRIOR_PEOPLE)
    return tuple(mixed.tolist())


def _log_score(
    change: RhythmChange,
    held_out: HeldOut,
    rule: RejectRule,
    stretches: Sequence[tuple[IntArray, float]],
) -> float:
    """Return the mean logarithm of the true classes' probabilities, subjects weighing the same."""
    scores: list[FloatArray] = []
    for index, hop_s in stretches:
        p = held_out.probabilities[index]
        reasons = rule.judge(p, held_out.distances[index])
        _, sure = change.read(p, reasons, hop_s, others=rule.rejects)
        truth = (held_out.labels[index, None] == np.array(held_out.classes)).argmax(axis=1)
        scores.append(np.log(np.clip(sure[np.arange(len(p)), truth], _LEAST_P, 1.0)))
    people = held_out.subjects[np.concatenate([index for index, _ in stretches])]
    return float(np.average(np.concatenate(scores), weights=subject_weights(people)))


def dwell_of(weight: float, n_classes: int, length_s: float) -> float:
    """Return the dwell time in seconds that makes one sure window too few and two enough.

    What counts is the cost of a change there and back beside staying, ``2 log(K stay / leave)``
    with ``stay = exp(-length_s / dwell)``. It is put at what one and a half windows say that give
    a class the probability :data:`SURE`. Times that were counted in recordings, minutes to hours,
    would make a change so dear that episodes of half a minute were lost.
    """
    says = weight * math.log(SURE / (1 - SURE) * max(1, n_classes - 1))
    return length_s / math.log1p(n_classes * math.exp(-0.75 * says))
