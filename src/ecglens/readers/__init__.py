"""Recordings from files: one module per format behind :func:`open_record`."""

from ecglens.readers.registry import files_of, find_records, open_record, read_record
from ecglens.readers.source import RecordSource

__all__ = ["RecordSource", "files_of", "find_records", "open_record", "read_record"]
