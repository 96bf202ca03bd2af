from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from ecglens.batch.inputs import content_hash, size_of
from tests.cli.collection import FS, write_record
from tests.signals_of import beats


def header_in(folder: Path, seed: int = 0) -> Path:
    return write_record(folder, "r", beats(20, FS, seed=seed), [(0.0, "N")])


def test_every_file_of_a_record_counts(tmp_path: Path) -> None:
    header = header_in(tmp_path / "a")
    first = content_hash(header)
    assert first is not None
    for ending in (".hea", ".dat", ".atr"):
        path = header.with_suffix(ending)
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        assert content_hash(header) != first, ending
        path.write_bytes(whole)
        assert content_hash(header) == first
    (tmp_path / "a" / "r.txt").write_text("no part of it")
    assert content_hash(header) == first


def test_a_change_that_keeps_size_and_time_is_seen(tmp_path: Path) -> None:
    header = header_in(tmp_path)
    signal = header.with_suffix(".dat")
    before, first = signal.stat(), content_hash(header)
    signal.write_bytes(signal.read_bytes()[::-1])
    os.utime(signal, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert signal.stat().st_size == before.st_size
    assert content_hash(header) != first


def test_all_names_of_a_record_and_copies_of_it_are_one_content(tmp_path: Path) -> None:
    header = header_in(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    hashes = {
        content_hash(path)
        for path in (header, header.with_suffix(""), header.with_suffix(".dat"), tmp_path / "b/r")
    }
    assert len(hashes) == 1


def test_what_cannot_be_read_has_none(tmp_path: Path) -> None:
    header = header_in(tmp_path)
    header.with_suffix(".dat").unlink()
    assert content_hash(header) is None
    assert content_hash(tmp_path / "none") is None
    assert content_hash(tmp_path) is None


def test_sizes(tmp_path: Path) -> None:
    header = header_in(tmp_path)
    endings = (".hea", ".dat", ".atr")
    assert size_of(header) == sum(header.with_suffix(e).stat().st_size for e in endings)
    assert size_of(tmp_path / "none") == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
@pytest.mark.parametrize("target", ["/dev/zero", "pipe"])
def test_what_never_ends_has_no_hash(tmp_path: Path, target: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "r.npy").symlink_to(target)
    assert content_hash(tmp_path / "r.npy") is None
    assert size_of(tmp_path / "r.npy") == 0
