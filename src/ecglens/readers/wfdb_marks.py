"""Marks of WFDB annotation files.

Decoded here, after https://physionet.org/physiotools/wag/annot-5.htm: wfdb's own reader (4.3)
never returns from a file that starts with a note such as ``## made by x``.
"""

from __future__ import annotations

import itertools
import re
import struct
from pathlib import Path
from typing import NamedTuple

from ecglens.errors import RecordError
from ecglens.readers.wfdb_header import member

MAX_ANNOTATION_BYTES = 4 * 2**20  # a day of beats has 0.3 MB
# Annotation codes.
NOTE, RHYTHM, VF_START, VF_END, LAST_CODE = 22, 28, 32, 33, 49
SKIP, FIRST_FIELD, AUX = 59, 60, 63


class Mark(NamedTuple):
    """One annotation: its sample, code, text and time in seconds."""

    sample: int
    code: int
    text: str = ""
    time_s: float = 0.0


def read_marks(header: Path, ending: str, frame_fs: float) -> list[Mark]:
    """Read the annotation file of a record, all marks in order of time.

    Args:
        header: the record's header; the file lies beside it under the same stem.
        ending: of the file, such as ``"atr"``.
        frame_fs: clock of the marks in Hz, where the file does not state its own.

    Raises:
        RecordError: the file is missing or damaged, or a link that leads out of the folder.
    """
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
    if any(b.sample < a.sample for a, b in itertools.pairwise([Mark(0, 0), *marks])):
        raise _damaged(path, "its annotations are not in order of time")
    fs = next(filter(None, (_clock(mark.text) for mark in marks if mark.code == NOTE)), frame_fs)
    return [mark._replace(time_s=mark.sample / fs) for mark in marks]


def _decode(path: Path, raw: bytes) -> list[Mark]:
    """Return all annotations of a file in the MIT format."""
    words = struct.unpack(f"<{len(raw) // 2}H", raw)
    marks: list[Mark] = []
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
            # Some files of the European ST-T Database hold rubbish behind the NUL.
            text = raw[2 * at : 2 * at + value].split(b"\0")[0].decode("latin-1").strip()
            marks[-1] = marks[-1]._replace(text=text)
            at += (value + 1) // 2
        elif code <= LAST_CODE:
            sample += value
            marks.append(Mark(sample, code))
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
