"""A command in a forked process: limited, timed, watched, and with an environment of its own."""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import json
import os
import signal
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fork_server import CRASHED as TRACEBACK
from fork_server import WORTHWHILE
from robust_outputs import limit_files
from robust_worker import PATIENCE_S, SECONDS, Watch, limit_memory

UNFLUSHED = 120
"""What Python ends with when what was printed cannot be written at the end."""
_MORE = (
    "ecglens.demo",
    "ecglens.explanation",
    "ecglens.reproduction",
    "ecglens.studies",
    "matplotlib.backends.backend_agg",
    "pyarrow.parquet",
    "pydicom",
    "scipy.io",
    "soundfile",
)


@dataclass(frozen=True)
class Run:
    """A run of the program.

    Attributes:
        words: of the command.
        top: folder it runs in; what it prints goes to files beside it.
        inside: folders that it may open files of.
        gigabytes: limit of its address space.
        before: called in the process, before the command.
    """

    words: Sequence[str]
    top: Path
    inside: Sequence[Path]
    gigabytes: float
    before: Callable[[], None]

    def log(self, number: int) -> Path:
        """Return the file of what it prints (1, 2) and of what it tells its parent (3)."""
        return self.top.with_suffix(f".{number}")


@dataclass(frozen=True)
class Ran:
    """What came of a run.

    Attributes:
        code: exit code, negative for a signal.
        out, err: what it printed.
        seconds: of the processor.
        peak_mb: largest resident memory.
        outside: what it opened outside of its folders.
    """

    code: int
    out: str
    err: str
    seconds: float
    peak_mb: float
    outside: tuple[str, ...]


@functools.cache
def preload() -> Any:
    """Import all that commands import, before the first of them is forked; return the program."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries about each other
        for name in (*WORTHWHILE, *_MORE):
            importlib.import_module(name)
    gc.freeze()  # else every child would copy all pages when it collects
    from typer.main import get_command

    from ecglens.cli.app import make_app

    return get_command(make_app())


def environment_of(top: Path) -> dict[str, str]:
    """Return where a command finds a home, a cache and a folder for temporary files."""
    home = str(top / "home")
    return {
        "HOME": home,
        "XDG_CACHE_HOME": home,
        "XDG_CONFIG_HOME": home,
        "ECGLENS_CACHE": str(top / "cache"),
        "ECGLENS_DATA": str(top / "data"),
        "TMPDIR": str(top / "tmp"),
        "COLUMNS": "200",
        "NO_COLOR": "1",
    }


def run_forked(run: Run, watch: Watch) -> Ran:
    """Run a command and wait for its end; ``watch`` sees what is opened."""
    run.log(3).touch()
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        _become(run, watch)
    _, status, used = os.wait4(pid, 0)
    outside, modules = json.loads(run.log(3).read_text(encoding="utf-8") or "[[], []]")
    _learn(modules)
    out, err = (run.log(n).read_text(encoding="utf-8", errors="surrogateescape") for n in (1, 2))
    for number in (1, 2, 3):
        run.log(number).unlink()
    code, seconds = os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime
    return Ran(code, out, err, seconds, used.ru_maxrss / 1024, tuple(outside))


def _learn(modules: Iterable[str]) -> None:
    """Import what a command imported, so that the next one need not."""
    new = [name for name in modules if name not in sys.modules]
    for name in new:
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    if new:
        gc.freeze()


def _become(run: Run, watch: Watch) -> None:
    """Run a command in this process and end it."""
    code, known = TRACEBACK, set(sys.modules)
    try:
        _prepare(run)
        with watch.armed(*run.inside):
            code = _run(run.words)
    except BaseException:  # noqa: BLE001  a traceback is what is looked for
        traceback.print_exc()
    finally:  # whatever happens, a child must not return to its parent's code
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        _tell(run.log(3), [watch.found, [*set(sys.modules).difference(known)]])
        os._exit(code)


def _prepare(run: Run) -> None:
    """Give this process what one that was started anew has, and its limits."""
    os.chdir(run.top)
    os.environ.update(environment_of(run.top))
    tempfile.tempdir = str(run.top / "tmp")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (1, 2):
        os.dup2(os.open(run.log(number), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    limit_memory(run.gigabytes)
    run.before()
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)


def _tell(place: Path, value: object) -> None:
    """Tell the parent something, whatever was limited."""
    with contextlib.suppress(Exception):
        limit_files(-1)
        place.write_text(json.dumps(value), encoding="utf-8")


def _run(words: Sequence[str]) -> int:
    """Run the program as its script does, and end it as Python does."""
    from ecglens.cli import app, main

    program = preload()  # made before: no try is about the making of it
    app.make_app = lambda: program
    sys.argv = ["ecglens", *words]
    code = 0
    try:
        main()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
    threading._shutdown()  # type: ignore[attr-defined]  # as Python waits for threads
    try:
        sys.stdout.flush()
    except OSError:
        traceback.print_exc()
        return UNFLUSHED
    return code
