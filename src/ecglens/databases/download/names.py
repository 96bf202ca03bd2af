"""Names that a server's lists give, none of which may leave the folder."""

from __future__ import annotations

import re
from pathlib import Path

from ecglens.errors import FetchError, OutputError

MAX_DEPTH, MAX_LENGTH = 8, 200
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+@=,() -]*")
# Names of devices on Windows, with any ending.
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *]?(.+)")


def parse_sums(text: str, where: str) -> dict[str, str]:
    """Return the SHA-256 of each file by its name from the text of ``SHA256SUMS.txt``.

    Names are not checked here, since most are never used; see :class:`Places`.

    Raises:
        FetchError: a line is not a checksum and a name, or there is none.
    """
    sums: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        found = _LINE.fullmatch(line.rstrip())
        if not found:
            raise FetchError(
                f"{where} is not a list of SHA-256 checksums: line {number} is {line[:60]!r}; "
                "check the address"
            )
        sums[found[2].removeprefix("./")] = found[1].lower()
    if not sums:
        raise FetchError(f"{where} lists no file; check the address")
    return sums


class Places:
    """Where files that a list names go, always below a folder.

    Args:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._inside = root.resolve()
        self._folders: dict[str, Path] = {}

    def of(self, name: str) -> Path:
        """Return the path of a file.

        Raises:
            FetchError: the name is absolute, hidden, climbs with ``..``, is a device's or has
                characters that not every system allows.
            OutputError: a link on the way leads out of the folder.
        """
        above, _, last = name.rpartition("/")
        if above not in self._folders:
            self._check(name, above.split("/") if above else [])
            self._folders[above] = self._root / above
            self._check_link(self._folders[above])
        self._check(name, [last])
        path = self._folders[above] / last
        if path.is_symlink():
            self._check_link(path)
        return path

    def _check(self, name: str, parts: list[str]) -> None:
        good = all(
            _PART.fullmatch(part) and not part.endswith((".", " ")) and not _DEVICE.fullmatch(part)
            for part in parts
        )
        if not good or len(parts) >= MAX_DEPTH or len(name) > MAX_LENGTH:
            raise FetchError(
                f"the server lists a file {name[:80]!r}, which cannot stand below {self._root}; "
                "it is not fetched: check the address"
            )

    def _check_link(self, path: Path) -> None:
        if not path.resolve().is_relative_to(self._inside):
            raise OutputError(f"{path} leads through a link out of {self._root}; remove the link")
