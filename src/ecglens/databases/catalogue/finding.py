"""Which entry is meant: by its name, a TOML file or the folder that the data is in."""

from __future__ import annotations

import functools
from importlib import resources
from pathlib import Path
from types import MappingProxyType

from ecglens.databases.catalogue.entry import Database
from ecglens.databases.catalogue.loading import parse_database
from ecglens.errors import UsageError, suggest
from ecglens.guarded import read_text, real_path

_MAX_BYTES = 1 << 20
# ptb-xl/1.0.3/records500/00000/00001_hr.hea: the deepest file of a known database.
_LEVELS = 5


@functools.cache
def _entries() -> MappingProxyType[str, Database]:
    folder = resources.files("ecglens.databases.catalogue") / "entries"
    found = [
        parse_database(entry.read_text(encoding="utf-8"), Path(entry.name).stem)
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".toml")
    ]
    return MappingProxyType({database.name: database for database in found})


def list_databases() -> list[Database]:
    """Return the databases that come with ecglens, by name."""
    return list(_entries().values())


def find_database(source: str | Path | Database) -> Database:
    """Return the database of a name, or of a TOML file of one's own.

    Raises:
        UsageError: no such database or file, or the file breaks the rules of an entry.
    """
    if isinstance(source, Database):
        return source
    known = _entries()
    if str(source) in known:
        return known[str(source)]
    path = Path(source)
    if path.suffix.lower() != ".toml":
        raise UsageError(
            f"no database {str(source)!r}{suggest(str(source), known)}; known are "
            f"{', '.join(known)}, anything else is the path of a .toml file"
        )
    try:
        text = read_text(path, _MAX_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot read database entry {path}: {reason}") from error
    return parse_database(text, str(path))


def find_by_folder(name: str) -> Database | None:
    """Return the database that a folder of this name holds, None where none is known."""
    return next((each for each in _entries().values() if each.is_named(name)), None)


def database_at(path: str | Path) -> tuple[Database, Path] | None:
    """Return the known database that a file lies in, and the folder of its files.

    It is told by the names of the folders above the file: ``mitdb``, ``mitdb/1.0.0`` or
    ``mit-bih-arrhythmia-database-1.0.0``.
    """
    inner: Path | None = None
    for folder in list(real_path(path).parents)[:_LEVELS]:
        if database := find_by_folder(folder.name):
            versioned = inner is not None and inner.name == database.version
            return database, inner if inner is not None and versioned else folder
        inner = folder
    return None
