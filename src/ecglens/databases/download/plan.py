"""Which files of a database are wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from ecglens.databases.catalogue import Database
from ecglens.errors import FetchError, UsageError, suggest

# Of use to people and other programs, where the server has them.
BESIDE = ("RECORDS", "LICENSE.txt")


@dataclass(frozen=True)
class Plan:
    """Files to fetch, by record.

    Attributes:
        records: names of the files of each record, the header first, by the record's name with
            its folders.
        others: names of other files.
    """

    records: Mapping[str, tuple[str, ...]]
    others: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """All files, small ones that tell of others first."""
        return [*self.others, *(name for files in self.records.values() for name in files)]


def make_plan(
    database: Database, sums: Mapping[str, str], records: Sequence[str] | None = None
) -> Plan:
    """Choose files among those that a server lists.

    Args:
        database: what a record is and which of its files are of use.
        sums: files of the server.
        records: names of the records wanted, with or without their folders; all by default.

    Raises:
        FetchError: the server lists no record.
        UsageError: it does not list one that is wanted, or one has no signal.
    """
    there = [
        name.removesuffix(".hea")
        for name in sums
        if name.endswith(".hea") and _counts(database, name)
    ]
    if not there:
        raise FetchError(
            f"the server lists no record of {database.name} in its SHA256SUMS.txt; "
            "check address and version"
        )
    wanted = _choose(database, there, records)
    endings = dict.fromkeys(("hea", *database.endings))
    files = {
        record: tuple(name for ending in endings if (name := f"{record}.{ending}") in sums)
        for record in wanted
    }
    tables = database.table.files if database.table else ()
    return Plan(files, tuple(name for name in (*BESIDE, *tables) if name in sums))


def _counts(database: Database, name: str) -> bool:
    if database.within:
        return name.startswith(database.within)
    return "/" not in name


def _choose(database: Database, there: Sequence[str], records: Sequence[str] | None) -> list[str]:
    if records is None:
        return [record for record in there if record not in database.no_signal]
    by_name = {PurePosixPath(record).name: record for record in there}
    by_name |= {record: record for record in there}
    chosen: dict[str, None] = {}
    for record in records:
        if record not in by_name:
            raise UsageError(
                f"{database.name} has no record {record!r}{suggest(record, by_name)}; "
                f"its {len(there)} records go from {there[0]} to {there[-1]}"
            )
        if record in database.no_signal:
            raise UsageError(
                f"record {record!r} of {database.name} has annotations alone, no signal; leave it "
                "out"
            )
        chosen[by_name[record]] = None
    return list(chosen)
