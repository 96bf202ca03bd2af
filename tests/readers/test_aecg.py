"""HL7 aECG: written here, and the examples of the standard's authors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.readers.damage import count_refused
from tests.readers.test_source import check_stretches

from ecglens.errors import RecordError
from ecglens.readers import find_records, open_record, read_record

TIMES = '<value><head value="20021122091000"/><increment value="0.002" unit="s"/></value>'


def lead(code: str = "MDC_ECG_LEAD_II", digits: str = "-2 0 3", **changed: str) -> str:
    given = {"origin": "0", "scale": "2.5", "unit": "uV"} | changed
    return (
        f'<component><sequence><code code="{code}"/><value type="SLIST_PQ">'
        f'<origin value="{given["origin"]}" unit="uV"/>'
        f'<scale value="{given["scale"]}" unit="{given["unit"]}"/>'
        f"<digits>{digits}</digits></value></sequence></component>"
    )


def series(*leads: str, kind: str = "RHYTHM", times: str = TIMES) -> str:
    time = f'<component><sequence><code code="TIME_ABSOLUTE"/>{times}</sequence></component>'
    inside = f"<component><sequenceSet>{time}{''.join(leads)}</sequenceSet></component>"
    return f'<component><series><code code="{kind}"/>{inside}</series></component>'


def write(path: Path, *parts: str, prolog: str = "", encoding: str = "utf-8") -> Path:
    text = f'{prolog}<AnnotatedECG xmlns="urn:hl7-org:v3">{"".join(parts)}</AnnotatedECG>'
    path.write_text(text, encoding=encoding)
    return path


def test_digits_become_mv(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.xml",
        series(
            lead(origin="100"),
            lead("MDC_ECG_LEAD_AVR", "1\n2\t 3", unit="mV", origin="2000"),
            lead("MDC_ECG_LEAD_V1", "1e1 -1 0"),
        ),
    )
    record = read_record(path)
    assert (record.lead_names, record.fs, record.notes) == (("II", "aVR", "V1"), 500.0, ())
    expected = [[0.095, 0.1, 0.1075], [4.5, 7.0, 9.5], [0.025, -0.0025, 0]]
    np.testing.assert_allclose(record.signal, expected, rtol=1e-6)
    check_stretches(open_record(path), record, [1, 2])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_told_by_the_content_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    prolog = "<!-- Übersicht -->" if encoding == "utf-16" else '<?xml version="1.0"?>\n'
    path = write(tmp_path / "a.ecg", series(lead()), prolog=prolog, encoding=encoding)
    assert read_record(path).n_samples == 3
    (tmp_path / "other.xml").write_text("<config/>")
    assert [found.name for found in find_records(tmp_path)] == ["a.ecg"]
    with pytest.raises(RecordError, match=r"is XML with 'config', not 'AnnotatedECG'"):
        read_record(tmp_path / "other.xml")


def test_the_longest_rhythm_is_taken(tmp_path: Path) -> None:
    beat = series(lead(digits="1 " * 9), kind="REPRESENTATIVE_BEAT")
    path = write(tmp_path / "a.xml", beat, series(lead(digits="1 2")), series(lead()))
    record = read_record(path)
    assert record.n_samples == 3
    assert record.notes == (
        "left out, another sequence set: REPRESENTATIVE_BEAT of 0.018 s",
        "left out, another sequence set: RHYTHM of 0.004 s",
    )
    alone = read_record(write(tmp_path / "b.xml", beat))
    assert alone.notes == ("there is no rhythm series; taken: REPRESENTATIVE_BEAT",)


def test_a_unit_that_is_no_voltage(tmp_path: Path) -> None:
    record = read_record(write(tmp_path / "a.xml", series(lead(unit="1"))))
    assert record.leads[0].unit == "1"
    assert "amplitudes are not in mV, the unit is not a voltage: II (1)" in record.notes


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (series(), "has no sequence set with a lead"),
        (series(lead(digits="")), "these lengths: MDC_ECG_LEAD_II 0; those of a set"),
        (series(lead(), lead("MDC_ECG_LEAD_I", "1 2")), "MDC_ECG_LEAD_II 3, MDC_ECG_LEAD_I 2"),
        (series(lead(digits="1 x 3")), "MDC_ECG_LEAD_II has digits that are no numbers"),
        (series(lead(scale="big")), "gives 'big' as scale; it must be a number"),
        (series(lead(scale="inf")), "gives 'inf' as scale"),
        (series(lead(), times="<value/>"), "has leads without a time sequence"),
        (series(lead(), times=TIMES.replace("0.002", "0")), "states a sampling rate of nan Hz"),
        (series(lead(), times=TIMES.replace("0.002", "9")), "states a sampling rate of 0.111111"),
        (series(lead(), times=TIMES.replace('"s"', '"d"')), "states a sampling rate of nan Hz"),
        (series(lead().replace("origin", "start")), "is no list of origin, scale and digits"),
        (series(lead("ABP", unit="mmHg")), r"no ECG lead, only ABP \(mmHg\)"),
        ("<unclosed>", "is not whole XML: mismatched tag"),
    ],
)
def test_refused(tmp_path: Path, part: str, message: str) -> None:
    with pytest.raises(RecordError, match=message):
        read_record(write(tmp_path / "a.xml", part))


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "declared",
    [
        '<!ENTITY a "x"><!ENTITY b "' + "&a;" * 99 + '"><!ENTITY c "' + "&b;" * 99 + '">',
        '<!ENTITY a SYSTEM "file:///etc/hostname">',
        '<!ENTITY % a SYSTEM "http://example.invalid/a.dtd"> %a;',
    ],
)
def test_entities_are_not_followed(tmp_path: Path, declared: str) -> None:
    prolog = f"<!DOCTYPE AnnotatedECG [{declared}]>"
    path = write(tmp_path / "a.xml", series(lead(digits="&c;")), prolog=prolog)
    with pytest.raises(RecordError, match="declares a document type or entities"):
        read_record(path)


def test_a_flood_of_elements_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xml", "<a/>" * 132_000)
    with pytest.raises(RecordError, match="has over 131072 elements"):
        read_record(path)


def test_damage_gives_our_errors_only(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xml", series(lead(), lead("MDC_ECG_LEAD_I")))
    assert count_refused(path) > 40


def test_examples_of_the_standard(real_data: Path) -> None:
    folder = real_data / "formats" / "hl7_aecg"
    shapes = {}
    for path in find_records(folder):
        try:
            shapes[path.stem] = read_record(path).signal.shape
        except RecordError as error:
            assert path.stem == "empty"
            assert "has no sequence set with a lead" in str(error)  # noqa: PT017
    minimal = "_effectiveTime_high", "_effectiveTime_interval", "_effectiveTime_low", "_nouuid"
    assert shapes == {
        "Example aECG": (12, 5000),
        "subject1_0": (12, 5000),
        "minimum_aecg": (1, 13),
        **{f"minimum_aecg{name}": (1, 13) for name in minimal},
    }
    record = read_record(folder / "minimum_aecg.xml")
    assert (record.lead_names, record.fs) == (("II",), 500.0)
    # <digits>-2 -2 -2 -2 -3 -4 -3 -5 -5 -4 -6 -9 -9 </digits> times 2.5 uV
    digits = [-2, -2, -2, -2, -3, -4, -3, -5, -5, -4, -6, -9, -9]
    np.testing.assert_allclose(record.signal[0], np.array(digits) * 0.0025, rtol=1e-6)
