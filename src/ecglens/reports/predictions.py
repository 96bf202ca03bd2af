"""What a prediction leaves on disk: a folder of tables, annotations and a page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from matplotlib.figure import Figure

from ecglens.databases import is_among
from ecglens.databases.wfdb_annotations import safe_name, save_annotations
from ecglens.errors import OutputError, UsageError, suggest
from ecglens.files import make_folder, write_json
from ecglens.prediction import Episode, Timeline
from ecglens.prediction.tables import check_parquet
from ecglens.records import Recording
from ecglens.reports.model_facts import ModelFacts
from ecglens.reports.page import save_html
from ecglens.reports.prediction_page import make_page
from ecglens.reports.rhythm_marks import rhythm_marks

Tables = Literal["csv", "parquet"]

SUMMARY = "summary.json"
"""Written last: a folder that has it is whole."""

ANNOTATOR = "rhythm"
_KINDS = ("csv", "parquet")


def check_tables(tables: str) -> None:
    """Check a kind of tables before the work is done that shall fill them.

    Raises:
        UsageError: there is no such kind, or pyarrow is not installed.
    """
    if tables not in _KINDS:
        raise UsageError(
            f"tables cannot be {tables!r}{suggest(tables, _KINDS)}; choose csv or parquet"
        )
    if tables == "parquet":
        check_parquet()


def save_prediction(
    timeline: Timeline,
    record: Recording,
    model: ModelFacts,
    folder: str | Path,
    *,
    tables: Tables = "csv",
    name: str = "",
    explain: Callable[[Episode], Figure | None] | None = None,
) -> None:
    """Write the files of one prediction into a folder of their own.

    These are ``episodes.csv``, ``windows.csv`` (or ``windows.parquet``), ``NAME.rhythm`` (WFDB
    annotations), ``report.html`` and, last, ``summary.json``; docs/outputs.md describes them. Each
    is written whole or not at all, and the same prediction gives the same bytes.

    Args:
        timeline: of the record.
        record: in memory or on disk; only the stretches that the page shows are read.
        model: that made the timeline.
        folder: made where it is missing; files of an older prediction are replaced.
        tables: kind of the table of windows.
        name: of the annotation file, by default the record's in characters that WFDB allows.
        explain: draws why an episode was given its class, or returns None; called for the
            episodes whose ECG the page shows.

    Raises:
        UsageError: there is no such kind of tables, pyarrow is not installed, or the name cannot
            stand in WFDB files.
        RecordError: the record's file can no longer be decoded.
        OutputError: the folder or a file cannot be written.
    """
    check_tables(tables)
    name = name or safe_name(record.record_id)
    folder = make_folder(Path(folder))
    _remove(folder / SUMMARY)
    for kind in _KINDS:
        if kind != tables:
            _remove(folder / f"windows.{kind}")
    timeline.save_episodes_csv(folder / "episodes.csv")
    if tables == "csv":
        timeline.save_windows_csv(folder / "windows.csv")
    else:
        timeline.save_windows_parquet(folder / "windows.parquet")
    save_annotations(rhythm_marks(timeline, record), folder, name, ANNOTATOR, record.fs)
    save_html(make_page(timeline, record, model, explain), folder / "report.html")
    write_json(folder / SUMMARY, _summary(timeline, record, model))


def _summary(timeline: Timeline, record: Recording, model: ModelFacts) -> dict[str, Any]:
    return {
        **timeline.summary(),
        "fs": record.fs,
        "leads": list(record.lead_names),
        "subject": record.subject_id,
        "database": record.database,
        "in_training": is_among(
            record, model.card.get("subjects", ()), model.card.get("records", ())
        ),
        "window_s": timeline.length_s,
        "hop_s": timeline.hop_s,
        "classes": list(timeline.classes),
        "model": model.to_dict(),
    }


def _remove(path: Path) -> None:
    """Remove a file of an older prediction."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"cannot remove {path}: {reason}; choose another place") from error
