"""How far a download has come."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True)
class Progress:
    """How far a download has come.

    Attributes:
        files: files that are whole.
        n_files: files in all.
        n_bytes: bytes that are here, of whole files and of others.
        total_bytes: of all files as far as the server told, the others taken to be as large as
            those of the same ending; None until one is known of every ending.
    """

    files: int
    n_files: int
    n_bytes: int
    total_bytes: int | None


class Meter:
    """Adds up what several threads fetch and reports it.

    Args:
        names: of all files to fetch.
        report: called with the state, by one thread at a time; None for nobody.
    """

    def __init__(self, names: list[str], report: Callable[[Progress], None] | None) -> None:
        self._n_files = len(names)
        self._report = report
        self._lock = threading.Lock()
        self._sizes: dict[str, int] = {}
        self._here: dict[str, int] = {}
        self._n_bytes = self._n_whole = 0
        self._unknown = Counter(PurePosixPath(name).suffix for name in names)
        self._known: dict[str, list[int]] = defaultdict(lambda: [0, 0])  # bytes and files

    def expect(self, name: str, size: int) -> None:
        """Take down how large a file will be."""
        with self._lock:
            self._expect(name, size)

    def set(self, name: str, n_bytes: int, *, whole: bool = False) -> None:
        """Take down how much of a file is here."""
        with self._lock:
            self._n_bytes += n_bytes - self._here.get(name, 0)
            self._here[name] = n_bytes
            if whole:
                self._expect(name, n_bytes)
                self._n_whole += 1
            if self._report is not None:
                self._report(self._state())

    def _expect(self, name: str, size: int) -> None:
        of_ending = self._known[PurePosixPath(name).suffix]
        if name not in self._sizes:
            self._unknown[PurePosixPath(name).suffix] -= 1
            of_ending[1] += 1
        of_ending[0] += size - self._sizes.get(name, 0)
        self._sizes[name] = size

    def _state(self) -> Progress:
        return Progress(self._n_whole, self._n_files, self._n_bytes, self._total())

    def _total(self) -> int | None:
        total = 0
        for ending, left in self._unknown.items():
            n_bytes, n_files = self._known[ending]
            if left and not n_files:
                return None
            total += n_bytes + (round(left * n_bytes / n_files) if left else 0)
        return total
