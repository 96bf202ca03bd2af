"""Windows of virtual patients whose rhythm is known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from ecglens.databases.synthetic import RHYTHMS, make_patients, make_record

FS = 250.0
LENGTH = 2500


@pytest.fixture(scope="session")
def by_rhythm() -> dict[str, npt.NDArray[np.float32]]:
    """Windows of 10 s at 250 Hz with the usual noise, shape (n_windows, 2500), by rhythm."""
    patients = make_patients(6, random_state=3)
    return {
        rhythm: np.concatenate(
            [
                make_record(patient, [(rhythm, 40.0)], fs=FS).signal.reshape(-1, LENGTH)
                for patient in patients
            ]
        )
        for rhythm in RHYTHMS
    }


@pytest.fixture(scope="session")
def sinus(by_rhythm: dict[str, npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    """The windows of sinus rhythm."""
    return by_rhythm["N"]
