"""A lead is found under the names that countries and recorders give it."""

from __future__ import annotations

import numpy as np
import pytest

from ecglens.errors import RecordError
from ecglens.lead_names import lead_key, limb_key, names_ecg, plain_lead
from ecglens.records import Lead, Record

SECOND = [
    "II", "ii", "Lead II", "ECG II", "EKG II", "MDC_ECG_LEAD_II", "Lead II (Einthoven)", "DII",
    "D2", "d 2", "Ableitung II", "Abl. II", "dérivation II", "Derivation DII", "derivación D2",
    "derivação DII", "derivazione II", "odprowadzenie II", "отведение II", "II отведение",
    "II отв.", "II 导联", "II导联", "II導聯", "II誘導", "Ⅱ", "ＩＩ", "ЭКГ II",
]  # fmt: skip


@pytest.mark.parametrize("name", SECOND)
def test_the_second_limb_lead(name: str) -> None:
    assert plain_lead(name) == "II"
    assert lead_key(name) == lead_key("II")


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Lead aVR, augmented voltage, right", "aVR"),
        ("DIII", "III"),
        ("D1", "I"),
        ("Ableitung V5", "V5"),
        ("V5 导联", "V5"),
        ("MLII", "MLII"),
        (" ECG lead 2 ", "ECG lead 2"),
        ("D4", "D4"),
        ("Dog", "Dog"),
        ("IIII", "IIII"),
        ("", ""),
    ],
)
def test_plain_names(name: str, plain: str) -> None:
    assert plain_lead(name) == plain


def test_a_number_is_a_place_and_no_limb() -> None:
    assert lead_key("EKG1") == lead_key("ECG 1") == lead_key("lead1") == lead_key("Kanal 01")
    assert lead_key("lead 2") != lead_key("II")
    assert lead_key("EKG1") != lead_key("EKG2")


def test_only_the_limb_key_takes_the_modified_lead_for_the_limb_lead() -> None:
    assert lead_key("MLII") != lead_key("II")
    assert limb_key("MLII") == limb_key("II")


@pytest.mark.parametrize("name", ["D2", "EEG D1", "Dog", "C3", ""])
def test_a_bare_letter_does_not_make_an_ecg(name: str) -> None:
    assert not names_ecg(name)


def record_of(*names: str) -> Record:
    return Record(np.zeros((len(names), 5)), 100, tuple(Lead(name) for name in names), "r")


@pytest.mark.parametrize(
    ("own", "asked", "row"),
    [
        (("V1", "II"), "Lead II", 1),
        (("V1", "MLII"), "II", 1),
        (("MLII", "II"), "II", 1),
        (("II", "MLII"), "MLII", 1),
        (("II", "V1"), "MLII", 0),
        (("Abl. V5", "Abl. DII"), "ii", 1),
        (("ECG 1", "ECG 2"), "EKG2", 1),
        (("lead1", "lead2"), "2", 1),
        (("ii", "II"), "II", 1),
        (("x", "x"), "X", 0),
    ],
)
def test_a_record_finds_its_lead(own: tuple[str, ...], asked: str, row: int) -> None:
    assert record_of(*own).find_lead(asked) == record_of(*own).lead_index(asked) == row


def test_the_message_names_the_leads_there_are() -> None:
    record = record_of("отведение I", "lead2")
    assert record.find_lead("V6") is None
    with pytest.raises(RecordError, match="has no lead 'V6'; it has отведение I, lead2"):
        record.lead_index("V6")
