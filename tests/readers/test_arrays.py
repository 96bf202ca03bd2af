"""NPY and NPZ."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ecglens.errors import RecordError
from ecglens.readers import read_record

QUICK = settings(max_examples=15)
NAN = float("nan")


def npz(folder: Path, **members: object) -> Path:
    np.savez(folder / "a.npz", **{"signal": np.ones((2, 500)), "fs": 250, **members})  # type: ignore[arg-type]
    return folder / "a.npz"


@QUICK
@given(
    signal=hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 3), st.integers(3, 40)),
        elements=st.floats(-40, 40, width=32) | st.just(NAN),
    ),
    packed=st.booleans(),
)
def test_round_trip(tmp_path: Path, signal: np.ndarray, packed: bool) -> None:
    names = np.array([f"V{i}" for i in range(len(signal))])
    save = np.savez_compressed if packed else np.savez
    save(tmp_path / "r.npz", signal=signal, fs=300.5, leads=names, units="mV", subject="p7")
    record = read_record(tmp_path / "r.npz")
    np.testing.assert_array_equal(record.signal, signal)
    assert (record.fs, record.subject_id, record.notes) == (300.5, "p7", ())
    assert record.lead_names == tuple(names)


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", "<f2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy(tmp_path: Path, dtype: str, order: str) -> None:
    signal = np.asarray(np.arange(24).reshape(2, 12) / 8, dtype=dtype, order=order)
    np.save(tmp_path / "a.npy", signal)
    record = read_record(tmp_path / "a.npy", fs=100)
    np.testing.assert_array_equal(record.signal, signal)
    assert record.lead_names == ("lead1", "lead2")
    with pytest.raises(RecordError, match=r"a\.npy has no sampling rate; give fs"):
        read_record(tmp_path / "a.npy")


def test_one_dimension_is_one_lead(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(70))
    assert read_record(tmp_path / "a.npy", fs=100).signal.shape == (1, 70)


def test_time_first_is_turned_and_noted(tmp_path: Path) -> None:
    signal = np.arange(200.0).reshape(100, 2)
    np.save(tmp_path / "a.npy", signal)
    record = read_record(tmp_path / "a.npy", fs=100)
    np.testing.assert_array_equal(record.signal, signal.T)
    assert "shape (100, 2) is taken as (n_samples, n_leads)" in record.notes


def test_lead_names_settle_the_axes(tmp_path: Path) -> None:
    path = npz(tmp_path, signal=np.ones((16, 12)), leads=[f"L{i}" for i in range(12)])
    assert read_record(path).signal.shape == (12, 16)
    path = npz(tmp_path, signal=np.ones((16, 2)), leads=[f"L{i}" for i in range(16)])
    assert read_record(path).signal.shape == (16, 2)


def test_a_lone_array_needs_no_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", ecg=np.ones((2, 50)))
    assert read_record(tmp_path / "a.npz", fs=100).signal.shape == (2, 50)


def test_units_gain_and_whole_numbers(tmp_path: Path) -> None:
    counts = np.full((2, 100), 500, dtype=np.int16)
    with pytest.raises(RecordError, match=r"whole numbers \(int16\), which may be counts; save fl"):
        read_record(npz(tmp_path, signal=counts))
    in_uv = read_record(npz(tmp_path, signal=counts, units="uV"))
    np.testing.assert_allclose(in_uv.signal, 0.5)
    gained = read_record(npz(tmp_path, signal=counts, gain=[1000, 200]))
    np.testing.assert_allclose(gained.signal[:, 0], [0.5, 2.5])
    mixed = read_record(npz(tmp_path, units=["V", "adu"]))
    assert [(lead.unit) for lead in mixed.leads] == ["mV"]
    assert mixed.signal[0, 0] == 1000


def test_infinities_are_missing(tmp_path: Path) -> None:
    record = read_record(npz(tmp_path, signal=np.array([[1.0, np.inf, -np.inf, 1e300, NAN]])))
    np.testing.assert_array_equal(record.signal, [[1, NAN, NAN, NAN, NAN]])
    assert "3 infinite samples are taken as missing" in record.notes


def test_contradicting_fs(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="250 Hz by its own account, but fs=100 Hz was given"):
        read_record(npz(tmp_path), fs=100)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"fs": 0}, "states a sampling rate of 0 Hz"),
        ({"fs": NAN}, "states a sampling rate of nan Hz"),
        ({"fs": [250, 250]}, "fs holds 2 int64 values; it must be one number"),
        ({"fs": "250"}, "fs holds 1 <U3 values; it must be one number"),
        ({"leads": ["I"]}, "leads has 1 entries for 2 leads"),
        ({"units": ["mV"] * 3}, "units has 3 entries for 2 leads"),
        ({"leads": [1.5, 2.5]}, "leads holds float64 values; it must be text"),
        ({"subject": ["a", "b"]}, "subject has 2 values; a record has one subject"),
        ({"gain": 0}, "gain must not be 0"),
        ({"gain": [1, 2, 3]}, "gain holds 3 int64 values for 2 leads"),
        (
            {"signal": np.ones((2, 3, 4))},
            r"float64 values of shape \(2, 3, 4\); a signal is floats",
        ),
        ({"signal": np.ones((2, 0))}, r"values of shape \(2, 0\)"),
        ({"signal": np.ones(5) > 0}, "holds bool values; save floats in mV"),
        ({"signal": np.ones(5, complex)}, "holds complex128 values"),
        ({"signal": np.array([{}, []], dtype=object)}, "holds object values; save floats in mV"),
        ({"signal": np.ones((1000, 900))}, r"shape \(1000, 900\), which makes 1000 leads"),
        ({"leads": ["ABP", "PLETH"]}, "holds no ECG lead, only ABP, PLETH"),
    ],
)
def test_refused_members(tmp_path: Path, members: dict[str, object], message: str) -> None:
    with pytest.raises(RecordError, match=message):
        read_record(npz(tmp_path, **members))


def test_no_signal(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", signals=np.ones(5), other=np.ones(5))
    with pytest.raises(
        RecordError, match=r"no array 'signal', only signals, other; .*did you mean"
    ):
        read_record(tmp_path / "a.npz", fs=100)


def npy_header(shape: str, dtype: str = "<f8") -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            npy_header("(1000000000000,)") + bytes(80),
            r"declares .*\(1000000000000,\), but holds only",
        ),
        (npy_header("(20,)") + bytes(80), "holds only 80 bytes"),
        (npy_header("(2,)", "|O") + bytes(80), "holds object values"),
        (npy_header("oops"), "is not a whole NumPy file"),
        (b"\x93NUMPY\x03\x00\x10\x00", r"NPY format \(3, 0\)"),
        (b"\x89PNG\r\n\x1a\n", "is not a whole NumPy file"),
    ],
)
def test_damaged_npy(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "a.npy").write_bytes(data)
    with pytest.raises(RecordError, match=message):
        read_record(tmp_path / "a.npy", fs=100)


@pytest.mark.parametrize("cut", [10, 100, 4000])
def test_cut_npz(tmp_path: Path, cut: int) -> None:
    path = npz(tmp_path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(RecordError, match=r"is not a whole NPZ file: .*save it again"):
        read_record(path)


def test_changed_bytes_in_an_npz(tmp_path: Path) -> None:
    path = npz(tmp_path)
    data = bytearray(path.read_bytes())
    data[1000] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(RecordError, match="is not a whole NPZ file: Bad CRC"):
        read_record(path)


def test_zip_bomb(tmp_path: Path) -> None:
    file = io.BytesIO()
    np.save(file, np.zeros(9_000_000))
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("signal.npy", file.getvalue())
    with pytest.raises(
        RecordError, match=r"would unpack .* bytes to 72000128; that is no recording"
    ):
        read_record(tmp_path / "a.npz", fs=100)


def test_zip_of_something_else(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("word/document.xml", "<w/>")
    with pytest.raises(RecordError, match="is not a whole NumPy file"):
        read_record(tmp_path / "a.npz", fs=100)
