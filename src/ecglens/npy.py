"""NPY arrays, whose headers are checked before any memory is taken for them."""

from __future__ import annotations

import math
import tokenize
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

AnyArray = npt.NDArray[np.generic]

# What NumPy raises on damaged headers, which it reads as Python literals.
_DAMAGED = (
    ValueError,
    TypeError,
    EOFError,
    MemoryError,
    RecursionError,
    OverflowError,
    SyntaxError,
    tokenize.TokenError,
)


def read_array(
    open_file: Callable[[], IO[bytes]],
    size: int,
    *,
    kinds: str = "fiuSU",
    wanted: str = "numbers or text",
) -> AnyArray:
    """Read one array after checking that its header promises no more than the file holds.

    Args:
        open_file: opens the file or archive member for reading; called twice.
        size: bytes that it really has.
        kinds: letters of the NumPy data types that are taken; objects never are.
        wanted: what those are, in words, for the message.

    Raises:
        ValueError: it is damaged or of other data. The message is the rest of a sentence that
            starts with the name of the file.
        OSError: the file cannot be opened or read, or an archive's own error about its member.
    """

    def read() -> AnyArray:
        with open_file() as file:
            array: AnyArray = np.lib.format.read_array(file, allow_pickle=False)
            return array

    return _checked(open_file, size, read, kinds, wanted)


def map_array(path: Path, *, kinds: str = "fiuSU", wanted: str = "numbers or text") -> AnyArray:
    """Map the array of a file, read-only, so that only what is looked at is read.

    Args:
        path: the file.
        kinds: see :func:`read_array`.
        wanted: see :func:`read_array`.

    Raises:
        ValueError: see :func:`read_array`.
        OSError: the file cannot be opened or read.
    """

    def mapped() -> AnyArray:
        return np.lib.format.open_memmap(path, mode="r")

    return _checked(lambda: path.open("rb"), path.stat().st_size, mapped, kinds, wanted)


def check_header(file: IO[bytes], size: int, *, kinds: str, wanted: str) -> None:
    """Check that the header of an array promises no more than the file holds.

    Raises:
        ValueError: it does, or is damaged, or of other data; see :func:`read_array`.
    """
    try:
        refusal = _refusal(file, size, kinds, wanted)
    except _DAMAGED as error:
        raise ValueError(f"is not a whole NumPy file: {error}; save it again") from error
    if refusal:
        raise ValueError(refusal)


def _checked(
    open_file: Callable[[], IO[bytes]],
    size: int,
    load: Callable[[], AnyArray],
    kinds: str,
    wanted: str,
) -> AnyArray:
    """Load an array whose header was found to be in order."""
    try:
        # NumPy warns about headers written by Python 2; they read well.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with open_file() as file:
                refusal = _refusal(file, size, kinds, wanted)
            if not refusal:
                return load()
    except _DAMAGED as error:
        raise ValueError(f"is not a whole NumPy file: {error}; save it again") from error
    raise ValueError(refusal)


def _refusal(file: IO[bytes], size: int, kinds: str, wanted: str) -> str:
    """Return what is wrong with the header, ``""`` for nothing."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    else:
        return f"has NPY format {version}; save it with plain numbers"
    if dtype.hasobject or dtype.kind not in kinds:
        return f"holds {dtype} values; save {wanted}"
    held = size - file.tell()
    if math.prod(shape) * dtype.itemsize > held:
        return (
            f"declares an array of shape {shape}, but holds only {held} bytes of it; "
            "the file is cut short: save it again"
        )
    return ""
