"""Files that are whole or not there, and the one folder that is written without being named."""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import json
import os
import re
import secrets
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import platformdirs

from ecglens.errors import OutputError

if sys.platform != "win32":
    import fcntl

CACHE_VARIABLE = "ECGLENS_CACHE"
# Names of files need not be UTF-8; Python keeps such bytes as characters that no text can hold.
_UNFIT = "backslashreplace"


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file under a temporary name in its own folder and move it into place.

    A reader, a killed process or a full disk never leaves or sees half of the file. What a killed
    process left under a temporary name is removed by the next one that writes the same file.

    Args:
        path: where the file ends up; its folder must exist.
        write: receives the open binary file and fills it.

    Raises:
        OutputError: the folder is missing or read-only, or the disk is full.
    """
    try:
        refuse_device(path)
        _sweep(path)
        while not _placed(path, write):
            pass  # another process swept the temporary file away before it was locked
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"cannot write {path}: {reason}; choose another place") from error


def refuse_device(path: Path) -> None:
    """Refuse to put a file in the place of a device or a pipe, which would be gone then.

    Raises:
        OSError: one has this name; a link to one has not.
    """
    try:
        kind = stat.S_IFMT(path.lstat().st_mode)
    except FileNotFoundError:
        return
    if kind not in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
        raise OSError(errno.EINVAL, "it is a device or a pipe and not a file")


def _placed(path: Path, write: Callable[[BinaryIO], object]) -> bool:
    """Write a file out of sight and move it into place; return whether it was ours to the end.

    A signal may come between any two steps, within a context manager too. So the name is known
    before there is a file of it, and no step lies outside of the block that removes it.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with _new_and_locked(temporary) as ours:
            if ours:
                with temporary.open("wb") as file:
                    write(file)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(path)
        return ours
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _new_and_locked(path: Path) -> Iterator[bool]:
    """Make an empty file, locked while the block runs; give whether it is still there."""
    lock = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
    if sys.platform == "win32":
        os.close(lock)  # a file that is open cannot be moved there
        yield True
        return
    try:
        _lock(lock)
        yield bool(os.fstat(lock).st_nlink)
    finally:
        os.close(lock)


def _sweep(path: Path) -> None:
    """Remove temporary files of a path that no living process has locked.

    Windows and some file systems have no such locks; there nothing is removed.
    """
    if sys.platform == "win32":
        return
    left: list[os.DirEntry[str]] = []
    name = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{8}}\.part")
    with contextlib.suppress(OSError), os.scandir(path.parent) as entries:
        left = [entry for entry in entries if name.fullmatch(entry.name)]
    for entry in left:
        with contextlib.suppress(OSError):
            if entry.is_file(follow_symlinks=False):
                found = os.open(entry.path, os.O_RDONLY)
                try:
                    if _lock(found, wait=False):
                        Path(entry.path).unlink()
                finally:
                    os.close(found)


def _lock(file: int, *, wait: bool = True) -> bool:
    """Lock an open file until it is closed; return whether it could be done."""
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, whole or not at all; see :func:`write_atomically`."""
    write_atomically(path, lambda file: file.write(text.encode(errors=_UNFIT)))


def write_json(path: Path, value: object) -> None:
    """Write plain values as JSON, whole or not at all; see :func:`write_atomically`."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def write_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write rows of one set of keys as CSV, whole or not at all; see :func:`write_atomically`."""
    write_table(path, list(rows[0]), (row.values() for row in rows))


def write_table(path: Path, names: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    """Write named columns as CSV, row by row, whole or not at all; see :func:`write_atomically`."""

    def write(file: BinaryIO) -> None:
        text = io.TextIOWrapper(file, encoding="utf-8", errors=_UNFIT, newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)
        text.detach()

    write_atomically(path, write)


def make_folder(path: Path) -> Path:
    """Create a folder and its parents where missing, and return it.

    Raises:
        OutputError: a parent is read-only or a file stands in the way.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"cannot make folder {path}: {reason}; choose another place") from error
    return path


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Lend an empty folder for temporary files, removed afterwards.

    Raises:
        OutputError: none can be made.
    """
    try:
        lent = tempfile.TemporaryDirectory(prefix="ecglens-")
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            f"cannot make a temporary folder: {reason}; make room, or name another place by the "
            "environment variable TMPDIR"
        ) from error
    with lent as name:
        yield Path(name)


def cache_folder() -> Path:
    """Return the folder for things that can be made again (not created here).

    The environment variable ``ECGLENS_CACHE`` overrides the platform's cache folder.
    """
    named = os.environ.get(CACHE_VARIABLE)
    return Path(named) if named else platformdirs.user_cache_path("ecglens", appauthor=False)
