"""Memory that threads and native code need: asked for before they start, given back at once."""

from __future__ import annotations

import mmap

from ecglens.errors import EcglensError

MB = 1 << 20


def need_memory(mb: int, what: str) -> None:
    """Check that this process may take so much more memory.

    Where they find none, Python's threads wait for ever and OpenVINO ends the process, with no
    word. So as much is reserved and given back before they start, which takes some microseconds:
    no page of it is used. A limit of the process (``ulimit -v``) is heard of so, and a system that
    promises no more than it has; not a machine that is merely full.

    Args:
        mb: how much, in MiB, 1 or more.
        what: what needs it.

    Raises:
        EcglensError: it may not.
    """
    try:
        mmap.mmap(-1, mb * MB).close()
    except (OSError, OverflowError, MemoryError) as error:
        raise EcglensError(
            f"{what} needs about {mb} MB more memory than the program holds and may not have them; "
            "raise the limit (ulimit -v) or use fewer jobs; finished files are whole"
        ) from error
