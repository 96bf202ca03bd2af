"""``ecglens fetch``: public databases, or some of their records, to this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from ecglens.cli.console import note, say, say_json, transfer
from ecglens.cli.options import Mirror, RunOptions
from ecglens.cli.work import split
from ecglens.errors import UsageError

EXAMPLE = "Example: ecglens fetch mitdb --records 100,101 --to data"


@dataclass(frozen=True)
class FetchOptions:
    """What is fetched, from where and to where."""

    records: Annotated[
        str | None,
        typer.Option(help="Only these, separated by commas (of one database).", show_default="all"),
    ] = None
    minutes: Annotated[
        float | None,
        typer.Option(help="Only so much of each record, from its start.", show_default="all"),
    ] = None
    to: Annotated[
        Path | None,
        typer.Option(
            help="Folder that gets a folder for each database.",
            show_default="ECGLENS_DATA, or the platform's cache",
        ),
    ] = None
    mirror: Mirror = None
    jobs: Annotated[int, typer.Option(min=1, max=4, help="Files at once.")] = 3
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Ask the server for its list of files again.")
    ] = False
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace other or changed files of the same names.")
    ] = False


def run(
    names: Annotated[
        list[str],
        typer.Argument(help="Databases, or TOML files of them.", show_default=False),
    ],
    running: RunOptions,
    fetching: FetchOptions,
) -> None:
    """Fetch public databases and check every file; an interrupted run goes on from there."""
    if fetching.records is not None and len(names) > 1:
        raise UsageError("--records needs one database; give several in commands of their own")
    said: list[dict[str, Any]] = []
    for name in names:
        said.append(_fetched(name, fetching))
        if not running.json:
            say(_told(said[-1]))
    if running.json:
        say_json({"fetched": said})


def _fetched(name: str, asked: FetchOptions) -> dict[str, Any]:
    """Fetch a database and return what to say of it."""
    from ecglens.databases.download import fetch_database

    with transfer(f"fetching {name}") as step:
        fetched = fetch_database(
            name,
            asked.to,
            records=None if asked.records is None else split(asked.records),
            minutes=asked.minutes,
            mirror=asked.mirror,
            jobs=asked.jobs,
            refresh=asked.refresh,
            replace=asked.replace,
            progress=lambda p: step(p.files, p.n_files, p.n_bytes, p.total_bytes),
            notice=note,
        )
    database = fetched.database
    return {
        "database": database.name,
        "version": database.version,
        "folder": str(fetched.folder),
        "records": len(fetched.records),
        "files": fetched.n_files,
        "fetched": fetched.n_fetched,
        "licence": database.licence,
        "citation": database.citation,
        "doi": database.doi,
    }


def _told(row: dict[str, Any]) -> str:
    now = f"{row['fetched']} of them now" if row["fetched"] else "all of them before"
    lines = [
        f"{row['database']} {row['version']}: {row['records']} records, {row['files']} files, "
        f"{now}, in {row['folder']}"
    ]
    if row["licence"]:
        lines.append(f"  licence: {row['licence']}")
    if row["citation"]:
        lines.append(f"  please cite: {row['citation']} Data: https://doi.org/{row['doi']}")
    return "\n".join(lines)
