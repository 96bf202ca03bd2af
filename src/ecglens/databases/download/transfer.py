"""One file: fetched from where it stopped, checked, and only then under its name."""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO, cast

from ecglens.databases.download.transport import Transport
from ecglens.errors import FetchError, OutputError

_BLOCK = 1 << 20


def fetch_file(
    transport: Transport,
    url: str,
    path: Path,
    sha256: str,
    *,
    spare: bool,
    expect: Callable[[int], None],
    report: Callable[[int], None],
) -> None:
    """Fetch one file whose checksum is known.

    It grows under a hidden name beside its place, from where an earlier attempt stopped, and is
    moved there once its checksum is right. If it is wrong, which a file that changed on the server
    between two attempts makes it, the file is fetched once more from its start.

    Args:
        transport: what fetches.
        url: of the file.
        path: where it ends up; the folder must exist.
        sha256: in hexadecimal digits.
        spare: whether a file in that place stays there, unless it is the beginning of this one.
        expect: called with the size in bytes once the server tells it.
        report: called with how many bytes are here.

    Raises:
        FetchError: it cannot be had, or its checksum is wrong twice.
        OutputError: it cannot be written, or another file is to be spared.
        Stopped: the download was called off; what is here stays for the next time.
    """
    part = part_of(path)
    for _ in range(2):
        _grow(transport, url, part, expect, report)
        if hash_file(part) == sha256:
            if spare:
                with part.open("rb") as new:
                    spare_other(path, new)
            _settle(part, path)
            return
        part.unlink(missing_ok=True)
    raise FetchError(
        f"{url} is not the file that SHA256SUMS.txt tells of, fetched twice; nothing is kept of "
        "it: if the server has a new edition, ask it again (--refresh), else try another mirror"
    )


def part_of(path: Path) -> Path:
    """Return the hidden name under which a file grows."""
    return path.with_name(f".{path.name}.part")


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits.

    Raises:
        OutputError: it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise OutputError(f"cannot read {path} again: {error.strerror or error}") from error
    return digest.hexdigest()


def spare_other(path: Path, new: BinaryIO) -> None:
    """Refuse to lose a file to a new one, unless it is the beginning of it.

    Raises:
        OutputError: it is another file, or cannot be read.
    """
    if not path.exists():
        return
    try:
        with path.open("rb") as old:
            while block := old.read(_BLOCK):
                if new.read(len(block)) != block:
                    raise occupied(path)
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror or error}") from error


def occupied(path: Path, *, changed: bool = False) -> OutputError:
    """Return the error for a file that is in the way, ``changed`` since it was fetched or not."""
    what = "has been changed since it was fetched" if changed else "is not the file of the server"
    return OutputError(
        f"{path} is there and {what}; move it away, choose another folder (--to), or replace it "
        "(--replace)"
    )


def _grow(
    transport: Transport,
    url: str,
    part: Path,
    expect: Callable[[int], None],
    report: Callable[[int], None],
) -> None:
    """Fetch until the server has no more bytes."""
    attempts = transport.attempts()
    while True:
        start = _size(part)
        with attempts.one(), transport.open(url, start) as response:
            if response.status_code == 416:  # there is nothing behind what is here
                return
            if response.status_code == 206 and not _starts_at(response.headers, start):
                part.unlink(missing_ok=True)
                continue
            here = start if response.status_code == 206 else 0
            length = response.headers.get("Content-Length", "")
            if length.isdecimal():
                expect(here + int(length))
            with _open(part, here) as file:
                for chunk in transport.chunks(response, url):
                    _write(file, chunk, part)
                    attempts.gained()
                    here += len(chunk)
                    report(here)
            return


def _starts_at(headers: Mapping[str, str], start: int) -> bool:
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range", ""))
    return found is not None and int(found[1]) == start


def _size(part: Path) -> int:
    try:
        if part.is_symlink():
            part.unlink()
        return part.stat().st_size
    except OSError:
        return 0


def _open(part: Path, size: int) -> BinaryIO:
    """Open the growing file at its end, cut to a size."""
    try:
        file = cast(BinaryIO, part.open("ab", buffering=0))
        file.truncate(size)
    except OSError as error:
        raise _unwritable(part, error) from error
    return file


def _write(file: BinaryIO, chunk: bytes, part: Path) -> None:
    try:
        left = memoryview(chunk)
        while left:
            left = left[file.write(left) :]
    except OSError as error:
        raise _unwritable(part, error) from error


def _settle(part: Path, path: Path) -> None:
    try:
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> OutputError:
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputError(
            f"cannot write {path}: {reason}; free space or choose another folder, and give the "
            "same command again: what is here is kept"
        )
    return OutputError(f"cannot write {path}: {reason}; choose another folder")
