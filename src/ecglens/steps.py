"""How long work tells what it does: a step at a time, and to nobody unless it is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Step = Callable[[int, int], None]
"""Takes what is done and what is to do."""

Steps = Callable[[str], AbstractContextManager[Step]]
"""Called with the name of a step; inside it, a function takes what is done and what is to do."""


@contextmanager
def quiet(_: str) -> Iterator[Step]:
    """Show nothing of a step."""
    yield lambda _done, _total: None
