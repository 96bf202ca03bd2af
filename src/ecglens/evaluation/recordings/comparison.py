"""Predicted and annotated records, one after the other, to scores of all."""

from __future__ import annotations

from collections.abc import Sequence

from ecglens.databases import subject_of
from ecglens.evaluation.recordings.aha import aha_category, aha_table
from ecglens.evaluation.recordings.ec57 import RecordScore, score_record
from ecglens.evaluation.recordings.reading import annotated_classes
from ecglens.evaluation.recordings.report import RecordingScores, score_recordings
from ecglens.evaluation.recordings.shocks import shock_windows, window_height_mv
from ecglens.evaluation.recordings.spans import Span
from ecglens.labels import LabelMap
from ecglens.records import Recording

_VF = frozenset({"VF", "VFIB", "VFL"})


class Comparison:
    """Collects records and scores them together.

    Args:
        label_map: from annotated rhythms to the classes that are scored.
        shock: classes for which a shock is advised; without one of them among the classes there
            is no table for shockable rhythm.
        window_s: length of that table's windows in seconds.
        least_s: see :func:`score_record`.
        overlap: see :func:`score_record`.
    """

    def __init__(
        self,
        label_map: LabelMap,
        *,
        shock: Sequence[str] = ("VF", "shockable"),
        window_s: float = 10.0,
        least_s: float = 0.0,
        overlap: float = 0.0,
    ) -> None:
        self._label_map = label_map
        self._shock = [label for label in shock if label in label_map.classes]
        self._window_s = window_s
        self._least_s, self._overlap = least_s, overlap
        self._records: list[RecordScore] = []
        self._categories: list[str | None] = []
        self._shocked: list[bool] = []
        self._people: list[str] = []

    def add(self, record: Recording, predicted: Sequence[Span]) -> None:
        """Compare one record.

        Args:
            record: with its annotation; VF windows are read for their height.
            predicted: spans that do not overlap; labels that are no class count as abstained.

        Raises:
            EvaluationError: the record has no annotated rhythm.
            WindowError: the label map does not know a rhythm.
        """
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

    def _add_shocks(self, record: Recording, predicted: Sequence[Span], subject: str) -> None:
        rhythms = [(span.start_s, span.end_s, span.rhythm) for span in record.rhythms]
        for window in shock_windows(rhythms, predicted, self._shock, length_s=self._window_s):
            height = None
            if window.rhythm in _VF:
                height = window_height_mv(record, window.start_s, self._window_s)
            self._categories.append(aha_category(window.rhythm, height))
            self._shocked.append(window.shocked)
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
        rows = aha_table(self._categories, self._shocked, self._people) if self._shock else ()
        return score_recordings(
            self._records, seen, aha=rows, n_bootstrap=n_bootstrap, random_state=random_state
        )
