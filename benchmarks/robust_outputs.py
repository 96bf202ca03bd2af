"""Places that cannot be written, and disks that are full or fail while a command writes.

Each is chosen by a number, so that any try can be made again. What needs a right that this process
has not (to mount, to give up the rights of root) is replaced by a limit on the size of files.
"""

from __future__ import annotations

import ctypes
import errno
import os
import random
import resource
import signal
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Act = Callable[[], None]
_PAGE = 4096
_ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT, errno.EACCES, errno.EPERM)
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_READ_ONLY, _REMOUNT, _LAZY = 1, 32, 2


def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def mount(place: Path, options: str, flags: int = 0) -> bool:
    """Mount a small disk in memory on a folder; return whether it could be done."""
    try:
        words = [os.fsencode(text) for text in ("tmpfs", str(place), "tmpfs")]
        return int(_libc().mount(*words, flags, options.encode())) == 0
    except (AttributeError, OSError):
        return False


def unmount(place: Path) -> None:
    """Take a disk away."""
    _libc().umount2(os.fsencode(place), _LAZY)


def give_up_rights() -> None:
    """Give up what lets root write anywhere."""

    class Header(ctypes.Structure):
        _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))

    none = (ctypes.c_uint32 * 6)()
    _libc().capset(ctypes.byref(Header(0x20080522, 0)), ctypes.byref(none))


def limit_files(n_bytes: int) -> None:
    """Let no file grow beyond a size, -1 for none; writing more is an error, not a signal."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))


def fail_from(number: int, code: int, places: tuple[str, ...], *, once: bool) -> None:
    """Let the change of files of some number under some places fail, and all after it."""
    left = number

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event == "open":
            changes = isinstance(arguments[2], int) and bool(arguments[2] & _WRITES)
        else:
            changes = event in ("os.mkdir", "os.rename")
        if not changes or not isinstance(arguments[0], str | bytes | os.PathLike):
            return
        if not str(Path.cwd() / os.fsdecode(arguments[0])).startswith(places):
            return
        left -= 1
        if left == -1 or (left < 0 and not once):
            raise OSError(code, os.strerror(code))

    sys.addaudithook(hook)


def _below_a_file(place: Path) -> Path:
    place.write_text("mine")
    return place / "below"


def _linked(place: Path, target: str) -> Path:
    place.symlink_to(target)
    return place


def _made(place: Path) -> Path:
    place.mkdir()
    return place


def _closed(place: Path) -> Path:
    place.parent.chmod(0o555)
    return place


def _pipe(place: Path) -> Path:
    os.mkfifo(place)
    return place


def _device(place: Path) -> Path:
    """Make a device that is always full; the system's own would be gone if it were replaced."""
    try:
        os.mknod(place, 0o666 | stat.S_IFCHR, os.makedev(1, 7))
    except PermissionError:
        return _pipe(place)
    return place


def _written(place: Path) -> Path:
    place.write_text("mine")
    return place


PLACES: Mapping[str, Callable[[Path], Path]] = {
    "a file": _written,
    "a folder": _made,
    "below a file": _below_a_file,
    "in no folder": lambda place: place.parent / "none" / "deeper" / place.name,
    "a link to itself": lambda place: _linked(place, place.name),
    "a link to nothing": lambda place: _linked(place, "nothing"),
    "a device": _device,
    "a link to a device": lambda place: _linked(place, _device(place.with_name("device")).name),
    "below /dev/null": lambda place: Path("/dev/null") / place.name,
    "a pipe": _pipe,
    "in a folder that is closed": _closed,
    "a name of 300 characters": lambda place: place.with_name("n" * 300 + place.suffix),
    "a path of 5000 characters": lambda place: place.parent.joinpath(*["n" * 99] * 50, place.name),
    "a name with a line end": lambda place: place.with_name(f"a\nb\x1b[31m{place.name}"),
    "a name that is no text": lambda place: place.with_name(f"\udcff{place.name}"),
    "a name that is a number": lambda place: place.with_name("-1"),
    "another ending": lambda place: place.with_suffix(".xyz"),
    "up and down": lambda place: place.parent / "none" / ".." / place.name,
}
"""Bad places: each makes one of the good place and returns what is named to the command."""

DISKS = ("small", "few files", "read-only", "short files", "failing", "failing once", "no screen")


def nothing() -> None:
    """Do nothing."""


def full_disk(kind: str, number: int, place: Path, folders: tuple[Path, ...]) -> tuple[Act, Act]:
    """Prepare a bad disk.

    Args:
        kind: one of :data:`DISKS`.
        number: chooses sizes and moments.
        place: folder that the command writes its results to.
        folders: all folders that it may write to.

    Returns:
        what to do in the process before the command, and what to do when all has been looked at.
    """
    chance = random.Random(number)
    size = int(2 ** chance.uniform(0, 19))
    if kind.startswith("failing"):
        return _failing(chance, folders, once=kind.endswith("once")), nothing
    if kind == "no screen":
        return _full_screen, nothing
    if _mounted(kind, chance, size, place):
        return nothing, lambda: unmount(place)
    # What is said of it must find room.
    return lambda: limit_files(max(size, _PAGE)), nothing


def _failing(chance: random.Random, folders: tuple[Path, ...], *, once: bool) -> Act:
    names = tuple(str(folder) for folder in folders)
    code = chance.choice(_ERRORS)
    moment = chance.choice((0, 1, 2, 3, 5, 8, 13, 21, chance.randrange(60)))
    return lambda: fail_from(moment, code, names, once=once)


def _mounted(kind: str, chance: random.Random, size: int, place: Path) -> bool:
    """Mount a bad disk, if it is of such a kind; return whether there is one."""
    if kind == "small":
        return mount(place, f"size={_PAGE * (1 + size // _PAGE)}")
    if kind == "few files":
        return mount(place, f"nr_inodes={2 + chance.randrange(8)}")
    if kind == "read-only":
        return mount(place, "size=16k") and mount(place, "", _REMOUNT | _READ_ONLY)
    return False


def _full_screen() -> None:
    os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
