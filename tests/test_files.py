"""Whole files or none."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO

import pytest

from ecglens.errors import OutputError
from ecglens.files import cache_folder, make_folder, temporary_folder, write_atomically
from tests.cli.collection import files_in

if sys.platform != "win32":
    import fcntl

TraceFunction = Callable[[FrameType, str, Any], Any]


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


def test_a_pipe_and_a_device_stay_and_a_link_to_one_is_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError, match=r"cannot write .*: it is a device or a pipe"):
        write_atomically(tmp_path / "pipe", lambda file: file.write(b"x"))
    assert (tmp_path / "pipe").is_fifo()
    (tmp_path / "link").symlink_to("pipe")
    write_atomically(tmp_path / "link", lambda file: file.write(b"x"))
    assert (tmp_path / "link").read_bytes() == b"x"
    assert (tmp_path / "pipe").is_fifo()


def test_a_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with temporary_folder() as folder:
        assert folder.parent == tmp_path
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with (
        pytest.raises(OutputError, match=r"temporary folder: No such file.*TMPDIR"),
        temporary_folder(),
    ):
        pass


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


needs_locks = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such locks")
KILLED = """
import os, signal, sys
from pathlib import Path
from ecglens.files import write_atomically
def write(file):
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
write_atomically(Path(sys.argv[1]), write)
"""


@needs_locks
def test_what_a_killed_process_left_goes_with_the_next_write(tmp_path: Path) -> None:
    path = tmp_path / "a[1].bin"
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False, timeout=300)
        assert done.returncode == -signal.SIGKILL
        (left,) = tmp_path.iterdir()
        assert left.read_bytes() == b"half"
    write_atomically(path, lambda file: file.write(b"whole"))
    assert list(tmp_path.iterdir()) == [path]


@needs_locks
def test_what_another_writer_is_making_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"

    def write(file: BinaryIO) -> None:
        file.write(b"slow")
        write_atomically(path, lambda other: other.write(b"quick"))
        assert path.read_bytes() == b"quick"

    write_atomically(path, write)
    assert path.read_bytes() == b"slow"
    assert list(tmp_path.iterdir()) == [path]


@needs_locks
@pytest.mark.parametrize(
    "name", [".a.bin.part", ".a.bin.0123456.part", ".a.bin.01234567.part~", ".b.bin.01234567.part"]
)
def test_files_of_other_names_are_not_swept_away(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"mine")
    write_atomically(tmp_path / "a.bin", lambda file: file.write(b"x"))
    assert (tmp_path / name).read_bytes() == b"mine"


@needs_locks
def test_a_link_and_a_pipe_of_that_name_stay(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".a.bin.00000000.part")
    (tmp_path / "mine").write_bytes(b"mine")
    (tmp_path / ".a.bin.11111111.part").symlink_to(tmp_path / "mine")
    write_atomically(tmp_path / "a.bin", lambda file: file.write(b"x"))
    assert len(list(tmp_path.iterdir())) == 4


@needs_locks
def test_a_name_swept_away_before_it_was_locked_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, swept = fcntl.flock, []

    def sweep_first(file: int, how: int) -> None:
        if not swept:
            swept.extend(tmp_path.glob(".a.bin.*.part"))
            swept[0].unlink()
        lock(file, how)

    monkeypatch.setattr("fcntl.flock", sweep_first)
    write_atomically(tmp_path / "a.bin", lambda file: file.write(b"x"))
    assert swept
    assert files_in(tmp_path) == ["a.bin"]


def interrupting(number: int) -> TraceFunction:
    """Return a trace function that raises before the step of that number, as a signal may."""
    seen = 0

    def trace(frame: FrameType, event: str, _: object) -> TraceFunction:
        nonlocal seen
        frame.f_trace_opcodes = frame.f_code.co_filename.endswith(("files.py", "contextlib.py"))
        if event in ("opcode", "line"):
            seen += 1
            if seen == number:
                raise KeyboardInterrupt
        return trace

    return trace


@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_a_signal_at_any_moment_leaves_no_half_made_file(tmp_path: Path) -> None:
    # Every step of the code in between is one at which Python may hear of a signal.
    path, number, done = tmp_path / "a.bin", 0, False
    while not done:
        number += 1
        error = interrupted_write(path, number)
        done = error is None
        # The traceback is held, as it is while the program ends.
        left = list(tmp_path.iterdir())
        assert left == ([path] if done else left and [path]), (number, error)
        assert not left or path.read_bytes() == b"whole"
        path.unlink(missing_ok=True)
    gc.collect()  # what was open when it was interrupted is closed, and said to be, here
    assert number > 300


def interrupted_write(path: Path, number: int) -> KeyboardInterrupt | None:
    """Write with an interruption before a step; None where there are not so many steps."""
    before = sys.gettrace()
    sys.settrace(interrupting(number))
    try:
        write_atomically(path, lambda file: file.write(b"whole"))
    except KeyboardInterrupt as error:
        return error
    finally:
        sys.settrace(before)
    return None
