"""From a record and a model to a timeline, a block of windows at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ecglens.beats import heart_rates
from ecglens.databases import is_among, subject_of
from ecglens.decisions import UNREADABLE, RejectRule, RhythmChange, decide
from ecglens.errors import UsageError
from ecglens.prediction.doubts import doubts_of_band, doubts_of_rate, doubts_of_silence
from ecglens.prediction.evidence import Evidence
from ecglens.prediction.journal import Journal
from ecglens.prediction.leads import join_leads
from ecglens.prediction.timeline import Timeline
from ecglens.quality import measure_quality
from ecglens.records import Recording
from ecglens.threads import thread_pool
from ecglens.windows import (
    LeadChoice,
    WindowRule,
    Windows,
    count_windows,
    lead_rows,
    window_blocks,
)


class WindowJudgement(Protocol):
    """What a model says of each window by itself."""

    @property
    def probabilities(self) -> npt.NDArray[np.float64]:
        """Calibrated, shape (n_windows, n_classes)."""

    @property
    def distances(self) -> npt.NDArray[np.float64]:
        """From the training windows, shape (n_windows,)."""


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
    def reject_rule(self) -> RejectRule:
        """Which windows are claimed for a class, each by itself."""

    @property
    def rhythm_change(self) -> RhythmChange:
        """How rhythms change from window to window."""

    @property
    def training_subjects(self) -> frozenset[str]:
        """People the model was trained on."""

    @property
    def training_records(self) -> frozenset[str]:
        """Records the model was trained on."""

    @property
    def highest_hz(self) -> float:
        """Highest frequency it looks at, in Hz."""

    def judge(self, X: npt.ArrayLike, fs: float) -> WindowJudgement:
        """Return what is said of readable windows, each by itself."""


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
    rule = window_rule(model, leads, hop_s)
    rows = lead_rows(record, rule.leads)
    evidence = join_leads(_gather(model, record, rule, rows, journal, progress))
    timeline = _decided(model, record, rule, rows, evidence)
    return replace(timeline, notes=_notes(model, record, rows[0], timeline))


def window_rule(model: WindowClassifier, leads: LeadChoice, hop_s: float | None) -> WindowRule:
    """Return how records are cut for a model.

    Raises:
        UsageError: ``hop_s`` is out of range.
    """
    if hop_s is not None and not 0 < hop_s <= model.length_s:
        raise UsageError(
            f"hop must be over 0 and up to the window's {model.length_s:g} s, got {hop_s:g} s; "
            "a longer hop would leave time unjudged"
        )
    return WindowRule(length_s=model.length_s, hop_s=hop_s, fs=model.fs, leads=leads)


def _decided(
    model: WindowClassifier,
    record: Recording,
    rule: WindowRule,
    rows: Sequence[int],
    evidence: Evidence,
) -> Timeline:
    """Return what is decided of all windows, read together; without notes."""
    length_s, hop_s = rule.times(record)
    decision = decide(
        evidence.probabilities,
        evidence.distances,
        evidence.unreadable,
        hop_s,
        model.reject_rule,
        model.rhythm_change,
    )
    return Timeline(
        record_id=record.record_id,
        lead="+".join(record.lead_names[row] for row in rows),
        duration_s=record.duration_s,
        length_s=length_s,
        hop_s=hop_s,
        classes=model.classes,
        start_s=evidence.start_s,
        labels=decision.labels,
        reasons=decision.reasons,
        probabilities=evidence.probabilities,
        posteriors=decision.posteriors,
        quality=evidence.quality,
        heart_rate=evidence.heart_rate,
        rows=tuple(rows),
    )


def _gather(
    model: WindowClassifier,
    record: Recording,
    rule: WindowRule,
    rows: Sequence[int],
    journal: Journal | None,
    progress: Callable[[int, int], None] | None,
) -> list[Evidence]:
    """Return the evidence of all windows of each lead that is judged."""
    judged: list[Evidence] = []
    done, total = 0, count_windows(record, rule) * len(rows)
    for row in rows:
        parts: list[Evidence] = []
        for windows in window_blocks(record, rule, rows=[row]):
            place = (row, len(parts))
            part = None if journal is None else journal.load(*place)
            if part is None or len(part) != len(windows):
                part = _judge(model, windows, in_mv=record.leads[row].in_mv)
                if journal is not None:
                    journal.save(*place, part)
            parts.append(part)
            done += len(windows)
            if progress is not None:
                progress(done, total)
        judged.append(Evidence.join(parts))
    return judged


def _judge(model: WindowClassifier, windows: Windows, *, in_mv: bool) -> Evidence:
    """Return what can be said of each window by itself."""
    quality = measure_quality(windows.X, windows.fs, in_mv=in_mv)
    readable = quality.readable
    probabilities = np.full((len(windows), len(model.classes)), np.nan)
    distances = np.full(len(windows), np.nan)
    heart_rate = np.full(len(windows), np.nan)
    if readable.any():
        X = windows.X[readable]
        # Beats are sought beside the network, which leaves a part of the cores idle.
        with thread_pool(1) as pool:
            rates = pool.submit(heart_rates, X, windows.fs)
            judged = model.judge(X, windows.fs)
            heart_rate[readable] = rates.result()
        probabilities[readable], distances[readable] = judged.probabilities, judged.distances
    return Evidence(
        start_s=windows.start_s,
        unreadable=quality.reasons,
        probabilities=probabilities,
        distances=distances,
        quality=quality.score,
        heart_rate=heart_rate,
    )


def _notes(
    model: WindowClassifier, record: Recording, row: int, timeline: Timeline
) -> tuple[str, ...]:
    notes = list(record.notes)
    subject = subject_of(record)
    if is_among(record, model.training_subjects, model.training_records):
        notes.append(f"subject {subject} was in training: this says nothing of new people")
    rest_s = record.duration_s - float(timeline.start_s[-1]) - timeline.length_s
    if rest_s > 0.5 / model.fs:
        notes.append(f"the last {rest_s:.1f} s are shorter than a window and were not judged")
    n_readable = int((timeline.labels != UNREADABLE).sum())
    notes += doubts_of_band(record.fs, model.highest_hz)
    notes += doubts_of_rate(record, row, timeline.heart_rate, n_readable)
    notes += doubts_of_silence(timeline.reasons, timeline.stretch_s)
    return tuple(notes)
