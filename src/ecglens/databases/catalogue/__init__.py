"""The public databases that ecglens knows, and one's own by a TOML file."""

from ecglens.databases.catalogue.entry import Database, LabelRule, LabelTable
from ecglens.databases.catalogue.finding import database_at, find_database, list_databases

__all__ = [
    "Database",
    "LabelRule",
    "LabelTable",
    "database_at",
    "find_database",
    "list_databases",
]
