"""Labels that are no class, and the reasons for them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
StrArray = npt.NDArray[np.str_]

UNREADABLE = "unreadable"
INCONCLUSIVE = "inconclusive"

SEVERAL_CLASSES = "several classes"
NO_CLASS = "no class"
UNLIKE_TRAINING = "unlike training"
REASONS = ("", SEVERAL_CLASSES, NO_CLASS, UNLIKE_TRAINING)
"""What a rule says of a window by itself; ``""`` claims a class."""
