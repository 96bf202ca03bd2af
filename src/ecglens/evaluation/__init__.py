"""Honest figures: cross-validation pooled and subject-wise, with limits from drawing people."""

from __future__ import annotations

from ecglens.evaluation.checks import PROTOCOLS, check_no_leak
from ecglens.evaluation.databases import (
    DatabasesLeftOut,
    DatabaseSplit,
    LeftOut,
    leave_one_database_out,
    split_databases,
)
from ecglens.evaluation.episodes import EpisodeMatch, agreement, match_episodes
from ecglens.evaluation.metrics import Score
from ecglens.evaluation.nesting import NestedEvaluation, evaluate_nested
from ecglens.evaluation.protocols import (
    Progress,
    evaluate,
    evaluate_holdout,
    shuffle_labels,
    subject_folds,
)
from ecglens.evaluation.results import (
    ClassScores,
    DatabaseScores,
    Evaluation,
    ProtocolResult,
    SubjectScores,
)
from ecglens.evaluation.sweep import Sweep, SweepRow, sweep_layers

__all__ = [
    "PROTOCOLS",
    "ClassScores",
    "DatabaseScores",
    "DatabaseSplit",
    "DatabasesLeftOut",
    "EpisodeMatch",
    "Evaluation",
    "LeftOut",
    "NestedEvaluation",
    "Progress",
    "ProtocolResult",
    "Score",
    "SubjectScores",
    "Sweep",
    "SweepRow",
    "agreement",
    "check_no_leak",
    "evaluate",
    "evaluate_holdout",
    "evaluate_nested",
    "leave_one_database_out",
    "match_episodes",
    "shuffle_labels",
    "split_databases",
    "subject_folds",
    "sweep_layers",
]
