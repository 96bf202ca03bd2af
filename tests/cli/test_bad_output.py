"""Results that cannot be written: exit code 8, said before the work, and nothing half done."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tests.cli.collection import Program, files_in

Words = tuple[object, ...]
QUICK = ("--pca", "8", "--folds", "4", "--bootstrap", "5")


@pytest.fixture(params=["windows", "features", "train"])
def to_file(request: pytest.FixtureRequest, windows: Path, network: tuple[str, ...]) -> Words:
    """A verb that writes one file, all but its --out."""
    if request.param == "windows":
        return ("windows", windows)
    if request.param == "features":
        return ("features", windows, *network)
    return ("train", windows, *network, "--pca", 8, "--no-evaluate")


@pytest.fixture(params=["evaluate", "layers", "predict"])
def to_folder(
    request: pytest.FixtureRequest,
    windows: Path,
    network: tuple[str, ...],
    collection: Path,
    model: Path,
) -> Words:
    """A verb that writes into a folder, all but its --out."""
    if request.param == "evaluate":
        return ("evaluate", windows, *network, *QUICK)
    if request.param == "layers":
        return ("layers", windows, *network, *QUICK, "--layers", "stage3")
    return ("predict", collection / "s00", collection / "s01", "--model", model)


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make reading windows fail: a bad place must be noticed before."""

    def fail(*_: object) -> None:
        pytest.fail("work was begun")

    for verb in ("windows", "features", "train", "evaluate", "layers"):
        monkeypatch.setattr(f"ecglens.cli.{verb}.load_sources", fail)


@pytest.mark.usefixtures("no_work")
class TestPlaces:
    def test_no_such_folder(self, ecglens: Program, to_file: Words, tmp_path: Path) -> None:
        out = tmp_path / "none" / "file"
        done = ecglens(*to_file, "--out", out)
        assert done.code == 8
        assert done.error == f"cannot write {out}: no folder {out.parent}; make it first"

    def test_a_folder_of_that_name(self, ecglens: Program, to_file: Words, tmp_path: Path) -> None:
        done = ecglens(*to_file, "--out", tmp_path)
        assert done.code == 8
        assert done.error == f"cannot write {tmp_path}: it is a folder; name a file in it"

    def test_a_file_in_the_way(self, ecglens: Program, to_folder: Words, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("mine")
        done = ecglens(*to_folder, "--out", tmp_path / "file" / "deeper")
        assert done.code == 8
        assert f"cannot make folder {tmp_path / 'file' / 'deeper'}: Not a directory" in done.error
        assert (tmp_path / "file").read_text() == "mine"


def test_a_path_that_is_too_long(ecglens: Program, to_file: Words, tmp_path: Path) -> None:
    done = ecglens(*to_file, "--out", tmp_path.joinpath(*["n" * 99] * 50))
    assert done.code == 8
    assert done.error.startswith("cannot write ")


@pytest.mark.usefixtures("no_work")
def test_a_pipe_is_not_replaced(ecglens: Program, to_file: Words, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = ecglens(*to_file, "--out", tmp_path / "pipe")
    assert done.code == 8
    assert "it is a device or a pipe and not a file" in done.error
    assert (tmp_path / "pipe").is_fifo()


def test_no_room_for_temporary_files(
    ecglens: Program, collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    done = ecglens("windows", collection, "--out", tmp_path / "w.npz")
    assert done.code == 8
    assert "cannot make a temporary folder: No such file or directory; make room" in done.error
    assert files_in(tmp_path) == []


def test_a_place_that_takes_no_files(ecglens: Program, to_file: Words) -> None:
    # A folder's permission does not stop root; the kernel's own folder stops everyone.
    if not Path("/proc/self").is_dir():
        pytest.skip("needs /proc, where nobody can make a file")
    done = ecglens(*to_file, "--out", "/proc/self/file")
    assert done.code == 8
    assert done.error.startswith("cannot write /proc/self/file: ")
    assert done.error.endswith("; choose another place")


def test_a_read_only_folder(ecglens: Program, to_file: Words, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    if os.access(closed, os.W_OK):
        pytest.skip("this user may write anywhere, as root may")
    done = ecglens(*to_file, "--out", closed / "file")
    assert done.code == 8
    assert "Permission denied; choose another place" in done.error


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.usefixtures("full_disk")
class TestFullDisk:
    def test_one_file(self, ecglens: Program, to_file: Words, tmp_path: Path) -> None:
        out = tmp_path / "file"
        done = ecglens(*to_file, "--out", out)
        assert done.code == 8
        assert done.error == (f"cannot write {out}: No space left on device; choose another place")
        assert files_in(tmp_path) == []

    def test_an_older_file_stays(self, ecglens: Program, to_file: Words, tmp_path: Path) -> None:
        out = tmp_path / "file"
        out.write_text("older")
        assert ecglens(*to_file, "--out", out).code == 8
        assert out.read_text() == "older"
        assert files_in(tmp_path) == ["file"]

    def test_a_folder(self, ecglens: Program, to_folder: Words, tmp_path: Path) -> None:
        done = ecglens(*to_folder, "--out", tmp_path / "out")
        assert done.code == 8
        assert done.error.endswith("No space left on device; choose another place")
        assert files_in(tmp_path) == []


def test_ctrl_c_while_a_file_is_written(
    ecglens: Program, to_file: Words, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    done = ecglens(*to_file, "--out", tmp_path / "file")
    assert done.code == 130
    assert "interrupted" in done.error
    assert files_in(tmp_path) == []


def test_a_cache_that_cannot_be_written_is_noted_once(
    ecglens: Program,
    windows: Path,
    tiny: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "file").write_text("")
    done = ecglens(
        "features", windows, "--backbone", tiny, "--cache", tmp_path / "file",
        "--out", tmp_path / "f.npz",
    )  # fmt: skip
    assert done.code == 0
    assert len(caplog.messages) == 1
    assert "features are not kept: cannot make folder" in caplog.messages[0]
