"""From the probabilities of single windows to labels of a whole record, with abstention."""

from ecglens.decisions.deciding import Decision, decide
from ecglens.decisions.distance import FeatureDistance
from ecglens.decisions.holding_out import HeldOut
from ecglens.decisions.rejecting import DEFAULT_ALPHA, RejectRule
from ecglens.decisions.smoothing import RhythmChange
from ecglens.decisions.words import (
    INCONCLUSIVE,
    NO_CLASS,
    SEVERAL_CLASSES,
    UNLIKE_TRAINING,
    UNREADABLE,
)

__all__ = [
    "DEFAULT_ALPHA",
    "INCONCLUSIVE",
    "NO_CLASS",
    "SEVERAL_CLASSES",
    "UNLIKE_TRAINING",
    "UNREADABLE",
    "Decision",
    "FeatureDistance",
    "HeldOut",
    "RejectRule",
    "RhythmChange",
    "decide",
]
