"""What the files of a recording hold, and how large they are."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ecglens.errors import RecordError
from ecglens.guarded import is_regular
from ecglens.readers import files_of


def content_hash(path: Path) -> str | None:
    """Return the SHA-256 of all files of a recording with their names.

    Content, not size and time of change: a copy that keeps its times, a clock that was set and a
    file system of whole seconds all hide a change. A day of one lead hashes in a tenth of a
    second, under 1 % of the time of judging it.

    Returns:
        None where a file is missing, cannot be read or is none (a device never ends), or nothing
        says which files there are.
    """
    total = hashlib.sha256()
    try:
        for part in sorted(files_of(path)):
            if not is_regular(part):
                return None
            with part.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            total.update(f"{part.name}\0{digest}\n".encode())
    except (OSError, RecordError):
        return None
    return total.hexdigest()


def size_of(path: Path) -> int:
    """Return the bytes of a recording's files, those that are there."""
    try:
        return sum(part.stat().st_size for part in files_of(path) if is_regular(part))
    except (OSError, RecordError):
        return 0
