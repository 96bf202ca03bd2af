"""Which records of which databases, and how much of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecglens.databases import Database, find_database
from ecglens.errors import RecordError
from ecglens.guarded import is_folder, is_regular
from ecglens.reproduction.settings import ReproductionSettings


@dataclass(frozen=True)
class Source:
    """What is taken of a database.

    Attributes:
        database: its name.
        classes: what it is the first choice for; everything else it has serves the controls.
        n_records: how many records, spread evenly over their names; None for all.
        minutes: only the start of each record; None for all of it.
        leads: ``"first"`` or ``"all"``.
    """

    database: str
    classes: tuple[str, ...] = ()
    n_records: int | None = None
    minutes: float | None = None
    leads: str = "first"


# AF comes in attacks and ST change in episodes of minutes: their databases need longer stretches
# than sinus rhythm does. Episodes of edb and ltstdb belong to one lead each.
SOURCES = (
    Source("nsrdb", ("N",), minutes=30),
    Source("afdb", ("AF",), minutes=120),
    Source("vfdb", ("VF",)),
    Source("cudb", ("VF",)),
    Source("edb", ("ST",), minutes=60, leads="all"),
    Source("mitdb"),
    Source("ltstdb", n_records=20, minutes=120, leads="all"),
)
QUICK_SOURCES = (
    Source("nsrdb", ("N",), n_records=8, minutes=10),
    Source("afdb", ("AF",), n_records=8, minutes=60),
    Source("vfdb", ("VF",), n_records=8),
    Source("cudb", ("VF",), n_records=8),
    Source("edb", ("ST",), n_records=10, minutes=60, leads="all"),
)


@dataclass(frozen=True)
class Planned:
    """A source and what of it is here or on the server.

    Attributes:
        source: what is taken.
        records: names of records; empty where the database is not in the folder that was named.
        folder: where they are, None where they are to be fetched.
        fetch_mb: what is fetched, as the catalogue's size tells.
    """

    source: Source
    records: tuple[str, ...]
    folder: Path | None
    fetch_mb: float = 0.0

    @property
    def database(self) -> Database:
        """The catalogue's entry."""
        return find_database(self.source.database)

    def to_dict(self) -> dict[str, Any]:
        """Return what is taken as plain values for JSON, wherever it lies."""
        return {
            "database": self.source.database,
            "version": self.database.version,
            "first_choice_for": list(self.source.classes),
            "records": list(self.records),
            "minutes": self.source.minutes,
            "leads": self.source.leads,
        }


def plan_sources(settings: ReproductionSettings, to: Path) -> tuple[Planned, ...]:
    """Choose records of every database.

    Args:
        settings: what is asked for.
        to: folder that databases are fetched into, looked at for what is there already.

    Raises:
        RecordError: a folder was named and none of the databases is in it.
    """
    sources = QUICK_SOURCES if settings.quick else SOURCES
    if settings.data is None:
        return tuple(_to_fetch(source, to) for source in sources)
    planned = tuple(_in_folder(source, settings.data) for source in sources)
    if not any(each.records for each in planned):
        names = ", ".join(source.database for source in sources)
        raise RecordError(
            f"{settings.data} has no folder of {names} with records in it; name the folder that "
            "holds their folders, or leave out --data to fetch them"
        )
    return planned


def spread(names: Sequence[str], n_wanted: int | None) -> tuple[str, ...]:
    """Return some of the names, as far apart as their number allows; all where None or too few."""
    n = len(names)
    if n_wanted is None or n_wanted >= n:
        return tuple(names)
    return tuple(names[i * n // n_wanted] for i in range(n_wanted))


def _to_fetch(source: Source, to: Path) -> Planned:
    database = find_database(source.database)
    there = [name for name in database.records if name not in database.no_signal]
    records = spread(there, source.n_records)
    for folder in (to / database.name, to / excerpt_name(source)):
        if all(_is_whole(folder, database, name) for name in records):
            return Planned(source, records, folder)
    return Planned(source, records, None, _megabytes(database, source, len(records)))


def excerpt_name(source: Source) -> str:
    """Return the name of the folder that a source is fetched into."""
    if source.minutes is None:
        return source.database
    return f"{source.database}-first-{source.minutes:g}-min"


def _is_whole(folder: Path, database: Database, record: str) -> bool:
    return all(is_regular(folder / f"{record}.{ending}") for ending in database.endings)


def _in_folder(source: Source, data: Path) -> Planned:
    database = find_database(source.database)
    for folder in folders_of(database, data):
        there = [name for name in records_in(folder) if name not in database.no_signal]
        if there:
            return Planned(source, spread(there, source.n_records), folder)
    return Planned(source, (), None)


def folders_of(database: Database, place: Path) -> list[Path]:
    """Return the folders in ``place`` that hold a database, whole ones before excerpts."""
    if not is_folder(place):
        return []
    named = [path for path in place.iterdir() if is_folder(path) and database.is_named(path.name)]
    named.sort(key=lambda path: ("-first-" in path.name, path.name))
    versions = (path / database.version for path in named)
    return [*named, *(path for path in versions if is_folder(path))]


def records_in(folder: Path) -> list[str]:
    """Return the names of the WFDB records in a folder, sorted."""
    return sorted(path.stem for path in folder.glob("*.hea") if not path.name.startswith("."))


def _megabytes(database: Database, source: Source, n_records: int) -> float:
    """Return how much there is to fetch, with a tenth for headers and annotations."""
    n_all = len(database.records) - len(database.no_signal)
    share = n_records / n_all
    minutes_each = database.hours * 60 / n_all
    if source.minutes is not None:
        share *= min(1.0, source.minutes / minutes_each)
    return 1.1 * database.signal_mb * share
