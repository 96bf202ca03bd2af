"""Drawing virtual patients."""

from __future__ import annotations

import numpy as np
import pytest

from ecglens.databases.synthetic import make_patients, make_record
from ecglens.errors import UsageError


def test_a_patient_is_the_same_whoever_else_is_drawn() -> None:
    many = make_patients(9, random_state=3)
    assert make_patients(4, random_state=3) == many[:4]
    assert len({patient.seed for patient in many}) == 9
    assert many[7].subject == "virtual-0007"


def test_another_seed_is_other_people() -> None:
    first, second = make_patients(1)[0], make_patients(1, random_state=1)[0]
    assert first.seed != second.seed
    assert first.waves != second.waves


def test_people_differ_within_what_people_have() -> None:
    people = make_patients(300)
    bpm = np.array([p.rate.mean_bpm for p in people])
    assert bpm.min() > 50
    assert bpm.max() < 110
    assert bpm.std() > 12
    r_in_ii = np.array([np.dot(p.waves[2].vector, (0.235, 1.066, -0.132)) for p in people])
    assert r_in_ii.min() > 0.3
    assert r_in_ii.max() < 3.0
    assert all(0.1 < p.st.peak_mv <= 0.4 for p in people)
    assert all(4 <= p.af.f_wave_hz <= 9 for p in people)
    assert all(3 <= p.vf.hz <= 7 for p in people)
    assert {p.noise.mains_hz for p in people} == {50.0, 60.0}
    elevated = np.mean([p.st.vector[1] > 0 for p in people])
    assert 0.25 < elevated < 0.55


def test_leads_of_two_people_do_not_agree() -> None:
    one, other = make_patients(2)
    a, b = (make_record(p, [("N", 10)], fs=100).signal[0] for p in (one, other))
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.5


@pytest.mark.parametrize(
    ("n", "seed", "message"),
    [
        (0, 0, "n must be from 1 to 100000 patients, got 0"),
        (3, -1, "random_state must be a whole number of 0 or more, got -1"),
        (3, 0.5, "random_state must be a whole number of 0 or more, got 0.5"),
    ],
)
def test_refused(n: int, seed: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_patients(n, random_state=seed)
