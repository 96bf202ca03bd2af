"""Signals that ask the program to end: it ends in order, as with Ctrl-C."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
"""SIGTERM: kill, or a system that shuts down. SIGHUP: the terminal was closed."""

_SHELL = 128
"""A shell gives this and the number as the exit code of a process that a signal ended."""


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Let signals raise SystemExit, so that temporary files go and processes end.

    A signal that is ignored, as by ``nohup``, stays so.
    """
    before = {number: signal.getsignal(number) for number in SIGNALS}
    taken = [number for number, handler in before.items() if handler == signal.SIG_DFL]
    for number in taken:
        signal.signal(number, _end)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, before[number])


def signal_of(code: object) -> str | None:
    """Return the name of the signal that an exit code stands for, None if it stands for none."""
    names = {_SHELL + number: signal.Signals(number).name for number in SIGNALS}
    return names.get(code) if isinstance(code, int) else None


def _end(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(_SHELL + number)
