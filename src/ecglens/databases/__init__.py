"""Public databases: what is known of them, their records and their download.

Virtual patients are in ``synthetic``.
"""

from ecglens.databases.catalogue import Database, database_at, find_database, list_databases
from ecglens.databases.reading import find_records, open_record, read_record
from ecglens.databases.subjects import subject_of

__all__ = [
    "Database",
    "database_at",
    "find_database",
    "find_records",
    "list_databases",
    "open_record",
    "read_record",
    "subject_of",
]
