"""Which records of public databases are of one person."""

from __future__ import annotations

from types import MappingProxyType

from ecglens.records import Record

# MIT-BIH Arrhythmia Database directory: 47 people in 48 records, 201 and 202 are one man.
_SAME_PERSON = MappingProxyType({("mitdb", "202"): "mitdb-201"})


def subject_of(record: Record) -> str:
    """Return the person of a record, with what is known of its database taken into account.

    Args:
        record: its ``database`` is the name of its folder, as PhysioNet names it.
    """
    return _SAME_PERSON.get((record.database, record.record_id), record.subject_id)
