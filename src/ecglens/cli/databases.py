"""``ecglens databases``: the public databases, and what of them is here."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecglens.cli.console import say, say_json, table
from ecglens.cli.options import DataFolder, Mirror, RunOptions
from ecglens.errors import FetchError

if TYPE_CHECKING:
    from ecglens.databases import Database

EXAMPLE = "Example: ecglens databases mitdb"


def run(
    running: RunOptions,
    name: Annotated[
        str | None,
        typer.Argument(help="Database, or the TOML file of one.", show_default="list all"),
    ] = None,
    data: DataFolder = None,
    check: Annotated[
        bool, typer.Option("--check", help="Compare with the servers; needs a network.")
    ] = False,
    mirror: Mirror = None,
) -> None:
    """List the public databases, or what is known of one."""
    from ecglens.databases import find_database, list_databases

    chosen = list_databases() if name is None else [find_database(name)]
    if check:
        _check(chosen, mirror, as_json=running.json)
    elif running.json:
        say_json({"databases": [_facts(database, data) for database in chosen]})
    elif name is None:
        say(table([_line(database, data) for database in chosen]))
    else:
        facts = _facts(chosen[0], data)
        width = max(len(key) for key in facts)
        say("\n".join(f"{key.ljust(width)}  {_words(value)}" for key, value in facts.items()))


def _check(chosen: list[Database], mirror: str | None, *, as_json: bool) -> None:
    """Print what the servers say.

    Raises:
        FetchError: something is not as the catalogue says.
    """
    from ecglens.databases.download import check_database

    rows: list[dict[str, Any]] = []
    for database in chosen:
        rows += [
            {"name": database.name, "what": found.what, "good": found.good, "found": found.words}
            for found in check_database(database, mirror=mirror)
        ]
    if as_json:
        say_json({"checks": rows})
    else:
        say(table([{**row, "good": "yes" if row["good"] else "NO"} for row in rows]))
    wrong = [row for row in rows if not row["good"]]
    if wrong:
        raise FetchError(
            f"{len(wrong)} of {len(rows)} checks failed, the first of {wrong[0]['name']}: "
            f"{wrong[0]['found']}"
        )


def _line(database: Database, data: Path | None) -> dict[str, Any]:
    here = _here(database, data)["records_here"]
    return {
        "name": database.name,
        "version": database.version,
        "records": database.n_records or "?",
        "people": database.n_subjects or "?",
        "Hz": f"{database.fs:g}",
        "hours": f"{database.hours:g}" if database.hours else "?",
        "MB": f"{database.signal_mb:.0f}" if database.signal_mb else "?",
        "here": here or "-",
        "title": database.title,
    }


def _facts(database: Database, data: Path | None) -> dict[str, Any]:
    """Return what is known of a database and here of it, JSON-ready; unknown is left out."""
    left_out = {"convention", "table", "groups", "subject_pattern", "records"}
    facts = {f.name: getattr(database, f.name) for f in fields(database) if f.name not in left_out}
    facts["checksums"] = f"{database.address}SHA256SUMS.txt"
    facts["shared"] = [f"{record}: {same}" for record, same in database.shared.items()]
    facts["one_person"] = [", ".join(group) for group in database.groups.values()]
    plain = {k: list(v) if isinstance(v, tuple) else v for k, v in facts.items() if v}
    return {**plain, **_here(database, data)}


def _here(database: Database, data: Path | None) -> dict[str, Any]:
    from ecglens.databases.holdings import data_folder, records_here

    folder = (data or data_folder()) / database.name
    return {"records_here": len(records_here(database, data)), "folder": str(folder)}


def _words(value: object) -> str:
    return "; ".join(str(item) for item in value) if isinstance(value, list) else str(value)
