"""Rhythm spans from WFDB annotation files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ecglens.errors import RecordError, UsageError
from ecglens.guarded import kind_of
from ecglens.readers.spans import cut_out, fill_between
from ecglens.readers.wfdb_episodes import find_episodes
from ecglens.readers.wfdb_marks import RHYTHM, VF_END, VF_START, Mark, read_marks
from ecglens.records import RhythmSpan

# "atr" is the reference of most databases, "vf" and "ecg" carry it in some, "stb" the ST episodes
# of the Long-Term ST Database (those of 100 uV and 30 s, as the European ST-T Database counts);
# beat detectors' files ("ari", "qrs", ...) have no rhythms.
USUAL_ANNOTATORS = ("atr", "vf", "ecg", "stb")
VENTRICULAR = frozenset({"VF", "VFIB", "VFL"})


@dataclass(frozen=True)
class Convention:
    """How a database writes rhythms in its annotation files.

    Attributes:
        annotators: endings of the files, in order of preference; the first that holds rhythms
            counts.
        names: what the database calls a rhythm, and its usual name.
        elsewhere: what to call the time from the first to the last annotation that nothing else
            is said of; ``""`` claims nothing there.
        to_last_mark: whether the last rhythm ends with the last annotation, for databases whose
            annotators stopped before the recording did.
    """

    annotators: tuple[str, ...] = USUAL_ANNOTATORS
    names: Mapping[str, str] = field(default_factory=dict)
    elsewhere: str = ""
    to_last_mark: bool = False


USUAL = Convention()


class Annotated(NamedTuple):
    """Spans in order of time, notes, and why an annotation file cannot be read (or ``""``)."""

    rhythms: Sequence[RhythmSpan] = ()
    notes: Sequence[str] = ()
    unread: str = ""


def read_rhythms(
    header: Path,
    frame_fs: float,
    duration_s: float,
    annotator: str | None,
    *,
    convention: Convention = USUAL,
    leads: Sequence[str] = (),
    signals: Sequence[str] = (),
) -> Annotated:
    """Read the rhythms of a record.

    A rhythm lasts from its annotation to the next one or to the end of the record; before the
    first nothing is claimed. Between ``[`` and ``]`` the rhythm is ``"VF"``, unless the file names
    ventricular flutter or fibrillation by rhythms as well. Episodes of ST and T changes stand
    over the rhythm; those of one lead are spans of this lead, and in the other leads nothing is
    claimed meanwhile (see :mod:`ecglens.readers.wfdb_episodes`).

    Where no file was asked for, one that is damaged is said of and nothing is claimed: the signal
    is of use without it.

    Args:
        header: the record's header; annotation files lie beside it under the same stem.
        frame_fs: clock of the annotations in Hz, where the file does not state its own.
        duration_s: length of the record in seconds.
        annotator: ending of the file; None takes the first of the convention's that holds rhythms.
        convention: how the database writes rhythms.
        leads: names of all signals in the header's order, by whose number ST notes name them.
        signals: files that hold the record's samples, whatever they are called.

    Raises:
        RecordError: the named file is missing or damaged.
        UsageError: ``annotator`` is not a file ending.
    """
    if annotator is not None:
        if not re.fullmatch(r"\w+", annotator):
            raise UsageError(f"annotator={annotator!r} is not a file ending; give one like 'atr'")
        if not kind_of(header.with_suffix(f".{annotator}")):
            raise RecordError(
                f"no annotation file {header.stem}.{annotator} beside {header}; leave annotator "
                "out or name another"
            )
        return _spans(read_marks(header, annotator, frame_fs), duration_s, convention, leads)
    for ending in convention.annotators:
        name = f"{header.stem}.{ending}"
        if name in signals or not kind_of(header.with_name(name)):
            continue
        try:
            found = _spans(read_marks(header, ending, frame_fs), duration_s, convention, leads)
        except RecordError as error:
            note = f"the annotation file {name} cannot be read; no rhythm is taken from it"
            return Annotated(notes=[note], unread=str(error))
        if found.rhythms:
            return found
    return Annotated()


def _spans(
    marks: Sequence[Mark], duration_s: float, convention: Convention, leads: Sequence[str]
) -> Annotated:
    last_s = max((mark.time_s for mark in marks), default=0.0)
    end_s = min(last_s, duration_s) if convention.to_last_mark else duration_s
    changes = [(m.time_s, _name(m, convention)) for m in marks if _is_rhythm(m)]
    spans, late = _between(changes, end_s, duration_s)
    brackets = {VF_START: "VF", VF_END: ""}
    vf, late_vf = _between(
        [(m.time_s, brackets[m.code]) for m in marks if m.code in brackets], duration_s, duration_s
    )
    if any(span.rhythm in VENTRICULAR for span in spans):
        vf, late_vf = [], 0  # named more exactly
    spans = cut_out(spans, vf) + vf
    episodes = find_episodes(marks, duration_s, leads)
    spans = cut_out(spans, episodes) + episodes
    if convention.elsewhere and marks:
        spans += fill_between(spans, marks[0].time_s, min(last_s, duration_s), convention.elsewhere)
    late += late_vf
    notes = [f"{late} rhythm annotations behind the end of the record are ignored"] if late else []
    in_order = sorted(spans, key=lambda span: (span.start_s, span.end_s, span.lead))
    return Annotated(in_order, notes)


def _between(
    changes: Sequence[tuple[float, str]], end_s: float, duration_s: float
) -> tuple[list[RhythmSpan], int]:
    """Return the spans from each change to the next, and how many lie behind the record's end."""
    inside = [(time_s, name) for time_s, name in changes if time_s < duration_s]
    ends = [time_s for time_s, _ in inside[1:]] + [end_s]
    spans = [
        RhythmSpan(start, end, name)
        for (start, name), end in zip(inside, ends, strict=False)
        if name and start < end
    ]
    return spans, len(changes) - len(inside)


def _name(mark: Mark, convention: Convention) -> str:
    name = mark.text[1:].strip()
    return convention.names.get(name, name)


def _is_rhythm(mark: Mark) -> bool:
    return mark.code == RHYTHM and mark.text.startswith("(")
