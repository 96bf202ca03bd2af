"""A server, in a process of its own, of the files that lie in folders of tries."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import tempfile
import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path

from local_server import serving

_MARK = "/files/"


class _Folders(Mapping[str, bytes]):
    """Files under a folder by the path of their address, looked up when they are asked for.

    Whatever stands in an address behind the mark, its last word names a file of the folder before.
    """

    def __init__(self, top: Path) -> None:
        self._top = top

    def __getitem__(self, path: str) -> bytes:
        folder, _, rest = urllib.parse.unquote(path).partition(_MARK)
        place = self._top / folder.lstrip("/") / rest.rpartition("/")[2]
        try:
            return place.read_bytes()
        except (OSError, ValueError):
            raise KeyError(path) from None

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


@functools.cache
def _address(top: Path) -> str:
    """Start a server that ends with this process, and return its address."""
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(serving(_Folders(top))).removesuffix(_MARK)


def address_of(folder: Path) -> str:
    """Return the address of a folder under this process's folder for temporary files."""
    top = Path(os.environ.get("TMPDIR", tempfile.gettempdir())).resolve()
    return f"{_address(top)}/{folder.resolve().relative_to(top)}{_MARK}"


def port_of(address: str) -> int:
    """Return the port of an address."""
    return urllib.parse.urlsplit(address).port or 0
