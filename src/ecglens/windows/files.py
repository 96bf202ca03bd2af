"""Windows in a file of their own."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ecglens.errors import WindowError
from ecglens.files import write_atomically
from ecglens.guarded import is_regular
from ecglens.npy import read_array
from ecglens.windows.data import TEXTS, Windows

_FORMAT = "ecglens-windows-1"


def save_windows(windows: Windows, path: str | Path) -> None:
    """Write windows to an uncompressed ``.npz`` that :func:`load_windows` reads.

    Raises:
        OutputError: the file cannot be written.
    """
    arrays: dict[str, Any] = {f.name: np.asarray(getattr(windows, f.name)) for f in fields(windows)}

    def write(file: BinaryIO) -> None:
        np.savez(file, format=np.array(_FORMAT), **arrays)

    write_atomically(Path(path), write)


def load_windows(path: str | Path) -> Windows:
    """Read windows that :func:`save_windows` wrote; nothing in the file is executed.

    Raises:
        WindowError: no such file, or it was not written by :func:`save_windows`.
    """
    path = Path(path)
    if not is_regular(path):
        raise WindowError(f"no such windows file: {path}; make one with 'ecglens windows'")
    foreign = f"{path} is not a windows file of ecglens; make one with 'ecglens windows'"
    try:
        arrays = dict(_members(path, foreign))
        if str(arrays.pop("format", "")) != _FORMAT:
            raise WindowError(foreign)
        return Windows(
            X=np.asarray(arrays["X"], dtype=np.float32),
            fs=float(arrays["fs"]),
            start_s=np.asarray(arrays["start_s"], dtype=np.float64),
            **{name: np.asarray(arrays[name], dtype=np.str_) for name in TEXTS},
        )
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        EOFError,
        RuntimeError,
        zipfile.BadZipFile,
    ) as error:
        raise WindowError(f"{foreign} ({error})") from error


def _members(path: Path, foreign: str) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Yield the arrays; only stored members are accepted, so memory is bounded by the file."""
    with zipfile.ZipFile(path) as archive:
        if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
            raise WindowError(foreign)
        for info in archive.infolist():
            # A directory may claim any size; the file itself is the bound.
            size = min(info.file_size, info.compress_size, path.stat().st_size)
            try:
                array = read_array(partial(archive.open, info), size)
            except ValueError as error:
                raise ValueError(f"{info.filename} {error}") from error
            yield info.filename.removesuffix(".npy"), array
