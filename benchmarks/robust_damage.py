"""Ways to damage a file: cut short, flipped bits, absurd numbers, strange blocks.

Every damage is a function of the whole file and a number, so that any input can be made again.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping

# What a number in a text is replaced by.
ABSURD = (
    b"0", b"-1", b"1", b"", b"nan", b"inf", b"-inf", b"1e308", b"-1e308", b"1e-308", b"5e-324",
    b"1e39", b"1e999", b"2147483647", b"2147483648", b"4294967295", b"-2147483649", b"65536",
    b"9223372036854775807", b"18446744073709551616", b"9" * 40, b"9" * 5000, b"0x10", b"1_0",
    b"1.2.3", b"1,5", b"+", "\u0663".encode(), b"1e5", b"100001", b"9.99", b"~", b"*",
)  # fmt: skip
_NUMBER = re.compile(rb"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_WORDS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
# Not a number, infinities, the largest and smallest numbers, as float32 and float64.
_FLOATS = tuple(
    bytes.fromhex(text)
    for text in (
        "0000c07f", "0000807f", "000080ff", "ffff7f7f", "01000000",
        "000000000000f87f", "000000000000f07f", "000000000000f0ff", "ffffffffffffef7f",
        "0100000000000000",
    )
)  # fmt: skip
_STRANGE = (
    b"\xff\xfe", b"\xef\xbb\xbf", b"\0", b"\r", b"\n\n", b"../", b"/", b"\\", b"%s%n", b"\x1b[31m",
    b"PK\x03\x04", b"\xc3\x28", b"'\"", b"[" * 300, b"{" * 300, b"(" * 300, b"<" * 40, b"\t",
    "\U0001f600".encode(), b"\xed\xa0\x80", b"A" * 300, b"-" * 9000, b"&x;", b"<!DOCTYPE a>",
)  # fmt: skip


def cut(whole: bytes, number: int) -> bytes:
    """Return the first ``number`` bytes, counted round and round."""
    return whole[: number % len(whole)] if whole else whole


def flipped(whole: bytes, seed: int) -> bytes:
    """Flip one to eight bits; half of them in the first 2048 bytes, where headers stand."""
    chance = random.Random(seed)
    data = bytearray(whole)
    for _ in range(chance.choice((1, 1, 1, 2, 8)) if data else 0):
        last = chance.choice((len(data), min(len(data), 2048)))
        data[chance.randrange(last)] ^= 1 << chance.randrange(8)
    return bytes(data)


def renumbered(whole: bytes, seed: int) -> bytes:
    """Put an absurd number in the place of one that is written in digits."""
    chance = random.Random(seed)
    found = list(_NUMBER.finditer(whole))
    if not found:
        return flipped(whole, seed)
    match = chance.choice(found)
    new = chance.choice(ABSURD)
    if chance.random() < 0.5:  # fields of fixed width keep their places
        new = new.ljust(match.end() - match.start())
        room = whole[match.end() :]
        spare = len(room) - len(room.lstrip(b" "))
        over = min(spare, max(0, len(new) - (match.end() - match.start())))
        return whole[: match.start()] + new + room[over:]
    return whole[: match.start()] + new + whole[match.end() :]


def resized(whole: bytes, seed: int) -> bytes:
    """Overwrite a word of 1, 2, 4 or 8 bytes with a size that means trouble, or a strange float."""
    chance = random.Random(seed)
    if chance.random() < 0.3:
        new = chance.choice(_FLOATS)
    else:
        width = chance.choice((1, 2, 4, 4, 8))
        value = chance.choice(_WORDS) & ((1 << 8 * width) - 1)
        new = value.to_bytes(width, chance.choice(("little", "big")))
    last = max(1, len(whole) - len(new) + 1)
    at = chance.randrange(chance.choice((last, min(last, 2048))))
    return whole[:at] + new + whole[at + len(new) :]


def rearranged(whole: bytes, seed: int) -> bytes:
    """Drop, double, swap or blank a block, or put strange bytes in between."""
    chance = random.Random(seed)
    a, b, c = sorted(chance.randrange(len(whole) + 1) for _ in range(3))
    kind = chance.randrange(5)
    if kind == 0:
        return whole[:a] + whole[b:]
    if kind == 1:
        return whole[:b] + whole[a:]
    if kind == 2:
        return whole[:a] + whole[b:c] + whole[a:b] + whole[c:]
    if kind == 3:
        return whole[:a] + chance.choice((b"\0", b"\xff", b" ")) * (b - a) + whole[b:]
    return whole[:a] + chance.choice(_STRANGE) + whole[a:]


def recoded(whole: bytes, seed: int) -> bytes:
    """Return the file in another encoding, with other line ends, twice, or as random bytes."""
    chance = random.Random(seed)
    text = whole.decode("latin-1")
    ways: tuple[Callable[[], bytes], ...] = (
        lambda: text.encode("utf-16"),
        lambda: text.encode("utf-32"),
        lambda: text.encode("utf-16-be"),
        lambda: text.encode("cp037", "replace"),
        lambda: b"\xef\xbb\xbf" + whole,
        lambda: whole.replace(b"\n", b"\r"),
        lambda: whole.replace(b"\n", b"\0"),
        lambda: whole + whole,
        lambda: whole[::-1],
        lambda: whole[:256] + chance.randbytes(len(whole)),
        lambda: chance.randbytes(1 + seed % 4096),
    )
    return chance.choice(ways)()


DAMAGES: Mapping[str, Callable[[bytes, int], bytes]] = {
    "cut": cut,
    "flip": flipped,
    "number": renumbered,
    "size": resized,
    "block": rearranged,
    "coding": recoded,
}
# Of a hundred inputs behind the truncations, so many of each kind.
_SHARES = {"flip": 30, "number": 20, "size": 25, "block": 18, "coding": 7}


def damages(whole: bytes, n_inputs: int, seed: int = 0) -> Iterator[tuple[str, int]]:
    """Yield kinds and numbers of ``n_inputs`` damages: cuts first, at each byte where they fit.

    Cuts take half of the inputs at most; of a longer file they are spread evenly.
    """
    n_cuts = min(len(whole), n_inputs // 2)
    for i in range(n_cuts):
        yield "cut", i * len(whole) // n_cuts
    chance = random.Random(seed)
    kinds, weights = list(_SHARES), list(_SHARES.values())
    for kind in chance.choices(kinds, weights, k=n_inputs - n_cuts):
        yield kind, chance.randrange(1 << 40)
