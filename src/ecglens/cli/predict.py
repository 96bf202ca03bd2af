"""``ecglens predict``: recordings to rhythm episodes."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from ecglens.cli.bars import batch_bars
from ecglens.cli.console import note, say, table
from ecglens.cli.options import DEFAULT_MODEL, EngineOptions, Model, RunOptions
from ecglens.cli.work import engine_settings, lead_choice, list_records, say_bundled
from ecglens.errors import EcglensError, IncompleteError

if TYPE_CHECKING:
    from ecglens.batch import RecordingResult
    from ecglens.prediction import Timeline
    from ecglens.reports.predictions import Tables

EXAMPLE = "Example: ecglens predict mitdb/201 --out episodes"
MANY = 20
"""Recordings beyond which each is a line on the screen, not a table of episodes."""


def run(
    files: Annotated[
        list[Path], typer.Argument(help="Records or folders of records.", show_default=False)
    ],
    engine: EngineOptions,
    running: RunOptions,
    model: Model = DEFAULT_MODEL,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for a folder of files per recording.", show_default="none"),
    ] = None,
    leads: Annotated[
        str, typer.Option(help="best, first, all (combined), or names by preference: II,V5.")
    ] = "best",
    hop_s: Annotated[
        float | None, typer.Option(help="Seconds between windows (default: no overlap).")
    ] = None,
    fs: Annotated[
        float | None, typer.Option(help="Sampling rate of files that do not say it, Hz.")
    ] = None,
    tables: Annotated[str, typer.Option(help="Table of windows as csv or parquet.")] = "csv",
    explained: Annotated[
        int, typer.Option(min=0, help="Episodes whose page shows what spoke for their class.")
    ] = 3,
    jobs: Annotated[
        int, typer.Option(min=1, help="Recordings to judge at a time, each in a process.")
    ] = 1,
    again: Annotated[
        bool, typer.Option("--again", help="Judge also what --out holds already.")
    ] = False,
) -> None:
    """Find rhythm episodes in recordings; a bad file is reported and the rest go on.

    With --out, the same command after an interruption goes on where it was.
    """
    from ecglens.batch import BatchSettings, predict_files

    kind = cast("Tables", tables)
    settings = BatchSettings(
        lead_choice(leads), hop_s, fs, kind, explained, engine_settings(engine)
    )
    paths = list_records(files)
    if out is None and (again, tables, explained) != (False, "csv", 3):
        note("--again, --tables and --explained are about files; without --out there are none")
    say_bundled(model)
    speaker: _JsonSpeaker | _Speaker = _Speaker(len(paths), out)
    if running.json:
        speaker = _JsonSpeaker(len(paths), out, model)
    with batch_bars() as bars:
        found = predict_files(
            model, paths, out, settings=settings, jobs=jobs, again=again, progress=bars.show
        )
        with closing(found):
            for result in found:
                bars.hide()
                speaker.say(result)
    speaker.end()
    _fail(speaker.failed, len(paths), out)


def _fail(failed: Sequence[EcglensError], n_recordings: int, out: Path | None) -> None:
    if not failed:
        return
    where = "" if out is None else f"; {out / 'records.csv'} says why"
    said = f"{len(failed)} of {n_recordings} recordings failed"
    if len(failed) < n_recordings:
        raise IncompleteError(f"{said}, the rest are done{where}")
    note(said + where)
    raise typer.Exit(failed[0].exit_code)


class _Speaker:
    """Prints results as text; what failed goes to stderr."""

    def __init__(self, n_recordings: int, out: Path | None) -> None:
        self.failed: list[EcglensError] = []
        self._n = n_recordings
        self._out = out
        self._n_skipped = 0

    def say(self, result: RecordingResult) -> None:
        if result.error is not None:
            self.failed.append(result.error)
            note(f"{result.path}: {result.error}")
            return
        self._n_skipped += result.status == "skipped"
        if result.timeline is not None and self._n <= MANY:
            _say_timeline(result.timeline)
        else:
            self._say_line(result)

    def _say_line(self, result: RecordingResult) -> None:
        summary = result.summary or {}
        place = "" if self._out is None else f" -> {self._out / result.name}"
        before = " (done before)" if result.status == "skipped" else ""
        say(f"{_head(summary)}: {_shares(summary)}{place}{before}")

    def end(self) -> None:
        if self._n == 1:
            return
        done = self._n - self._n_skipped - len(self.failed)
        say(
            f"{self._n} recordings: {done} done, {self._n_skipped} done before, "
            f"{len(self.failed)} failed"
        )


class _JsonSpeaker:
    """Prints one JSON object piece by piece: no recording waits in memory for the others.

    Windows are in it where there is one recording and no table of them on disk.
    """

    def __init__(self, n_recordings: int, out: Path | None, model: Path) -> None:
        self.failed: list[EcglensError] = []
        self._n = n_recordings
        self._out = out
        self._model = model
        self._n_said = 0
        self._failures: list[dict[str, Any]] = []

    def say(self, result: RecordingResult) -> None:
        if result.error is not None:
            self.failed.append(result.error)
            note(f"{result.path}: {result.error}")
            self._failures.append(
                {
                    "path": str(result.path),
                    "error": type(result.error).__name__,
                    "message": str(result.error),
                }
            )
            return
        value: dict[str, Any] = {
            "path": str(result.path),
            "name": result.name,
            "status": result.status,
            "summary": result.summary,
        }
        if result.timeline is not None:
            value |= result.timeline.to_dict()
            if self._n > 1:
                del value["windows"]
        if self._out is not None:
            value["episodes"] = _read_episodes(self._out / result.name / "episodes.csv")
        say(("," if self._n_said else '{"records": [') + _dumps(value))
        self._n_said += 1

    def end(self) -> None:
        opening = "" if self._n_said else '{"records": ['
        failed, model = _dumps(self._failures), _dumps(self._model.name)
        say(f'{opening}],\n"failed": {failed},\n"model": {model}}}')


def _read_episodes(path: Path) -> list[dict[str, Any]]:
    """Return the episodes of a table that may be of an earlier run."""
    with path.open(newline="", encoding="utf-8") as file:
        return [
            {
                "start_s": float(row["start_s"]),
                "end_s": float(row["end_s"]),
                "label": row["label"],
                "probability": float(row["probability"]) if row["probability"] else None,
                "lead": row["lead"],
                "n_windows": int(row["n_windows"]),
                "reason": row.get("reason") or "",
            }
            for row in csv.DictReader(file)
        ]


def _dumps(value: Any) -> str:
    return json.dumps(value, indent=1, allow_nan=False)


def _say_timeline(timeline: Timeline) -> None:
    summary = timeline.summary()
    say(_head(summary))
    for text in timeline.notes:
        say(f"  note: {text}")
    say(f"  {_shares(summary)}")
    rows = [
        {
            "start_s": round(episode.start_s, 1),
            "end_s": round(episode.end_s, 1),
            "label": episode.label,
            "probability": "-" if episode.probability is None else f"{episode.probability:.2f}",
        }
        for episode in timeline.episodes
    ]
    say("  " + table(rows).replace("\n", "\n  "))


def _head(summary: Any) -> str:
    return f"{summary['record']}, lead {summary['lead']}, {summary['duration_s'] / 60:.1f} min"


def _shares(summary: Any) -> str:
    from ecglens.prediction import UNREADABLE

    share = dict(summary["share"])
    unreadable = share.pop(UNREADABLE)
    parts = ", ".join(f"{label} {part:.1%}" for label, part in share.items() if part > 0)
    if not unreadable:
        return parts
    return f"unreadable {unreadable:.1%}" + (f"; of the rest {parts}" if parts else "")
