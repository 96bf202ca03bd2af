"""Rhythm spans from WFDB annotation files.

Decoded here, after https://physionet.org/physiotools/wag/annot-5.htm: wfdb's own reader (4.3)
never returns from a file that starts with a note such as ``## made by x``.
"""

from __future__ import annotations

import itertools
import re
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ecglens.errors import RecordError, UsageError
from ecglens.readers.wfdb_header import member
from ecglens.records import RhythmSpan

# "atr" is the reference of most databases, "vf" and "ecg" carry it in some; beat detectors'
# files ("ari", "qrs", ...) have no rhythms.
USUAL_ANNOTATORS = ("atr", "vf", "ecg")
MAX_ANNOTATION_BYTES = 16 * 2**20  # a day of beats has 0.3 MB
# Annotation codes.
NOTE, RHYTHM, VF_START, VF_END, LAST_CODE = 22, 28, 32, 33, 49
SKIP, FIRST_FIELD, AUX = 59, 60, 63


class _Mark(NamedTuple):
    sample: int
    code: int
    text: str = ""
    time_s: float = 0.0


def read_rhythms(
    header: Path, frame_fs: float, duration_s: float, annotator: str | None
) -> tuple[list[RhythmSpan], list[str]]:
    """Read the rhythms of a record.

    A rhythm lasts from its annotation to the next one or to the end of the record; before the
    first nothing is claimed. A file without rhythm names but with ``[`` and ``]`` gives spans
    named ``"VF"`` between them and claims nothing elsewhere.

    Args:
        header: the record's header; annotation files lie beside it under the same stem.
        frame_fs: clock of the annotations in Hz, where the file does not state its own.
        duration_s: length of the record in seconds.
        annotator: ending of the file; None takes the first usual one that holds rhythms.

    Returns:
        Spans in order of time, and notes.

    Raises:
        RecordError: the named file is missing, or one is damaged.
        UsageError: ``annotator`` is not a file ending.
    """
    if annotator is not None:
        if not re.fullmatch(r"\w+", annotator):
            raise UsageError(f"annotator={annotator!r} is not a file ending; give one like 'atr'")
        if not header.with_suffix(f".{annotator}").exists():
            raise RecordError(
                f"no annotation file {header.stem}.{annotator} beside {header}; leave annotator "
                "out or name another"
            )
    for ending in (annotator,) if annotator else USUAL_ANNOTATORS:
        if header.with_suffix(f".{ending}").exists():
            marks = _read_marks(header, ending, frame_fs)
            spans, notes = _spans(marks, duration_s)
            if spans:
                return spans, notes
    return [], []


def _spans(marks: Sequence[_Mark], duration_s: float) -> tuple[list[RhythmSpan], list[str]]:
    changes = [(m.time_s, m.text[1:].strip()) for m in marks if _is_rhythm(m)]
    if not changes:
        names = {VF_START: "VF", VF_END: ""}
        changes = [(m.time_s, names[m.code]) for m in marks if m.code in names]
    inside = [(time_s, name) for time_s, name in changes if time_s < duration_s]
    ends = [time_s for time_s, _ in inside[1:]] + [duration_s]
    spans = [
        RhythmSpan(start, end, name)
        for (start, name), end in zip(inside, ends, strict=False)
        if name and start < end
    ]
    late = len(changes) - len(inside)
    notes = [f"{late} rhythm annotations behind the end of the record are ignored"] if late else []
    return spans, notes


def _is_rhythm(mark: _Mark) -> bool:
    return mark.code == RHYTHM and mark.text.startswith("(")


def _read_marks(header: Path, ending: str, frame_fs: float) -> list[_Mark]:
    path = member(header, f"{header.stem}.{ending}")
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_ANNOTATION_BYTES + 1)
    except OSError as error:
        raise RecordError(f"cannot read {path}: {error.strerror or error}") from error
    if len(raw) > MAX_ANNOTATION_BYTES:
        raise _damaged(path, f"it has over {MAX_ANNOTATION_BYTES} bytes")
    if len(raw) % 2 or raw[-2:] != b"\0\0":
        raise _damaged(path, "it does not end in an end mark")
    marks = _decode(path, raw)
    if any(b.sample < a.sample for a, b in itertools.pairwise([_Mark(0, 0), *marks])):
        raise _damaged(path, "its annotations are not in order of time")
    fs = next(filter(None, (_clock(mark.text) for mark in marks if mark.code == NOTE)), frame_fs)
    return [mark._replace(time_s=mark.sample / fs) for mark in marks]


def _decode(path: Path, raw: bytes) -> list[_Mark]:
    """Return all annotations of a file in the MIT format."""
    words = struct.unpack(f"<{len(raw) // 2}H", raw)
    marks: list[_Mark] = []
    sample = at = 0
    while at < len(words) and words[at]:
        code, value = words[at] >> 10, words[at] & 0x3FF
        at += 1
        if code == SKIP:
            if at + 2 >= len(words):
                raise _damaged(path, "it stops within an annotation")
            step = words[at] << 16 | words[at + 1]
            sample += step - (1 << 32) if step >> 31 else step
            at += 2
        elif code == AUX:
            if not marks:
                raise _damaged(path, "it starts with a text that belongs to no annotation")
            text = raw[2 * at : 2 * at + value].decode("latin-1").strip("\0 \t\r\n")
            marks[-1] = marks[-1]._replace(text=text)
            at += (value + 1) // 2
        elif code <= LAST_CODE:
            sample += value
            marks.append(_Mark(sample, code))
        elif code < FIRST_FIELD:
            raise _damaged(path, "it holds unknown annotation codes")
    if at >= len(words):
        raise _damaged(path, "it stops within an annotation")
    if any(words[at:]):
        raise _damaged(path, "it goes on behind its end mark")
    return marks


def _clock(text: str) -> float | None:
    """Return the rate in Hz that a note at the start of a file may state."""
    found = re.fullmatch(r"## time resolution: (\d+\.?\d*)", text)
    return float(found[1]) or None if found else None


def _damaged(path: Path, reason: str) -> RecordError:
    return RecordError(
        f"{path} is not a whole WFDB annotation file: {reason}; get it again or remove it"
    )
