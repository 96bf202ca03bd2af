"""Threads that prepare work for the network, and finish it, while the network runs."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from typing import TypeVar

from threadpoolctl import ThreadpoolController

from ecglens.memory import need_memory

T = TypeVar("T")

MOST = 8
"""Helpers at most; more would wait for memory and for Python."""
_THREAD_MB = 12  # a stack has 8 where nobody says otherwise


@contextmanager
def helpers(threads: int | None = None) -> Iterator[Executor]:
    """Lend threads for array work; when an error or Ctrl-C comes, what still waits is dropped.

    Meanwhile BLAS takes one core for each product: products of one image are too small to be
    shared out, and cores that wait for each other are lost to the network.

    Args:
        threads: how many, up to :data:`MOST`; None takes one for each core.

    Raises:
        EcglensError: there is no memory for them.
    """
    pool = thread_pool(min(threads or usable_cores(), MOST))
    with one_blas_core():
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)


def thread_pool(threads: int) -> ThreadPoolExecutor:
    """Return a pool of threads for which there is memory; Python would wait for them for ever.

    Raises:
        EcglensError: there is none.
    """
    need_memory(threads * _THREAD_MB, "1 thread" if threads == 1 else f"{threads} threads")
    return ThreadPoolExecutor(threads, "ecglens")


@contextmanager
def one_blas_core() -> Iterator[None]:
    """Let BLAS take one core for each product.

    How a product is shared out among cores may change its last bit; so it is the same on all
    machines of a kind, and in any number of processes. The limit is one of the process: of
    threads that ask for it side by side one may lift it for another, or leave it behind.
    """
    with _blas().limit(limits=1, user_api="blas"):
        yield


@lru_cache(maxsize=1)
def _blas() -> ThreadpoolController:
    """Find the BLAS libraries of this process, which takes some milliseconds."""
    importlib.import_module("scipy.linalg")  # brings one of its own, which must be there by now
    return ThreadpoolController()


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS and Windows


def one_ahead(items: Iterable[T]) -> Iterator[T]:
    """Yield the items, each when the next one was already taken and so begun."""
    source = iter(items)
    for held in source:
        for item in source:
            yield held
            held = item
        yield held
