"""What is known about public databases; virtual patients are in ``synthetic``."""

from ecglens.databases.subjects import subject_of

__all__ = ["subject_of"]
