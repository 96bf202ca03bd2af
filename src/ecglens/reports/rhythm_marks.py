"""A timeline as WFDB annotations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ecglens.databases.wfdb_annotations import Mark
from ecglens.prediction import INCONCLUSIVE, UNREADABLE, Timeline
from ecglens.records import Recording

RHYTHMS = {"AF": "AFIB", INCONCLUSIVE: "Q", UNREADABLE: "NOISE"}
"""What a label is called as a rhythm, where that is not its own name. PhysioNet's databases write
``(AFIB`` and ``(NOISE``; ``Q`` is their mark of a beat that cannot be classified."""

_VF, _ST = frozenset({"VF", "VFL", "VFIB"}), frozenset({"ST"})
_LONGEST = 240
_UNFIT = re.compile(r"[^!-~]+")


def rhythm_marks(timeline: Timeline, record: Recording) -> list[Mark]:
    """Return the episodes of a timeline as marks in samples of the record.

    Every episode starts with a change of rhythm (``+`` and a text such as ``(AFIB``); where the
    record goes on behind the last one, ``(`` alone ends it. Besides, ventricular fibrillation lies
    between ``[`` and ``]``, a change of the ST segment between ``s`` with ``(ST0`` and ``s`` with
    ``ST0)`` (0 being the number of the lead's signal), and an unreadable stretch between ``~``
    whose subtype has the bit of each judged signal, and ``~`` with 0.

    Args:
        timeline: of the record.
        record: whose rate is the resolution.
    """
    signals = [_signal_of(record, row) for row in timeline.rows_in(record)]
    last = record.n_samples - 1
    marks = []
    for episode in timeline.episodes:
        start, end = (min(round(at * record.fs), last) for at in (episode.start_s, episode.end_s))
        marks.append(Mark(start, "+", f"({rhythm_of(episode.label)}"))
        marks += _beside(episode.label, start, end, signals)
    behind = round(timeline.episodes[-1].end_s * record.fs)
    if behind <= last:
        marks.append(Mark(behind, "+", "("))
    return marks


def rhythm_of(label: str) -> str:
    """Return what a label is called as a rhythm, in characters that an annotation can hold."""
    return RHYTHMS.get(label) or _UNFIT.sub("_", label)[:_LONGEST]


def _signal_of(record: Recording, row: int) -> int:
    """Return the number that annotations know a lead by."""
    signal = record.leads[row].signal
    return row if signal is None else signal


def _beside(label: str, start: int, end: int, signals: Sequence[int]) -> Iterator[Mark]:
    """Yield what stands beside the change of rhythm, numbered so that no two marks meet."""
    if label in _VF:
        yield Mark(start, "[", number=1)
        yield Mark(end, "]", number=2)
    elif label in _ST:
        yield Mark(start, "s", f"(ST{signals[0]}", number=1)
        yield Mark(end, "s", f"ST{signals[0]})", number=2)
    elif label == UNREADABLE:
        # Bits beyond the seventh have no place in a signed byte: -1 stands for all leads.
        kind = sum(1 << number for number in set(signals)) if max(signals) < 7 else -1
        yield Mark(start, "~", kind=kind, number=1)
        yield Mark(end, "~", number=2)
