"""Episodes of ST and T changes from the notes of WFDB annotation files.

An episode is up to three notes, which name a signal by its number and give the sign of the
deviation: its start, its extremum in uV and its end.

- European ST-T Database: ``(ST0+``, ``AST0+300``, ``ST0+)``; the same with ``T``. A doubled sign
  (``T0++``) marks an extreme T wave within an episode. Lower case on a comment, ``(st0+`` ...
  ``st0+)``, marks a change by a shift of the axis, which is no finding
  (https://physionet.org/files/edb/1.0.0/annotations.shtml).
- Long-Term ST Database: ``(st0-120``, ``ast0-160``, ``st0-90)``, with ``rt`` before ``st`` where
  the heart rate explains the change, and ``(urd0`` ... ``urd0)`` around the unreadable
  (``tables/acodes.png`` and ``legendre/doc/ltstdb_annotation_files.txt`` of the database).

An episode without a start was there before the recording; one without an end lasts to the end of
the record, as WFDB's ``epicmp`` has it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ecglens.readers.wfdb_marks import Mark
from ecglens.records import RhythmSpan

# One sign: a doubled one is an extreme T wave within an episode.
_NOTE = re.compile(
    r"(?P<start>\()?(?P<extremum>[Aa])?"
    r"(?:(?P<kind>ST|T|rtst|st|t)(?P<lead>\d)(?P<sign>[+-])(?P<uv>\d*)|urd(?P<urd>\d))"
    r"(?P<end>\))?"
)
NOISE, AXIS = "NOISE", "AXIS"
_RHYTHMS = {"ST": "ST", "T": "TW", "st": "ST", "rtst": "RTST"}

_Key = tuple[str, int, str]


def find_episodes(
    marks: Sequence[Mark], duration_s: float, leads: Sequence[str]
) -> list[RhythmSpan]:
    """Return the episodes of ST and T changes of a record.

    Args:
        marks: all annotations of one file, in order of time.
        duration_s: length of the record in seconds.
        leads: names of the signals, by whose number the notes name them.

    Returns:
        Spans of the rhythms ``ST+`` and ``ST-`` (change with its sign), ``RTST+`` and ``RTST-``
        (explained by the heart rate), ``TW+`` and ``TW-`` (T wave), ``AXIS`` (a shift of the axis)
        and ``NOISE`` (unreadable), each with its lead; the lead is ``""`` where no name tells it
        from the others.
    """
    notes = [(mark.time_s, found) for mark in marks if (found := _read(mark, duration_s))]
    book = _Book(duration_s, leads, measured=any(_is_measured(found) for _, found in notes))
    for time_s, found in notes:
        book.take_down(found, time_s)
    return book.close()


def _read(mark: Mark, duration_s: float) -> re.Match[str] | None:
    if not mark.text or mark.time_s > duration_s:
        return None
    return _NOTE.fullmatch(mark.text)


def _is_measured(found: re.Match[str]) -> bool:
    """Tell notes of the Long-Term ST Database: only they give uV at a start or end."""
    lower = found["kind"] is not None and found["kind"].islower()
    return lower and bool(found["uv"]) and not found["extremum"]


class _Book:
    """Episodes that are going on, and those that are over."""

    def __init__(self, duration_s: float, leads: Sequence[str], *, measured: bool) -> None:
        self._duration_s = duration_s
        self._leads = leads
        self._measured = measured
        self._open: dict[_Key, float] = {}
        self._spans: list[RhythmSpan] = []

    def take_down(self, found: re.Match[str], time_s: float) -> None:
        """Take down one note."""
        key = self._key(found)
        if found["start"] and key not in self._open:
            self._open[key] = time_s
        elif found["end"]:
            self._end(key, time_s)

    def close(self) -> list[RhythmSpan]:
        """Return all episodes; what is going on ends with the record."""
        for key in list(self._open):
            self._end(key, self._duration_s)
        return sorted(self._spans, key=lambda span: span.start_s)

    def _key(self, found: re.Match[str]) -> _Key:
        if found["urd"]:
            return ("urd", int(found["urd"]), "")
        kind, lead, sign = found["kind"], int(found["lead"]), found["sign"]
        # A deviation may have gone through zero since its start.
        other = (kind, lead, "-" if sign == "+" else "+")
        here = (kind, lead, sign)
        return (
            other if not found["start"] and here not in self._open and other in self._open else here
        )

    def _end(self, key: _Key, end_s: float) -> None:
        start_s = self._open.pop(key, 0.0)
        if start_s < end_s:
            lead = self._lead(key[1])
            self._spans.append(RhythmSpan(start_s, end_s, self._rhythm(key), lead))

    def _lead(self, number: int) -> str:
        name = self._leads[number] if number < len(self._leads) else ""
        return name if list(self._leads).count(name) == 1 else ""

    def _rhythm(self, key: _Key) -> str:
        kind, _, sign = key
        if kind == "urd":
            return NOISE
        if kind == "t" or (kind == "st" and not self._measured):
            return AXIS
        return _RHYTHMS[kind] + sign
