"""Predicted and annotated records, one after the other, to scores of all."""

from __future__ import annotations

from collections.abc import Sequence

from ecglens.databases import subject_of
from ecglens.decisions import INCONCLUSIVE, UNREADABLE
from ecglens.errors import EvaluationError, UsageError, suggest
from ecglens.evaluation.recordings.aha import VF_RHYTHMS, aha_category, aha_table
from ecglens.evaluation.recordings.ec57 import RecordScore, score_record
from ecglens.evaluation.recordings.reading import annotated_classes
from ecglens.evaluation.recordings.report import RecordingScores, score_recordings
from ecglens.evaluation.recordings.shocks import shock_windows, window_height_mv
from ecglens.evaluation.recordings.spans import Span
from ecglens.labels import LabelMap
from ecglens.records import Recording

NO_CLASS = (INCONCLUSIVE, UNREADABLE)

_LATE_S = 0.1
"""The end of a prediction may be late by a rounding of times, or a sample at another rate."""


_SHOCKED = ("VF", "shockable")


def _to_shock(label_map: LabelMap, shock: Sequence[str] | None) -> list[str]:
    if shock is None:
        return [label for label in _SHOCKED if label in label_map.classes]
    for label in shock:
        if label not in label_map.classes:
            raise UsageError(
                f"shock {label!r}: no class of label map {label_map.name!r} "
                f"({', '.join(label_map.classes)}){suggest(label, label_map.classes)}"
            )
    return list(shock)


class Comparison:
    """Collects records and scores them together.

    Args:
        label_map: from annotated rhythms to the classes that are scored.
        shock: classes for which a shock is advised; None means VF and shockable, where the map has
            them. Without any there is no table for shockable rhythm.
        window_s: length of that table's windows in seconds.
        least_s: see :func:`score_record`.
        overlap: see :func:`score_record`.

    Raises:
        UsageError: the map has no such class to shock.
    """

    def __init__(
        self,
        label_map: LabelMap,
        *,
        shock: Sequence[str] | None = None,
        window_s: float = 10.0,
        least_s: float = 0.0,
        overlap: float = 0.0,
    ) -> None:
        self._label_map = label_map
        self._shock = _to_shock(label_map, shock)
        self._window_s = window_s
        self._least_s, self._overlap = least_s, overlap
        self._records: list[RecordScore] = []
        self._categories: list[str | None] = []
        self._shocked: list[bool] = []
        self._undecided: list[bool] = []
        self._n_unmeasured = 0
        self._people: list[str] = []

    def add(self, record: Recording, predicted: Sequence[Span]) -> None:
        """Compare one record.

        Args:
            record: with its annotation; VF windows are read for their height.
            predicted: spans that do not overlap. Inconclusive and unreadable time, and what no
                span covers, is time without a class, and so is a label that starts with ``(``: a
                rhythm that the label map ignores.

        Raises:
            EvaluationError: the record has no annotated rhythm, a predicted label is unknown, or
                the prediction goes on behind the end of the record.
            WindowError: the label map does not know a rhythm.
        """
        self._check(record, predicted)
        spans, noise = annotated_classes(record, self._label_map)
        subject = subject_of(record)
        self._records.append(
            score_record(
                spans,
                predicted,
                list(self._label_map.classes),
                record=record.record_id,
                subject=subject,
                not_scored=noise,
                least_s=self._least_s,
                overlap=self._overlap,
            )
        )
        if self._shock:
            self._add_shocks(record, predicted, subject)

    def _check(self, record: Recording, predicted: Sequence[Span]) -> None:
        classes = list(self._label_map.classes)
        for start, end, label in predicted:
            if label not in (*classes, *NO_CLASS) and not label.startswith("("):
                raise EvaluationError(
                    f"record {record.record_id!r}: {label!r} was predicted, which is no class of "
                    f"label map {self._label_map.name!r} ({', '.join(classes)}); give the map of "
                    "the model with --map, or rename the labels"
                )
            if end > record.duration_s + _LATE_S:
                raise EvaluationError(
                    f"record {record.record_id!r} lasts {record.duration_s:g} s and was predicted "
                    f"from {start:g} to {end:g} s; durations must agree; give the record that was "
                    "predicted"
                )

    def _add_shocks(self, record: Recording, predicted: Sequence[Span], subject: str) -> None:
        rhythms = [(span.start_s, span.end_s, span.rhythm) for span in record.rhythms]
        classes = list(self._label_map.classes)
        for window in shock_windows(
            rhythms, predicted, self._shock, classes, length_s=self._window_s
        ):
            height = None
            if window.rhythm in VF_RHYTHMS:
                height = window_height_mv(record, window.start_s, self._window_s)
                self._n_unmeasured += height is None
            self._categories.append(aha_category(window.rhythm, height))
            self._shocked.append(window.shocked)
            self._undecided.append(window.undecided)
            self._people.append(subject)

    def scores(self, *, n_bootstrap: int = 1000, random_state: int = 0) -> RecordingScores:
        """Return the scores of all records that were added.

        Classes that were neither annotated nor predicted are left out.

        Raises:
            EvaluationError: there is no record.
            UsageError: ``n_bootstrap`` is negative.
        """
        seen = [
            label
            for label in self._label_map.classes
            if any(
                score.counts[label].annotated_s + score.counts[label].predicted_s > 0
                for score in self._records
            )
        ]
        rows = (
            aha_table(self._categories, self._shocked, self._people, self._undecided)
            if self._shock
            else ()
        )
        return score_recordings(
            self._records,
            seen,
            aha=rows,
            notes=self._notes(),
            n_bootstrap=n_bootstrap,
            random_state=random_state,
        )

    def _notes(self) -> tuple[str, ...]:
        if not self._n_unmeasured:
            return ()
        return (
            f"{self._n_unmeasured} windows of VF have no height in mV, so coarse and fine were not "
            "told apart in them: they count as coarse",
        )
