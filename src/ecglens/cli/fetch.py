"""``ecglens fetch``: public databases, or some of their records, to this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ecglens.cli.console import note, say, say_json, transfer
from ecglens.cli.options import Mirror, RunOptions
from ecglens.cli.work import split
from ecglens.errors import UsageError

EXAMPLE = "Example: ecglens fetch mitdb --records 100,101 --to data"


def run(
    names: Annotated[
        list[str],
        typer.Argument(help="Databases, or TOML files of them.", show_default=False),
    ],
    running: RunOptions,
    records: Annotated[
        str | None,
        typer.Option(help="Only these, separated by commas (of one database).", show_default="all"),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(help="Only so much of each record, from its start.", show_default="all"),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(
            help="Folder that gets a folder for each database.",
            show_default="ECGLENS_DATA, or the platform's cache",
        ),
    ] = None,
    mirror: Mirror = None,
    jobs: Annotated[int, typer.Option(min=1, max=4, help="Files at once.")] = 3,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Ask the server for its list of files again.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace other files of the same names.")
    ] = False,
) -> None:
    """Fetch public databases and check every file; an interrupted run goes on from there."""
    from ecglens.databases.download import fetch_database

    if records is not None and len(names) > 1:
        raise UsageError("--records needs one database; give several in commands of their own")
    said: list[dict[str, Any]] = []
    for name in names:
        with transfer(f"fetching {name}") as step:
            fetched = fetch_database(
                name,
                to,
                records=None if records is None else split(records),
                minutes=minutes,
                mirror=mirror,
                jobs=jobs,
                refresh=refresh,
                replace=replace,
                progress=lambda p, step=step: step(  # type: ignore[misc]
                    p.files, p.n_files, p.n_bytes, p.total_bytes
                ),
                notice=note,
            )
        database = fetched.database
        said.append(
            {
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
        )
        if not running.json:
            say(_told(said[-1]))
    if running.json:
        say_json({"fetched": said})


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
