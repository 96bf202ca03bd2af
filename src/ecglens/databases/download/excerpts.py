"""The first minutes of a record, without the rest of its signal file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from ecglens.databases.download.transport import Transport
from ecglens.errors import FetchError, RecordError
from ecglens.files import temporary_folder, write_atomically
from ecglens.readers.wfdb_header import MAX_HEADER_BYTES, Header, read_header
from ecglens.readers.wfdb_marks import MAX_ANNOTATION_BYTES
from ecglens.readers.wfdb_signals import SAMPLE_BYTES

MAX_MINUTES = 240.0
_MAX_SIGNAL_BYTES = 512 * 2**20


class _Cut(NamedTuple):
    """How much of a record is wanted; None bytes where that is all of it."""

    file: str
    n_frames: int
    n_bytes: int | None


def fetch_excerpt(
    transport: Transport,
    base: str,
    names: tuple[str, ...],
    sums: Mapping[str, str],
    places: Mapping[str, Path],
    minutes: float,
    report: Callable[[int], None],
) -> None:
    """Fetch the start of a record: of the signal only the bytes that are needed.

    The header is rewritten to the shorter length and is written last, so that a record that has
    one is whole. Header and annotations are checked by their checksums; a part of a signal file
    has none.

    Args:
        transport: what fetches.
        base: address of the database.
        names: the record's files, the header first.
        sums: SHA-256 by name.
        places: where each file goes; the folders must exist.
        minutes: from the start of the record.
        report: called with how many bytes of the signal are here.

    Raises:
        FetchError: a file cannot be had, is not what its checksum says, or cannot be cut.
        OutputError: a file cannot be written.
    """
    header = _checked(transport, base, names[0], sums, MAX_HEADER_BYTES)
    cut = _plan(header, names[0], minutes)
    for name in names[1:]:
        if name.rpartition("/")[2] != cut.file:
            body = _checked(transport, base, name, sums, MAX_ANNOTATION_BYTES)
        elif cut.n_bytes is None:
            body = _checked(transport, base, name, sums, _MAX_SIGNAL_BYTES, report)
        else:
            body = transport.get(base + name, _MAX_SIGNAL_BYTES, first=cut.n_bytes, report=report)
            if len(body) < cut.n_bytes:
                raise FetchError(f"{base}{name} ends within {minutes:g} min; fetch it whole")
        _put(body, places[name])
    _put(_shortened(header, cut, minutes), places[names[0]])


def _put(body: bytes, path: Path) -> None:
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


def _plan(raw: bytes, name: str, minutes: float) -> _Cut:
    """Return what to fetch of the signal file of a header."""
    header = _parsed(raw, name)
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
    if header.n_frames is not None and n_frames >= header.n_frames:
        return _Cut(first.file, header.n_frames, None)
    return _Cut(first.file, n_frames, first.offset + n_frames * per_frame * n_bytes // n_samples)


def _parsed(raw: bytes, name: str) -> Header:
    with temporary_folder() as folder:
        path = folder / name.rpartition("/")[2]
        try:
            path.write_bytes(raw)
            return read_header(path)
        except (OSError, RecordError) as error:
            raise FetchError(f"header {name} of the server cannot be read: {error}") from error


def _shortened(raw: bytes, cut: _Cut, minutes: float) -> bytes:
    if cut.n_bytes is None:
        return raw
    text = raw.decode("latin-1")
    line = re.search(r"^(?!#)(\S+[ \t]+\d+[ \t]+\S+)([ \t]+\d+)?", text, flags=re.MULTILINE)
    if line is None:  # read_header has read it
        return raw
    text = f"{text[: line.start()]}{line[1]} {cut.n_frames}{text[line.end() :]}"
    note = f"# the first {minutes:g} minutes; checksums are those of the whole record\n"
    return (text.rstrip("\r\n") + "\n" + note).encode("latin-1")
