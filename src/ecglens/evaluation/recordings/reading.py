"""Predicted episodes as ``ecglens predict`` left them, and annotated ones as classes."""

from __future__ import annotations

import csv
import itertools
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from ecglens.decisions import INCONCLUSIVE, UNREADABLE
from ecglens.errors import EvaluationError
from ecglens.evaluation.recordings.spans import Interval, Span
from ecglens.guarded import is_folder, is_regular
from ecglens.labels import LabelMap
from ecglens.records import Recording

EPISODES = "episodes.csv"
SUMMARY = "summary.json"

NOT_SCORED = frozenset({"NOISE"})
"""Annotated time in which the annotator could not tell the rhythm either."""

_SAID = MappingProxyType({"Q": INCONCLUSIVE, "NOISE": UNREADABLE})
"""Labels that are no class, as predicted annotations name them (docs/outputs.md)."""

_COLUMNS = ("record", "start_s", "end_s", "label")


def read_predictions(sources: Iterable[Path]) -> dict[str, list[Span]]:
    """Return the predicted episodes of each record.

    Args:
        sources: folders of ``ecglens predict --out`` (of one record or of many), or tables like
            their ``episodes.csv``.

    Raises:
        EvaluationError: nothing is there, a folder is not whole, a table is damaged, or a record
            comes twice.
    """
    found: dict[str, list[Span]] = {}
    for source in sources:
        for table in _tables(source):
            for record, spans in _read_table(table).items():
                if record in found:
                    raise EvaluationError(
                        f"{table}: record {record!r} was predicted twice; give each once"
                    )
                found[record] = spans
    return found


def seen_in_training(sources: Iterable[Path]) -> list[str]:
    """Return the records that a model judged which had been trained on their people.

    Args:
        sources: as of :func:`read_predictions`; tables alone do not tell.
    """
    seen: list[str] = []
    for source in sources:
        for table in _tables(source) if is_folder(source) else ():
            try:
                said = json.loads((table.parent / SUMMARY).read_text(encoding="utf-8"))
                seen += [str(said["record"])] if said["in_training"] else []
            except (OSError, ValueError, KeyError, TypeError):
                continue  # of another version; what it says of episodes counts all the same
    return seen


def annotated_predictions(
    records: Iterable[Recording], label_map: LabelMap
) -> dict[str, list[Span]]:
    """Return the predicted episodes of records whose annotation is a prediction.

    Rhythms are taken as in the reference; the name of a class stands for itself, ``Q`` for
    inconclusive and ``NOISE`` for unreadable.

    Raises:
        EvaluationError: a record has no rhythm, or comes twice.
        WindowError: the map does not know a rhythm.
    """
    found: dict[str, list[Span]] = {}
    for record in records:
        name = record.record_id
        if not record.rhythms:
            raise EvaluationError(
                f"record {name!r} has no rhythm in its predicted annotation; name another one with "
                "--annotator"
            )
        if name in found:
            raise EvaluationError(f"record {name!r} was predicted twice; give each once")
        found[name] = [
            (span.start_s, span.end_s, _label_of(span.rhythm, label_map)) for span in record.rhythms
        ]
    return found


def _label_of(rhythm: str, label_map: LabelMap) -> str:
    if rhythm in label_map.classes:
        return rhythm
    return _SAID.get(rhythm) or label_map.class_of(rhythm) or f"({rhythm}"


def annotated_classes(record: Recording, label_map: LabelMap) -> tuple[list[Span], list[Interval]]:
    """Return the annotated rhythms as classes, and the time that cannot be scored.

    A rhythm that the map ignores keeps its name: while it lasts every class is wrong.

    Raises:
        EvaluationError: the record has no annotated rhythm.
        WindowError: the map does not know a rhythm.
    """
    if not record.rhythms:
        raise EvaluationError(
            f"record {record.record_id!r} has no annotated rhythm to compare with; "
            "put its annotation file beside it"
        )
    spans = [
        (span.start_s, span.end_s, label_map.class_of(span.rhythm) or f"({span.rhythm}")
        for span in record.rhythms
    ]
    noise = [(s.start_s, s.end_s) for s in record.rhythms if s.rhythm in NOT_SCORED]
    return spans, noise


def _tables(source: Path) -> list[Path]:
    if is_regular(source):
        return [source]
    if not is_folder(source):
        raise EvaluationError(f"no such prediction: {source}; make one with 'ecglens predict'")
    places = [source, *sorted(path for path in source.iterdir() if is_folder(path))]
    tables = [place / EPISODES for place in places if is_regular(place / EPISODES)]
    for table in tables:
        if not is_regular(table.parent / SUMMARY):
            raise EvaluationError(
                f"{table.parent} is not whole, it has no {SUMMARY}; run 'ecglens predict' again"
            )
    if not tables:
        raise EvaluationError(
            f"no {EPISODES} in {source} or its folders; give a folder of 'ecglens predict --out'"
        )
    return tables


def _read_table(path: Path) -> dict[str, list[Span]]:
    found: dict[str, list[Span]] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                record, span = _parse(row)
                found.setdefault(record, []).append(span)
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise EvaluationError(
            f"{path} is not a table of episodes with columns {', '.join(_COLUMNS)}: {reason}"
        ) from error
    for record, spans in found.items():
        spans.sort()
        for one, other in itertools.pairwise(spans):
            if other[0] < one[1] - 1e-3:
                raise EvaluationError(
                    f"{path}: episodes of record {record!r} overlap at {other[0]:g} s; "
                    "a moment has one label"
                )
    return found


def _parse(row: Mapping[str, str]) -> tuple[str, Span]:
    start, end, label = float(row["start_s"]), float(row["end_s"]), row["label"]
    if not (math.isfinite(start) and math.isfinite(end) and start <= end and label):
        raise ValueError(f"episode {label!r} from {start} to {end} s")
    if label.startswith("("):
        raise ValueError(f"label {label!r} is a rhythm of WFDB; write its class")
    return row["record"], (start, end, label)
