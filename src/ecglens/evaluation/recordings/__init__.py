"""Scores of whole recordings: predicted episodes against annotated ones."""

from ecglens.evaluation.recordings.aha import (
    AHA_GOALS,
    AhaRow,
    aha_category,
    aha_table,
    exact_lower_limit,
)
from ecglens.evaluation.recordings.comparison import Comparison
from ecglens.evaluation.recordings.ec57 import (
    ClassCounts,
    RecordScore,
    gross,
    score_record,
)
from ecglens.evaluation.recordings.reading import (
    annotated_classes,
    annotated_predictions,
    read_predictions,
    seen_in_training,
)
from ecglens.evaluation.recordings.report import RecordingScores, score_recordings
from ecglens.evaluation.recordings.shocks import ShockWindow, shock_windows, window_height_mv
from ecglens.evaluation.recordings.spans import Span

__all__ = [
    "AHA_GOALS",
    "AhaRow",
    "ClassCounts",
    "Comparison",
    "RecordScore",
    "RecordingScores",
    "ShockWindow",
    "Span",
    "aha_category",
    "aha_table",
    "annotated_classes",
    "annotated_predictions",
    "exact_lower_limit",
    "gross",
    "read_predictions",
    "score_record",
    "score_recordings",
    "seen_in_training",
    "shock_windows",
    "window_height_mv",
]
