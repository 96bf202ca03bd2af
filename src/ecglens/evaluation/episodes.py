"""Predicted episodes against annotated ones: which were found, and how late."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Span = tuple[float, float, str]
"""Start and end in seconds, and a label."""

FOUND_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class EpisodeMatch:
    """An annotated episode and what was predicted of its class, or a prediction of nothing.

    Attributes:
        label: the class.
        reference: start and end of the annotated episode in seconds; None where nothing of the
            class was annotated.
        predicted: from the start of the first to the end of the last predicted episode of the
            class that meets it; None where there is none.
        n_pieces: number of those predicted episodes.
        covered: share of the annotated episode that they cover, 0 to 1.
    """

    label: str
    reference: tuple[float, float] | None
    predicted: tuple[float, float] | None
    n_pieces: int
    covered: float

    @property
    def found(self) -> bool:
        """Whether half of the annotated episode or more is covered."""
        return self.covered >= FOUND_SHARE

    @property
    def start_error_s(self) -> float | None:
        """Predicted start less annotated start in seconds: positive where it was seen late."""
        return self._error(0)

    @property
    def end_error_s(self) -> float | None:
        """Predicted end less annotated end in seconds."""
        return self._error(1)

    def _error(self, edge: int) -> float | None:
        if self.reference is None or self.predicted is None:
            return None
        return self.predicted[edge] - self.reference[edge]


def match_episodes(
    reference: Sequence[Span], predicted: Sequence[Span]
) -> tuple[EpisodeMatch, ...]:
    """Return every annotated episode with its prediction, and every prediction that meets none.

    Args:
        reference: annotated episodes, those of one class apart from each other.
        predicted: predicted episodes, likewise.

    Returns:
        In order of time.
    """
    matches = [_match(span, predicted) for span in reference]
    matches += [
        EpisodeMatch(label, None, (start, end), 1, 0.0)
        for start, end, label in predicted
        if not any(_shared_s((start, end, label), other) for other in reference)
    ]
    return tuple(sorted(matches, key=lambda match: match.reference or match.predicted or ()))


def agreement(reference: Sequence[Span], predicted: Sequence[Span]) -> float:
    """Return the share of the annotated time that was given the annotated label, 0 to 1.

    Returns:
        NaN where nothing was annotated.
    """
    annotated_s = sum(end - start for start, end, _ in reference)
    shared_s = sum(_shared_s(one, other) for one in reference for other in predicted)
    return shared_s / annotated_s if annotated_s > 0 else float("nan")


def _match(span: Span, predicted: Sequence[Span]) -> EpisodeMatch:
    start, end, label = span
    pieces = [other for other in predicted if _shared_s(span, other)]
    covered_s = sum(_shared_s(span, piece) for piece in pieces)
    return EpisodeMatch(
        label=label,
        reference=(start, end),
        predicted=(min(p[0] for p in pieces), max(p[1] for p in pieces)) if pieces else None,
        n_pieces=len(pieces),
        covered=covered_s / (end - start),
    )


def _shared_s(one: Span, other: Span) -> float:
    """Return the seconds that two spans of one label share; 0 for two labels."""
    if one[2] != other[2]:
        return 0.0
    return max(0.0, min(one[1], other[1]) - max(one[0], other[0]))
