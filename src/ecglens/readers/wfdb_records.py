"""WFDB records: a checked header, samples decoded by wfdb, segments put together, rhythms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ecglens.errors import RecordError
from ecglens.readers.assembly import (
    LeadName,
    agree_on_fs,
    choose_leads,
    file_fs,
    make_source,
    most_values,
    mv_per_unit,
)
from ecglens.readers.source import ArraySamples, RecordSource, Samples
from ecglens.readers.wfdb_header import GAP, Header, SignalLine, member, read_header
from ecglens.readers.wfdb_rhythms import USUAL, Convention, read_rhythms
from ecglens.readers.wfdb_signals import DIFFERENCES, measure, read_signals
from ecglens.records import FloatArray

# No count of 32 bits over a gain above this reaches the limit of float32 (3e38).
_TINY_GAIN = 1e-25
# A segment may come again, but each time costs the time to decode it.
_MOST_REPEATS = 100


def open_wfdb(
    path: Path, fs: float | None, annotator: str | None, convention: Convention = USUAL
) -> RecordSource:
    """Open the WFDB record of a header.

    Leads with several samples per frame keep them all: the record gets the rate of its fastest
    ECG lead, and slower ECG leads are interpolated linearly to it. Leads that are not an ECG
    voltage are left out.

    Args:
        path: the ``.hea`` file.
        fs: Hz, only where the header has none.
        annotator: ending of the annotation file, or None for the usual ones.
        convention: how the database writes rhythms.

    Raises:
        RecordError: the header, a signal file or the named annotation file is missing or damaged.
    """
    header = read_header(path)
    parts = _parts(header)
    layout = parts[0].header.signals
    names = [
        LeadName(s.name or f"lead{i + 1}", _unit_of(s, parts), i) for i, s in enumerate(layout)
    ]
    kept, notes = choose_leads(names, str(path))
    per_frame = max(layout[i].per_frame for i in kept)
    frame_fs, rate = _rates(header, fs, per_frame)
    if any(layout[i].per_frame != per_frame for i in kept):
        notes.append(f"slower leads are interpolated to {rate:g} Hz")
    samples: Samples = WfdbSamples(parts, [layout[i] for i in kept], kept, per_frame)
    if any(line.storage == DIFFERENCES for part in parts for line in part.header.signals):
        whole = samples.read(0, samples.n_samples, range(len(kept)))
        samples = ArraySamples(lambda: whole, range(len(kept)))
    annotated = read_rhythms(
        path,
        frame_fs,
        samples.n_samples / rate,
        annotator,
        convention=convention,
        leads=[lead.name for lead in names],
        signals=[line.file for part in parts for line in part.header.signals],
    )
    return make_source(
        path,
        samples,
        [_in_mv(names[i]) for i in kept],
        rate,
        notes=[*header.notes, *notes, *annotated.notes],
        rhythms=annotated.rhythms,
        unread=annotated.unread,
        look=any(_may_overflow(line) for part in parts for line in part.header.signals),
    )


def _may_overflow(line: SignalLine) -> bool:
    """Tell whether 32 bits of counts at this gain may be too much for a float32."""
    return 0 < abs(line.gain) < _TINY_GAIN


class Part(NamedTuple):
    """A header and the frames [start, end) of the record that it fills."""

    header: Header
    start: int
    end: int


def _rates(header: Header, given: float | None, per_frame: int) -> tuple[float, float]:
    """Return the frame rate and the rate of the fastest lead, both in Hz."""
    where = str(header.path)
    if header.fs is None:
        frame_fs = agree_on_fs(None, given, where)
        return frame_fs, file_fs(frame_fs * per_frame, where)
    return header.fs, agree_on_fs(file_fs(header.fs * per_frame, where), given, where)


def _in_mv(lead: LeadName) -> LeadName:
    """Return the lead as it is once scaled; a header without a unit means mV (header-5)."""
    return lead if mv_per_unit(lead.unit) is None else replace(lead, unit="mV")


def _parts(header: Header) -> list[Part]:
    """Return the stretches of a record; the first tells the leads (its length may be 0)."""
    if not header.segments:
        return [Part(header, 0, measure(header))]
    parts: list[Part] = []
    start = 0
    often = Counter(name for name, _ in header.segments if name != GAP).most_common(1)
    if often and often[0][1] > _MOST_REPEATS:
        raise RecordError(
            f"{header.path} lists the segment {often[0][0][:60]!r} {often[0][1]} times; at most "
            f"{_MOST_REPEATS} times are read: correct the header"
        )
    for index, (name, length) in enumerate(header.segments):
        if name != GAP:
            segment = read_header(member(header.path, f"{name}.hea"))
            is_layout = index == 0 and length == 0
            _check_segment(header, segment, length, is_layout=is_layout)
            parts.append(Part(segment, start, start + length))
        start += length
    if not parts:
        raise RecordError(f"{header.path} lists only gaps; a record needs a segment with signals")
    if header.n_frames not in (None, start):
        raise RecordError(
            f"{header.path} declares {header.n_frames} samples, but its segments have {start}; "
            "correct the header"
        )
    return _with_end(parts, start)


def _with_end(parts: list[Part], end: int) -> list[Part]:
    """Append an empty part where the record ends in a gap, so that the last one tells its end."""
    return parts if parts[-1].end == end else [*parts, Part(parts[0].header, end, end)]


def _check_segment(header: Header, segment: Header, length: int, *, is_layout: bool) -> None:
    if segment.segments:
        raise RecordError(f"{segment.path} is a segment with segments of its own; not allowed")
    if None not in (header.fs, segment.fs) and header.fs != segment.fs:
        raise RecordError(
            f"{segment.path} is sampled at {segment.fs:g} Hz, but {header.path.name} says "
            f"{header.fs:g} Hz; all segments need one rate"
        )
    if is_layout:
        return
    found = measure(segment)
    if found != length:
        raise RecordError(
            f"{header.path} declares {length} samples for segment {segment.path.stem}, which has "
            f"{found}; correct the header"
        )


def _unit_of(line: SignalLine, parts: Sequence[Part]) -> str:
    """Return the unit of a lead; a layout header often leaves it to the segments."""
    if line.unit:
        return line.unit
    same = (s.unit for part in parts for s in part.header.signals if s.name == line.name)
    return next((unit for unit in same if unit), "")


class WfdbSamples:
    """Samples of all parts of a record, NaN where a lead has none.

    Args:
        parts: the stretches, in order.
        lines: the kept leads as the first part describes them.
        kept: their places in it.
        per_frame: samples per frame of the fastest of them; slower ones are interpolated.

    Raises:
        RecordError: a part lacks leads, or gaps would make more samples than a record can have.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        lines: Sequence[SignalLine],
        kept: Sequence[int],
        per_frame: int,
    ) -> None:
        self.n_samples = parts[-1].end * per_frame
        stored = sum(part.end - part.start for part in parts) * per_frame * len(lines)
        if len(parts) > 1 and self.n_samples * len(lines) > most_values(stored):
            raise RecordError(
                f"{parts[0].header.path.parent}: the segments and gaps make {self.n_samples} "
                f"samples of {len(lines)} leads, more than {most_values(stored)} values; read the "
                "segments one by one"
            )
        by_name = parts[0].end == 0
        self._parts = [
            (part, _match(part.header, lines, kept, by_name=by_name))
            for part in parts
            if part.start < part.end
        ]
        self._per_frame = per_frame

    def read(self, start: int, stop: int, rows: Sequence[int]) -> FloatArray:
        """Return samples [start, stop) of some leads; see :class:`Samples`."""
        signal = np.full((len(rows), stop - start), np.nan, dtype=np.float32)
        first, last = start // self._per_frame, -(-stop // self._per_frame)
        for part, places in self._parts:
            low, high = max(first, part.start), min(last, part.end)
            if low >= high:
                continue
            columns = [places[row] for row in rows]
            values = iter(self._frames(part, [c for c in columns if c is not None], low, high))
            at = low * self._per_frame - start
            skipped = max(0, -at)
            for row, column in enumerate(columns):
                if column is not None:
                    x = next(values)[skipped : stop - start - at]
                    signal[row, at + skipped : at + skipped + len(x)] = x
        return signal

    def _frames(
        self, part: Part, columns: Sequence[int], low: int, high: int
    ) -> Iterator[FloatArray]:
        """Yield the frames [low, high) of the record, in mV and at the fastest rate."""
        first, n_frames, length = low - part.start, high - low, part.end - part.start
        # Between its last sample and the next frame a slow lead needs both.
        behind = min(first + n_frames + 1, length)
        found = read_signals(part.header, columns, length, first, behind)
        for column, x in zip(columns, found, strict=True):
            line = part.header.signals[column]
            in_mv = x * np.float32(mv_per_unit(line.unit) or 1.0)
            yield _to_rate(in_mv, first, n_frames, line.per_frame, self._per_frame)


def _match(
    header: Header, lines: Sequence[SignalLine], kept: Sequence[int], *, by_name: bool
) -> list[int | None]:
    """Return for each lead its place in a part; by name where segments differ in their leads."""
    if not by_name:
        if max(kept) >= len(header.signals):
            raise RecordError(
                f"{header.path} has {len(header.signals)} leads, fewer than the first segment"
            )
        places: list[int | None] = list(kept)
    else:
        names = [signal.name for signal in header.signals]
        places = [names.index(s.name) if s.name in names else None for s in lines]
    return [None if i is None or header.signals[i].file == GAP else i for i in places]


def _to_rate(x: FloatArray, first: int, n_frames: int, per_frame: int, wanted: int) -> FloatArray:
    """Interpolate frames linearly from ``per_frame`` to ``wanted`` samples per frame.

    Args:
        x: frames from number ``first`` on, ``n_frames`` or more.
        first: counts from the start of the part, so that times, and with them the last digits of
            the result, do not depend on where reading starts.
        n_frames: number of frames wanted.
        per_frame: samples of ``x`` per frame.
        wanted: samples per frame of the result.
    """
    if per_frame == wanted:
        return x[: n_frames * wanted]
    times = np.arange(first * wanted, (first + n_frames) * wanted) * (per_frame / wanted)
    at = np.arange(first * per_frame, first * per_frame + len(x))
    fast: FloatArray = np.interp(times, at, x).astype(np.float32)
    return fast
