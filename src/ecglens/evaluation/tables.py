"""Columns of plain text."""

from __future__ import annotations

import math
from collections.abc import Sequence


def align(rows: Sequence[Sequence[str]], *, left: int = 1, indent: str = "") -> list[str]:
    """Return one line per row, columns as wide as their widest cell, two spaces apart.

    Args:
        rows: cells; shorter rows leave their last columns empty.
        left: how many columns from the left are flush left; the others are flush right.
        indent: what every line starts with.
    """
    n_columns = max((len(row) for row in rows), default=0)
    full = [[*row, *[""] * (n_columns - len(row))] for row in rows]
    widths = [max(len(row[i]) for row in full) for i in range(n_columns)]
    return [
        (
            indent
            + "  ".join(
                cell.ljust(width) if i < left else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
        ).rstrip()
        for row in full
    ]


def beside(blocks: Sequence[Sequence[str]], *, gap: str = "   |   ") -> list[str]:
    """Return blocks of lines next to each other."""
    height = max((len(block) for block in blocks), default=0)
    widths = [max((len(line) for line in block), default=0) for block in blocks]
    lines = []
    for i in range(height):
        cells = [
            (block[i] if i < len(block) else "").ljust(width)
            for block, width in zip(blocks, widths, strict=True)
        ]
        lines.append(gap.join(cells).rstrip())
    return lines


def number(value: float) -> str:
    """Return three decimals, or ``"-"`` for NaN."""
    return "-" if math.isnan(value) else f"{value:.3f}"


def counted(n: int, one: str, many: str = "") -> str:
    """Return a number and its noun: ``counted(1, "class", "classes")`` is ``"1 class"``."""
    return f"{n} {one if n == 1 else many or one + 's'}"
