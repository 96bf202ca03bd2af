"""Studies: what a figure depends on, measured by one command that goes on where it stopped."""

from __future__ import annotations

from ecglens.studies.entrants import NAMES, Entrants, Entry, make_learners
from ecglens.studies.learners import Learner
from ecglens.studies.learning_curve import CurveSettings, study_learning_curve
from ecglens.studies.material import Describing, read_study_windows, thin_out, usable_windows
from ecglens.studies.study import Study, save_study

__all__ = [
    "NAMES",
    "CurveSettings",
    "Describing",
    "Entrants",
    "Entry",
    "Learner",
    "Study",
    "make_learners",
    "read_study_windows",
    "save_study",
    "study_learning_curve",
    "thin_out",
    "usable_windows",
]
