"""Inputs that are made to do harm: links, devices, names that lead elsewhere, bombs."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import robust_files as files
from robust_files import Sample, write_files
from robust_models import HOSTILE, Hostile

OUTSIDE = "outside"
_HUGE = 1 << 33


@dataclass(frozen=True)
class Special:
    """A hostile input: ``prepare`` writes it to a folder and returns what is to be read."""

    name: str
    prepare: Callable[[Path, Sample], Path]


def _write(folder: Path, sample: Sample) -> Path:
    write_files(folder, sample.files)
    return folder / sample.opened


def _replaced(make: Callable[[Path], object], *, opened: bool) -> Callable[[Path, Sample], Path]:
    """Put something else in the place of a file of the sample."""

    def prepare(folder: Path, sample: Sample) -> Path:
        path = _write(folder, sample)
        place = path if opened else folder / sample.damaged
        place.unlink()
        make(place)
        return path

    return prepare


def _sparse(place: Path) -> None:
    with place.open("wb") as file:
        file.truncate(_HUGE)


def _loop(place: Path) -> None:
    place.symlink_to(place.name)


def _link_out(place: Path) -> None:
    secret = place.parent.parent / OUTSIDE
    secret.mkdir(exist_ok=True)
    (secret / place.name).write_bytes(b"\1\2" * 600)
    place.symlink_to(secret / place.name)


_PLACES: dict[str, Callable[[Path], object]] = {
    "a link to itself": _loop,
    "a link to /dev/zero": lambda place: place.symlink_to("/dev/zero"),
    "a link to /dev/full": lambda place: place.symlink_to("/dev/full"),
    "a link to nothing": lambda place: place.symlink_to("nothing"),
    "a folder": lambda place: place.mkdir(),
    "a pipe nobody writes to": lambda place: os.mkfifo(place),
    "an empty file": lambda place: place.touch(),
    "one byte": lambda place: place.write_bytes(b"0"),
    "8 GB of nothing": _sparse,
    "only line ends": lambda place: place.write_bytes(b"\n" * 4096),
    "1 MB of zeros": lambda place: place.write_bytes(bytes(1 << 20)),
    "1 MB of brackets": lambda place: place.write_bytes(b"[" * (1 << 20)),
    "1 MB of one line": lambda place: place.write_bytes(b"7" * (1 << 20)),
    "1 MB of commas": lambda place: place.write_bytes(b"," * (1 << 20)),
    "a zip in a zip in a zip": lambda place: place.write_bytes(_nested_zip()),
    "a bomb of 200 MB": lambda place: place.write_bytes(_bomb(1)),
    "a bomb of many members": lambda place: place.write_bytes(_bomb(40)),
}
PLACES: Sequence[Special] = tuple(
    Special(name, _replaced(make, opened=True)) for name, make in _PLACES.items()
)

IN_FOLDERS: Sequence[Special] = tuple(
    Special(name, _replaced(make, opened=False)) for name, make in _PLACES.items()
)
"""As :data:`PLACES`, for a file of a folder that is named."""


def _nested_zip() -> bytes:
    data = b"signal"
    for _ in range(3):
        data = files.zip_of({"signal.npy": data})
    return data


def _bomb(n_members: int) -> bytes:
    """Return a zip of arrays of zeros that unpack to 200 MB, hundreds of times its size."""
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(200 * 2**20 // 8 // n_members))
    names = [f"{name}.npy" for name in ("signal", *(f"a{i}" for i in range(n_members - 1)))]
    return files.zip_of(dict.fromkeys(names, buffer.getvalue()), zipfile.ZIP_DEFLATED)


_NAMES = (
    f"../{OUTSIDE}/r.dat", "/var/outside.dat", "/dev/zero", "/etc/passwd", "..", ".", "-", "~",
    "NUL", "CON", "COM1", "C:\\r.dat", "..\\r.dat", "https://example.org/r.dat", "r.dat|ls",
    "$(ls)", "%2e%2e/r.dat", "a" * 300, "a" * 5000, "\u202er.dat", "r.hea", "r.atr", "r.dat/",
    "sub/r.dat", "\x7f", "*",
)  # fmt: skip


def _named(name: str, *, segment: bool) -> Callable[[Path, Sample], Path]:
    """Write a header that names another file."""

    def prepare(folder: Path, _: Sample) -> Path:
        _link_out(folder / "linked.dat")
        (folder / "r.dat").write_bytes(bytes(1200))
        path = folder / "r.hea"
        if segment:
            path.write_text(f"r/1 1 {files.FS} 300\n{name} 300\n", encoding="utf-8")
        else:
            text = f"r 1 {files.FS} 300\n{name} 16 200/mV 16 0 0 0 0 II\n"
            path.write_text(text, encoding="utf-8")
        return path

    return prepare


def _header(text: str) -> Callable[[Path, Sample], Path]:
    """Write a header over a small signal file."""

    def prepare(folder: Path, _: Sample) -> Path:
        data = np.zeros(300, dtype="<i2").tobytes()
        (folder / "r.dat").write_bytes(data)
        (folder / "a.dat").write_bytes(data)
        line = "a.dat 16 200/mV 16 0 0 0 0 II\n"
        (folder / "a.hea").write_text(f"a 1 {files.FS} 300\n{line}")
        (folder / "r.hea").write_text(text)
        return folder / "r.hea"

    return prepare


def _annotations(data: Callable[[], bytes]) -> Callable[[Path, Sample], Path]:
    def prepare(folder: Path, sample: Sample) -> Path:
        path = _header(f"r 1 {files.FS} 300\nr.dat 16 200/mV 16 0 0 0 0 II\n")(folder, sample)
        (folder / "r.atr").write_bytes(data())
        return path

    return prepare


def _beside(make: Callable[[Path], object], name: str) -> Callable[[Path, Sample], Path]:
    """Write a good record and put something in the place of its signal or annotation file."""

    def prepare(folder: Path, sample: Sample) -> Path:
        path = _annotations(lambda: b"\0\0")(folder, sample)
        (folder / name).unlink()
        make(folder / name)
        return path

    return prepare


_LINE = "r.dat 16 200/mV 16 0 0 0 0 II\n"
_HEADERS = {
    "a gap of a day": f"r/3 1 {files.FS} 8640600\na 300\n~ 8640000\na 300\n",
    "a gap of years": f"r/3 1 {files.FS} 536870000\na 300\n~ 536869400\na 300\n",
    "a gap of ages": f"r/3 1 {files.FS} 999999999999600\na 300\n~ 999999999999000\na 300\n",
    "itself as a segment": f"r/1 1 {files.FS} 300\nr 300\n",
    "one segment 100,000 times": f"r/100000 1 {files.FS} 30000000\n" + "a 300\n" * 100_000,
    "100,000 leads": f"r 100000 {files.FS} 0\n" + "r.dat 16 200/mV 16 0 0 0 0 II\n" * 100_000,
    "10,000 leads of one sample": f"r 150 {files.FS} 2\n" + _LINE * 150,
    "samples a frame": f"r 1 {files.FS} 1\nr.dat 16x999999999 200/mV 16 0 0 0 0 II\n",
    "a long number of samples a frame": f"r 1 {files.FS} 1\nr.dat 16x{'9' * 5000} 200/mV\n",
    "a long skew": f"r 1 {files.FS} 300\nr.dat 16:{'9' * 5000} 200/mV\n",
    "a skew": f"r 1 {files.FS} 300\nr.dat 16:999999999999999 200/mV\n",
    "a long offset": f"r 1 {files.FS} 300\nr.dat 16+{'9' * 5000} 200/mV\n",
    "an offset": f"r 1 {files.FS}\nr.dat 16+999999999999999 200/mV\n",
    "a long baseline": f"r 1 {files.FS} 300\nr.dat 16 200({'9' * 5000})/mV\n",
    "a baseline": f"r 1 {files.FS} 300\nr.dat 16 200(99999999999999999999)/mV\n",
    "a gain": f"r 1 {files.FS} 300\nr.dat 16 1e-320/mV 16 5 0 0 0 II\n",
    "a great gain": f"r 1 {files.FS} 300\nr.dat 16 1e308/mV 16 5 0 0 0 II\n",
    "a negative gain": f"r 1 {files.FS} 300\nr.dat 16 -1e-300/mV 16 5 0 0 0 II\n",
    "a long number of segments": f"r/{'9' * 5000} 1 {files.FS} 300\n",
    "a long rate": f"r 1 {'9' * 5000} 300\n{_LINE}",
    "an initial value": f"r 1 {files.FS} 300\nr.dat 8 200/mV 16 0 999999999999999 0 0 II\n",
    "a rate in other digits": f"r 1 \u0663\u0663\u0663 300\n{_LINE}",
    "a name of 60,000 characters": f"r 1 {files.FS} 300\nr.dat 16 200/mV 16 0 0 0 0 {'I' * 60_000}",
}
_MARKS: dict[str, Callable[[], bytes]] = {
    "4 MB of beats": lambda: b"\1\4" * (2 * 2**20) + b"\0\0",
    "16 MB of beats": lambda: b"\0\4" * (8 * 2**20 - 1) + b"\0\0",
    "a million rhythms": lambda: b"\1\x70\2\xfc(N" * 700_000 + b"\0\0",
    "no time": lambda: b"\0\x58\x1a\xfc## time resolution: 0.0001" + b"\1\4" * 9 + b"\0\0",
    "a clock of many digits": lambda: b"\0\x58\xff\xff## time resolution: "
    + b"9" * 1003 + b"\0" + b"\1\4" * 9 + b"\0\0",
    "steps back": lambda: b"\0\xec\xff\xff\xff\xff\1\4" * 9 + b"\0\0",
}  # fmt: skip

WFDB_SPECIALS: Sequence[Special] = (
    *(Special(f"{what} as signal", _beside(make, "r.dat")) for what, make in _PLACES.items()),
    *(Special(f"{what} as annotation", _beside(make, "r.atr")) for what, make in _PLACES.items()),
    Special("a link that leads out as signal", _beside(_link_out, "r.dat")),
    Special("a link that leads out as annotation", _beside(_link_out, "r.atr")),
    *(Special(f"a signal called {name[:30]!r}", _named(name, segment=False)) for name in _NAMES),
    *(Special(f"a segment called {name[:30]!r}", _named(name, segment=True)) for name in _NAMES),
    Special("a link that leads out, named", _named("linked.dat", segment=False)),
    *(Special(f"a header with {name}", _header(text)) for name, text in _HEADERS.items()),
    *(Special(f"annotations with {name}", _annotations(data)) for name, data in _MARKS.items()),
)


def _model(hostile: Hostile) -> Callable[[Path, Sample], Path]:
    def prepare(folder: Path, sample: Sample) -> Path:
        path = folder / sample.opened
        path.write_bytes(hostile.make(files.members_of(sample.whole)))
        return path

    return prepare


MODEL_SPECIALS: Sequence[Special] = (
    *PLACES,
    *(Special(name, _model(hostile)) for name, hostile in HOSTILE.items()),
)
NETWORK_SPECIALS: Sequence[Special] = PLACES
