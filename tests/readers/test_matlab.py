"""MATLAB files of versions 4, 5 (packed or not) and 7.3."""

from __future__ import annotations

import shutil
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
from tests.readers.damage import count_refused
from tests.readers.test_source import check_stretches

from ecglens.errors import RecordError
from ecglens.readers import find_records, open_record, read_record

VERSIONS = ["4", "5", "5 packed", "7.3"]
SIGNAL = np.random.default_rng(0).normal(size=(2, 600)).astype(np.float64)
COUNTS = np.random.default_rng(1).integers(-900, 900, (2, 600), dtype=np.int16)


def write(path: Path, version: str, **variables: object) -> Path:
    if version != "7.3":
        scipy.io.savemat(path, variables, format=version[0], do_compression="packed" in version)
        return path
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in variables.items():
            array = np.atleast_2d(value).T
            file.create_dataset(name, data=array, chunks=True, compression="gzip")
            file[name].attrs["MATLAB_class"] = np.bytes_(
                array.dtype.name.replace("float64", "double")
            )
    data = path.read_bytes()
    path.write_bytes(b"MATLAB 7.3 MAT-file, written by a test".ljust(512) + data[512:])
    return path


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["signal", "ECG", "data", "lead_matrix"])
def test_floats_are_mv(tmp_path: Path, version: str, name: str) -> None:
    path = write(tmp_path / "a.mat", version, Fs=300.0, **{name: SIGNAL})
    record = read_record(path)
    np.testing.assert_array_equal(record.signal, SIGNAL.astype(np.float32))
    assert (record.fs, record.lead_names) == (300.0, ("lead1", "lead2"))
    assert record.notes == ("no unit is given; mV is assumed",)
    check_stretches(open_record(path), record, [1, 300])


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("dtype", [np.int16, np.float64])
def test_val_holds_counts(tmp_path: Path, version: str, dtype: type) -> None:
    path = write(tmp_path / "a.mat", version, val=COUNTS.astype(dtype))
    record = read_record(path, fs=500)
    np.testing.assert_array_equal(record.signal, COUNTS)
    assert {lead.unit for lead in record.leads} == {"counts"}
    assert record.notes[0] == (
        "val holds whole numbers and no gain is given; their amplitude is unknown"
    )
    with pytest.raises(RecordError, match="has no sampling rate; give fs"):
        read_record(path)
    gained = read_record(write(tmp_path / "b.mat", version, val=COUNTS, gain=200.0, fs=250.0))
    np.testing.assert_allclose(gained.signal, COUNTS / 200, rtol=1e-6)
    assert (gained.leads[0].unit, gained.notes) == ("mV", ("no unit is given; mV is assumed",))


def test_columns_are_turned(tmp_path: Path) -> None:
    record = read_record(write(tmp_path / "a.mat", "5", ecg=SIGNAL.T, fs=250.0))
    np.testing.assert_array_equal(record.signal, SIGNAL.astype(np.float32))
    assert "shape (600, 2) is taken as (n_samples, n_leads)" in record.notes


def test_told_by_the_content(tmp_path: Path) -> None:
    for version in ("5", "7.3"):
        path = write(tmp_path / f"{version}.bin", version, ecg=SIGNAL, fs=250.0)
        assert read_record(path).n_samples == 600
    assert len(find_records(tmp_path)) == 2


def test_a_file_with_a_header_is_wfdb(tmp_path: Path, real_data: Path) -> None:
    folder = real_data / "formats" / "wfdb_variants"
    shutil.copy(folder / "a103l.mat", tmp_path / "bare.mat")
    bare, described = read_record(tmp_path / "bare.mat", fs=250), read_record(folder / "a103l.mat")
    assert {lead.unit for lead in described.leads} == {"mV"}
    assert bare.leads[0].unit == "counts"
    # The header states 7247 counts per mV for the first lead, and a baseline.
    steps = np.diff(bare.signal[0, :500]) - 7247 * np.diff(described.signal[0, :500])
    np.testing.assert_allclose(steps, 0, atol=0.1)
    assert folder / "a103l.mat" not in find_records(folder)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"a": SIGNAL, "b": SIGNAL}, r"no numeric array called val, .*only a \(2x600 double\), b"),
        ({"ecg": {"x": SIGNAL}}, r"only ecg \(1x1 struct\)"),
        ({"ecg": np.array([SIGNAL, "x"], dtype=object)}, r"only ecg \(1x2 cell\)"),
        ({"ecg": "text"}, r"only ecg \(1 char\)"),
        ({"fs": 250.0}, r"only fs \(1x1 double\)"),
        ({"ecg": SIGNAL, "fs": 0.0}, "states a sampling rate of 0 Hz"),
        ({"ecg": SIGNAL, "fs": [1.0, 2.0]}, "fs holds 2 float64 values; it must be one number"),
        ({"ecg": SIGNAL * 1j, "fs": 250.0}, "holds complex128 values"),
        ({"ecg": np.zeros((2, 0)), "fs": 250.0}, r"values of shape \(2, 0\)"),
        ({"ecg": np.zeros((300, 300)), "fs": 250.0}, "which makes 300 leads"),
    ],
)
def test_refused_variables(tmp_path: Path, variables: dict[str, object], message: str) -> None:
    with pytest.raises(RecordError, match=message):
        read_record(write(tmp_path / "a.mat", "5", **variables))


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    write(path, "5", fs=250.0)
    packed = zlib.compress(bytes(2**26 + 2**20))
    tag = (15).to_bytes(4, "little") + len(packed).to_bytes(4, "little")
    path.write_bytes(path.read_bytes() + tag + packed)
    with pytest.raises(RecordError, match=r"unpacks \d+ bytes to over \d+; that is no recording"):
        read_record(path)
    with h5py.File(tmp_path / "b.mat", "w") as file:
        file.create_dataset("val", shape=(1000, 100_000), dtype="f8", chunks=True)
    with pytest.raises(RecordError, match="declares 800000000 bytes of float64 and holds 0; that"):
        read_record(tmp_path / "b.mat", fs=250)


def test_other_files_are_not_followed(tmp_path: Path) -> None:
    SIGNAL.tofile(tmp_path / "raw")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["ecg"] = SIGNAL
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file.create_dataset("ecg", shape=(600, 2), dtype="f8", external=str(tmp_path / "raw"))
    with pytest.raises(RecordError, match="/ecg lies in another file, which is not opened"):
        read_record(tmp_path / "a.mat", fs=250)
    with h5py.File(tmp_path / "b.mat", "w") as file:
        file["ecg"] = h5py.ExternalLink("other.h5", "ecg")
    with pytest.raises(RecordError, match=r"has no numeric array called val, .* only nothing"):
        read_record(tmp_path / "b.mat", fs=250)


@pytest.mark.parametrize("version", VERSIONS)
def test_damage_gives_our_errors_only(tmp_path: Path, version: str) -> None:
    path = write(tmp_path / "a.mat", version, ecg=SIGNAL[:, :100], fs=250.0)
    assert count_refused(path) > 35


def spoilt(path: Path, at: bytes, byte: int, *, packed: bool) -> Path:
    """Write counts whose array has another byte where some bytes begin."""
    scipy.io.savemat(path, {"val": np.arange(200, dtype=np.int16).reshape(2, 100)})
    whole = bytearray(path.read_bytes())
    head, array = whole[:128], whole[128:]
    array[array.index(at)] = byte
    if packed:
        inside = zlib.compress(bytes(array))
        array = (15).to_bytes(4, "little") + len(inside).to_bytes(4, "little") + inside
    path.write_bytes(head + array)
    return path


@pytest.mark.parametrize("packed", [False, True])
class TestWhatScipyDoesNotAsk:
    """It would end the process."""

    def test_a_part_of_unknown_type_is_refused(self, tmp_path: Path, packed: bool) -> None:
        values = (3).to_bytes(4, "little") + (400).to_bytes(4, "little")
        path = spoilt(tmp_path / "a.mat", values, 11, packed=packed)
        with pytest.raises(RecordError, match="holds a part of unknown type 11; save it again"):
            read_record(path, fs=100)

    def test_complex_numbers_without_their_imaginary_part(
        self, tmp_path: Path, packed: bool
    ) -> None:
        flags = b"\0\0\0\0\0\0\0" + (5).to_bytes(4, "little")  # behind the class
        path = spoilt(tmp_path / "a.mat", flags, 8, packed=packed)
        with pytest.raises(RecordError, match="an array that lacks its imaginary values"):
            read_record(path, fs=100)

    def test_whatever_the_file_says_of_itself(self, tmp_path: Path, packed: bool) -> None:
        values = (3).to_bytes(4, "little") + (400).to_bytes(4, "little")
        path = spoilt(tmp_path / "a.mat", values, 11, packed=packed)
        path.write_bytes(b"MATRIX" + path.read_bytes()[6:])
        with pytest.raises(RecordError, match="holds a part of unknown type 11; save it again"):
            read_record(path, fs=100)

    def test_values_that_reach_behind_their_array(self, tmp_path: Path, packed: bool) -> None:
        path = spoilt(tmp_path / "a.mat", (400).to_bytes(4, "little"), 152, packed=packed)
        with pytest.raises(RecordError, match="an array that lacks its values"):
            read_record(path, fs=100)


@pytest.mark.parametrize("version", ["4", "5", "5 packed"])
def test_whole_complex_numbers_are_told_from_a_signal(tmp_path: Path, version: str) -> None:
    path = write(tmp_path / "a.mat", version, val=SIGNAL + 1j, fs=100.0)
    with pytest.raises(RecordError, match="holds complex128 values"):
        read_record(path)


def test_two_variables_of_one_name(tmp_path: Path) -> None:
    """Text of the name would be read as the signal, at 4 GB for 60 bytes."""
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"ecg": "text"}, format="4")
    text = path.read_bytes()
    scipy.io.savemat(path, {"ecg": SIGNAL, "fs": 100.0}, format="4")
    path.write_bytes(text + path.read_bytes())
    with pytest.raises(RecordError, match="has two variables called 'ecg'; save it again"):
        read_record(path)
