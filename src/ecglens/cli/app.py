"""The program and what happens to its errors."""

from __future__ import annotations

import errno
import logging
import os
import sys
from typing import Annotated

import typer

from ecglens import __version__
from ecglens.cli import (
    INTERRUPTED,
    INTERRUPTED_TEXT,
    backbones,
    databases,
    demo,
    evaluate,
    explain,
    features,
    fetch,
    layers,
    model,
    predict,
    reproduce,
    score,
    study,
    train,
    windows,
)
from ecglens.cli.console import plain
from ecglens.cli.ending import ending_in_order, signal_of
from ecglens.cli.options import flatten
from ecglens.errors import EcglensError, OutputError
from ecglens.memory import need_memory

EPILOG = (
    "Exit codes: 0 done, 1 other, 2 wrong option, 3 recording, 4 windows or labels, 5 evaluation, "
    "6 backbone, 7 model file, 8 output, 9 some recordings failed, 10 download, 130 interrupted, "
    "129 or 143 ended by a signal. "
    "Research use only: not a medical device."
)

# What numpy and scipy take as they are loaded. With too little, their BLAS asks again for ever.
LIBRARIES_MB = 320
# What the system's loader and network engine say where memory is out.
NO_ROOM = ("failed to map segment", "Cannot allocate memory", "Resource temporarily unavailable")


def _numbers(*names: str) -> frozenset[int]:
    """Return the numbers of errors by their names; a system need not have them all."""
    return frozenset(getattr(errno, name) for name in names if hasattr(errno, name))


# What to do about an error of the system that no module has put into words of its own.
CURES = {
    "make room": _numbers("ENOSPC", "EDQUOT", "EFBIG"),
    "choose another place": _numbers("EROFS"),
}
WANT = _numbers("ENOMEM", "EAGAIN")
NO_MEMORY = (
    "this needs more memory than there is; use fewer jobs or less data at a time, or raise the "
    "limit; finished files are whole"
)
NO_THREAD = (
    "no thread can be started, for want of memory or by a limit of the system (ulimit -u, -v); "
    "use fewer jobs or raise the limit; finished files are whole"
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"ecglens {__version__}")
        raise typer.Exit


def _root(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """ECG recordings in, rhythm episodes out."""
    if "numpy" not in sys.modules:
        need_memory(LIBRARIES_MB, "the libraries of ecglens")


def make_app() -> typer.Typer:
    """Return the program with all its verbs."""
    app = typer.Typer(
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog=EPILOG,
    )
    app.callback(epilog=EPILOG)(_root)
    verbs = (
        demo,
        windows,
        features,
        evaluate,
        layers,
        train,
        predict,
        explain,
        score,
        model,
        backbones,
        databases,
        fetch,
        reproduce,
    )
    for verb in verbs:
        command = verb.run
        name = verb.__name__.rpartition(".")[2]
        app.command(name, epilog=verb.EXAMPLE)(flatten(command))
    app.add_typer(study.make_group(), name="study")
    return app


def main() -> None:
    """Run the program; errors become one line on stderr and an exit code."""
    logging.basicConfig(format="ecglens: %(message)s", level=logging.WARNING)
    try:
        with ending_in_order():
            make_app()(prog_name="ecglens", standalone_mode=True)
    except (EcglensError, MemoryError, ImportError, RuntimeError, OSError) as error:
        told = _told(error)
        if told is None:
            raise
        _fail(*told)
    except SystemExit as stop:
        # Typer answers Ctrl-C with this code and no word; a reader of the pipe that has gone
        # with 1 and rightly none.
        if stop.code == INTERRUPTED:
            _fail(INTERRUPTED_TEXT, INTERRUPTED)
        name = signal_of(stop.code)
        if name is not None:
            _fail(INTERRUPTED_TEXT.replace("interrupted", f"ended by {name}"), int(stop.code or 0))
        raise


def _told(error: Exception) -> tuple[str, int] | None:
    """Return the line and the exit code of an error, None for one that nobody foresaw."""
    text = str(error)
    if isinstance(error, EcglensError):
        return text, error.exit_code
    if isinstance(error, MemoryError) or any(words in text for words in NO_ROOM):
        return NO_MEMORY, EcglensError.exit_code
    if isinstance(error, OSError):
        return _told_of_system(error)
    # Python's word for it where a thread's stack finds no room, or the system allows no more.
    return (NO_THREAD, EcglensError.exit_code) if text == "can't start new thread" else None


def _told_of_system(error: OSError) -> tuple[str, int] | None:
    """Return the line and the exit code of an error of the system, as :func:`_told` does."""
    if error.errno in WANT:
        return NO_MEMORY, EcglensError.exit_code
    for cure, numbers in CURES.items():
        if error.errno in numbers:
            name = error.filename
            place = f"{os.fsdecode(name) if isinstance(name, bytes) else name}: " if name else ""
            return f"cannot write: {place}{error.strerror}; {cure}", OutputError.exit_code
    return None


def _fail(message: str, code: int) -> None:
    typer.echo(plain("ecglens: error: " + " ".join(message.split())), err=True)
    raise SystemExit(code)
