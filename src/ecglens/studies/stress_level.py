"""What became of the windows under one stress: scores of what the models said."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecglens.evaluation import Score
from ecglens.evaluation.metrics import score_confusions, subject_confusions
from ecglens.studies.examined import Examined, StressSettings
from ecglens.studies.stresses import Stress
from ecglens.windows import Windows


@dataclass(frozen=True, eq=False)
class Level:
    """What became of one stress.

    Attributes:
        stress: kind and level.
        accuracy: share of windows called rightly, when every window must get a class; one that
            cannot be read counts as wrong.
        macro_f1: mean F1 over the classes, likewise.
        sensitivity: of each class that occurs, likewise.
        readable: share of windows that can be read.
        claimed: share that the reject rule lets a class claim; none that cannot be read.
        right: share of those that are right; NaN where none is claimed.
    """

    stress: Stress
    accuracy: Score
    macro_f1: Score
    sensitivity: dict[str, Score]
    readable: float
    claimed: float
    right: float


def level_of(
    windows: Windows,
    examined: Examined,
    stress: Stress,
    said: dict[str, list[int]],
    settings: StressSettings,
) -> Level:
    """Return the scores of one stress.

    Args:
        windows: as they were before.
        examined: the models.
        stress: what happened to the windows.
        said: of each window whether it is readable, its class and the class claimed.
        settings: draws behind the limits.
    """
    classes = examined.classes
    codes = np.searchsorted(classes, windows.labels)
    _, who = np.unique(windows.subjects, return_inverse=True)
    called, claimed = np.array(said["called"]), np.array(said["claimed"])
    # One column more: of windows without an image.
    confusions = subject_confusions(codes, called, who, len(classes) + 1)
    accuracy, macro_f1, scores = score_confusions(
        confusions, n_bootstrap=settings.n_bootstrap, random_state=settings.random_state
    )
    sure = claimed >= 0
    return Level(
        stress=stress,
        accuracy=accuracy,
        macro_f1=macro_f1,
        sensitivity={
            name: scores[i]["sensitivity"] for i, name in enumerate(classes) if (codes == i).any()
        },
        readable=float(np.mean(said["readable"])),
        claimed=float(sure.mean()),
        right=float((claimed[sure] == codes[sure]).mean()) if sure.any() else float("nan"),
    )
