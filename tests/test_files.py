"""Whole files or none."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import pytest

from ecglens.errors import OutputError
from ecglens.files import cache_folder, make_folder, write_atomically


def test_writes_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    for content in (b"old", b"new"):
        write_atomically(path, lambda file, content=content: file.write(content))  # type: ignore[misc]
        assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [KeyError("x"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def fail(file: BinaryIO) -> None:
        file.write(b"half")
        raise error

    with pytest.raises(type(error)):
        write_atomically(path, fail)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_is_not_seen_before_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"

    def write(file: BinaryIO) -> None:
        file.write(b"x")
        assert not path.exists()

    write_atomically(path, write)
    assert path.read_bytes() == b"x"


def test_missing_folder(tmp_path: Path) -> None:
    path = tmp_path / "none" / "a.bin"
    with pytest.raises(OutputError, match=r"cannot write .*a\.bin: No such file.*; choose another"):
        write_atomically(path, lambda file: None)


def test_a_folder_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(OutputError, match=r"cannot write .*; choose another place"):
        write_atomically(tmp_path / "a", lambda file: file.write(b"x"))
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_full_disk(tmp_path: Path) -> None:
    def fail(file: BinaryIO) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="No space left on device; choose another place"):
        write_atomically(tmp_path / "a", fail)
    assert not list(tmp_path.iterdir())


def test_make_folder(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    assert make_folder(path) == path == make_folder(path)
    assert path.is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot make folder .*file.*; choose another place"):
        make_folder(tmp_path / "file" / "b")


def test_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECGLENS_CACHE", str(tmp_path / "c"))
    assert cache_folder() == tmp_path / "c"
    assert not cache_folder().exists()
    monkeypatch.setenv("ECGLENS_CACHE", "")
    assert cache_folder().name == "ecglens"
