"""A record in, a timeline of rhythm episodes out."""

from ecglens.decisions import INCONCLUSIVE, UNREADABLE
from ecglens.prediction.evidence import Evidence
from ecglens.prediction.journal import Journal
from ecglens.prediction.judging import WindowClassifier, predict_record
from ecglens.prediction.timeline import Episode, Timeline

__all__ = [
    "INCONCLUSIVE",
    "UNREADABLE",
    "Episode",
    "Evidence",
    "Journal",
    "Timeline",
    "WindowClassifier",
    "predict_record",
]
