"""A record in, a timeline of rhythm episodes out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
import numpy.typing as npt

from ecglens.databases import subject_of
from ecglens.errors import UsageError
from ecglens.files import write_atomically, write_table
from ecglens.records import Recording
from ecglens.signals import unreadable_reasons
from ecglens.windows import LeadChoice, WindowRule, Windows, count_windows, window_blocks

FloatArray = npt.NDArray[np.float32]
StrArray = npt.NDArray[np.str_]

UNREADABLE = "unreadable"
INCONCLUSIVE = "inconclusive"


class WindowClassifier(Protocol):
    """What prediction needs of a model."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes in the order of the probabilities' columns."""

    @property
    def fs(self) -> float:
        """Rate of the windows in Hz."""

    @property
    def length_s(self) -> float:
        """Length of a window in seconds."""

    @property
    def min_probability(self) -> float:
        """Below it, the likeliest class is not claimed: the window is inconclusive."""

    @property
    def training_subjects(self) -> frozenset[str]:
        """People the model was trained on."""

    def predict_proba(self, X: npt.ArrayLike, fs: float) -> npt.NDArray[np.float64]:
        """Return class probabilities of readable windows, shape (n_windows, n_classes)."""


@dataclass(frozen=True, slots=True)
class Episode:
    """A stretch ``[start_s, end_s)`` of one label.

    Attributes:
        start_s: in seconds from the start of the record.
        end_s: in seconds.
        label: a class of the model, ``"inconclusive"`` or ``"unreadable"``.
        probability: mean probability of the label over its windows; None where it has none.
        lead: the lead that was judged.
        n_windows: how many windows the episode was merged from.
    """

    start_s: float
    end_s: float
    label: str
    probability: float | None
    lead: str
    n_windows: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s


@dataclass(frozen=True, eq=False)
class Timeline:
    """What a model says of one record.

    Attributes:
        record_id: the record.
        lead: the lead that was judged.
        duration_s: length of the record in seconds.
        length_s: length of a window in seconds.
        hop_s: from one window's start to the next in seconds.
        classes: the model's classes, in the order of the columns of ``probabilities``.
        start_s: start of each window in seconds, shape (n_windows,).
        labels: class of each window, ``"inconclusive"`` or ``"unreadable"``.
        reasons: why a window is unreadable, else ``""``.
        probabilities: shape (n_windows, n_classes); NaN where unreadable.
        notes: what the reader assumed, and what to mind about this prediction.
    """

    record_id: str
    lead: str
    duration_s: float
    length_s: float
    hop_s: float
    classes: tuple[str, ...]
    start_s: npt.NDArray[np.float64]
    labels: StrArray
    reasons: StrArray
    probabilities: npt.NDArray[np.float64]
    notes: tuple[str, ...] = ()

    @property
    def episodes(self) -> tuple[Episode, ...]:
        """Neighbouring windows of one label, merged.

        Where windows overlap each one speaks for the hop around its centre.
        """
        return tuple(self._episodes())

    def _episodes(self) -> Iterator[Episode]:
        changes = np.flatnonzero(self.labels[1:] != self.labels[:-1]) + 1
        bounds = self._bounds()
        for first, last in zip(
            [0, *changes.tolist()], [*changes.tolist(), len(self.labels)], strict=True
        ):
            label = str(self.labels[first])
            probability = None
            if label in self.classes:
                column = self.probabilities[first:last, self.classes.index(label)]
                probability = float(column.mean())
            yield Episode(
                start_s=float(bounds[first]),
                end_s=float(bounds[last]),
                label=label,
                probability=probability,
                lead=self.lead,
                n_windows=last - first,
            )

    def _bounds(self) -> npt.NDArray[np.float64]:
        """Return where the word passes from each window to the next, shape (n_windows + 1,)."""
        end = self.start_s[-1] + self.length_s
        inner = self.start_s[1:] + (self.length_s - self.hop_s) / 2
        return np.concatenate([self.start_s[:1], inner, [end]])

    def summary(self) -> dict[str, Any]:
        """Return seconds and share of each label, JSON-ready.

        Shares are of the readable time, so that a lead that was off makes no burden smaller; the
        share of the unreadable is of all time covered.
        """
        episodes = self.episodes
        covered_s = sum(episode.duration_s for episode in episodes)
        labels = [*self.classes, INCONCLUSIVE, UNREADABLE]
        seconds = {
            label: sum(e.duration_s for e in episodes if e.label == label) for label in labels
        }
        readable_s = covered_s - seconds[UNREADABLE]
        return {
            "record": self.record_id,
            "lead": self.lead,
            "duration_s": self.duration_s,
            "covered_s": covered_s,
            "readable_s": readable_s,
            "seconds": seconds,
            "share": {
                label: value / (covered_s if label == UNREADABLE else readable_s or covered_s)
                for label, value in seconds.items()
            },
            "n_episodes": len(episodes),
            "notes": list(self.notes),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return summary, episodes and windows, JSON-ready."""
        return {**self._head(), "windows": list(self._rows())}

    def _head(self) -> dict[str, Any]:
        episodes = [asdict(episode) for episode in self.episodes]
        return {"summary": self.summary(), "episodes": episodes}

    def _rows(self) -> Iterator[dict[str, Any]]:
        columns = self._columns()
        for row in zip(*columns.values(), strict=True):
            yield dict(zip(columns, row, strict=True))

    def _columns(self) -> dict[str, list[Any]]:
        """Return what the tables say of each window, by column; None where unreadable."""
        shares = np.round(self.probabilities, 6).astype(object)
        shares[np.isnan(self.probabilities)] = None
        return {
            "start_s": self.start_s.tolist(),
            "end_s": (self.start_s + self.length_s).tolist(),
            "label": self.labels.tolist(),
            "reason": self.reasons.tolist(),
            **{f"p_{label}": shares[:, i].tolist() for i, label in enumerate(self.classes)},
        }

    def save_windows_csv(self, path: str | Path) -> None:
        """Write one line per window."""
        columns = self._columns()
        for name in ("start_s", "end_s"):
            columns[name] = np.round(columns[name], 6).tolist()
        write_table(Path(path), list(columns), zip(*columns.values(), strict=True))

    def save_episodes_csv(self, path: str | Path) -> None:
        """Write one line per episode."""
        rows = [
            {"record": self.record_id, **asdict(e), "duration_s": e.duration_s}
            for e in self.episodes
        ]
        rounded = (
            [round(v, 6) if isinstance(v, float) else v for v in row.values()] for row in rows
        )
        write_table(Path(path), list(rows[0]), rounded)

    def save_json(self, path: str | Path) -> None:
        """Write :meth:`to_dict` as JSON, a line per window."""

        def write(file: BinaryIO) -> None:
            head = json.dumps(self._head(), indent=1, allow_nan=False).removesuffix("\n}")
            file.write(f'{head},\n "windows": ['.encode())
            file.writelines(
                f"{',' if i else ''}\n  {json.dumps(row, allow_nan=False)}".encode()
                for i, row in enumerate(self._rows())
            )
            file.write(b"\n ]\n}\n")

        write_atomically(Path(path), write)


def predict_record(
    model: WindowClassifier,
    record: Recording,
    *,
    leads: LeadChoice = "first",
    hop_s: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Timeline:
    """Judge a record window by window.

    A record on disk (:func:`ecglens.open_record`) is read as the windows are judged, so memory
    does not grow with its length. It gets the same timeline as the record in memory, bit by bit.

    Args:
        model: for example :func:`ecglens.load_model` of a file.
        record: the recording, in memory or on disk; annotations are not looked at.
        leads: ``"first"``, or names in order of preference.
        hop_s: from one window to the next in seconds, up to the window's length; None means the
            window's length (no overlap).
        progress: called with windows done and windows in all.

    Raises:
        WindowError: the record is shorter than one window.
        RecordError: it lacks the leads asked for, or its file cannot be decoded.
        UsageError: ``hop_s`` is out of range, or ``leads`` is ``"all"``.
    """
    if leads == "all":
        raise UsageError("a timeline is of one lead; name the lead, or call once per lead")
    if hop_s is not None and not 0 < hop_s <= model.length_s:
        raise UsageError(
            f"hop must be over 0 and up to the window's {model.length_s:g} s, got {hop_s:g} s; "
            "a longer hop would leave time unjudged"
        )
    rule = WindowRule(length_s=model.length_s, hop_s=hop_s, fs=model.fs, leads=leads)
    parts: list[Timeline] = []
    done, total = 0, count_windows(record, rule)
    for windows in window_blocks(record, rule):
        parts.append(_judge(model, windows, rule, record))
        done += len(windows)
        if progress is not None:
            progress(done, total)
    timeline = _joined(parts)
    return replace(timeline, notes=_notes(model, record, timeline))


def _judge(
    model: WindowClassifier, windows: Windows, rule: WindowRule, record: Recording
) -> Timeline:
    """Return what the model says of some windows of a record, without notes."""
    reasons = unreadable_reasons(windows.X, windows.fs)
    readable = reasons == ""
    probabilities = np.full((len(windows), len(model.classes)), np.nan)
    if readable.any():
        probabilities[readable] = model.predict_proba(windows.X[readable], windows.fs)
    return Timeline(
        record_id=record.record_id,
        lead=str(windows.leads[0]),
        duration_s=record.duration_s,
        length_s=windows.length_s,
        hop_s=rule.hop_samples / rule.fs,
        classes=model.classes,
        start_s=windows.start_s,
        labels=_decide(probabilities, readable, model),
        reasons=reasons,
        probabilities=probabilities,
    )


def _joined(parts: Sequence[Timeline]) -> Timeline:
    """Return one timeline of several that follow each other."""
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("start_s", "labels", "reasons", "probabilities")
    }
    return replace(parts[0], **arrays)


def _notes(model: WindowClassifier, record: Recording, timeline: Timeline) -> tuple[str, ...]:
    notes = list(record.notes)
    subject = subject_of(record)
    if subject in model.training_subjects:
        notes.append(f"subject {subject} was in training: this says nothing of new people")
    rest_s = record.duration_s - float(timeline.start_s[-1]) - timeline.length_s
    if rest_s > 0.5 / model.fs:
        notes.append(f"the last {rest_s:.1f} s are shorter than a window and were not judged")
    return tuple(notes)


def _decide(
    probabilities: npt.NDArray[np.float64],
    readable: npt.NDArray[np.bool_],
    model: WindowClassifier,
) -> StrArray:
    labels = np.full(len(readable), UNREADABLE, dtype=object)
    sure = probabilities[readable]
    names = np.array(model.classes, dtype=object)[sure.argmax(axis=1)]
    names[sure.max(axis=1) < model.min_probability] = INCONCLUSIVE
    labels[readable] = names
    return labels.astype(np.str_)
