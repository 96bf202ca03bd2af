"""Inputs that once crashed, hung, took too much memory or led outside: each is refused now."""

from __future__ import annotations

import os
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecglens.backbones import load_backbone
from ecglens.cli.work import read_subjects
from ecglens.databases import find_database
from ecglens.errors import BackboneError, EcglensError, RecordError, UsageError
from ecglens.guarded import lies_in, parse_toml, read_bytes
from ecglens.heads import MemorySVC
from ecglens.labels import load_label_map
from ecglens.readers import files_of, find_records, open_record, read_record
from ecglens.readers.timing import read_timing
from ecglens.readers.wfdb_marks import MAX_ANNOTATION_BYTES

LONG = "9" * 5000
LINE = "r.dat 16 200/mV 16 0 0 0 0 II\n"


def record(folder: Path, header: str, n_samples: int = 300) -> Path:
    (folder / "r.dat").write_bytes(bytes(2 * n_samples))
    (folder / "a.hea").write_text(f"a 1 100 {n_samples}\nr.dat 16 200/mV 16 0 0 0 0 II\n")
    (folder / "r.hea").write_text(header)
    return folder / "r.hea"


class TestWfdb:
    @pytest.mark.parametrize(
        "storage", [f"16x{LONG}", f"16:{LONG}", f"16+{LONG}", f"{LONG}", "16x\u0663"]
    )
    def test_numbers_that_python_does_not_convert(self, tmp_path: Path, storage: str) -> None:
        path = record(tmp_path, f"r 1 100 300\nr.dat {storage} 200/mV 16 0 0 0 0 II\n")
        with pytest.raises(RecordError, match="must give a file and a storage format"):
            read_record(path)
        assert find_records(tmp_path)

    def test_a_baseline_and_segments_of_many_digits(self, tmp_path: Path) -> None:
        path = record(tmp_path, f"r 1 100 300\nr.dat 16 200({LONG})/mV 16 0 0 0 0 II\n")
        with pytest.raises(RecordError, match="it must be a number like 200/mV"):
            read_record(path)
        path = record(tmp_path, f"r/{LONG} 1 100 300\na 300\n")
        with pytest.raises(RecordError, match="is not a WFDB header"):
            read_record(path)

    def test_a_name_that_is_too_long_for_a_file(self, tmp_path: Path) -> None:
        path = record(tmp_path, f"r 1 100 300\n{'a' * 5000} 16 200/mV 16 0 0 0 0 II\n")
        with pytest.raises(RecordError, match=r"names the file 'a{60}\.\.\.', which is not in its"):
            read_record(path)
        assert files_of(path)[0] == path

    @pytest.mark.parametrize("name", ["r.dat", "r.atr"])
    def test_a_link_to_itself_and_a_pipe(self, tmp_path: Path, name: str) -> None:
        path = record(tmp_path, f"r 1 100 300\n{LINE}")
        (tmp_path / name).unlink(missing_ok=True)
        os.mkfifo(tmp_path / name)
        with pytest.raises(RecordError, match=f"'{name}', which is not a regular file"):
            read_record(path).known_rhythms()
        (tmp_path / name).unlink()
        (tmp_path / name).symlink_to(name)
        assert lies_in(tmp_path / name, tmp_path)
        assert tmp_path / name not in files_of(path) or name == "r.dat"
        if name == "r.dat":
            with pytest.raises(RecordError, match="which is not in its folder"):
                read_record(path)

    def test_listing_files_opens_no_header_outside(self, tmp_path: Path) -> None:
        inside = tmp_path / "in"
        inside.mkdir()
        (tmp_path / "b.hea").write_text("b 1 100 300\nsecret.dat 16\n")
        path = record(inside, "r/1 1 100 300\n../b 300\n")
        assert files_of(path) == [path]

    def test_one_segment_a_hundred_thousand_times(self, tmp_path: Path) -> None:
        path = record(tmp_path, "r/100000 1 100 30000000\n" + "a 300\n" * 100_000)
        with pytest.raises(RecordError, match="lists the segment 'a' 100000 times"):
            open_record(path)

    def test_a_hundred_thousand_leads(self, tmp_path: Path) -> None:
        path = record(tmp_path, "r 100000 100 0\n" + LINE * 100_000)
        with pytest.raises(RecordError, match="declares 100000 signals, over 256"):
            open_record(path)

    def test_a_gap_of_years_in_a_small_file(self, tmp_path: Path) -> None:
        path = record(tmp_path, "r/3 1 100 536870000\na 300\n~ 536869400\na 300\n")
        with pytest.raises(RecordError, match="the segments and gaps make 536870000 samples"):
            open_record(path)

    def test_more_samples_than_fit_at_once_are_read_in_stretches(self, tmp_path: Path) -> None:
        path = record(tmp_path, f"r 1 100\n{LINE}")
        with (tmp_path / "r.dat").open("wb") as file:
            file.truncate(1 << 33)
        source = open_record(path)
        assert source.n_samples == 1 << 32
        assert source.read(1 << 31, (1 << 31) + 5).shape == (1, 5)
        with pytest.raises(RecordError, match="read it in stretches, with open_record"):
            source.to_record()

    def test_annotations_of_weeks(self, tmp_path: Path) -> None:
        path = record(tmp_path, f"r 1 100 300\n{LINE}")
        (tmp_path / "r.atr").write_bytes(b"\1\4" * (MAX_ANNOTATION_BYTES // 2) + b"\0\0")
        with pytest.raises(RecordError, match="it has over 4194304 bytes"):
            open_record(path).known_rhythms()


class TestArrays:
    def test_a_member_whose_name_is_no_text(self, tmp_path: Path) -> None:
        path = tmp_path / "z.npz"
        np.savez(path, signal=np.ones(9), fs=np.array(100.0))
        data = path.read_bytes()
        at = data.index(b"PK\3\4")
        path.write_bytes(
            data[: at + 7] + b"\x08" + data[at + 8 : at + 30] + b"\xff" + data[at + 31 :]
        )
        with pytest.raises(RecordError, match="is not a whole NPZ file"):
            read_record(path)

    def test_leads_that_are_no_characters(self, tmp_path: Path) -> None:
        path = tmp_path / "z.npz"
        leads = np.array([0xD800, 0x110000], dtype="<u4").view("<U1")
        for word in (leads[:1], leads[1:]):
            np.savez(path, signal=np.ones(9), fs=np.array(100.0), leads=word)
            with pytest.raises(RecordError, match="leads holds no text"):
                read_record(path)

    def test_many_members_that_unpack_to_much(self, tmp_path: Path) -> None:
        path = tmp_path / "z.npz"
        zeros = {f"a{i}": np.zeros(2**20) for i in range(20)}
        np.savez_compressed(path, signal=np.zeros(2**20), **zeros)
        with pytest.raises(RecordError, match=r"would unpack .* that is no recording"):
            read_record(path)

    def test_a_tiny_gain_makes_missing_samples(self, tmp_path: Path) -> None:
        path = tmp_path / "z.npz"
        np.savez(path, signal=np.ones((1, 9)), fs=np.array(100.0), gain=np.array(1e-320))
        found = read_record(path)
        assert np.isnan(found.signal).all()
        assert "9 infinite samples are taken as missing" in found.notes


DEEP = "a = " + "[" * 5000
NUMBER = f"a = {LONG}"
Reader = Callable[[Path], Any]
READERS: dict[str, tuple[str, Reader]] = {
    "label map": ("m.toml", load_label_map),
    "database entry": ("d.toml", find_database),
    "subjects": ("s.csv", read_subjects),
}


class TestTables:
    @pytest.mark.parametrize("text", [DEEP, NUMBER])
    @pytest.mark.parametrize("what", ["label map", "database entry"])
    def test_toml_that_python_cannot_hold(self, tmp_path: Path, what: str, text: str) -> None:
        name, read = READERS[what]
        (tmp_path / name).write_text(text)
        with pytest.raises(UsageError, match="is not TOML"):
            read(tmp_path / name)

    @pytest.mark.parametrize("bits", [0x7FF0000000000001, 0x7FEFFFFFFFFFFFFF])
    def test_times_that_no_arithmetic_is_made_for(self, bits: int) -> None:
        table = np.stack([np.arange(10.0), np.ones(10)], axis=1)
        table[0, 0], table[-1, 0] = -1e308, np.array(bits, np.uint64).view(np.float64)
        with pytest.raises(RecordError):
            read_timing(Path("t.csv"), table, ["time", "II"], None)

    def test_toml_has_one_error(self) -> None:
        assert parse_toml("a = 1") == {"a": 1}
        with pytest.raises(tomllib.TOMLDecodeError, match="nested too deeply"):
            parse_toml(DEEP)
        with pytest.raises(tomllib.TOMLDecodeError, match="4300"):
            parse_toml(NUMBER)

    @pytest.mark.parametrize("what", READERS)
    def test_a_pipe_and_a_device(self, tmp_path: Path, what: str) -> None:
        name, read = READERS[what]
        path = tmp_path / name
        for make in (os.mkfifo, lambda place: place.symlink_to("/dev/zero")):
            make(path)
            with pytest.raises(UsageError, match=f"cannot read {what}.* not a regular file"):
                read(path)
            path.unlink()

    def test_a_text_of_bounded_size(self, tmp_path: Path) -> None:
        (tmp_path / "t").write_bytes(b"12345")
        assert read_bytes(tmp_path / "t", 5) == b"12345"
        with pytest.raises(OSError, match="over 4 bytes"):
            read_bytes(tmp_path / "t", 4)


def test_a_network_in_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "n.onnx")
    with pytest.raises(BackboneError, match="it is not a regular file"):
        load_backbone(tmp_path / "n.onnx")
    os.mkfifo(tmp_path / "w.safetensors")
    with pytest.raises(BackboneError, match=r"not a regular file; give a \.safetensors file"):
        load_backbone("densenet121", weights=tmp_path / "w.safetensors")


def test_zips_in_zips(tmp_path: Path) -> None:
    inner = tmp_path / "signal.npz"
    np.savez(inner, signal=np.ones(9))
    with zipfile.ZipFile(tmp_path / "z.npz", "w") as archive:
        archive.write(inner, "signal.npy")
    with pytest.raises(EcglensError, match="is not a whole NumPy file"):
        read_record(tmp_path / "z.npz", fs=100)


def test_a_head_that_remembers_windows_infinitely_far_away() -> None:
    X = np.repeat(np.eye(2, 3), 4, axis=0)
    head = MemorySVC().fit(X, np.repeat(["N", "VF"], 4))
    plain = MemorySVC(votes=0).fit(X, np.repeat(["N", "VF"], 4))
    head.memory_ = head.memory_ + np.float32(1e30)
    np.testing.assert_array_equal(head.decision_function(X), plain.decision_function(X))
