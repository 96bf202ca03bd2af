"""How far a run over many recordings has come, and how long it will take."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """Where a run stands.

    Attributes:
        name: the recording that moved on last.
        windows: how many of its windows are judged.
        n_windows: of how many.
        n_ended: recordings that are done, skipped or failed.
        n_recordings: of how many.
        share: of all work, 0 to 1.
        seconds_left: by the rate until now; None before anything was judged.
    """

    name: str
    windows: int
    n_windows: int
    n_ended: int
    n_recordings: int
    share: float
    seconds_left: float | None


class Pace:
    """Measures work by the sizes of files, which are known before any is opened.

    Recordings of one format have the same bytes a second. One that is skipped or fails counts
    neither as work done nor as work to do.

    Args:
        sizes: bytes of each recording.
        clock: seconds.
    """

    def __init__(self, sizes: Sequence[int], clock: Callable[[], float] = time.monotonic) -> None:
        self._sizes = [float(max(1, size)) for size in sizes]
        self._parts = [0.0] * len(sizes)
        self._all, self._done = sum(self._sizes), 0.0
        self._n_ended = 0
        self._clock = clock
        self._start = clock()

    def judge(self, number: int, name: str, windows: int, n_windows: int) -> Step:
        """Note how many windows of a recording are judged."""
        self._judged(number, windows / max(1, n_windows))
        return self._step(name, windows, n_windows)

    def end(self, number: int, name: str, *, judged: bool) -> Step:
        """Note that a recording needs no more work, and whether it was judged now."""
        self._n_ended += 1
        self._judged(number, 1.0 if judged else 0.0)
        if not judged:
            self._all -= self._sizes[number]
        return self._step(name, 0, 0)

    def _judged(self, number: int, part: float) -> None:
        self._done += self._sizes[number] * (part - self._parts[number])
        self._parts[number] = part

    def _step(self, name: str, windows: int, n_windows: int) -> Step:
        spent_s = self._clock() - self._start
        return Step(
            name=name,
            windows=windows,
            n_windows=n_windows,
            n_ended=self._n_ended,
            n_recordings=len(self._sizes),
            share=min(1.0, self._done / self._all) if self._all > 0 else 1.0,
            seconds_left=spent_s * (self._all / self._done - 1) if self._done > 0 else None,
        )
