"""Files that are cut short or have flipped bits."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from ecglens.errors import RecordError
from ecglens.readers import read_record


def damaged(whole: bytes, *, cuts: int = 40, flips: int = 120) -> Iterator[bytes]:
    """Yield the start of a file, of many lengths, and whole files with some flipped bits."""
    chance = random.Random(0)
    for _ in range(cuts):
        yield whole[: chance.randrange(1, len(whole))]
    for _ in range(flips):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 1, 8))):
            # Headers stand at the start, and there bits mean most.
            at = chance.choice(
                (chance.randrange(len(data)), chance.randrange(min(2048, len(data))))
            )
            data[at] ^= 1 << chance.randrange(8)
        yield bytes(data)


def count_refused(path: Path, *, cuts: int = 40, flips: int = 120, fs: float | None = None) -> int:
    """Damage a file in many ways; any error but our own comes through."""
    refused = 0
    for data in damaged(path.read_bytes(), cuts=cuts, flips=flips):
        path.write_bytes(data)
        try:
            assert read_record(path, fs=fs).n_samples > 0
        except RecordError:
            refused += 1
    return refused
