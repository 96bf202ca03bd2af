"""Which records of public databases are of one person."""

from __future__ import annotations

import re
from types import MappingProxyType

from ecglens.records import Recording

# PhysioNet's short names, by the names of the archives it hands out.
_SHORT_NAMES = MappingProxyType({"mit-bih-arrhythmia-database": "mitdb"})
# MIT-BIH Arrhythmia Database directory: 47 people in 48 records, 201 and 202 are one man.
_SAME_PERSON = MappingProxyType({("mitdb", "202"): "201"})


def subject_of(record: Recording) -> str:
    """Return the person of a record, with what is known of its database taken into account.

    Args:
        record: its ``database`` is the name of its folder, as PhysioNet names it, with or without
            the version behind (``"mitdb"``, ``"mit-bih-arrhythmia-database-1.0.0"``).
    """
    bare = re.sub(r"-\d+(\.\d+)+$", "", record.database.casefold())
    short = _SHORT_NAMES.get(bare, bare)
    first = _SAME_PERSON.get((short, record.record_id))
    unnamed = record.subject_id == f"{record.database}-{record.record_id}"
    return f"{record.database}-{first}" if first and unnamed else record.subject_id
