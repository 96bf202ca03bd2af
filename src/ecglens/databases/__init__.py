"""What is known about public databases."""

from ecglens.databases.subjects import subject_of

__all__ = ["subject_of"]
