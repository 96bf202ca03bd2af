"""The program in processes that are forked, so that each try costs its work and not its imports."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

WORTHWHILE = (
    "ecglens.batch",
    "ecglens.cli.app",
    "ecglens.databases.download",
    "ecglens.evaluation",
    "ecglens.models",
    "ecglens.reports.predictions",
    "ecglens.windows",
    "h5py",
    "openvino",
    "openvino.opset13",
    "skops.io",
    "wfdb",
)
"""Modules that take long to import; none of them starts a thread that has work."""

# Blocks of the journal and of the cache are made small, so that there are many writes to kill at.
BLOCK = 8
PRELUDE = f"""
import ecglens.features.extraction, ecglens.windows.cutting
ecglens.features.extraction.BLOCK = ecglens.windows.cutting.BLOCK = {BLOCK}
"""
PROGRAM = PRELUDE + "from ecglens.cli import main; main()"
CRASHED = 70
"""Exit code of a run that ended with a traceback."""
_EVENTS = frozenset({"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir"})


def preload() -> float:
    """Import what the program needs, and return the CPU seconds this process took until now."""
    for name in WORTHWHILE:
        importlib.import_module(name)
    exec(PRELUDE, {})  # noqa: S102  a constant of this file
    gc.freeze()  # else every child would copy all pages when it collects
    return time.process_time()


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process that has not been waited for.

    On a machine that others use too, it tells how far a run has come, as the clock does not.
    """
    return time.clock_gettime((~pid << 3) | 2)  # Linux's number of the process's own clock


@dataclass
class Forked:
    """A run of the program in a forked process.

    Attributes:
        pid: of the process.
        events: end of a pipe that gives a byte for each file event in the folder.
        code: exit code, negative for a signal; None before :meth:`wait`.
        cpu_s: CPU seconds, as ``code``.
    """

    pid: int
    events: int
    code: int | None = None
    cpu_s: float = 0.0

    def wait(self) -> int:
        """Return the exit code, negative for a signal."""
        if self.code is None:
            _, status, used = os.wait4(self.pid, 0)
            os.close(self.events)
            self.cpu_s = used.ru_utime + used.ru_stime
            self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def hear(self, n_events: int) -> None:
        """Wait for so many file events, or for the end of the process."""
        heard = 0
        while heard < n_events:
            found = os.read(self.events, n_events - heard)
            if not found:
                return
            heard += len(found)

    def end(self, number: int) -> int:
        """Send a signal, if it has not been waited for, and return the exit code."""
        if self.code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)
        return self.wait()


def start(words: Sequence[str], folder: Path, limit: Callable[[], None] = lambda: None) -> Forked:
    """Run the program in a folder; what it says goes to a file beside the folder.

    Args:
        words: of the command.
        folder: where it runs.
        limit: called in the process before the command.
    """
    reading, writing = os.pipe()
    log = _empty_log(folder)
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        os.close(writing)
        os.close(log)
        return Forked(pid, reading)
    code = CRASHED
    try:
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
        os.close(reading)
        _prepare(folder, writing)
        limit()
        code = _run(words)
    except BaseException:  # noqa: BLE001  a traceback is what is looked for
        traceback.print_exc()
    finally:  # whatever happens, a child must not return to its parent's code
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os._exit(code)


def log_of(folder: Path) -> str:
    """Return what the last run in a folder said."""
    return folder.with_suffix(".log").read_text(encoding="utf-8", errors="replace")


def _empty_log(folder: Path) -> int:
    """Open what the run will say, before it may be ended: neither missing nor an earlier run's."""
    how = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    return os.open(folder.with_suffix(".log"), how, 0o600)


def _prepare(folder: Path, events: int) -> None:
    """Give a forked process what one that was started anew has."""
    os.chdir(folder)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    top = str(folder)

    def told(event: str, arguments: tuple[object, ...]) -> None:
        # Also reading counts: what is read may be believed.
        if event in _EVENTS and str(arguments[0]).startswith((top, "out", "cache", ".out")):
            os.write(events, b".")

    sys.addaudithook(told)


def _run(words: Sequence[str]) -> int:
    from ecglens.cli.app import main

    sys.argv = ["ecglens", *words]
    try:
        main()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    finally:
        # One that comes later ends the process; as an exception it would unwind the parent's code.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    return 0
