"""DICOM waveforms, written by pydicom."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
)
from tests.readers.damage import count_refused
from tests.readers.test_source import check_stretches

from ecglens.errors import RecordError
from ecglens.readers import find_records, open_record, read_record

GENERAL_ECG = "1.2.840.10008.5.1.4.1.1.9.1.2"
EEG = "1.2.840.10008.5.1.4.1.1.9.7.1"


def coded(meaning: str, value: str = "1") -> list[Dataset]:
    item = Dataset()
    item.CodeValue, item.CodeMeaning, item.CodingSchemeDesignator = value, meaning, "MDC"
    return [item]


def channel(name: str = "Lead II", unit: str = "uV", **changed: object) -> Dataset:
    item = Dataset()
    item.ChannelSourceSequence = coded(name)
    item.ChannelSensitivityUnitsSequence = coded("unit", unit)
    item.ChannelSensitivity, item.ChannelBaseline = 2.5, 0
    item.ChannelSensitivityCorrectionFactor = 1
    for key, value in changed.items():
        setattr(item, key, value)
    return item


def group(counts: np.ndarray, channels: list[Dataset] | None = None, **changed: object) -> Dataset:
    counts = np.atleast_2d(counts)
    kinds = {"int8": "SB", "uint8": "UB", "int16": "SS", "uint16": "US", "int32": "SL"}
    item = Dataset()
    item.WaveformOriginality, item.MultiplexGroupLabel = "ORIGINAL", "RHYTHM"
    item.NumberOfWaveformChannels, item.NumberOfWaveformSamples = counts.shape
    item.SamplingFrequency = 500
    item.ChannelDefinitionSequence = channels or [channel() for _ in counts]
    item.WaveformBitsAllocated = 8 * counts.dtype.itemsize
    item.WaveformSampleInterpretation = kinds[counts.dtype.name]
    data = counts.T.tobytes()
    item.add_new("WaveformData", "OW", data + b"\0" * (len(data) % 2))
    for key, value in changed.items():
        setattr(item, key, value)
    return item


def write(
    path: Path,
    *groups: Dataset,
    kind: str = GENERAL_ECG,
    patient: str = "4711",
    syntax: str = ExplicitVRLittleEndian,
) -> Path:
    found = Dataset()
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = syntax
    found.file_meta.MediaStorageSOPClassUID = found.SOPClassUID = kind
    found.file_meta.MediaStorageSOPInstanceUID = found.SOPInstanceUID = "1.2.3"
    found.PatientID = patient
    if groups:
        found.WaveformSequence = list(groups)
    found.save_as(path, enforce_file_format=True)
    return path


COUNTS = np.random.default_rng(0).integers(-2000, 2000, (2, 700), dtype=np.int16)


def test_counts_become_mv(tmp_path: Path) -> None:
    channels = [
        channel(ChannelBaseline=100, ChannelSensitivityCorrectionFactor=0.5),
        channel("Lead aVR, augmented voltage, right", "mV", ChannelSensitivity=0.001),
    ]
    path = write(tmp_path / "a.dcm", group(COUNTS, channels))
    record = read_record(path)
    assert (record.lead_names, record.fs, record.notes) == (("II", "aVR"), 500.0, ())
    np.testing.assert_allclose(record.signal[0], COUNTS[0] * 1.25e-3 + 0.1, atol=1e-6)
    np.testing.assert_allclose(record.signal[1], COUNTS[1] * 1e-3, atol=1e-6)
    check_stretches(open_record(path), record, [1, 350, 699])


@pytest.mark.parametrize("dtype", ["i1", "u1", "<i2", "<u2", "<i4"])
def test_ways_to_store_samples(tmp_path: Path, dtype: str) -> None:
    limits = np.iinfo(dtype)
    counts = np.array([[0, 1, limits.max, limits.min, 7]], dtype=dtype)
    padding = np.array([7], dtype=dtype).tobytes().ljust(2, b"\0")
    made = group(counts, WaveformPaddingValue=padding)
    record = read_record(write(tmp_path / "a.dcm", made))
    expected = np.where(counts == 7, np.nan, counts * 2.5e-3)
    np.testing.assert_allclose(record.signal, expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["i1", "<i2", "<u2", "<i4"])
def test_the_highest_byte_first(tmp_path: Path, dtype: str) -> None:
    counts = np.array([[0, 1, 258, 7, np.iinfo(dtype).max]]).astype(dtype)
    made = group(counts)
    swapped = counts.astype(counts.dtype.newbyteorder(">"))
    made.WaveformData = swapped.tobytes() + b"\0" * (swapped.nbytes % 2)
    padding = swapped[0, 3:4].tobytes()
    made.WaveformPaddingValue = padding.ljust(2, b"\0")
    path = write(tmp_path / "a.dcm", made, syntax=ExplicitVRBigEndian)
    expected = np.where(np.arange(5) == 3, np.nan, counts * 2.5e-3)
    np.testing.assert_allclose(read_record(path).signal, expected, rtol=1e-6)


def test_the_longest_original_waveform_is_taken(tmp_path: Path) -> None:
    beat = group(np.tile(COUNTS, 3), WaveformOriginality="DERIVED", MultiplexGroupLabel="MEDIAN")
    path = write(tmp_path / "a.dcm", group(COUNTS[:, :50]), beat, group(COUNTS))
    record = read_record(path)
    assert record.n_samples == 700
    assert record.notes == (
        "left out, another waveform: RHYTHM (original, 0.1 s)",
        "left out, another waveform: MEDIAN (derived, 4.2 s)",
    )
    alone = read_record(write(tmp_path / "b.dcm", beat))
    assert alone.notes == ("the waveform is derived, not as recorded: MEDIAN (derived, 4.2 s)",)


def test_counts_without_a_sensitivity_and_leads_without_a_name(tmp_path: Path) -> None:
    bare = channel("")
    del bare.ChannelSensitivity
    record = read_record(write(tmp_path / "a.dcm", group(COUNTS[:1], [bare])))
    assert (record.leads[0].name, record.leads[0].unit) == ("lead1", "counts")
    assert record.notes == ("amplitudes are not in mV, the unit is not a voltage: lead1 (counts)",)
    named = read_record(write(tmp_path / "b.dcm", group(COUNTS[:1], [channel("Ableitung V3")])))
    assert named.lead_names == ("V3",)


def test_a_patient_is_one_subject_without_being_named(tmp_path: Path) -> None:
    names = [
        read_record(write(tmp_path / f"{i}.dcm", group(COUNTS), patient=patient)).subject_id
        for i, patient in enumerate(("4711", "4711 ", "12", ""))
    ]
    assert names[0] == names[1] != names[2]
    assert not any("4711" in name for name in names)
    assert names[3] == f"{tmp_path.name}-3"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"NumberOfWaveformSamples": 701}, "declares 701 samples of 2 leads and holds 2800 bytes"),
        ({"NumberOfWaveformSamples": 0}, "declares 0 samples"),
        ({"NumberOfWaveformChannels": 3}, "has 3 channels and describes 2"),
        ({"SamplingFrequency": 0}, "states a sampling rate of 0 Hz"),
        ({"SamplingFrequency": 1e9}, r"states a sampling rate of 1e\+09 Hz"),
        ({"WaveformSampleInterpretation": "MB"}, "stores samples as 'MB' of 16 bits; ecglens"),
        ({"WaveformBitsAllocated": 8}, "stores samples as 'SS' of 8 bits"),
        ({"ChannelDefinitionSequence": [channel("Art. pressure", "mmHg")] * 2}, "no ECG lead"),
        ({"ChannelDefinitionSequence": [channel(ChannelSensitivity=0)] * 2}, "sensitivity of 0"),
    ],
)
def test_refused_waveforms(tmp_path: Path, changed: dict[str, object], message: str) -> None:
    with pytest.raises(RecordError, match=message):
        read_record(write(tmp_path / "a.dcm", group(COUNTS, **changed)))


def test_files_that_are_no_ecg(tmp_path: Path) -> None:
    image = write(tmp_path / "image.dcm", kind=CTImageStorage)
    with pytest.raises(RecordError, match=r"but holds no waveform \(CT Image Storage\); give"):
        read_record(image)
    eeg = write(tmp_path / "eeg", group(COUNTS), kind=EEG)
    with pytest.raises(RecordError, match=r"is DICOM, but no ECG \(.*Electroencephalogram"):
        read_record(eeg)
    (tmp_path / "text.dcm").write_text("not DICOM " * 50)
    with pytest.raises(RecordError, match=r"cannot read .* as DICOM: .*the file is damaged"):
        read_record(tmp_path / "text.dcm")
    write(tmp_path / "ecg", group(COUNTS))
    assert [path.name for path in find_records(tmp_path)] == ["ecg", "eeg"]


def test_a_deflated_file_is_not_inflated(tmp_path: Path) -> None:
    found = pydicom.dcmread(write(tmp_path / "a.dcm", group(np.zeros((1, 10**6), np.int16))))
    found.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    found.save_as(tmp_path / "b.dcm")
    with pytest.raises(RecordError, match="is a deflated DICOM file; save it uncompressed"):
        read_record(tmp_path / "b.dcm")


def test_damage_gives_our_errors_only(tmp_path: Path) -> None:
    assert count_refused(write(tmp_path / "a.dcm", group(COUNTS))) > 40


def test_the_ecg_that_pydicom_brings() -> None:
    path = get_testdata_file("waveform_ecg.dcm", download=False)
    if path is None:
        pytest.skip("this pydicom comes without waveform_ecg.dcm")
    record = read_record(path)
    assert record.lead_names == (
        "I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6",
    )  # fmt: skip
    expected = pydicom.dcmread(path).waveform_array(0).T / 1000
    np.testing.assert_allclose(record.signal, expected, atol=1e-6)
    assert record.notes == ("left out, another waveform: MEDIAN BEAT (derived, 1.2 s)",)
