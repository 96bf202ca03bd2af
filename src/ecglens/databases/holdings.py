"""What of a database is on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ecglens.databases.catalogue import Database
from ecglens.errors import RecordError
from ecglens.files import cache_folder
from ecglens.guarded import is_folder

DATA_VARIABLE = "ECGLENS_DATA"


def data_folder() -> Path:
    """Return the folder that databases are fetched into (not created here).

    The environment variable ``ECGLENS_DATA`` overrides the folder in the platform's cache.
    """
    named = os.environ.get(DATA_VARIABLE)
    return Path(named) if named else cache_folder() / "databases"


def records_here(database: Database, folder: Path | None = None) -> list[Path]:
    """Return the headers of a database's records in a data folder, sorted.

    Args:
        database: the catalogue's entry.
        folder: holds a folder of the database's name; :func:`data_folder` by default.
    """
    return _records_in((data_folder() if folder is None else folder) / database.name, database)


def folder_of(database: Database, folder: Path | None = None) -> Path:
    """Return the folder that a database's records are in; arguments are as above.

    Raises:
        RecordError: none is there.
    """
    top = data_folder() if folder is None else folder
    if not records_here(database, folder):
        what = f"no record of {database.name} in {top / database.name}"
        if other := _other_folder(database, top):
            raise RecordError(
                f"{what}, but {len(_records_in(other, database))} in {other / database.within}; to "
                f"read those, name that folder in place of the database, or get all with "
                f"'ecglens fetch {database.name}'"
            )
        raise RecordError(
            f"{what}; get it with 'ecglens fetch {database.name}', or name the folder that it is in"
        )
    return top / database.name / database.within


def _other_folder(database: Database, top: Path) -> Path | None:
    """Return a folder with records of the database under another of its names, as excerpts have."""
    named = sorted(path for path in top.glob("*") if database.is_named(path.name))
    return next((path for path in named if _records_in(path, database)), None)


def _records_in(top: Path, database: Database) -> list[Path]:
    return sorted(_headers(top / database.within, deep=bool(database.within)))


def _headers(folder: Path, *, deep: bool) -> Iterator[Path]:
    if not is_folder(folder):
        return
    found = folder.rglob("*.hea") if deep else folder.glob("*.hea")
    yield from (path for path in found if not path.name.startswith(".") and path.is_file())
