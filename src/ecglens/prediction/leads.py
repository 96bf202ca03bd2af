"""Several leads of one record, taken together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ecglens.prediction.evidence import Evidence
from ecglens.quality import combine_leads

Numbers = npt.NDArray[np.float64]


def join_leads(leads: Sequence[Evidence]) -> Evidence:
    """Return one piece of evidence of what several leads say of the same windows.

    Class probabilities are combined by :func:`ecglens.quality.combine_leads`. A window is
    unreadable where every lead is, for the reason of its best lead; distance, quality and
    heart rate are those of the best lead that has them.

    Args:
        leads: one or more.
    """
    if len(leads) == 1:
        return leads[0]
    unreadable = np.stack([lead.unreadable for lead in leads])
    quality = np.stack([lead.quality for lead in leads])
    readable = unreadable == ""
    none = ~readable.any(axis=0)
    probabilities = combine_leads(
        np.stack([lead.probabilities for lead in leads]), quality, readable
    )
    best = quality.argmax(axis=0)
    places = np.arange(len(best))
    return Evidence(
        start_s=leads[0].start_s,
        unreadable=np.where(none, unreadable[best, places], ""),
        probabilities=probabilities,
        distances=_of_best(np.stack([lead.distances for lead in leads]), quality),
        quality=quality[best, places],
        heart_rate=_of_best(np.stack([lead.heart_rate for lead in leads]), quality),
    )


def _of_best(values: Numbers, quality: Numbers) -> Numbers:
    """Return each window's value of the best lead that has one, NaN where none has."""
    known = np.where(np.isnan(values), -1.0, quality)
    return np.asarray(values[known.argmax(axis=0), np.arange(values.shape[1])])
