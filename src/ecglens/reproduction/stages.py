"""Results of stages on disk, found again by all that they depend on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ecglens import __version__
from ecglens.files import make_folder, write_json
from ecglens.windows import Windows

_MAX_BYTES = 64 * 2**20


class Stages:
    """A folder with one JSON file for each stage: its inputs' hash, and what came of it.

    A file is written whole or not at all, so that a run that was killed goes on behind the last
    stage that ended. A stage whose inputs changed is done anew, and so is one whose file is
    damaged.

    Args:
        folder: made when the first stage ends.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def once(
        self, name: str, inputs: Mapping[str, Any], compute: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """Return what a stage gave before with these inputs, or compute and keep it.

        Args:
            name: of the stage, as a file can have it.
            inputs: JSON-ready values that decide the result.
            compute: gives JSON-ready values.

        Raises:
            OutputError: the result cannot be written.
        """
        found = self.load(name, inputs)
        if found is None:
            found = compute()
            self.save(name, inputs, found)
        return found

    def load(self, name: str, inputs: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return what a stage gave with these inputs, None where it did not end."""
        path = self._path(name)
        try:
            if path.stat().st_size > _MAX_BYTES:
                return None
            kept = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if not isinstance(kept, dict) or kept.get("inputs") != inputs_key(inputs):
            return None
        result = kept.get("result")
        return result if isinstance(result, dict) else None

    def save(self, name: str, inputs: Mapping[str, Any], result: dict[str, Any]) -> None:
        """Keep what a stage gave.

        Raises:
            OutputError: it cannot be written.
        """
        make_folder(self._folder)
        write_json(self._path(name), {"inputs": inputs_key(inputs), "result": result})

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"


def inputs_key(inputs: Mapping[str, Any]) -> str:
    """Return a hash of JSON-ready values and of this program's version."""
    text = json.dumps([__version__, dict(inputs)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def fingerprint(windows: Windows) -> str:
    """Return a hash of samples, labels, people and databases."""
    digest = hashlib.sha256(json.dumps([windows.fs, list(windows.X.shape)]).encode())
    digest.update(np.ascontiguousarray(windows.X).data)
    for column in (windows.labels, windows.subjects, windows.databases):
        digest.update(json.dumps(column.tolist()).encode())
    return digest.hexdigest()
