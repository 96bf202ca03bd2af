"""What a study has computed already, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ecglens import __version__
from ecglens.errors import OutputError
from ecglens.files import make_folder

_FORMAT = "ecglens-cells-1"


class Cells:
    """Small results in a file of one JSON line each, found again by what they depend on.

    A line is appended and brought to the disk as soon as its cell is computed. A line that was cut
    by a kill counts as missing; a line of other data or settings has another key and is left alone.

    Args:
        path: of the file; it and its folder are made with the first cell.

    Raises:
        OutputError: a file is there that cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._found: dict[str, Any] = {}
        self._whole = True
        self._read()

    def get(self, key: str, compute: Callable[[], Any]) -> Any:
        """Return the cell of a key, computed and kept where it is missing.

        Args:
            key: of :func:`cell_key`.
            compute: returns plain values for JSON.

        Raises:
            OutputError: the file cannot be written.
        """
        if key not in self._found:
            value = compute()
            self._append(json.dumps([key, value], allow_nan=False))
            self._found[key] = value
        return self._found[key]

    def __contains__(self, key: str) -> bool:
        return key in self._found

    def __len__(self) -> int:
        return len(self._found)

    def _read(self) -> None:
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return
        except OSError as error:
            raise OutputError(
                f"cannot read {self.path}: {error.strerror or error}; choose another --out"
            ) from error
        self._whole = not text or text.endswith("\n")
        for line in text.splitlines():
            try:
                key, value = json.loads(line)
            except (ValueError, TypeError):
                continue
            self._found[str(key)] = value

    def _append(self, line: str) -> None:
        make_folder(self.path.parent)
        try:
            with self.path.open("a", encoding="utf-8") as file:
                # What a kill left of a line must not spoil the one behind it.
                file.write(line + "\n" if self._whole else f"\n{line}\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OutputError(
                f"cannot write {self.path}: {error.strerror or error}; choose another --out"
            ) from error
        self._whole = True


def cell_key(*parts: Any) -> str:
    """Return a name for all that a cell depends on, this program's version among it.

    Args:
        *parts: arrays, and plain values for JSON.
    """
    digest = hashlib.sha256(f"{_FORMAT} {__version__}".encode())
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(json.dumps([list(part.shape), str(part.dtype)]).encode())
            digest.update(np.ascontiguousarray(part).data)
        else:
            digest.update(json.dumps(part, sort_keys=True).encode())
    return digest.hexdigest()
