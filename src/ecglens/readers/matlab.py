"""MATLAB files: numeric arrays of versions 4 to 7.3; cells, structures and objects are not read."""

from __future__ import annotations

import math
import os
import warnings
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

import numpy as np

from ecglens.errors import RecordError
from ecglens.npy import AnyArray
from ecglens.readers.arrays import MAX_PACKING, source_of
from ecglens.readers.source import MAX_VALUES, RecordSource

Order = Literal["little", "big"]

MARKS = (b"MATLAB 5.0 MAT-file", b"MATLAB 7.3 MAT-file")
_HDF5 = b"\x89HDF\r\n\x1a\n"
SIGNALS = ("val", "signal", "ecg", "data")
RATES = ("fs", "sampling_rate", "sampling_frequency", "samplerate", "sfreq")
_GAINS = ("gain",)
_NUMERIC = frozenset(
    {"double", "single", *(f"{u}int{n}" for u in ("", "u") for n in (8, 16, 32, 64))}
)
# Packed variables of version 5: header, then elements of a type and a size each.
_HEADER_BYTES, _ARRAY, _PACKED = 128, 14, 15
# Types of the parts of a numeric array, by number, and the classes of such arrays.
_KNOWN = frozenset((*range(1, 8), 9, 12, 13, 16, 17, 18))
_NUMERIC_CLASSES = range(6, 16)
_COMPLEX = 1 << 11
_ALWAYS_FITS = 2**26
_BYTES_AT_A_TIME = 2**20


class Variable(NamedTuple):
    """Name, shape and MATLAB class of a variable."""

    name: str
    shape: tuple[int, ...]
    kind: str

    @property
    def described(self) -> str:
        """What it is, for messages."""
        return f"{self.name} ({'x'.join(map(str, self.shape))} {self.kind})"


def is_matlab(head: bytes) -> bool:
    """Tell whether a file that starts with these bytes is MATLAB's, version 5 or later."""
    return head.startswith(MARKS)


def open_matlab(path: Path, fs: float | None) -> RecordSource:
    """Open a MATLAB file; its signal is read into memory.

    The signal is a numeric array ``val``, ``signal``, ``ecg`` or ``data``, or the only one there
    is, shape (n_leads, n_samples); ``fs`` (Hz) and ``gain`` (counts per mV) may stand beside it.
    Whole numbers without a gain are counts of unknown amplitude, floats are mV. (A PhysioNet file
    with its header beside it is read as WFDB, whose gains it states.)

    Args:
        path: the file.
        fs: Hz, only where the file has none.

    Raises:
        RecordError: the file is damaged, is a decompression bomb, or has no such array.
    """
    try:
        with path.open("rb") as file:
            head = file.read(1024)
        hdf5 = head.startswith(_HDF5) or head[512:].startswith(_HDF5)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = _read_hdf5(path) if hdf5 else _read_older(path)
    except RecordError:
        raise
    except Exception as error:
        raise RecordError(
            f"cannot read {path} as MATLAB file: {type(error).__name__}: {error}; the file is "
            "damaged: save it again"
        ) from error
    name, arrays = found
    notes: list[str] = []
    if "gain" not in arrays and _are_counts(name, arrays["signal"]):
        arrays["units"] = np.array("counts")
        notes.append(f"{name} holds whole numbers and no gain is given; their amplitude is unknown")
    return source_of(path, arrays, fs, notes=notes)


def _are_counts(name: str, signal: AnyArray) -> bool:
    if signal.dtype.kind in "iu":
        return True
    # MATLAB makes every number a double; "val" is PhysioNet's name for counts.
    numbers = signal.real.astype(np.float64)
    return name.casefold() == "val" and bool((numbers == np.rint(numbers)).all())


def _choose(path: Path, variables: Sequence[Variable]) -> dict[str, str]:
    """Return the names of the variables to read, by their role.

    Raises:
        RecordError: none of them is a signal, it would not fit into memory, or a name is not its
            own: scipy takes the first of that name, whatever it is.
    """
    numeric = [v for v in variables if v.kind in _NUMERIC]
    by_name = {v.name.casefold(): v for v in reversed(numeric)}
    beside = {**dict.fromkeys(RATES, "fs"), **dict.fromkeys(_GAINS, "gain")}
    others = [v for v in numeric if v.name.casefold() not in beside and math.prod(v.shape) > 1]
    signal = next((by_name[name] for name in SIGNALS if name in by_name), None)
    if signal is None and len(others) == 1:
        signal = others[0]
    if signal is None:
        found = ", ".join(v.described for v in variables[:20]) or "nothing"
        raise RecordError(
            f"{path} has no numeric array called {', '.join(SIGNALS)}, only {found}; save the "
            "signal as such an array (n_leads, n_samples)"
        )
    if math.prod(signal.shape) > MAX_VALUES:
        raise RecordError(f"{path}: {signal.described} is more than {MAX_VALUES} values; split it")
    roles = {role: by_name[name].name for name, role in reversed(beside.items()) if name in by_name}
    roles["signal"] = signal.name
    names = [variable.name for variable in variables]
    if twice := [name for name in roles.values() if names.count(name) > 1]:
        raise RecordError(f"{path} has two variables called {twice[0]!r}; save it again")
    return roles


def _named(roles: Mapping[str, str], arrays: Mapping[str, Any]) -> tuple[str, dict[str, AnyArray]]:
    return roles["signal"], {role: np.asarray(arrays[name]) for role, name in roles.items()}


def _read_older(path: Path) -> tuple[str, dict[str, AnyArray]]:
    """Return the signal's name and the arrays of a file of version 4 to 7, by their role."""
    from scipy.io import loadmat, whosmat

    _check_packing(path)
    roles = _choose(path, [Variable(*found) for found in whosmat(path)])
    return _named(roles, loadmat(path, variable_names=list(roles.values())))


def _check_packing(path: Path) -> None:
    """Refuse a file that unpacks to far more than a recording would, or has parts of no known type.

    scipy looks types up in a table without asking whether they are in it, which ends the process.
    """
    from scipy.io.matlab import matfile_version

    # Not told by the text at its beginning: scipy does not ask for that either.
    if matfile_version(path)[0] != 1:
        return
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
        order: Order = "little" if head[126:128] == b"IM" else "big"
        while len(tag := file.read(8)) == 8:
            kind, length = (int.from_bytes(half, order) for half in (tag[:4], tag[4:]))
            end = file.tell() + length
            if end > size:
                raise RecordError(f"{path} is cut short within a variable; save it again")
            if kind == _PACKED:
                inflated = _Inflated(path, file, length)
                inner = inflated.read(8)
                _check_parts(path, inflated, int.from_bytes(inner[4:], order), order)
                inflated.skip(None)
            elif kind == _ARRAY:
                _check_parts(path, _Plain(file), length, order)
            file.seek(end)


def _check_parts(path: Path, stream: _Plain | _Inflated, length: int, order: Order) -> None:
    """Refuse a numeric array without all its parts, or with one of no known type.

    ``length`` is that of the array. Where a part is missing, scipy takes what comes behind for it.
    """
    head = stream.read(16)  # a part of its own, first in every array
    length -= len(head)
    flags = int.from_bytes(head[8:12], order)
    if flags & 0xFF not in _NUMERIC_CLASSES:
        return
    for name in ("shape", "name", "values", "imaginary values")[: 4 if flags & _COMPLEX else 3]:
        tag = stream.read(8)
        kind, size = (int.from_bytes(half, order) for half in (tag[:4], tag[4:]))
        if kind >> 16:  # a small part: its size is there, and the part in the tag
            kind, size = kind & 0xFFFF, 0
        if len(tag) < 8 or 8 + size > length:
            raise RecordError(f"{path} holds an array that lacks its {name}; save it again")
        if kind not in _KNOWN:
            raise RecordError(f"{path} holds a part of unknown type {kind}; save it again")
        size += -size % 8
        stream.skip(size)
        length -= 8 + size


class _Plain:
    """Parts that lie in the file as they are."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, n_bytes: int) -> bytes:
        return self._file.read(n_bytes)

    def skip(self, n_bytes: int) -> None:
        self._file.seek(n_bytes, os.SEEK_CUR)


class _Inflated:
    """Parts that are packed, unpacked piece by piece and not kept."""

    def __init__(self, path: Path, file: IO[bytes], length: int) -> None:
        self._path, self._file, self._length = path, file, length
        self._inflate = zlib.decompressobj()
        self._left, self._data, self._unpacked = length, b"", 0

    def read(self, n_bytes: int) -> bytes:
        found = b""
        while len(found) < n_bytes and not self._inflate.eof:
            if not self._data:
                self._data = self._file.read(min(self._left, _BYTES_AT_A_TIME))
                self._left -= len(self._data)
            fresh = self._inflate.decompress(self._data, n_bytes - len(found))
            if not fresh and not self._data:
                break
            self._data = self._inflate.unconsumed_tail
            self._unpacked += len(fresh)
            found += fresh
        if self._unpacked > max(_ALWAYS_FITS, self._length * MAX_PACKING):
            raise RecordError(
                f"{self._path} unpacks {self._length} bytes to over {self._unpacked}; that is no "
                "recording"
            )
        return found

    def skip(self, n_bytes: int | None) -> None:
        """Pass over so many bytes, all of them where None."""
        while n_bytes is None or n_bytes > 0:
            step = _BYTES_AT_A_TIME if n_bytes is None else min(n_bytes, _BYTES_AT_A_TIME)
            passed = len(self.read(step))
            if passed < step:
                return
            n_bytes = None if n_bytes is None else n_bytes - passed


def _read_hdf5(path: Path) -> tuple[str, dict[str, AnyArray]]:
    """Return the signal's name and the arrays of a file of version 7.3, by their role."""
    import h5py

    with h5py.File(path, "r") as file:
        # A link may lead to another file; only what this one holds is looked at.
        names = [name for name in file if isinstance(file.get(name, getlink=True), h5py.HardLink)]
        sets = {name: file[name] for name in names if isinstance(file[name], h5py.Dataset)}
        roles = _choose(path, [_variable(name, data) for name, data in sets.items()])
        for name in roles.values():
            _check_dataset(path, sets[name])
        # MATLAB counts axes from the other end.
        return _named(roles, {name: sets[name][()].T for name in roles.values()})


def _variable(name: str, data: Any) -> Variable:
    kind = data.attrs.get("MATLAB_class", b"")
    kind = kind.decode("latin-1") if isinstance(kind, bytes) else str(kind)
    plain = {"f4": "single", "f8": "double"}.get(data.dtype.str[1:], data.dtype.name)
    # Cells are stored as references, texts as numbers with a class of their own.
    return Variable(name, tuple(data.shape[::-1]), kind if kind not in ("", plain) else plain)


def _check_dataset(path: Path, data: Any) -> None:
    if data.external or data.is_virtual:
        raise RecordError(
            f"{path}: {data.name} lies in another file, which is not opened; save it as a whole"
        )
    size, held = data.size * data.dtype.itemsize, data.id.get_storage_size()
    if data.dtype.kind not in "fiu" or size > max(_ALWAYS_FITS, held * MAX_PACKING):
        raise RecordError(
            f"{path}: {data.name} declares {size} bytes of {data.dtype} and holds {held}; that is "
            "no recording"
        )
