"""WFDB headers: parsed here rather than by wfdb, which stops at real ones and trusts hostile ones.

The format is described in https://physionet.org/physiotools/wag/header-5.htm.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ecglens.errors import RecordError
from ecglens.guarded import is_regular, kind_of, lies_in
from ecglens.readers.assembly import MAX_LEADS, file_fs
from ecglens.records import MAX_FS_HZ

MAX_HEADER_BYTES = 4 * 2**20
DEFAULT_GAIN = 200.0  # counts per mV, where the header gives 0 or none (header-5)
_SHOWN = 60
GAP = "~"  # stands for a stretch, or a lead, without samples

# Numbers of a bounded length: Python refuses to convert more than 4300 digits.
_RECORD_NAME = re.compile(r"[^\s/]+(?:/([0-9]{1,9}))?")
_FS = re.compile(r"([-+]?[\d.]+(?:[eE][-+]?\d+)?)(?:/\S*)?")
_STORAGE = re.compile(r"([0-9]{1,9})(?:x([0-9]{1,9}))?(?::([0-9]{1,15}))?(?:\+([0-9]{1,15}))?")
_GAIN = re.compile(r"([-+]?[\d.]+(?:[eE][-+]?\d+)?)(?:\((-?[0-9]{1,15})\))?(?:/(\S+))?")
_CLOCK = re.compile(r"\d{1,2}(:\d{1,2}){0,2}(\.\d*)?")
_DATE = re.compile(r"\d{1,2}/\d{1,2}/\d{1,4}")
_COUNT = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True)
class SignalLine:
    """How one lead is stored; ``unit`` is ``""`` where the header gives none (mV by the format)."""

    file: str
    storage: str
    per_frame: int
    skew: int
    offset: int
    gain: float
    baseline: int
    unit: str
    initial: int
    name: str


@dataclass(frozen=True)
class Header:
    """A parsed header: of one stretch (``signals``) or of several (``segments``).

    ``fs`` is the frame rate in Hz, None where it is not given; ``n_frames`` likewise.
    """

    path: Path
    fs: float | None
    n_frames: int | None
    signals: tuple[SignalLine, ...] = ()
    segments: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()


def read_header(path: Path) -> Header:
    """Read and check a header; no file but this one is touched.

    Raises:
        RecordError: it is not a WFDB header, or it declares what cannot be.
    """
    lines = _lines(path)
    tokens = lines[0].split() if lines else []
    name = _RECORD_NAME.fullmatch(tokens[0]) if tokens else None
    if name is None or len(tokens) < 2 or not _COUNT.fullmatch(tokens[1]):
        shown = lines[0][:60] if lines else ""
        raise RecordError(
            f"{path} is not a WFDB header: its first line is {shown!r}; it must give a name, the "
            "number of signals, the sampling rate and the number of samples"
        )
    n_signals = int(tokens[1])
    if n_signals == 0:
        raise RecordError(f"{path} declares no signals; a record needs at least one lead")
    if n_signals > MAX_LEADS:
        raise RecordError(
            f"{path} declares {n_signals} signals, over {MAX_LEADS}; that is no ECG: split it"
        )
    fs, n_frames = _rate_and_length(path, tokens[2:4])
    notes = _record_notes(path, tokens)
    if name[1] is not None:
        segments = _segments(path, lines[1:], int(name[1]))
        return Header(path, fs, n_frames, segments=segments, notes=tuple(notes))
    if len(lines) - 1 < n_signals:
        raise RecordError(
            f"{path} declares {n_signals} signals and describes {len(lines) - 1}; "
            "the header is cut short: get it again"
        )
    signals = [_signal_line(path, line) for line in lines[1 : n_signals + 1]]
    if any(line.gain == 0 for line in signals):
        notes.append(f"gain 0 in the header is read as {DEFAULT_GAIN:g} per mV, as WFDB defines")
    return Header(path, fs, n_frames, signals=tuple(signals), notes=tuple(notes))


def says_no_signal(path: Path) -> bool:
    """Tell whether a header is that of annotations alone; never raises."""
    try:
        tokens = _lines(path)[0].split()
    except (RecordError, IndexError):
        return False
    named = _RECORD_NAME.fullmatch(tokens[0]) is not None
    return named and len(tokens) > 1 and not tokens[1].strip("0")


def parts_of(path: Path) -> list[Path]:
    """Return the headers of a record's segments and its signal files, which may not be there.

    There are none where the header cannot be read; names that lead elsewhere do not count.
    """
    try:
        header = read_header(path)
    except RecordError:
        return []
    segments = [f"{name}.hea" for name, _ in header.segments if name != GAP]
    files = [line.file for line in header.signals if line.file != GAP]
    names = dict.fromkeys(name for name in (*segments, *files) if _is_plain(name))
    return [path.parent / name for name in names]


def member(header: Path, name: str) -> Path:
    """Return the file that a header names, if it is one beside the header.

    Raises:
        RecordError: the name leads elsewhere or the file is missing.
    """
    if not _is_plain(name):
        raise RecordError(
            f"{header} names the file {_shown(name)}; only files in the header's own folder are "
            "opened"
        )
    path = header.with_name(name)
    if not lies_in(path, header.parent):
        raise RecordError(
            f"{header} names the file {_shown(name)}, a link that leads out of the folder; "
            "only files in the header's own folder are opened"
        )
    if not is_regular(path):
        what = "not a regular file" if kind_of(path) else "not in its folder"
        raise RecordError(f"{header} names the file {_shown(name)}, which is {what}; put it there")
    return path


def _is_plain(name: str) -> bool:
    """Tell whether a name is that of a file in the header's own folder."""
    return name not in {"", ".", "..", "-"} and not re.search(r"[/\\\0]|^[A-Za-z]:", name)


def _shown(name: str) -> str:
    return repr(name if len(name) <= _SHOWN else f"{name[:_SHOWN]}...")


def _lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_HEADER_BYTES + 1)
    except OSError as error:
        raise RecordError(f"cannot read {path}: {error.strerror or error}") from error
    if len(raw) > MAX_HEADER_BYTES or b"\0" in raw:
        raise RecordError(f"{path} is not a WFDB header: it is not a short text file")
    stripped = (line.strip() for line in raw.decode("utf-8-sig", "replace").splitlines())
    return [line for line in stripped if line and not line.startswith("#")]


def _rate_and_length(path: Path, tokens: Sequence[str]) -> tuple[float | None, int | None]:
    if not tokens:
        return None, None
    rate = _FS.fullmatch(tokens[0])
    fs = _number(rate[1]) if rate else math.nan
    if math.isnan(fs):
        raise RecordError(f"{path} gives the sampling rate {tokens[0]!r}; it must be a number")
    if not 0 < fs <= MAX_FS_HZ:
        file_fs(fs, str(path))
    if len(tokens) < 2:
        return fs, None
    if not _COUNT.fullmatch(tokens[1]):
        raise RecordError(
            f"{path} gives the number of samples {tokens[1]!r}; it must be a whole number"
        )
    # 0 stands for "not known" (header-5).
    return fs, int(tokens[1]) or None


def _record_notes(path: Path, tokens: Sequence[str]) -> list[str]:
    notes: list[str] = []
    name = tokens[0].split("/")[0]
    if name != path.stem:
        notes.append(f"the header calls the record {name!r}; the file's name is used")
    when = tokens[4:]
    usual = len(when) <= 2 and all(
        rule.fullmatch(token) for rule, token in zip((_CLOCK, _DATE), when, strict=False)
    )
    if not usual:
        notes.append(
            f"the header's time and date {' '.join(when)[:40]!r} are not as WFDB writes them "
            "(hh:mm:ss dd/mm/yyyy); ignored"
        )
    return notes


def _segments(path: Path, lines: Sequence[str], declared: int) -> tuple[tuple[str, int], ...]:
    found: list[tuple[str, int]] = []
    for line in lines[:declared]:
        tokens = line.split()
        if len(tokens) < 2 or not _COUNT.fullmatch(tokens[1]):
            raise RecordError(
                f"{path}: the segment line {line[:60]!r} must give a name and a length"
            )
        found.append((tokens[0], int(tokens[1])))
    if len(found) != declared or not found:
        raise RecordError(
            f"{path} declares {declared} segments and lists {len(found)}; "
            "the header is cut short: get it again"
        )
    return tuple(found)


def _signal_line(path: Path, line: str) -> SignalLine:
    tokens = line.split(maxsplit=8)
    storage = _STORAGE.fullmatch(tokens[1]) if len(tokens) > 1 else None
    if storage is None:
        raise RecordError(
            f"{path}: the signal line {line[:60]!r} must give a file and a storage format"
        )
    gain, baseline, unit = _calibration(path, tokens[2] if len(tokens) > 2 else "0")
    zero = _whole(path, line, tokens, 4)
    return SignalLine(
        file=tokens[0],
        storage=storage[1],
        per_frame=int(storage[2] or 1) or 1,
        skew=int(storage[3] or 0),
        offset=int(storage[4] or 0),
        gain=gain,
        baseline=zero if baseline is None else baseline,
        unit=unit,
        initial=_whole(path, line, tokens, 5, zero),
        name=tokens[8].strip() if len(tokens) > 8 else "",
    )


def _calibration(path: Path, token: str) -> tuple[float, int | None, str]:
    found = _GAIN.fullmatch(token)
    gain = _number(found[1]) if found else math.nan
    if found is None or not math.isfinite(gain):
        raise RecordError(f"{path} gives the gain {token[:40]!r}; it must be a number like 200/mV")
    return gain, None if found[2] is None else int(found[2]), found[3] or ""


def _whole(path: Path, line: str, tokens: Sequence[str], index: int, default: int = 0) -> int:
    if len(tokens) <= index:
        return default
    if not re.fullmatch(r"[-+]?\d{1,15}", tokens[index]):
        raise RecordError(
            f"{path}: {tokens[index][:20]!r} in the signal line {line[:60]!r} "
            "must be a whole number"
        )
    return int(tokens[index])


def _number(token: str) -> float:
    try:
        return float(token)
    except ValueError:
        return math.nan
