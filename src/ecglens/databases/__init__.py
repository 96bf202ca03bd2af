"""Public databases: what is known of them, their records and their download.

Virtual patients are in ``synthetic``.
"""

from ecglens.databases.catalogue import Database, database_at, find_database, list_databases
from ecglens.databases.reading import find_records, open_record, read_record
from ecglens.databases.subjects import is_among, name_of_record, subject_of

__all__ = [
    "Database",
    "database_at",
    "find_database",
    "find_records",
    "is_among",
    "list_databases",
    "name_of_record",
    "open_record",
    "read_record",
    "subject_of",
]
