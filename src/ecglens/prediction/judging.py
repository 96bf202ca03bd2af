"""From a record and a model to a timeline, a block of windows at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ecglens.beats import heart_rates
from ecglens.databases import subject_of
from ecglens.errors import UsageError
from ecglens.prediction.evidence import Evidence
from ecglens.prediction.journal import Journal
from ecglens.prediction.leads import join_leads
from ecglens.prediction.timeline import INCONCLUSIVE, UNREADABLE, Timeline
from ecglens.quality import measure_quality
from ecglens.records import Recording
from ecglens.windows import LeadChoice, WindowRule, Windows, count_windows, window_blocks

PLAUSIBLE_RATE = (40.0, 130.0)
"""Median heart rate of a record in beats/min outside of which its sampling rate is doubted: hearts
at rest beat 50 to 100 times, and a rate wrong by two makes 35 or 140 of 70."""

_ENOUGH_RATES = 3


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


def predict_record(
    model: WindowClassifier,
    record: Recording,
    *,
    leads: LeadChoice = "best",
    hop_s: float | None = None,
    journal: Journal | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Timeline:
    """Judge a record window by window.

    A record on disk (:func:`ecglens.open_record`) is read as the windows are judged, so memory
    does not grow with its length. It gets the same timeline as the record in memory, bit by bit.

    Args:
        model: for example :func:`ecglens.load_model` of a file.
        record: the recording, in memory or on disk; annotations are not looked at.
        leads: ``"best"`` (the most readable, :func:`ecglens.quality.choose_lead`), ``"first"``,
            names in order of preference, or ``"all"``: every lead is judged, and what they say is
            combined.
        hop_s: from one window to the next in seconds, up to the window's length; None means the
            window's length (no overlap).
        journal: where blocks of windows are kept as they are judged, and found by a later run.
        progress: called with windows done and windows in all.

    Raises:
        WindowError: the record is shorter than one window.
        RecordError: it lacks the leads asked for, or its file cannot be decoded.
        OutputError: the journal cannot be written.
        UsageError: ``hop_s`` is out of range.
    """
    if hop_s is not None and not 0 < hop_s <= model.length_s:
        raise UsageError(
            f"hop must be over 0 and up to the window's {model.length_s:g} s, got {hop_s:g} s; "
            "a longer hop would leave time unjudged"
        )
    rule = WindowRule(length_s=model.length_s, hop_s=hop_s, fs=model.fs, leads=leads)
    lead, evidence = join_leads(_gather(model, record, rule, journal, progress))
    timeline = Timeline(
        record_id=record.record_id,
        lead=lead,
        duration_s=record.duration_s,
        length_s=rule.n_samples / rule.fs,
        hop_s=rule.hop_samples / rule.fs,
        classes=model.classes,
        start_s=evidence.start_s,
        labels=_decide(evidence, model),
        reasons=evidence.unreadable,
        probabilities=evidence.probabilities,
        posteriors=evidence.probabilities,
        quality=evidence.quality,
        heart_rate=evidence.heart_rate,
    )
    return replace(timeline, notes=_notes(model, record, timeline))


def _gather(
    model: WindowClassifier,
    record: Recording,
    rule: WindowRule,
    journal: Journal | None,
    progress: Callable[[int, int], None] | None,
) -> dict[str, Evidence]:
    """Return the evidence of all windows by lead."""
    parts: dict[str, list[Evidence]] = {}
    n_leads = record.n_leads if rule.leads == "all" else 1
    done, total = 0, count_windows(record, rule) * n_leads
    for windows in window_blocks(record, rule):
        lead = str(windows.leads[0])
        blocks = parts.setdefault(lead, [])
        place = (record.lead_index(lead), len(blocks))
        part = None if journal is None else journal.load(*place)
        if part is None or len(part) != len(windows):
            part = _judge(model, windows)
            if journal is not None:
                journal.save(*place, part)
        blocks.append(part)
        done += len(windows)
        if progress is not None:
            progress(done, total)
    return {lead: Evidence.join(blocks) for lead, blocks in parts.items()}


def _judge(model: WindowClassifier, windows: Windows) -> Evidence:
    """Return what can be said of each window by itself."""
    quality = measure_quality(windows.X, windows.fs)
    readable = quality.readable
    probabilities = np.full((len(windows), len(model.classes)), np.nan)
    heart_rate = np.full(len(windows), np.nan)
    if readable.any():
        X = windows.X[readable]
        probabilities[readable] = model.predict_proba(X, windows.fs)
        heart_rate[readable] = heart_rates(X, windows.fs)
    return Evidence(
        start_s=windows.start_s,
        unreadable=quality.reasons,
        probabilities=probabilities,
        quality=quality.score,
        heart_rate=heart_rate,
    )


def _notes(model: WindowClassifier, record: Recording, timeline: Timeline) -> tuple[str, ...]:
    notes = list(record.notes)
    subject = subject_of(record)
    if subject in model.training_subjects:
        notes.append(f"subject {subject} was in training: this says nothing of new people")
    rest_s = record.duration_s - float(timeline.start_s[-1]) - timeline.length_s
    if rest_s > 0.5 / model.fs:
        notes.append(f"the last {rest_s:.1f} s are shorter than a window and were not judged")
    notes += _doubt_of_rate(timeline.heart_rate)
    return tuple(notes)


def _doubt_of_rate(heart_rate: npt.NDArray[np.float64]) -> list[str]:
    """Say that a heart rate is one that hardly anyone keeps for a whole record."""
    if np.isfinite(heart_rate).sum() < _ENOUGH_RATES:
        return []
    usual = float(np.nanmedian(heart_rate))
    slowest, fastest = PLAUSIBLE_RATE
    if slowest <= usual <= fastest:
        return []
    return [
        f"the median heart rate is {usual:.0f}/min, which is doubtful; "
        "is the sampling rate right (--fs)?"
    ]


def _decide(evidence: Evidence, model: WindowClassifier) -> npt.NDArray[np.str_]:
    readable = evidence.unreadable == ""
    labels = np.full(len(readable), UNREADABLE, dtype=object)
    sure = evidence.probabilities[readable]
    names = np.array(model.classes, dtype=object)[sure.argmax(axis=1)]
    names[sure.max(axis=1) < model.min_probability] = INCONCLUSIVE
    labels[readable] = names
    return labels.astype(np.str_)
