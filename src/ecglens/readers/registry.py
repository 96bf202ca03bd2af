"""Which reader takes which file, and which files of a folder are records."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ecglens.errors import RecordError, UsageError
from ecglens.readers import arrays, text, wfdb_header, wfdb_records
from ecglens.readers.source import RecordSource
from ecglens.records import Record, check_fs

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


@dataclass(frozen=True)
class Format:
    """A file format: the endings that announce it and the function that opens it."""

    name: str
    suffixes: tuple[str, ...]
    open: Callable[[Path, float | None], RecordSource]


FORMATS = (
    Format("CSV", (".csv",), text.open_text),
    Format("TSV", (".tsv",), text.open_text),
    Format("NPZ", (".npz",), arrays.open_npz),
    Format("NPY", (".npy",), arrays.open_npy),
)
LOOKED_FOR = "WFDB (.hea), " + ", ".join(f"{f.name} ({', '.join(f.suffixes)})" for f in FORMATS)


def read_record(
    path: str | os.PathLike[str], *, fs: float | None = None, annotator: str | None = None
) -> Record:
    """Read one recording into memory; arguments and errors are those of :func:`open_record`.

    Returns:
        The record, in mV, missing samples as NaN, with notes on all that was assumed.
    """
    return open_record(path, fs=fs, annotator=annotator).to_record()


def open_record(
    path: str | os.PathLike[str], *, fs: float | None = None, annotator: str | None = None
) -> RecordSource:
    """Open one recording, whose samples are then read stretch by stretch.

    WFDB and NPY files stay on disk (but for WFDB format 8, which stores differences). CSV, TSV
    and NPZ files are read into memory, which they bound.

    Args:
        path: a ``.csv``, ``.tsv``, ``.npz`` or ``.npy`` file, or a WFDB record given as ``rec``,
            ``rec.hea`` or ``rec.dat``.
        fs: sampling rate in Hz, only for a file that does not state one.
        annotator: ending of the WFDB annotation file to take rhythms from, such as ``"atr"``;
            without it the usual ones are tried.

    Returns:
        The source, with notes on all that was assumed. Its samples are those that
        :func:`read_record` gives.

    Raises:
        RecordError: the file is missing, damaged, of an unknown format or not an ECG, has no
            sampling rate, or contradicts ``fs``.
        UsageError: ``fs`` or ``annotator`` is not a possible value.
    """
    if _URL.match(os.fspath(path)):
        raise RecordError(f"{path} is not a local file; download it and give its path")
    if "\0" in os.fspath(path):
        raise RecordError(f"{os.fspath(path)!r} holds a NUL character; give the path of a file")
    place = Path(path)
    if fs is not None:
        check_fs(fs, "fs")
    known = _format_of(place)
    if known is None:
        return wfdb_records.open_wfdb(_header_of(place), fs, annotator)
    if annotator is not None:
        raise UsageError(f"annotator={annotator!r} needs a WFDB record, got {place}; leave it out")
    _check_file(place)
    return known.open(place, fs)


def find_records(folder: str | os.PathLike[str]) -> list[Path]:
    """List the recordings in a folder and below it.

    A WFDB record counts once, by its header; segments of a multi-segment record, hidden files,
    tables of words (such as a list of labels), files of windows or features that this program
    wrote and links that lead out of the folder do not count.

    Returns:
        Sorted paths that :func:`read_record` takes.

    Raises:
        RecordError: the folder is missing or holds no record.
    """
    top = Path(folder)
    if not top.is_dir():
        what = "a file, not a folder" if top.exists() else "not there"
        raise RecordError(f"cannot look for records in {top}: it is {what}; give a folder")
    files = list(_visible_files(top))
    headers = [path for path in files if path.suffix.lower() == ".hea"]
    parts = {part for header in headers for part in wfdb_header.segment_paths(header)}
    found = [header for header in headers if header not in parts]
    for path in files:
        known = _format_of(path)
        if known is not None and _may_be_record(path, known):
            found.append(path)
    if not found:
        raise RecordError(f"no record in {top}; looked for {LOOKED_FOR}")
    return sorted(found)


def _may_be_record(path: Path, known: Format) -> bool:
    if known.open is text.open_text:
        return text.holds_numbers(path)
    return known.open is not arrays.open_npz or not arrays.own_file(path)


def _visible_files(top: Path) -> Iterator[Path]:
    inside = top.resolve()
    for folder, subfolders, names in os.walk(top):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        for name in names:
            path = Path(folder, name)
            if name.startswith(".") or not path.is_file():
                continue
            if path.resolve().is_relative_to(inside):
                yield path


def _format_of(path: Path) -> Format | None:
    suffix = path.suffix.lower()
    return next((known for known in FORMATS if suffix in known.suffixes), None)


def _header_of(path: Path) -> Path:
    """Return the WFDB header that ``rec``, ``rec.hea`` or ``rec.dat`` stands for."""
    if path.suffix.lower() == ".hea":
        _check_file(path)
        return path
    candidates = [Path(f"{path}.hea")]
    if path.suffix:
        candidates.append(path.with_suffix(".hea"))
    for header in candidates:
        if _is_file(header):
            return header
    _check_file(path)
    if path.suffix.lower() == ".dat":
        raise RecordError(f"{path} has no header {candidates[-1].name} beside it; put it there")
    raise RecordError(f"{path} is of no format that ecglens reads; it reads {LOOKED_FOR}")


def _is_file(path: Path) -> bool:
    return _mode(path) == stat.S_IFREG


def _mode(path: Path) -> int:
    """Return the kind of file, 0 where none can be reached (also for a name that is too long)."""
    try:
        return stat.S_IFMT(path.stat().st_mode)
    except OSError:
        return 0


def _check_file(path: Path) -> None:
    mode = _mode(path)
    if mode == 0:
        raise RecordError(f"no such file or record: {path}")
    if mode == stat.S_IFDIR:
        raise RecordError(f"{path} is a folder, not a record; name one record in it")
    if mode != stat.S_IFREG:
        raise RecordError(f"{path} is not a regular file; give a recording")
    if path.stat().st_size == 0:
        raise RecordError(f"{path} is empty; give a recording")
