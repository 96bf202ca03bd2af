"""What has been checked already, so that a second run need not read it all again."""

from __future__ import annotations

import errno
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import filelock

from ecglens.errors import OutputError
from ecglens.files import write_json

NAME, LOCK = ".ecglens-files.json", ".ecglens-lock"
_FORMAT = 1
_MAX_BYTES = 64 * 2**20


class _Entry(NamedTuple):
    sha256: str
    size: int
    mtime_ns: int


class Ledger:
    """Checked files of a folder: their checksums, with the size and time they had then.

    A file whose size or time is another is checked anew. Where the ledger itself is lost or
    damaged, all are, and those of an older edition count as other people's.

    Args:
        root: the folder of the database.
        version: of the database.
    """

    def __init__(self, root: Path, version: str) -> None:
        self._root = root
        self._version = version
        self._lock = threading.Lock()
        self._files: dict[str, _Entry] = {}
        self._changed = self._is_known = False
        self._load()

    @property
    def is_known(self) -> bool:
        """Whether files of this version have been fetched into the folder before."""
        return self._is_known

    def is_checked(self, name: str, sha256: str) -> bool:
        """Tell whether a file was found to have this checksum and has not been touched since."""
        return self._files.get(name) == self._entry(name, sha256)

    def known(self, name: str) -> str | None:
        """Return the checksum that a file had when it was last checked, whatever it has now."""
        return self._files[name].sha256 if name in self._files else None

    def is_untouched(self, name: str) -> bool:
        """Tell whether a file is as it was when it was checked, of whichever edition."""
        kept = self._files.get(name)
        return kept is not None and kept == self._entry(name, kept.sha256)

    def is_cut(self, name: str) -> bool:
        """Tell whether a file is shorter than it was when it was checked."""
        kept = self._files.get(name)
        return kept is not None and self._entry(name, "").size < kept.size

    def add(self, name: str, sha256: str) -> None:
        """Take down that a file has this checksum."""
        with self._lock:
            self._files[name] = self._entry(name, sha256)
            self._changed = True

    def save(self) -> None:
        """Keep what was added.

        Raises:
            OutputError: the folder cannot be written.
        """
        with self._lock:
            if not self._changed:
                return
            kept = {"format": _FORMAT, "version": self._version, "files": self._files}
            write_json(self._root / NAME, kept)
            self._changed = False

    def _entry(self, name: str, sha256: str) -> _Entry:
        try:
            found = (self._root / name).stat()
        except OSError:
            return _Entry(sha256, -1, -1)
        return _Entry(sha256, found.st_size, found.st_mtime_ns)

    def _load(self) -> None:
        path = self._root / NAME
        try:
            if path.stat().st_size > _MAX_BYTES:
                return
            kept = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return
        if not isinstance(kept, dict) or kept.get("format") != _FORMAT:
            return
        files = kept.get("files")
        if isinstance(files, dict):
            self._files = {k: _Entry(*v) for k, v in files.items() if _is_entry(v)}
            self._is_known = bool(files) and kept.get("version") == self._version


def _is_entry(kept: object) -> bool:
    if not isinstance(kept, list) or len(kept) != len(_Entry._fields):
        return False
    return isinstance(kept[0], str) and all(isinstance(number, int) for number in kept[1:])


@contextmanager
def locked(root: Path, notice: Callable[[str], None]) -> Iterator[bool]:
    """Keep other processes from fetching into a folder meanwhile, and wait for one that does.

    The operating system drops the lock with the process, so none is left behind by a crash.

    Yields:
        whether the folder can be written; one that cannot may still be whole.

    Raises:
        OutputError: the lock cannot be had for another reason.
    """
    lock = filelock.FileLock(root / LOCK)
    try:
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            notice(f"another process fetches into {root}; waiting for it")
            lock.acquire()
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            reason = error.strerror or str(error)
            raise OutputError(f"cannot write in {root}: {reason}; choose another folder") from error
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
