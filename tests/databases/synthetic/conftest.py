"""Virtual patients that several tests look at."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ecglens.databases.synthetic import VirtualPatient, make_patients


@pytest.fixture(scope="session")
def patients() -> tuple[VirtualPatient, ...]:
    return make_patients(12, random_state=7)


@pytest.fixture(scope="session")
def regular(patients: tuple[VirtualPatient, ...]) -> VirtualPatient:
    """A patient whose sinus node alone decides: no premature beats."""
    patient = patients[0]
    rate = replace(patient.rate, mean_bpm=70.0, pvc_per_min=0.0, pac_per_min=0.0)
    return replace(patient, rate=rate)
