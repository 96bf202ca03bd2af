"""Locks on folders, which end with the process that holds them, however it ends."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

if sys.platform != "win32":
    import fcntl


class FolderLock:
    """A lock that many processes may share or one may have alone.

    Where the system or the file system has no such locks, nobody is ever known to be alone, and
    sharing and waiting succeed at once.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: int | None = None

    def __enter__(self) -> Self:
        if sys.platform != "win32":
            with contextlib.suppress(OSError):
                self._file = os.open(self._folder, os.O_RDONLY)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def is_alone(self) -> bool:
        """Return whether no other process had the lock; if so, this one has it alone now."""
        if sys.platform == "win32":
            return False
        return self._lock(fcntl.LOCK_EX | fcntl.LOCK_NB)

    def wait(self) -> None:
        """Have the lock alone, as soon as nobody else has it."""
        if sys.platform != "win32":
            self._lock(fcntl.LOCK_EX)

    def share(self) -> None:
        """Have the lock together with all who share it."""
        if sys.platform != "win32":
            self._lock(fcntl.LOCK_SH)

    def _lock(self, how: int) -> bool:
        if self._file is None or sys.platform == "win32":
            return False
        try:
            fcntl.flock(self._file, how)
        except OSError:
            return False
        return True
