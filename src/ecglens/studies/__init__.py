"""Studies: what a figure depends on, measured by one command that goes on where it stopped."""

from __future__ import annotations

from ecglens.studies.databases import study_databases
from ecglens.studies.databases_plan import DatabaseSettings
from ecglens.studies.entrants import NAMES, Entrants, Entry, make_learners
from ecglens.studies.examined import FoldModels, SavedModel, StressSettings
from ecglens.studies.learners import Learner, recipe_learner
from ecglens.studies.learning_curve import study_learning_curve
from ecglens.studies.learning_plan import CurveSettings
from ecglens.studies.material import Describing, read_study_windows, thin_out, usable_windows
from ecglens.studies.stress import study_stress
from ecglens.studies.stresses import all_stresses
from ecglens.studies.study import Study, save_study

__all__ = [
    "NAMES",
    "CurveSettings",
    "DatabaseSettings",
    "Describing",
    "Entrants",
    "Entry",
    "FoldModels",
    "Learner",
    "SavedModel",
    "StressSettings",
    "Study",
    "all_stresses",
    "make_learners",
    "read_study_windows",
    "recipe_learner",
    "save_study",
    "study_databases",
    "study_learning_curve",
    "study_stress",
    "thin_out",
    "usable_windows",
]
