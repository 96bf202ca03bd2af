"""Timelines and records to write: of any length, without a model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ecglens.images import ImageSettings
from ecglens.prediction import Timeline
from ecglens.records import Lead, Record
from ecglens.reports.model_facts import ModelFacts
from tests.signals_of import beats

CLASSES = ("AF", "N", "ST", "VF")
REASONS = {"unreadable": "flat", "inconclusive": "no class"}
FS = 100.0

CARD = {
    "intended_use": "Research only.",
    "windows": {"AF": 30, "N": 60},
    "databases": {"mitdb": 90},
    "subjects": ["a", "b", "c"],
    "abstention": {"coverage": 0.81, "error": 0.034, "error_at_full_coverage": 0.12},
    "evaluation": {
        "results": {
            "pooled": {"title": "pooled (leaks)", "accuracy": {"value": 0.9446},
                       "macro_f1": {"value": 0.9561, "low": 0.94, "high": 0.97}},
            "subject": {"title": "subject-wise", "accuracy": {"value": 0.7989},
                        "macro_f1": {"value": None}},
        }
    },
}  # fmt: skip
MODEL = ModelFacts(
    "small.ecglens", CARD, ImageSettings(), "default, tiny",
    {"min_probability": {"AF": 0.5, "N": 0.6}, "max_distance": 2.5}, "ab" * 32,
)  # fmt: skip


def timeline_of(
    labels: Sequence[str],
    *,
    record_id: str = "r1",
    rest_s: float = 0.0,
    length_s: float = 10.0,
    hop_s: float | None = None,
    notes: tuple[str, ...] = (),
    lead: str = "II",
) -> Timeline:
    """A timeline whose windows have these labels, VF and unreadable ones without a heart rate."""
    words, n = np.array(labels), len(labels)
    hop = hop_s or length_s
    named = np.array([list(CLASSES).index(x) if x in CLASSES else 0 for x in labels])
    probabilities = np.full((n, 4), 0.1)
    probabilities[np.arange(n), named] = 0.7
    probabilities[words == "unreadable"] = np.nan
    beating = ~np.isin(words, ["VF", "unreadable"])
    return Timeline(
        record_id=record_id, lead=lead, duration_s=hop * (n - 1) + length_s + rest_s,
        length_s=length_s, hop_s=hop, classes=CLASSES, start_s=hop * np.arange(n), labels=words,
        reasons=np.array([REASONS.get(x, "") for x in labels]), probabilities=probabilities,
        posteriors=probabilities, quality=np.where(words == "unreadable", 0.0, 0.9),
        heart_rate=np.where(beating, 60.0 + np.arange(n) % 40, np.nan), notes=notes,
    )  # fmt: skip


def record_for(timeline: Timeline, names: Sequence[str] = ("II", "V1"), unit: str = "mV") -> Record:
    """A record of the timeline's length, the beats of one minute over and over."""
    n = round(timeline.duration_s * FS)
    signal = np.resize(beats(60, FS).astype(np.float32), n)
    rows = np.stack([signal / (row + 1) for row in range(len(names))])
    leads = tuple(Lead(name, unit) for name in names)
    return Record(rows, FS, leads, timeline.record_id)
