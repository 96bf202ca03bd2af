"""From the heart's dipole to leads, so that all leads of a record show the same heart."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from ecglens.databases.synthetic.slow import Floats
from ecglens.errors import UsageError, suggest

Vector = tuple[float, float, float]

# Dower, Machado and Osborne 1980 (Clin Cardiol 3(2), 87-95): leads from the Frank
# vectorcardiogram, whose axes point to the left, the feet and the back.
_I, _II = (0.632, -0.235, 0.059), (0.235, 1.066, -0.132)


def _mix(of_first: float, of_second: float) -> Vector:
    x, y, z = (of_first * a + of_second * b for a, b in zip(_I, _II, strict=True))
    return (x, y, z)


LEAD_VECTORS = MappingProxyType(
    {
        "I": _I,
        "II": _II,
        "III": _mix(-1, 1),
        "aVR": _mix(-0.5, -0.5),
        "aVL": _mix(1, -0.5),
        "aVF": _mix(-0.5, 1),
        "V1": (-0.515, 0.157, -0.917),
        "V2": (0.044, 0.164, -1.387),
        "V3": (0.882, 0.098, -1.277),
        "V4": (1.213, 0.127, -0.601),
        "V5": (1.125, 0.127, -0.086),
        "V6": (0.831, 0.076, 0.230),
        "MLII": _II,
    }
)
"""Each lead as weights of the axes left, feet and back; MLII is II with electrodes on the trunk."""


def lead_matrix(leads: Sequence[str]) -> Floats:
    """Return the weights of leads, shape (n_leads, 3).

    Raises:
        UsageError: no lead, a lead that is not known, or the same lead twice.
    """
    if isinstance(leads, str):
        raise UsageError(f"leads must be a sequence of names, got {leads!r}; write ({leads!r},)")
    known = ", ".join(LEAD_VECTORS)
    if not leads:
        raise UsageError(f"no leads; give one or more of {known}")
    for name in leads:
        if name not in LEAD_VECTORS:
            raise UsageError(
                f"no lead {name!r} of a virtual patient{suggest(name, LEAD_VECTORS)}; "
                f"known are {known}"
            )
    if len(set(leads)) < len(leads):
        raise UsageError(f"leads {', '.join(leads)} name one twice; give each once")
    return np.array([LEAD_VECTORS[name] for name in leads])
