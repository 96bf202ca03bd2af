"""The score of a class that an explanation takes apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.calibration import CalibratedClassifierCV

Floats = npt.NDArray[np.float64]

_LEAST = 1e-300


def score_of(head: Any, features: npt.NDArray[Any], column: int) -> Floats:
    """Return how much likelier than the other classes a class is, shape (n_windows,).

    It is the log of its probability less the mean log of the others', in nats; for two classes
    that is the log-odds. Unlike a probability it does not stand still where a class is sure.

    Args:
        head: fitted classifier.
        features: shape (n_windows, n_features).
        column: of the class.
    """
    logs = _logs(head, features)
    return np.asarray(logs[:, column] - np.delete(logs, column, axis=1).mean(axis=1))


def temperature_of(head: Any) -> tuple[Any, float] | None:
    """Return the classifier within a temperature-calibrated one, and by what it is multiplied."""
    if not isinstance(head, CalibratedClassifierCV) or head.method != "temperature":
        return None
    if len(head.calibrated_classifiers_) != 1:
        return None
    calibrated = head.calibrated_classifiers_[0]
    return calibrated.estimator, float(calibrated.calibrators[0].beta_)


def _logs(head: Any, features: npt.NDArray[Any]) -> Floats:
    """Return log-probabilities but for a number that is the same for all classes."""
    inner = temperature_of(head)
    if inner is None or not hasattr(inner[0], "decision_function"):
        return np.asarray(np.log(np.maximum(head.predict_proba(features), _LEAST)))
    # Not by way of probabilities, which end at 0 and 1.
    decision = np.asarray(inner[0].decision_function(features), dtype=np.float64)
    both = np.stack([-decision, decision], axis=1) if decision.ndim == 1 else decision
    return np.asarray(inner[1] * both)
