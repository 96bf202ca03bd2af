"""Recordings from files: one module per format behind :func:`open_record`."""

from ecglens.readers.registry import find_records, open_record, read_record
from ecglens.readers.source import RecordSource

__all__ = ["RecordSource", "find_records", "open_record", "read_record"]
