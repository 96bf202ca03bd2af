"""Recordings from files: one module per format behind :func:`read_record`."""

from ecglens.readers.registry import find_records, read_record

__all__ = ["find_records", "read_record"]
