"""The page of one prediction, in the order in which one wants to know it."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.figure import Figure

from ecglens.prediction import Episode, Timeline
from ecglens.records import Recording
from ecglens.reports.model_facts import ModelFacts
from ecglens.reports.page import Page, Section
from ecglens.reports.timelines import burden_table, rhythm_strip


def make_page(
    timeline: Timeline,
    record: Recording,
    model: ModelFacts,
    explain: Callable[[Episode], Figure | None] | None = None,
) -> Page:
    """Return the page of a prediction; see :func:`ecglens.reports.predictions.save_prediction`."""
    return Page(
        title=timeline.record_id,
        subtitle=f"lead {timeline.lead}, {record.fs:g} Hz, judged by {model.name}",
        sections=(Section("Rhythm", (rhythm_strip(timeline), burden_table(timeline))),),
        classes=dict.fromkeys(timeline.classes, ""),
    )
