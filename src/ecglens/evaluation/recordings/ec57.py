"""Episodes and their durations, counted in the manner of ANSI/AAMI EC57."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from types import MappingProxyType
from typing import Any, Self

from ecglens.errors import UsageError
from ecglens.evaluation.recordings.spans import (
    Interval,
    Span,
    joined,
    shared_s,
    total_s,
    without,
)


@dataclass(frozen=True, slots=True)
class ClassCounts:
    """What was counted of one class, in one record or in several.

    Episodes are counted twice, as EC57 and WFDB's ``epicmp`` do: annotated ones that
    were met for the sensitivity, predicted ones that met one for the positive predictivity. The
    two numbers differ where one long episode meets several short ones.

    Attributes:
        annotated: number of annotated episodes.
        found: those of them that a predicted episode meets.
        predicted: number of predicted episodes.
        right: those of them that meet an annotated episode.
        annotated_s: seconds annotated.
        predicted_s: seconds predicted.
        shared_s: seconds that are both.
    """

    annotated: int = 0
    found: int = 0
    predicted: int = 0
    right: int = 0
    annotated_s: float = 0.0
    predicted_s: float = 0.0
    shared_s: float = 0.0

    @property
    def episode_sensitivity(self) -> float:
        """Share of the annotated episodes that were found; NaN without one."""
        return _ratio(self.found, self.annotated)

    @property
    def episode_predictivity(self) -> float:
        """Share of the predicted episodes that are right; NaN without one."""
        return _ratio(self.right, self.predicted)

    @property
    def duration_sensitivity(self) -> float:
        """Share of the annotated time that was predicted; NaN without any."""
        return _ratio(self.shared_s, self.annotated_s)

    @property
    def duration_predictivity(self) -> float:
        """Share of the predicted time that was annotated; NaN without any."""
        return _ratio(self.shared_s, self.predicted_s)

    @property
    def false_episodes(self) -> int:
        """Number of predicted episodes that meet none."""
        return self.predicted - self.right

    def __add__(self, other: Self) -> Self:
        return type(self)(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def to_dict(self) -> dict[str, Any]:
        """Return counts and ratios, JSON-ready; None where a ratio has nothing to divide by."""
        ratios = {name: getattr(self, name) for name in RATIOS}
        return {
            **asdict(self),
            "false_episodes": self.false_episodes,
            **{name: None if math.isnan(value) else value for name, value in ratios.items()},
        }


RATIOS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "episode_sensitivity": ("found", "annotated"),
        "episode_predictivity": ("right", "predicted"),
        "duration_sensitivity": ("shared_s", "annotated_s"),
        "duration_predictivity": ("shared_s", "predicted_s"),
    }
)
"""The counts that each ratio divides."""


@dataclass(frozen=True)
class RecordScore:
    """One record's counts.

    Attributes:
        record: its name.
        subject: the person.
        scored_s: seconds that were compared.
        abstained_s: seconds of them in which no class was predicted.
        counts: by class; time without a predicted class counts as missed.
        counts_claimed: by class, with that time left out of annotation and prediction.
    """

    record: str
    subject: str
    scored_s: float
    abstained_s: float
    counts: dict[str, ClassCounts]
    counts_claimed: dict[str, ClassCounts]


def score_record(
    annotated: Sequence[Span],
    predicted: Sequence[Span],
    classes: Sequence[str],
    *,
    record: str = "",
    subject: str = "",
    not_scored: Iterable[Interval] = (),
    least_s: float = 0.0,
    overlap: float = 0.0,
) -> RecordScore:
    """Compare the predicted episodes of a record with the annotated ones.

    Only annotated time is compared. Time of it that no prediction covers is time without a class:
    a list of episodes need not fill the record, and nothing is gained by leaving out what is hard.
    Spans of one label that touch are one episode.

    Args:
        annotated: spans of any label; those of no class are time in which each class is false.
        predicted: spans of classes, and of other labels (inconclusive, unreadable) where no class
            was predicted.
        classes: what is scored.
        record: name of the record.
        subject: the person.
        not_scored: time that is left out, as where the annotator could not read the signal.
        least_s: annotated and predicted episodes shorter than this are not counted as episodes;
            their durations are.
        overlap: share of an episode that must be covered for it to be met, 0 (any) to 1.

    Raises:
        UsageError: ``overlap`` or ``least_s`` is out of range.
    """
    if not 0 <= overlap <= 1 or not least_s >= 0:
        raise UsageError(
            f"overlap must be 0 to 1 and the least duration 0 s or more, got {overlap:g} and "
            f"{least_s:g} s"
        )
    holes = [*not_scored, *_uncovered(annotated)]
    unsaid = [(start, end, "") for start, end in _uncovered(predicted)]
    truth, said = (joined(without(spans, holes)) for spans in (annotated, [*predicted, *unsaid]))
    abstained = [(start, end) for start, end, label in said if label not in classes]
    claimed = (joined(without(truth, abstained)), joined(without(said, abstained)))
    return RecordScore(
        record=record,
        subject=subject or record,
        scored_s=total_s(joined((start, end, "") for start, end, _ in truth)),  # leads overlap
        abstained_s=sum(end - start for start, end in abstained),
        counts={label: _count(truth, said, label, least_s, overlap) for label in classes},
        counts_claimed={label: _count(*claimed, label, least_s, overlap) for label in classes},
    )


def gross(counts: Iterable[ClassCounts]) -> ClassCounts:
    """Return the sum over records: every episode, or second, counts the same."""
    return sum(counts, ClassCounts())


def average(counts: Iterable[ClassCounts], ratio: str) -> tuple[float, int]:
    """Return the mean of a ratio over the records that have one, and their number.

    Every record counts the same. NaN and 0 where no record has one.
    """
    values = [getattr(each, ratio) for each in counts]
    known = [value for value in values if not math.isnan(value)]
    return (sum(known) / len(known) if known else math.nan), len(known)


def _count(
    truth: Sequence[Span], said: Sequence[Span], label: str, least_s: float, overlap: float
) -> ClassCounts:
    real = [span for span in truth if span[2] == label]
    seen = [span for span in said if span[2] == label]
    real_episodes, seen_episodes = (
        [span for span in spans if span[1] - span[0] >= least_s] for spans in (real, seen)
    )
    return ClassCounts(
        annotated=len(real_episodes),
        found=sum(_is_met(span, seen, overlap) for span in real_episodes),
        predicted=len(seen_episodes),
        right=sum(_is_met(span, real, overlap) for span in seen_episodes),
        annotated_s=total_s(real),
        predicted_s=total_s(seen),
        shared_s=sum(shared_s(span, seen) for span in real),
    )


def _is_met(span: Span, others: Sequence[Span], overlap: float) -> bool:
    covered_s = shared_s(span, others)
    return covered_s > 0 and covered_s >= overlap * (span[1] - span[0]) - 1e-9


def _uncovered(spans: Sequence[Span]) -> list[Interval]:
    """Return the time, from minus to plus infinity, that no span covers."""
    covered = joined((start, end, "") for start, end, _ in spans)
    starts = [-math.inf, *(end for _, end, _ in covered)]
    ends = [*(start for start, _, _ in covered), math.inf]
    return [(a, b) for a, b in zip(starts, ends, strict=True) if a < b]


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else math.nan
