"""Labelled windows from annotated records."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ecglens.errors import UsageError, WindowError, suggest
from ecglens.labels import LabelMap
from ecglens.readers.spans import merged
from ecglens.records import Recording
from ecglens.signals import unreadable_reasons
from ecglens.windows.cutting import WindowRule, cut_record
from ecglens.windows.data import StrArray, Windows, concatenate_windows


def make_windows(
    records: Iterable[Recording],
    label_map: LabelMap,
    rule: WindowRule | None = None,
    *,
    subjects: Mapping[str, str] | None = None,
    progress: Callable[[Recording, int], None] | None = None,
) -> Windows:
    """Cut annotated records into labelled, readable windows.

    A window gets a class when at least ``rule.purity`` of it lies in rhythm spans of that class
    and no other class touches it; spans of one lead count for that lead alone. Windows without a
    class, unreadable windows and records shorter than a window are left out.

    Args:
        records: annotated recordings; read one at a time when this is a generator.
        label_map: from rhythms to classes.
        rule: how to cut; ten seconds without overlap at 125 Hz by default.
        subjects: the person of each record by record id, for collections where several records
            are of one person; others keep the subject their reader and database give. It may
            name records that are not among these.
        progress: called after each record with the number of windows it gave.

    Raises:
        WindowError: no record gave a window, or the map does not know a rhythm.
        RecordError: the annotation of a record is damaged.
        UsageError: ``subjects`` names none of the records, or misspells one.
    """
    rule = rule or WindowRule()
    parts: list[Windows] = []
    rhythms: set[str] = set()
    left_out: Counter[str] = Counter()
    names: list[str] = []
    for record in records:
        names.append(record.record_id)
        rhythms.update(span.rhythm for span in record.known_rhythms())
        part = _labelled(record, label_map, rule, left_out)
        if part is not None and subjects and record.record_id in subjects:
            part = replace(part, subjects=np.full(len(part), subjects[record.record_id]))
        if part is not None and len(part):
            parts.append(part)
        if progress is not None:
            progress(record, 0 if part is None else len(part))
    _check_subjects(subjects or {}, names)
    if not parts:
        found = ", ".join(sorted(rhythms)) or "none"
        lost = ", ".join(f"{n} {what}" for what, n in left_out.items()) or "nothing"
        raise WindowError(
            f"{len(names)} record(s) gave no window of the classes {', '.join(label_map.classes)}: "
            f"rhythms annotated are {found}; left out: {lost}; "
            "check the annotations, the label map, the length and the signal"
        )
    return concatenate_windows(parts)


def _check_subjects(subjects: Mapping[str, str], names: Sequence[str]) -> None:
    """Refuse names that miss their record, which would then count as a person of its own."""
    unknown = sorted(set(subjects) - set(names))
    alone = {_plain(name): name for name in names if name not in subjects}
    for name in unknown:
        if _plain(name) in alone:
            raise UsageError(
                f"subjects: no record is called {name!r}; did you mean {alone[_plain(name)]!r}? "
                "records are named without folder and ending"
            )
    if names and unknown and len(unknown) == len(subjects):
        raise UsageError(
            f"subjects: none of the {len(unknown)} names is that of a record, as {unknown[0]!r}"
            f"{suggest(unknown[0], names)}; the first record is {names[0]!r}"
        )


def _plain(name: str) -> str:
    """Return what people and spreadsheets leave of a record's name: ``"db/00735.hea"``, ``735``."""
    bare = re.sub(r"\.[A-Za-z]\w*$", "", re.split(r"[/\\]", name.strip())[-1])
    return bare.casefold().lstrip("0")


def _labelled(
    record: Recording,
    label_map: LabelMap,
    rule: WindowRule,
    left_out: Counter[str],
) -> Windows | None:
    """Return the labelled, readable windows of a record; count what is left out, by reason."""
    spans = _class_spans(record, label_map)
    too_short = round(record.duration_s * rule.fs) < rule.n_samples
    if not spans or too_short:
        left_out["record(s) shorter than a window" if spans else "record(s) of no class"] += 1
        return None
    windows = cut_record(record, rule)
    labels = np.full(len(windows), "", dtype=f"<U{max(len(label) for *_, label, _ in spans)}")
    for lead in np.unique(windows.leads):
        mine = windows.leads == lead
        of_lead = [span[:3] for span in spans if span[3] in ("", lead)]
        labels[mine] = _labels(windows.start_s[mine], windows.length_s, of_lead, rule.purity)
    reasons = unreadable_reasons(windows.X, windows.fs)
    left_out.update("window(s) not of one class" for label in labels if label == "")
    left_out.update(
        f"unreadable window(s) ({reason})"
        for label, reason in zip(labels, reasons, strict=True)
        if label and reason
    )
    return replace(windows, labels=labels).subset((labels != "") & (reasons == ""))


def _class_spans(record: Recording, label_map: LabelMap) -> list[tuple[float, float, str, str]]:
    """Return start, end, class and lead (``""`` for all) of each span that has a class."""
    spans = []
    for span in record.rhythms:
        try:
            label = label_map.class_of(span.rhythm)
        except WindowError as error:
            raise WindowError(
                f"record {record.record_id!r} at {span.start_s:.1f} s: {error}"
            ) from error
        if label is not None:
            spans.append((span.start_s, span.end_s, label, span.lead))
    return spans


def _labels(
    start_s: npt.NDArray[np.float64],
    length_s: float,
    spans: Sequence[tuple[float, float, str]],
    purity: float,
) -> StrArray:
    """Return the class that covers enough of each window, or "" (see :func:`make_windows`)."""
    if not spans:
        return np.full(len(start_s), "")
    classes = sorted({label for _, _, label in spans})
    cover = np.zeros((len(start_s), len(classes)))
    for place, name in enumerate(classes):
        # Time that two annotations give one class counts once.
        for begin, end in merged((begin, end) for begin, end, label in spans if label == name):
            shared = np.minimum(end, start_s + length_s) - np.maximum(begin, start_s)
            cover[:, place] += np.clip(shared, 0, None)
    # Annotations sit on samples of another rate, so a whole window may miss 1 ms of cover.
    tolerance = 1e-3
    pure = cover.max(axis=1) >= purity * length_s - tolerance
    alone = (cover > tolerance).sum(axis=1) == 1
    names = np.array(classes)[cover.argmax(axis=1)]
    return np.where(pure & alone, names, "")
