r"""Annotations of EDF+ and BDF+: when each data record starts, and rhythms.

A time-stamped annotation list is ``+onset[\x15duration]\x14text\x14[text\x14]\x00``; the first
of each data record has an empty text and tells when the record starts
(https://www.edfplus.info/specs/edfplus.html, 2.2).
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ecglens.errors import RecordError
from ecglens.readers.edf_header import EdfHeader
from ecglens.records import RhythmSpan

MAX_RECORDS = 2**22  # 48 days of records of a second
BYTES_AT_A_TIME = 2**22

_TAL = re.compile(rb"([+-]\d{1,15}(?:\.\d*)?)(?:\x15(\d{1,15}(?:\.\d*)?))?\x14(.*)\x14", re.DOTALL)
# What the label maps know: any other word of a file's author may mean anything.
RHYTHMS = frozenset({
    "AB", "AFIB", "AFL", "ASYS", "AXIS", "B", "B3", "BI", "BIGU", "BII", "HGEA", "IVR", "J", "N",
    "NOD", "NOISE", "NOST", "NSR", "OTHER", "P", "PM", "PREX", "RTST+", "RTST-", "SAB", "SARRH",
    "SBR", "SR", "ST", "ST+", "ST-", "STACH", "SVARR", "SVTA", "T", "TRIGU", "TW+", "TW-", "VER",
    "VF", "VFIB", "VFL", "VT",
})  # fmt: skip
_OTHER_WORDS = {"SVT": "SVTA"}


class EdfAnnotations(NamedTuple):
    """Onsets of the data records in seconds, rhythm spans since the first onset, and notes."""

    onsets_s: npt.NDArray[np.float64]
    rhythms: tuple[RhythmSpan, ...]
    notes: tuple[str, ...]


class _Text(NamedTuple):
    onset_s: float
    duration_s: float | None
    text: str

    @property
    def is_change(self) -> bool:
        """Whether a rhythm ends here, as at every change that WFDB marks, also to none."""
        return self.text.startswith("(") and not self.text.endswith(")")

    @property
    def rhythm(self) -> str:
        """The rhythm named, ``""`` where it is none that is known."""
        word = self.text.removeprefix("(").strip()
        word = _OTHER_WORDS.get(word, word)
        return word if word in RHYTHMS else ""


def read_annotations(header: EdfHeader) -> EdfAnnotations:
    """Read the annotations of an EDF+ or BDF+ file; a file without any counts as continuous.

    A text that is a rhythm such as ``AFIB`` or ``(AFIB`` and has a duration becomes a span. One
    without a duration does so where it is written ``(AFIB``, as WFDB marks changes of rhythm: it
    lasts until the next text that starts so, whatever follows (``(`` alone ends a rhythm, as
    does a word that is not known), or to the end. Other texts are ignored.

    Raises:
        RecordError: a data record of a discontinuous file does not tell when it starts, or there
            are too many of them.
    """
    if header.n_records > MAX_RECORDS:
        raise RecordError(
            f"{header.path} has {header.n_records} data records, more than {MAX_RECORDS}; write "
            "longer ones"
        )
    even_s = np.arange(header.n_records, dtype=np.float64) * header.record_s
    onsets_s = even_s.copy()
    texts: list[_Text] = []
    for record, raw in enumerate(_lists(header)):
        found = [text for chunk in raw.split(b"\0") for text in _texts(chunk)]
        start_s = found[0].onset_s if found and not found[0].text else None
        if start_s is not None and (header.plus == "D" or record == 0):
            onsets_s[record] = start_s
        elif header.plus == "D":
            raise RecordError(
                f"{header.path} is discontinuous, but its data record {record + 1} does not tell "
                "when it starts; the file is damaged: get it again"
            )
        texts += [text for text in found if text.rhythm or text.is_change]
    if header.plus == "C":
        onsets_s = even_s + onsets_s[0]
    zero_s = float(onsets_s[0])
    end_s = float(onsets_s[-1]) + header.record_s - zero_s
    texts = [text._replace(onset_s=text.onset_s - zero_s) for text in texts]
    return EdfAnnotations(onsets_s, *_spans(texts, end_s))


def _lists(header: EdfHeader) -> Iterator[bytes]:
    """Yield the annotation bytes of each data record."""
    found = [signal for signal in header.signals if signal.is_annotation]
    if not found and header.plus == "C":
        return
    at_a_time = max(1, BYTES_AT_A_TIME // header.record_bytes)
    for first in range(0, header.n_records, at_a_time):
        raw = header.read_raw(first, min(first + at_a_time, header.n_records))
        ends = [(s.offset, s.offset + s.per_record * header.sample_bytes) for s in found]
        for row in raw:
            yield b"\0".join(row[start:end].tobytes() for start, end in ends)


def _texts(chunk: bytes) -> Iterator[_Text]:
    match = _TAL.fullmatch(chunk)
    if match:
        duration_s = float(match[2]) if match[2] else None
        for text in match[3].split(b"\x14"):
            yield _Text(float(match[1]), duration_s, text.decode("utf-8", "replace").strip())


def _spans(texts: list[_Text], end_s: float) -> tuple[tuple[RhythmSpan, ...], tuple[str, ...]]:
    changes = [*sorted({text.onset_s for text in texts if text.is_change}), math.inf]
    spans: list[RhythmSpan] = []
    unclear = unknown = 0
    for text in texts:
        if not text.rhythm:
            unknown += text.text != "("
            continue
        if text.duration_s:
            stop_s = text.onset_s + text.duration_s
        elif text.is_change:
            stop_s = changes[bisect_right(changes, text.onset_s)]
        else:
            unclear += len(text.text) > 1  # one letter is a beat
            continue
        start_s, stop_s = max(text.onset_s, 0.0), min(stop_s, end_s)
        if start_s < stop_s:
            spans.append(RhythmSpan(start_s, stop_s, text.rhythm))
    notes = []
    if unclear:
        notes.append(f"{unclear} annotations name a rhythm, but not how long it lasts; ignored")
    if unknown:
        notes.append(f"{unknown} annotations change to a rhythm that is not known; none is claimed")
    return tuple(spans), tuple(notes)
