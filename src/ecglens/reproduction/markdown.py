"""The table as Markdown, for a note or a repository."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ecglens import __version__
from ecglens.reproduction.figures import Figures, Row
from ecglens.reproduction.results import Reproduction, cells
from ecglens.reproduction.words import COMPARE, CONTROLS, PAPER, PAPER_ACCURACY


def make_markdown(found: Reproduction) -> str:
    """Return the whole result as one Markdown text; ``layers.png`` lies beside it."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Reproduction) -> Iterator[str]:
    yield "# ECG rhythms from spectrograms: a reproduction of Salem, Taheri and Yuan (2018)"
    yield f"{PAPER}\n"
    yield f"{COMPARE}\n"
    names = [f"sens. {name}" for name in found.classes]
    rows: list[list[str]] = [
        ["**the paper**, pooled", "near 7,000", "?", f"**{PAPER_ACCURACY}**", ""]
    ]
    for heading, below in found.sections():
        rows.append([f"**{heading}**"])
        rows += [[row.title, *cells(row, found.classes)] for row in below]
    yield from _table(["", "windows", "people", "accuracy", "macro-F1", *names], rows)
    yield "\nIn brackets 95 % limits from drawing people.\n"
    yield from (f"- {title}: {word}" for title, word in CONTROLS.values())
    for row in (row for _, below in found.sections() for row in below if row.why_not):
        yield f"- Not possible: {row.title}: {row.why_not}"
    yield "\n## Layers\n"
    yield "![pooled accuracy and subject-wise macro-F1 by layer](layers.png)\n"
    yield "## Confusion matrices\n"
    for row in found.best.rows:
        yield from _matrix(row)
    yield "## Databases\n"
    yield from _table(
        ["database", "class", "windows", "for the controls", "people"],
        [[str(value) for value in row.values()] for row in found.databases],
    )
    yield "\n## Settings and assumptions\n"
    yield from _table(["setting", "value", "status"], [list(row) for row in found.assumptions])
    yield ""
    yield from (f"- {name}: {value}" for name, value in found.settings.items())
    yield from (f"- note: {note}" for note in found.notes)
    yield f"\nMade by ecglens {__version__}. Research use only."


def _matrix(row: Row) -> Iterator[str]:
    figures: Figures | None = row.figures
    if figures is None:
        return
    yield f"{row.title}; rows are the reference\n"
    lines = [
        [name, *map(str, counts)]
        for name, counts in zip(figures.classes, figures.confusion, strict=True)
    ]
    yield from _table(["", *figures.classes], lines)
    yield ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        full = [*row, *[""] * (len(head) - len(row))]
        yield f"| {' | '.join(cell.replace('|', '/') for cell in full)} |"
