"""What an interrupted run had judged already."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from ecglens.errors import OutputError
from ecglens.files import make_folder, write_text
from ecglens.prediction.evidence import Evidence

_ATTEMPTS = 5


class Journal:
    """A folder with a small file for each block of windows that was judged.

    A block is written whole or not at all, so a run that was killed goes on behind the last one
    and comes to the same numbers. A file that is damaged, or of another key, counts as missing.

    Args:
        folder: made when the first block is written.
        key: names everything that the numbers depend on: recording, model and settings.
    """

    def __init__(self, folder: str | Path, key: str) -> None:
        self.folder = Path(folder)
        self.key = key

    def load(self, lead: int, block: int) -> Evidence | None:
        """Return the evidence of a block of one lead, or None."""
        try:
            kept = json.loads(self._path(lead, block).read_text(encoding="utf-8"))
            return Evidence.from_dict(kept["evidence"]) if kept["key"] == self.key else None
        except (OSError, KeyError, TypeError, ValueError):
            return None

    def save(self, lead: int, block: int, evidence: Evidence) -> None:
        """Keep the evidence of a block of one lead.

        Raises:
            OutputError: the folder cannot be made or written.
        """
        text = json.dumps({"key": self.key, "evidence": evidence.to_dict()})
        for attempt in range(_ATTEMPTS):
            make_folder(self.folder)
            try:
                write_text(self._path(lead, block), text)
            except OutputError as error:
                # Another run of the same recording may have cleared the folder just now.
                gone = isinstance(error.__cause__, FileNotFoundError)
                if not gone or attempt == _ATTEMPTS - 1:
                    raise
            else:
                return

    def clear(self) -> None:
        """Remove the folder, when what it helped to make is whole."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, lead: int, block: int) -> Path:
        return self.folder / f"{lead}-{block}.json"
