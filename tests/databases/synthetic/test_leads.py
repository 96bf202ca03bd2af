"""Leads of one heart."""

from __future__ import annotations

import re

import numpy as np
import pytest

from ecglens.databases.synthetic import VirtualPatient, make_record
from ecglens.databases.synthetic.leads import LEAD_VECTORS, lead_matrix
from ecglens.errors import UsageError

PLAN = [("N", 8.0), ("AFIB", 8.0), ("VFIB", 8.0), ("ST", 8.0)]


def test_leads_obey_einthoven_and_goldberger(regular: VirtualPatient) -> None:
    names = ("I", "II", "III", "aVR", "aVL", "aVF")
    signal = make_record(regular, PLAN, leads=names, noise=0).signal
    lead = dict(zip(names, signal, strict=True))
    np.testing.assert_allclose(lead["I"] + lead["III"], lead["II"], atol=1e-5)
    np.testing.assert_allclose(lead["aVR"] + lead["aVL"] + lead["aVF"], 0, atol=1e-5)


def test_all_leads_show_one_dipole(regular: VirtualPatient) -> None:
    signal = make_record(regular, PLAN, leads=tuple(LEAD_VECTORS), noise=0).signal
    sizes = np.linalg.svd(signal, compute_uv=False)
    assert sizes[2] > 0.01 * sizes[0]
    assert sizes[3] < 1e-5 * sizes[0]


def test_a_lead_does_not_depend_on_its_company(regular: VirtualPatient) -> None:
    plan = [("N", 10.0), ("AFIB", 10.0)]
    both = make_record(regular, plan, leads=("V5", "II"))
    alone = make_record(regular, plan, leads=("II",))
    assert both.lead_names == ("V5", "II")
    np.testing.assert_array_equal(both.signal[1], alone.signal[0])


def test_r_grows_and_s_shrinks_from_v1_to_v5(patients: tuple[VirtualPatient, ...]) -> None:
    for patient in patients:
        v1, v5 = make_record(patient, [("N", 20)], leads=("V1", "V5"), noise=0).signal
        assert v1.max() < v5.max()
        assert v1.min() < v5.min()


@pytest.mark.parametrize(
    ("leads", "message"),
    [
        ((), "no leads; give one or more of I, II"),
        (("MLI",), "no lead 'MLI' of a virtual patient; did you mean 'MLII'"),
        (("II", "V1", "II"), "leads II, V1, II name one twice"),
        ("II", "leads must be a sequence of names, got 'II'; write ('II',)"),
    ],
)
def test_refused(leads: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        lead_matrix(leads)
