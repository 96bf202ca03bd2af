"""What a person sees while the program works, and what it prints."""

from __future__ import annotations

import errno
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer

from ecglens.errors import OutputError

# Control characters (but line end and tab), marks that turn the direction of writing, and bytes of
# names that are no text.
_UNFIT = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def plain(text: str) -> str:
    """Return a text for the screen: what a file may have put in to trick a terminal is escaped."""
    return _UNFIT.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


@contextmanager
def progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar with time left on a terminal's stderr, and nothing in a pipe.

    Yields:
        a function to call with steps done and steps in all.
    """
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Remaining())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def transfer(title: str) -> Iterator[Callable[[int, int, int, int | None], None]]:
    """Show files, bytes, speed and time left on a terminal's stderr, and nothing in a pipe.

    Yields:
        a function to call with files done and in all, and bytes done and in all.
    """
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (
        TextColumn("{task.description} {task.fields[files]}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        Remaining(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None, files="")

        def step(files: int, n_files: int, n_bytes: int, total: int | None) -> None:
            bar.update(task, completed=n_bytes, total=total, files=f"{files}/{n_files}")

        yield step


def say(text: str) -> None:
    """Print a result.

    Raises:
        OutputError: what it is printed to takes no more, as a file on a full disk.
    """
    try:
        typer.echo(plain(text))
    except OSError as error:
        if error.errno == errno.EPIPE:  # a reader that has gone is no error of anyone's
            raise
        # What could not be written would be tried again at the end, with a traceback.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
        reason = error.strerror or str(error)
        raise OutputError(f"cannot print the results: {reason}; send them elsewhere") from error


def note(text: str) -> None:
    """Tell the person something beside the result, in one line."""
    typer.echo(plain("ecglens: " + " ".join(text.splitlines())), err=True)


def say_json(value: Any) -> None:
    """Print one JSON object; see :func:`say`."""
    say(json.dumps(value, indent=1, allow_nan=False))


def table(rows: list[dict[str, Any]]) -> str:
    """Return rows of one set of keys as aligned text; numbers to the right."""
    if not rows:
        return ""
    texts = [list(rows[0]), *([_cell(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[i]) for line in texts) for i in range(len(texts[0]))]
    right = [isinstance(value, int | float) for value in rows[0].values()]
    lines = [
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in texts
    ]
    return "\n".join(lines)


def _cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
