"""Random streams that do not depend on each other: one per purpose of one seed."""

from __future__ import annotations

import operator
import zlib

import numpy as np

from ecglens.errors import UsageError


def check_seed(random_state: int) -> int:
    """Return a seed that numpy's ``SeedSequence`` takes.

    Raises:
        UsageError: it is not a whole number of 0 or more.
    """
    try:
        seed = operator.index(random_state)
    except TypeError:
        seed = -1
    if seed < 0:
        raise UsageError(f"random_state must be a whole number of 0 or more, got {random_state!r}")
    return seed


def record_seed(patient_seed: int, random_state: int) -> int:
    """Return the seed of one recording of a person.

    Raises:
        UsageError: ``random_state`` is not a whole number of 0 or more.
    """
    return int(stream(patient_seed, "record", check_seed(random_state)).integers(2**63))


def stream(seed: int, *purpose: str | int) -> np.random.Generator:
    """Return the generator of one purpose, such as ``("muscle", "II")``.

    The same seed and purpose give the same numbers, whatever else is drawn.
    """
    words = [zlib.crc32(str(part).encode()) for part in purpose]
    return np.random.default_rng(np.random.SeedSequence([seed, *words]))
