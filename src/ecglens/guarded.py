"""Files of other people: looked at before they are opened, and no more read than is of use.

A pipe, a device or a link to one may never end, and a link may lead to itself.
"""

from __future__ import annotations

import errno
import os
import stat
import tomllib
from pathlib import Path
from typing import Any


def is_regular(path: str | os.PathLike[str]) -> bool:
    """Tell whether a path leads to a regular file; false where nothing can be reached."""
    return kind_of(path) == stat.S_IFREG


def kind_of(path: str | os.PathLike[str]) -> int:
    """Return the kind of a file, 0 where none can be reached (also for a name that is too long)."""
    try:
        return stat.S_IFMT(os.stat(path).st_mode)  # noqa: PTH116 - Path.stat is slower
    except (OSError, ValueError):
        return 0


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Tell whether a path leads to a folder; false where nothing can be reached."""
    return kind_of(path) == stat.S_IFDIR


def real_path(path: str | os.PathLike[str]) -> Path:
    """Return where a path leads; a link to itself stays as it is."""
    # Path.resolve raises RuntimeError for such a link up to Python 3.12.
    return Path(os.path.realpath(path))


def lies_in(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> bool:
    """Tell whether a path leads to a place in a folder or below it."""
    return real_path(path).is_relative_to(real_path(folder))


def read_text(path: Path, max_bytes: int) -> str:
    """Read a UTF-8 text of bounded size.

    Raises:
        OSError: it is missing, not a regular file, or too large.
        UnicodeDecodeError: it is not UTF-8.
    """
    return read_bytes(path, max_bytes).decode("utf-8-sig")


def read_bytes(path: Path, max_bytes: int) -> bytes:
    """Read a file of bounded size.

    Raises:
        OSError: it is missing, not a regular file, or too large.
    """
    kind = kind_of(path)
    if kind and kind != stat.S_IFREG:
        if kind == stat.S_IFDIR:
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        raise OSError(errno.EINVAL, "it is not a regular file")
    with path.open("rb") as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise OSError(errno.EFBIG, f"it has over {max_bytes} bytes")
    return data


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML.

    Raises:
        tomllib.TOMLDecodeError: it is not TOML, nested too deeply, or holds a number of too many
            digits.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError as error:
        raise tomllib.TOMLDecodeError("it is nested too deeply") from error
    except ValueError as error:  # Python's limit of 4300 digits
        raise tomllib.TOMLDecodeError(str(error)) from error
