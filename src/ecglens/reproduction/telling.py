"""How a long run tells what it does."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from ecglens.steps import Steps, quiet

Transfer = Callable[[int, int, int, int | None], None]


@contextlib.contextmanager
def _quiet_transfer(_: str) -> Iterator[Transfer]:
    yield lambda *_: None


@dataclass(frozen=True)
class Telling:
    """Whom to tell what.

    Attributes:
        steps: given the name of a step; inside it, a function takes what is done and is to do.
        transfers: the same of a download: files done and in all, bytes done and in all.
        say: takes what a person should know before and while it runs, some lines at a time.
    """

    steps: Steps = quiet
    transfers: Callable[[str], AbstractContextManager[Transfer]] = _quiet_transfer
    say: Callable[[str], None] = lambda _: None
