"""Which reader takes which file, and which files of a folder are records."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ecglens.errors import RecordError, UsageError
from ecglens.guarded import is_folder, is_regular, kind_of, lies_in
from ecglens.readers import (
    aecg,
    arrays,
    dicom,
    edf,
    edf_header,
    matlab,
    parquet,
    text,
    wfdb_header,
    wfdb_records,
)
from ecglens.readers.source import RecordSource
from ecglens.readers.wfdb_rhythms import USUAL, USUAL_ANNOTATORS, Convention
from ecglens.records import Record, check_fs

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


# What any format can be told from.
_HEAD_BYTES = 4096


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes:
        name: of the format.
        suffixes: endings that announce it, where the content does not tell.
        open: opens a file, given the rate in Hz of one that has none.
        recognise: tells whether a file that starts with some bytes is of this format.
        holds_record: tells of such a file in a folder whether it is a recording, not something
            else in the same format; never raises.
    """

    name: str
    suffixes: tuple[str, ...]
    open: Callable[[Path, float | None], RecordSource]
    recognise: Callable[[bytes], bool] = lambda _: False
    holds_record: Callable[[Path], bool] = lambda _: True


# In order of how much a file of the format tells of itself.
FORMATS = (
    Format("EDF", (".edf", ".bdf"), edf.open_edf, edf_header.is_edf),
    Format("DICOM", (".dcm", ".dicom"), dicom.open_dicom, dicom.is_dicom, dicom.holds_waveform),
    Format("HL7 aECG", (".xml",), aecg.open_aecg, aecg.is_aecg, aecg.says_aecg),
    Format("MATLAB", (".mat",), matlab.open_matlab, matlab.is_matlab),
    Format(
        "Parquet",
        (".parquet", ".pq"),
        parquet.open_parquet,
        parquet.is_parquet,
        parquet.may_be_record,
    ),
    Format("NPZ", (".npz",), arrays.open_npz, holds_record=arrays.may_be_record),
    Format("NPY", (".npy",), arrays.open_npy, lambda head: head.startswith(b"\x93NUMPY")),
    Format("CSV", (".csv",), text.open_text, holds_record=text.holds_numbers),
    Format("TSV", (".tsv",), text.open_text, holds_record=text.holds_numbers),
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
    path: str | os.PathLike[str],
    *,
    fs: float | None = None,
    annotator: str | None = None,
    convention: Convention = USUAL,
) -> RecordSource:
    """Open one recording, whose samples are then read stretch by stretch.

    The format is told by the content of the file and only then by its ending. WFDB, EDF,
    Parquet and NPY files stay on disk (but for WFDB format 8, which stores differences). Files of
    the other formats are read into memory, which they bound.

    Args:
        path: a file of one of these formats, or a WFDB record given as ``rec``, ``rec.hea`` or
            ``rec.dat``.
        fs: sampling rate in Hz, only for a file that does not state one.
        annotator: ending of the WFDB annotation file to take rhythms from, such as ``"atr"``;
            without it the usual ones are tried, and one that is damaged is noted (see
            :meth:`ecglens.records.Recording.known_rhythms`).
        convention: how the WFDB record's database writes rhythms.

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
        return wfdb_records.open_wfdb(_header_of(place), fs, annotator, convention)
    if annotator is not None:
        raise UsageError(f"annotator={annotator!r} needs a WFDB record, got {place}; leave it out")
    _check_file(place)
    return known.open(place, fs)


def find_records(folder: str | os.PathLike[str]) -> list[Path]:
    """List the recordings in a folder and below it.

    A WFDB record counts once, by its header, and so do files in one folder whose names differ
    only in the ending: the one that tells most of itself counts. Segments of a multi-segment
    record, headers of annotations without a signal, hidden files, tables of words (such as a list
    of labels), files of windows or features that this program wrote, files of other programs and
    links that lead out of the folder do not count.

    Returns:
        Sorted paths that :func:`read_record` takes.

    Raises:
        RecordError: the folder is missing or holds no record.
    """
    top = Path(folder)
    if not is_folder(top):
        what = "a file, not a folder" if kind_of(top) else "not there"
        raise RecordError(f"cannot look for records in {top}: it is {what}; give a folder")
    files = list(_visible_files(top))
    headers = [path for path in files if path.suffix.lower() == ".hea"]
    parts_of = {header: wfdb_header.parts_of(header) for header in headers}
    parts = {part for found in parts_of.values() for part in found}
    found = {
        header.with_suffix(""): header
        for header in headers
        if header not in parts and (parts_of[header] or not wfdb_header.says_no_signal(header))
    }
    taken = parts | set(headers)
    candidates = [
        (known, path) for path in files if path not in taken and (known := _format_of(path))
    ]
    for known, path in sorted(candidates, key=lambda pair: FORMATS.index(pair[0])):
        if path.with_suffix("") not in found and known.holds_record(path):
            found[path.with_suffix("")] = path
    if not found:
        raise RecordError(f"no record in {top}; looked for {LOOKED_FOR}")
    return sorted(found.values())


def files_of(path: str | os.PathLike[str]) -> list[Path]:
    """List the files that a recording is read from, some of which may not be there.

    Of a WFDB record these are its header, segments, signals and rhythm annotations.

    Raises:
        RecordError: there is no such record.
    """
    place = Path(path)
    if _format_of(place) is not None:
        return [place]
    header = _header_of(place)
    parts = wfdb_header.parts_of(header)
    below = [each for part in parts if part.suffix == ".hea" for each in wfdb_header.parts_of(part)]
    notes = [header.with_suffix(f".{ending}") for ending in USUAL_ANNOTATORS]
    return [
        each
        for each in dict.fromkeys([header, *parts, *below, *filter(is_regular, notes)])
        # A name that leads elsewhere is refused when the record is opened.
        if lies_in(each, header.parent)
    ]


def _visible_files(top: Path) -> Iterator[Path]:
    for folder, subfolders, names in os.walk(top):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        for name in names:
            path = Path(folder, name)
            if name.startswith(".") or not is_regular(path):
                continue
            if lies_in(path, top):
                yield path


def _format_of(path: Path) -> Format | None:
    """Return the format of a file by its content, then by its ending; None for WFDB and others."""
    suffix = path.suffix.lower()
    # PhysioNet's MATLAB files are WFDB signal files, whose headers state the gains.
    if suffix == ".hea" or (suffix == ".mat" and is_regular(path.with_suffix(".hea"))):
        return None
    head = _head(path)
    for known in FORMATS:
        if head and known.recognise(head):
            return known
    return next((known for known in FORMATS if suffix in known.suffixes), None)


def _head(path: Path) -> bytes:
    """Return the first bytes of a file, none where it cannot be read or may never end."""
    if not is_regular(path):
        return b""
    try:
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES)
    except OSError:
        return b""


def _header_of(path: Path) -> Path:
    """Return the WFDB header that ``rec``, ``rec.hea`` or ``rec.dat`` stands for."""
    if path.suffix.lower() == ".hea":
        _check_file(path)
        return path
    candidates = [Path(f"{path}.hea")]
    if path.suffix:
        candidates.append(path.with_suffix(".hea"))
    for header in candidates:
        if is_regular(header):
            return header
    _check_file(path)
    if path.suffix.lower() == ".dat":
        raise RecordError(f"{path} has no header {candidates[-1].name} beside it; put it there")
    raise RecordError(f"{path} is of no format that ecglens reads; it reads {LOOKED_FOR}")


def _check_file(path: Path) -> None:
    mode = kind_of(path)
    if mode == 0:
        raise RecordError(f"no such file or record: {path}")
    if mode == stat.S_IFDIR:
        raise RecordError(f"{path} is a folder, not a record; name one record in it")
    if mode != stat.S_IFREG:
        raise RecordError(f"{path} is not a regular file; give a recording")
    if path.stat().st_size == 0:
        raise RecordError(f"{path} is empty; give a recording")
    try:
        path.open("rb").close()
    except OSError as error:
        reason = error.strerror or str(error)
        cure = "; ask for permission" if isinstance(error, PermissionError) else ""
        raise RecordError(f"cannot read {path}: {reason}{cure}") from error
