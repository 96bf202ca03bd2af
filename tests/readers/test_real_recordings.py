"""Real recordings: what comes out of every file is stated here."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from ecglens.errors import RecordError
from ecglens.readers import find_records, read_record
from ecglens.readers.wfdb_marks import read_marks
from ecglens.readers.wfdb_signals import quiet_wfdb

VARIANTS = {
    "100-no-len": "names the file '100.dat', which is not in its folder",
    "100_3chan": (3, 999, 360.0),
    "100skew": "names the file '100.dat', which is not in its folder",
    "a103l-no-len": (2, 82500, 250.0),
    "a103l": (2, 82500, 250.0),
    "binformats": (10, 499, 200.0),
    "flac_3_constant": (3, 5600000, 250.0),
    "flacformats": (3, 499, 200.0),
    "mixedsignals": (3, 57600, 249.89),
    "s0010_re": (15, 38400, 1000.0),
    "v102s": (2, 75000, 250.0),
    "multi-segment/041s/041s": (3, 8000, 500.0),
    "multi-segment/fixed1/v102s": (2, 225000, 250.0),
}
EDGE_CASES = {
    "9190": (12, 2934, 400.0),
    "9190_all_data_is_zero": (12, 2934, 800.0),
    "9190_low_sample_rate": (12, 2934, 300.0),
}
EXPECTED = {f"wfdb_variants/{k}": v for k, v in VARIANTS.items()}
EXPECTED |= {f"wfdb_edge_cases/{k}": v for k, v in EDGE_CASES.items()}


@pytest.mark.parametrize("name", EXPECTED)
def test_variants(real_data: Path, name: str) -> None:
    expected = EXPECTED[name]
    path = real_data / "formats" / name
    if isinstance(expected, str):
        with pytest.raises(RecordError, match=expected):
            read_record(path)
        return
    record = read_record(path)
    assert (*record.signal.shape, record.fs) == pytest.approx(expected)


def test_the_table_is_complete(real_data: Path) -> None:
    folder = real_data / "formats"
    found = {
        path.relative_to(folder).with_suffix("").as_posix()
        for part in ("wfdb_variants", "wfdb_edge_cases")
        for path in find_records(folder / part)
    }
    assert found == EXPECTED.keys()


@pytest.mark.parametrize("name", ["binformats", "flacformats", "s0010_re", "a103l", "100_3chan"])
def test_same_as_wfdb(real_data: Path, name: str) -> None:
    path = real_data / "formats" / "wfdb_variants" / name
    record = read_record(path)
    with quiet_wfdb() as wfdb:
        reference = wfdb.rdrecord(str(path), channel_names=list(record.lead_names))
    # The coarsest gain has the largest values: 2**31 counts at 200 per mV in float32.
    np.testing.assert_allclose(record.signal.T, reference.p_signal, rtol=1e-6, atol=1e-6)


def test_contec_csv(real_data: Path) -> None:
    path = real_data / "formats" / "edf" / "0000050.ECG.csv"
    record = read_record(path, fs=150)
    assert record.signal.shape == (6, 37855)
    np.testing.assert_array_equal(record.signal[:, 0], [-20, -25, -5, 23, -7, -15])
    assert "6 empty columns at the end are left out" in record.notes
    assert any("too much for an ECG" in note for note in record.notes)


def test_afib_records_of_mitdb(real_data: Path) -> None:
    seconds: dict[str, float] = {}
    for path in find_records(real_data / "mitdb"):
        record = read_record(path)
        assert record.rhythms
        assert (record.fs, record.duration_s) == (360.0, 650_000 / 360)
        assert all(a.end_s <= b.start_s for a, b in itertools.pairwise(record.rhythms))
        total = sum(s.end_s - s.start_s for s in record.rhythms if s.rhythm == "AFIB")
        if total:
            seconds[record.record_id] = total
    assert seconds.keys() == {"201", "202", "210", "217", "221"}


def test_vfdb_and_cudb(real_data: Path) -> None:
    vfdb = {s.rhythm for p in find_records(real_data / "vfdb") for s in read_record(p).rhythms}
    assert {"N", "VF", "VFIB", "VFL", "VT", "AFIB", "NOISE"} <= vfdb
    cudb = {s.rhythm for p in find_records(real_data / "cudb") for s in read_record(p).rhythms}
    assert cudb == {"VF"}
    record = read_record(real_data / "cudb" / "cu02")
    assert [(s.start_s, s.end_s) for s in record.rhythms] == [
        (195.0, 205.0),
        (490.0, record.duration_s),
    ]
    assert record.gaps


def test_annotations_as_wfdb_reads_them(real_data: Path) -> None:
    for stem, ending in (("mitdb/207", "atr"), ("vfdb/421", "atr"), ("cudb/cu04", "vf")):
        ours = read_marks((real_data / stem).with_suffix(".hea"), ending, 1.0)
        with quiet_wfdb() as wfdb:
            reference = wfdb.rdann(
                str(real_data / stem), ending, return_label_elements=["label_store"]
            )
        rate = reference.fs if ending == "vf" else 1.0
        kept = [m for m in ours if m.code and not m.text.startswith("##")]
        assert [m.code for m in kept] == list(reference.label_store)
        assert [m.text for m in kept] == [text.strip("\0 ") for text in reference.aux_note]
        assert [round(m.time_s * rate) for m in kept] == list(reference.sample)
