"""The first minutes of a record, without the rest of its signal file."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from ecglens.databases.download.transfer import hash_file, spare_other
from ecglens.databases.download.transport import Transport
from ecglens.errors import FetchError, RecordError
from ecglens.files import temporary_folder, write_atomically
from ecglens.readers.wfdb_header import MAX_HEADER_BYTES, Header, read_header
from ecglens.readers.wfdb_marks import MAX_ANNOTATION_BYTES
from ecglens.readers.wfdb_signals import SAMPLE_BYTES

MAX_MINUTES = 240.0
_MAX_SIGNAL_BYTES = 512 * 2**20


class _Cut(NamedTuple):
    """How much of a record's signal file is wanted, and whether that is all of it."""

    file: str
    n_frames: int
    n_bytes: int
    is_all: bool


def is_excerpt(
    names: tuple[str, ...], sums: Mapping[str, str], places: Mapping[str, Path], minutes: float
) -> bool:
    """Tell whether all files of a record's start are here, as :func:`fetch_excerpt` leaves them.

    Annotations have their checksums, and the signal file the length that the header asks for.
    Arguments are those of :func:`fetch_excerpt`.

    Raises:
        OutputError: a file cannot be read.
    """
    if not all(places[name].is_file() for name in names):
        return False
    try:
        cut = _plan(read_header(places[names[0]]), names[0], minutes)
    except (FetchError, RecordError):
        return False
    is_whole = hash_file(places[names[0]]) == sums[names[0]]
    if is_whole and not cut.is_all:
        return False
    return all(
        places[name].stat().st_size == cut.n_bytes
        if _is_signal(name, cut) and not is_whole
        else hash_file(places[name]) == sums[name]
        for name in names[1:]
    )


def fetch_excerpt(
    transport: Transport,
    base: str,
    names: tuple[str, ...],
    sums: Mapping[str, str],
    places: Mapping[str, Path],
    spare: Collection[str],
    minutes: float,
    report: Callable[[int], None],
) -> None:
    """Fetch the start of a record: of the signal only the bytes that are needed.

    Nothing is written before all of it is here. The header is rewritten to the shorter length and
    is written last, so that what was broken off has none. Header and annotations are checked by
    their checksums; a part of a signal file has none.

    Args:
        transport: what fetches.
        base: address of the database.
        names: the record's files, the header first.
        sums: SHA-256 by name.
        places: where each file goes; the folders must exist.
        spare: files in whose place others stay, unless they are the beginning of these.
        minutes: from the start of the record.
        report: called with how many bytes of the signal are here.

    Raises:
        FetchError: a file cannot be had, is not what its checksum says, or cannot be cut.
        OutputError: a file cannot be written, or another one is to be spared.
    """
    header = _checked(transport, base, names[0], sums, MAX_HEADER_BYTES)
    cut = _plan(_parsed(header, names[0]), names[0], minutes)
    bodies: dict[str, bytes] = {}
    for name in names[1:]:
        if not _is_signal(name, cut):
            body = _checked(transport, base, name, sums, MAX_ANNOTATION_BYTES)
        elif cut.is_all:
            body = _checked(transport, base, name, sums, _MAX_SIGNAL_BYTES, report)
        else:
            body = transport.get(base + name, _MAX_SIGNAL_BYTES, first=cut.n_bytes, report=report)
            if len(body) < cut.n_bytes:
                raise FetchError(f"{base}{name} ends within {minutes:g} min; fetch it whole")
        bodies[name] = body
    bodies[names[0]] = _shortened(header, cut, minutes)
    _put(bodies, places, spare)


def _is_signal(name: str, cut: _Cut) -> bool:
    return name.rpartition("/")[2] == cut.file


def _put(bodies: Mapping[str, bytes], places: Mapping[str, Path], spare: Collection[str]) -> None:
    """Write files in their order, if none of them takes the place of one to be spared."""
    for name in spare:
        spare_other(places[name], io.BytesIO(bodies[name]))
    for name, body in bodies.items():
        _write(body, places[name])


def _write(body: bytes, path: Path) -> None:
    write_atomically(path, lambda file: file.write(body))


def _checked(
    transport: Transport,
    base: str,
    name: str,
    sums: Mapping[str, str],
    limit: int,
    report: Callable[[int], None] | None = None,
) -> bytes:
    body = transport.get(base + name, limit, report=report)
    if hashlib.sha256(body).hexdigest() != sums[name]:
        raise FetchError(
            f"{base}{name} is not the file that SHA256SUMS.txt tells of; ask the server for a new "
            "list (--refresh), or try another mirror"
        )
    return body


def _plan(header: Header, name: str, minutes: float) -> _Cut:
    """Return what to fetch of the signal file of a header."""
    files = {line.file for line in header.signals}
    storages = {line.storage for line in header.signals}
    if (
        header.fs is None
        or len(files) != 1
        or not storages <= set(SAMPLE_BYTES)
        or len(storages) > 1
    ):
        raise FetchError(f"record {name} is stored in a way that cannot be cut; fetch it whole")
    first = header.signals[0]
    n_bytes, n_samples = SAMPLE_BYTES[first.storage]
    per_frame = sum(line.per_frame for line in header.signals)
    # A whole number of the groups of samples that share bytes.
    n_frames = int(minutes * 60 * header.fs) // n_samples * n_samples
    is_all = header.n_frames is not None and n_frames >= header.n_frames
    if header.n_frames is not None and is_all:
        n_frames = header.n_frames
    length = first.offset + n_frames * per_frame * n_bytes // n_samples
    return _Cut(first.file, n_frames, length, is_all)


def _parsed(raw: bytes, name: str) -> Header:
    with temporary_folder() as folder:
        path = folder / name.rpartition("/")[2]
        try:
            path.write_bytes(raw)
            return read_header(path)
        except (OSError, RecordError) as error:
            raise FetchError(f"header {name} of the server cannot be read: {error}") from error


def _shortened(raw: bytes, cut: _Cut, minutes: float) -> bytes:
    if cut.is_all:
        return raw
    text = raw.decode("latin-1")
    line = re.search(r"^(?!#)(\S+[ \t]+\d+[ \t]+\S+)([ \t]+\d+)?", text, flags=re.MULTILINE)
    if line is None:  # read_header has read it
        return raw
    text = f"{text[: line.start()]}{line[1]} {cut.n_frames}{text[line.end() :]}"
    note = f"# the first {minutes:g} minutes; checksums are those of the whole record\n"
    return (text.rstrip("\r\n") + "\n" + note).encode("latin-1")
