"""Windows of several rates in one file, as collections of windows are passed on."""

from __future__ import annotations

import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecglens.errors import WindowError
from ecglens.guarded import is_regular
from ecglens.npy import read_array
from ecglens.readers.source import MAX_VALUES
from ecglens.records import MAX_FS_HZ, MIN_FS_HZ
from ecglens.signals import resample
from ecglens.windows.data import Windows

FS = 125.0

_NEEDED = ("x_milli", "offset", "fs", "label", "database", "subject", "record", "start_s")
_MOST_TIMES = 256
"""A table that unpacks to more than this many times its size is refused."""


def is_windows_table(path: str | Path) -> bool:
    """Tell whether a file is an archive with the arrays of :func:`load_windows_table`."""
    if not is_regular(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return {f"{name}.npy" for name in _NEEDED} <= set(archive.namelist())
    except (OSError, ValueError, RuntimeError, zipfile.BadZipFile):
        return False


def load_windows_table(path: str | Path, *, fs: float = FS) -> Windows:
    """Read a table of windows of several rates and bring them to one.

    The file is an ``.npz`` with ``x_milli`` (int16, all windows end to end, mV x 1000),
    ``offset`` (shape (n + 1,): window i lies from ``offset[i]`` to ``offset[i + 1]``) and, for
    each window, ``fs``, ``label``, ``database``, ``subject``, ``record`` and ``start_s``. Nothing
    in it is executed.

    Args:
        path: the file.
        fs: rate of the windows that are returned, in Hz.

    Raises:
        WindowError: it is no such file, is damaged, its windows differ in length, a rate is not
            one of an ECG, or it would come to more than 2^29 values.
    """
    path = Path(path)
    foreign = f"{path} is not a table of windows"
    try:
        table = _read(path, foreign)
        X = _at_one_rate(table, fs, foreign)
        texts = {
            name + "s": np.asarray(table[name], dtype=np.str_)
            for name in ("label", "subject", "database", "record")
        }
        start_s = np.asarray(table["start_s"], dtype=np.float64)
    except (OSError, ValueError, TypeError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
        raise WindowError(f"{foreign} ({error})") from error
    return Windows(X=X, fs=fs, leads=np.full(len(X), "?"), start_s=start_s, **texts)


def _read(path: Path, foreign: str) -> dict[str, npt.NDArray[np.generic]]:
    """Return the arrays; memory is bounded by a multiple of the file's size."""
    if not is_regular(path):
        raise WindowError(f"no such file: {path}; give a table of windows")
    with zipfile.ZipFile(path) as archive:
        held = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        missing = [name for name in _NEEDED if name not in held]
        if missing:
            raise WindowError(f"{foreign}: it lacks {', '.join(missing)}")
        unpacked = sum(held[name].file_size for name in _NEEDED)
        if unpacked > _MOST_TIMES * path.stat().st_size:
            raise WindowError(f"{foreign}: it unpacks to {unpacked} bytes; save it again")
        return {
            name: read_array(partial(archive.open, held[name]), held[name].file_size)
            for name in _NEEDED
        }


def _at_one_rate(
    table: dict[str, npt.NDArray[np.generic]], fs: float, foreign: str
) -> npt.NDArray[np.float32]:
    """Return the windows, shape (n_windows, n_samples)."""
    offsets, rates = np.asarray(table["offset"], np.int64), np.asarray(table["fs"], np.float64)
    samples = np.asarray(table["x_milli"])
    n_windows = len(rates)
    if not n_windows or offsets.shape != (n_windows + 1,) or samples.ndim != 1:
        raise WindowError(f"{foreign}: {n_windows} rates for {max(len(offsets) - 1, 0)} windows")
    lengths = np.diff(offsets)
    if offsets[0] < 0 or offsets[-1] > len(samples) or (lengths < 1).any():
        raise WindowError(f"{foreign}: windows lie outside its {len(samples)} samples")
    if not ((rates >= MIN_FS_HZ) & (rates <= MAX_FS_HZ)).all():
        raise WindowError(
            f"{foreign}: it states rates of {rates.min():g} to {rates.max():g} Hz; an ECG has "
            f"{MIN_FS_HZ:g} to {MAX_FS_HZ:g} Hz: correct the file"
        )
    seconds = lengths / rates
    if np.ptp(seconds) > 0.5 * seconds.min() / lengths.min():
        raise WindowError(
            f"{foreign}: windows last {seconds.min():g} to {seconds.max():g} s; "
            "cut them to one length"
        )
    n_samples = round(float(seconds[0]) * fs)
    if n_windows * n_samples > MAX_VALUES:
        raise WindowError(
            f"{foreign}: {n_windows} windows of {seconds[0]:g} s at {fs:g} Hz are more than "
            f"{MAX_VALUES} values; split it"
        )
    X = np.empty((n_windows, n_samples), np.float32)
    for row, start, stop, rate in zip(X, offsets[:-1], offsets[1:], rates, strict=True):
        row[:] = resample(samples[start:stop] / 1000, float(rate), fs)[: len(row)]
    return X
