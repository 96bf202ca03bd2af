"""The bars over many recordings: all of them, and the one that moved on last."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ecglens.batch import Step


class BatchBars:
    """Bars on a terminal's stderr, which make room for what is printed; nothing in a pipe."""

    def __init__(self) -> None:
        self._bars: Any = None

    def show(self, step: Step) -> None:
        """Show where the run stands."""
        if not sys.stderr.isatty():
            return
        if self._bars is None:
            self._bars = _make_bars()
            self._all = self._bars.add_task("recordings", total=1.0, said="")
            self._one = self._bars.add_task("", total=1, said="")
            self._bars.start()
        ended = f"{step.n_ended}/{step.n_recordings} {_left(step.seconds_left)}"
        self._bars.update(self._all, completed=step.share, said=ended)
        if step.n_windows:
            said = f"{step.windows}/{step.n_windows} windows"
            self._bars.update(
                self._one,
                description=step.name[:30],
                completed=step.windows,
                total=step.n_windows,
                said=said,
            )

    def hide(self) -> None:
        """Take the bars away, until there is something to show again."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None


@contextmanager
def batch_bars() -> Iterator[BatchBars]:
    """Lend bars, and take them away in any case."""
    bars = BatchBars()
    try:
        yield bars
    finally:
        bars.hide()


def _make_bars() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"))
    # Results go to stdout, which may be a file: it is not for the bars to take.
    return Progress(
        *columns,
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )


def _left(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d} left"
