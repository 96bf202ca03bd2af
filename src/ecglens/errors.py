"""The error tree.

EcglensError                  exit code 1
├── UsageError                2   an argument or option that breaks a rule (also a ValueError)
├── RecordError               3   a recording that is missing, damaged or not an ECG
├── WindowError               4   windows or labels that cannot be used
│   └── UnreadableWindowError 4   flat, missing or non-finite windows where an image was asked for
├── EvaluationError           5   too few classes, subjects or windows for an honest evaluation
│   └── LeakError             5   one subject on both sides of a subject-wise split
├── BackboneError             6   unknown network, layer, weights or engine
├── ModelFileError            7   a model file that is damaged, foreign or newer than this program
├── OutputError               8   a result that cannot be written
├── IncompleteError           9   some recordings failed; the results of the rest are done
└── FetchError               10   a database that cannot be fetched, or not whole

Every message says what was received, the rule and the cure. The command line prints it on one
line and exits with the code; 130 stands for Ctrl-C, as in a shell.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar


class EcglensError(Exception):
    """Root of every error that ecglens raises on purpose."""

    exit_code: ClassVar[int] = 1


class UsageError(EcglensError, ValueError):
    """An argument or option breaks a rule."""

    exit_code = 2


class RecordError(EcglensError):
    """A recording is missing, damaged or not an ECG."""

    exit_code = 3


class WindowError(EcglensError):
    """Windows or labels cannot be used as asked."""

    exit_code = 4


class UnreadableWindowError(WindowError):
    """A window is flat, missing or non-finite, so it has no image."""


class EvaluationError(EcglensError):
    """The data cannot support the evaluation that was asked for."""

    exit_code = 5


class LeakError(EvaluationError):
    """One subject stands on both sides of a subject-wise split."""


class BackboneError(EcglensError):
    """A network, layer, weights file or engine is unknown or does not fit."""

    exit_code = 6


class ModelFileError(EcglensError):
    """A model file is damaged, foreign or newer than this program."""

    exit_code = 7


class OutputError(EcglensError):
    """A result cannot be written."""

    exit_code = 8


class IncompleteError(EcglensError):
    """Some recordings of many failed; the results of the rest are done."""

    exit_code = 9


class FetchError(EcglensError):
    """A database cannot be fetched, or a file of it is not what its checksum says."""

    exit_code = 10


def suggest(received: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest known word, or an empty string."""
    close = difflib.get_close_matches(received, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""
