"""Samples of a WFDB record: sizes checked first, then decoded by wfdb from a clean copy.

wfdb gets a header written anew in a temporary folder, with links to the checked signal files:
so it never meets the user's header (it refuses some that are in use), a name that could be a
network address, or a size that the file cannot hold; and nothing is written beside the user's.
"""

from __future__ import annotations

import importlib
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import numpy as np

from ecglens.errors import RecordError
from ecglens.files import temporary_folder
from ecglens.guarded import real_path
from ecglens.readers.assembly import most_values
from ecglens.readers.wfdb_header import DEFAULT_GAIN, GAP, Header, SignalLine, member
from ecglens.records import FloatArray

# Bytes per sample as a fraction (https://physionet.org/physiotools/wag/signal-5.htm).
SAMPLE_BYTES = {
    "8": (1, 1),
    "16": (2, 1),
    "24": (3, 1),
    "32": (4, 1),
    "61": (2, 1),
    "80": (1, 1),
    "160": (2, 1),
    "212": (3, 2),
    "310": (4, 3),
    "311": (4, 3),
}
# Each sample is the difference from the one before: no stretch can be read without those before.
DIFFERENCES = "8"
FLAC = frozenset({"508", "516", "524"})
# float32 holds 24 bits; wider samples are scaled in double precision first.
WIDE = frozenset({"24", "32", "524"})


def measure(header: Header) -> int:
    """Return the number of frames of a header, after checking that its files hold them.

    Raises:
        RecordError: a file is missing, too short, or stored in an unknown format.
    """
    frames = header.n_frames
    for name, lines in _by_file(header).items():
        held = _frames_held(header, member(header.path, name), lines)
        if frames is None:
            frames = held
        if held < frames:
            raise RecordError(
                f"{header.path} declares {frames} samples, but {name} holds {held}; "
                "the file is cut short or the header wrong: get both again"
            )
    if not frames:
        raise RecordError(f"{header.path} has no samples; a record needs at least one")
    return frames


def read_signals(
    header: Header, wanted: Sequence[int], n_frames: int, start: int, stop: int
) -> list[FloatArray]:
    """Decode the frames [start, stop) of some leads, in the units of the header.

    Args:
        header: of one stretch, already measured.
        wanted: places of leads in the header that have a signal file.
        n_frames: as :func:`measure` found.
        start: first frame.
        stop: behind the last frame.

    Returns:
        One float32 array per wanted lead, ``stop - start`` times its samples per frame long.

    Raises:
        RecordError: wfdb cannot decode the files.
    """
    if not wanted:
        return []
    # Leads that were sampled late lie behind.
    late = max(header.signals[i].skew for i in wanted)
    end = min(stop + late, n_frames)
    decoded = _decode(header, wanted, n_frames, start, end) if start < end else None
    return [
        _unskewed(None if decoded is None else decoded[place], header.signals[i], stop - start)
        for place, i in enumerate(wanted)
    ]


def _unskewed(x: FloatArray | None, line: SignalLine, n_frames: int) -> FloatArray:
    """Return the frames of a lead that was sampled ``skew`` frames late; its end is missing."""
    found = np.full(n_frames * line.per_frame, np.nan, dtype=np.float32)
    if x is not None:
        there = x[line.skew * line.per_frame :][: len(found)]
        found[: len(there)] = there
    return found


@contextmanager
def quiet_wfdb() -> Iterator[ModuleType]:
    """Lend wfdb; its import and its calls make pandas warn of things the user cannot change."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield importlib.import_module("wfdb")


@contextmanager
def staged(links: Mapping[str, Path], texts: Mapping[str, str], source: Path) -> Iterator[Path]:
    """Lend a temporary folder with links to files (copies where links are not allowed) and texts.

    Raises:
        RecordError: there is no room for temporary files.
        OutputError: no temporary folder can be made.
    """
    with temporary_folder() as folder:
        try:
            for link, target in links.items():
                _link(folder / link, real_path(target))
            for file, text in texts.items():
                (folder / file).write_text(text, encoding="ascii")
        except OSError as error:
            reason = error.strerror or str(error)
            raise RecordError(f"cannot prepare {source} in {folder}: {reason}") from error
        yield folder


def _link(link: Path, target: Path) -> None:
    try:
        link.symlink_to(target)
    except (OSError, NotImplementedError):
        shutil.copyfile(target, link)


def _by_file(header: Header) -> dict[str, list[SignalLine]]:
    found: dict[str, list[SignalLine]] = {}
    for line in header.signals:
        if line.file != GAP:
            found.setdefault(line.file, []).append(line)
    if not found:
        raise RecordError(f"{header.path} names no signal file; a record needs one")
    return found


def _frames_held(header: Header, path: Path, lines: Sequence[SignalLine]) -> int:
    first = lines[0]
    if any((s.storage, s.offset) != (first.storage, first.offset) for s in lines):
        raise RecordError(f"{header.path} gives {path.name} two storage formats; it can have one")
    size = path.stat().st_size
    per_frame = sum(line.per_frame for line in lines)
    if first.storage in FLAC:
        held = _flac_samples(path, size, len(lines)) // first.per_frame
        return max(0, held - -(-first.offset // first.per_frame))
    if first.storage not in SAMPLE_BYTES:
        known = ", ".join([*SAMPLE_BYTES, *sorted(FLAC)])
        raise RecordError(
            f"{header.path} stores {path.name} in format {first.storage}; ecglens reads {known}"
        )
    n_bytes, n_samples = SAMPLE_BYTES[first.storage]
    return max(0, (size - first.offset) * n_samples // n_bytes // per_frame)


def _flac_samples(path: Path, size: int, n_leads: int) -> int:
    """Return the samples per channel that a FLAC file announces, within what its size allows."""
    with path.open("rb") as file:
        head = file.read(26)
    if len(head) < 26 or head[:4] != b"fLaC":
        raise RecordError(f"{path} is not a FLAC file, though its header says so; get it again")
    channels = (head[20] >> 1 & 0x07) + 1
    announced = (head[21] & 0x0F) << 32 | int.from_bytes(head[22:26], "big")
    if channels != n_leads:
        raise RecordError(f"{path} has {channels} channels, but its header describes {n_leads}")
    if announced * channels > most_values(size):
        raise RecordError(f"{path} announces {announced} samples, too many for {size} bytes")
    return announced


def _clean(line: SignalLine, files: Mapping[str, str]) -> str:
    """Write a signal line without skew and unit, which are applied here."""
    storage = f"{line.storage}x{line.per_frame}+{line.offset}"
    gain = f"{line.gain or DEFAULT_GAIN!r}({line.baseline})/mV"
    return f"{files[line.file]} {storage} {gain} 0 0 {line.initial} 0 0 lead"


def _decode(
    header: Header, wanted: Sequence[int], n_frames: int, start: int, stop: int
) -> list[FloatArray]:
    """Return leads as they are stored, frames [start, stop)."""
    files = {name: f"s{i}.dat" for i, name in enumerate(_by_file(header))}
    stored = [i for i, line in enumerate(header.signals) if line.file != GAP]
    lines = [header.signals[i] for i in stored]
    first = f"record {len(lines)} 250 {n_frames}"
    text = "\n".join([first, *(_clean(line, files) for line in lines), ""])
    links = {files[name]: member(header.path, name) for name in files}
    bits = 64 if any(line.storage in WIDE for line in lines) else 32
    with staged(links, {"record.hea": text}, header.path) as folder:
        try:
            with quiet_wfdb() as wfdb:
                read = wfdb.rdrecord(
                    str(folder / "record"),
                    sampfrom=start,
                    sampto=stop,
                    channels=[stored.index(i) for i in wanted],
                    smooth_frames=False,
                    return_res=bits,
                )
        except Exception as error:
            raise RecordError(
                f"cannot decode the signals of {header.path}: {error}; the file is damaged: get it "
                "again"
            ) from error
    return [np.asarray(x, dtype=np.float32) for x in read.e_p_signal]
