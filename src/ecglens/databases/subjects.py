"""Which records of public databases are of one person."""

from __future__ import annotations

from collections.abc import Container

from ecglens.databases.catalogue.entry import Database
from ecglens.databases.catalogue.finding import find_by_folder, find_database
from ecglens.records import Recording


def subject_of(record: Recording) -> str:
    """Return the person of a record, with what is known of its database taken into account.

    Args:
        record: its ``database`` is the name of its folder, as PhysioNet names it, with or without
            the version behind (``"mitdb"``, ``"mit-bih-arrhythmia-database-1.0.0"``).

    Returns:
        The person that the file names, else for a known database its short name and the person
        (``"mitdb-201"`` for 201 and 202), the same wherever the database lies.
    """
    unnamed = record.subject_id == f"{record.database}-{record.record_id}"
    database = find_by_folder(record.database) if unnamed else None
    return person_in(database, record.record_id) if database else record.subject_id


def is_among(record: Recording, people: Container[str], records: Container[str]) -> bool:
    """Tell whether a record is of one of some people, or one of some records itself.

    The record counts too because whoever cut windows may have named its person otherwise.

    Args:
        record: a recording.
        people: as :func:`subject_of` names them.
        records: as :func:`name_of_record` names them.
    """
    return (
        subject_of(record) in people or name_of_record(record.database, record.record_id) in records
    )


def name_of_record(database: str, record_id: str) -> str:
    """Return the name of a record among those of all databases (``"mitdb/100"``)."""
    return f"{database}/{record_id}"


def person_in(database: Database, record_id: str) -> str:
    """Return the subject of a record of a known database."""
    if record_id in database.shared:
        other, _, record = database.shared[record_id].partition("/")
        return person_in(find_database(other), record)
    return f"{database.name}-{database.person_of(record_id)}"
