"""``ecglens windows``: annotated records to a file of labelled windows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecglens.cli.console import say, say_json, table
from ecglens.cli.options import Databases, DataFolder, MoreSources, RunOptions, WindowOptions
from ecglens.cli.work import check_place, load_sources, with_databases

if TYPE_CHECKING:
    from ecglens.windows import Windows

EXAMPLE = "Example: ecglens windows mitdb vfdb --out windows.npz --per-class 500"


def run(
    out: Annotated[Path, typer.Option(help="File of windows to write (.npz).")],
    cutting: WindowOptions,
    running: RunOptions,
    sources: MoreSources = None,
    databases: Databases = None,
    data: DataFolder = None,
) -> None:
    """Cut annotated records into labelled windows."""
    from ecglens.windows import save_windows

    check_place(out)
    chosen, entries = with_databases(sources, databases, data)
    windows = load_sources(chosen, cutting, running.random_state, entries)
    save_windows(windows, out)
    rows = count_rows(windows)
    if running.json:
        say_json({"out": str(out), "windows": len(windows), "classes": rows})
    else:
        say(table(rows))
        say(f"{len(windows)} windows of {windows.length_s:g} s at {windows.fs:g} Hz in {out}")


def count_rows(windows: Windows) -> list[dict[str, Any]]:
    """Return windows, subjects, records and databases per class."""
    rows: list[dict[str, Any]] = []
    for label in windows.classes:
        mine = windows.subset(windows.labels == label)
        rows.append(
            {
                "class": label,
                "windows": len(mine),
                "subjects": len(set(mine.subjects.tolist())),
                "records": len(set(mine.records.tolist())),
                "databases": ", ".join(sorted(set(mine.databases.tolist()))),
            }
        )
    return rows
