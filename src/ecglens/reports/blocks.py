"""What a report is made of: plain values, each shown by the template that it names.

A text is shown as it is, whatever it holds: nothing in it is taken for HTML. A ``label`` is the
name of a class (or ``"inconclusive"``, ``"unreadable"``) and gives a block its colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

Span = tuple[float, float, str]
"""Start and end in seconds, and a label."""


@dataclass(frozen=True, slots=True)
class Block:
    """One piece of a section."""

    template: ClassVar[str]


@dataclass(frozen=True, slots=True)
class Text(Block):
    """A paragraph.

    Attributes:
        text: the words.
        small: whether it is an aside.
    """

    template: ClassVar[str] = "text.html"
    text: str
    small: bool = False


@dataclass(frozen=True, slots=True)
class Notice(Block):
    """Something nobody may miss.

    Attributes:
        title: in a few words.
        text: in a sentence or two.
    """

    template: ClassVar[str] = "notice.html"
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Facts(Block):
    """Names and values, as on the head of a form."""

    template: ClassVar[str] = "facts.html"
    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure that is seen first.

    Attributes:
        value: the figure.
        name: what it is.
        detail: its limits, or what it is of.
    """

    value: str
    name: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Tiles(Block):
    """A few figures in a row."""

    template: ClassVar[str] = "tiles.html"
    tiles: Sequence[Tile]


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: what stands in it.
        detail: a smaller line below.
        label: a class whose colour stands before the text.
    """

    text: str
    detail: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Table(Block):
    """A table.

    Attributes:
        head: names of the columns.
        rows: cells; a plain text is a cell without detail.
        caption: what is shown, and how it was measured.
        left: how many columns from the left are words, flush left; the others are numbers.
    """

    template: ClassVar[str] = "table.html"
    head: Sequence[str]
    rows: Sequence[Sequence[Cell | str]]
    caption: str = ""
    left: int = 1


@dataclass(frozen=True, slots=True)
class Matrix(Block):
    """A confusion matrix.

    Attributes:
        title: what is shown.
        names: the k classes.
        counts: k rows of k counts, rows = reference.
        caption: more about it.
    """

    template: ClassVar[str] = "matrix.html"
    title: str
    names: Sequence[str]
    counts: Sequence[Sequence[int]]
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Lane:
    """One row of a strip.

    Attributes:
        name: who says so.
        spans: what, when; what no span covers stays empty.
    """

    name: str
    spans: Sequence[Span]


@dataclass(frozen=True, slots=True)
class Strip(Block):
    """Labels over time, lane under lane, in lines of at most ``line_s``, as a Holter is printed.

    Attributes:
        lanes: one or more.
        duration_s: length of the record in seconds.
        line_s: how many seconds stand on one line.
        caption: what is shown.
    """

    template: ClassVar[str] = "strip.html"
    lanes: Sequence[Lane]
    duration_s: float
    line_s: float = 3600.0
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Shares(Block):
    """Parts of a whole as a bar.

    Attributes:
        parts: label, share and what the share is in words.
        caption: of what.
    """

    template: ClassVar[str] = "shares.html"
    parts: Sequence[tuple[str, float, str]]
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Picture(Block):
    """A figure.

    Attributes:
        svg: of :func:`ecglens.plots.render_inline`; the one text that is not escaped.
        alt: what is to be seen, for those who cannot see it.
        title: above it.
        caption: below it.
        label: a class whose colour stands before the title.
        wide: whether it keeps its size on a phone, where it is moved sideways.
    """

    template: ClassVar[str] = "picture.html"
    svg: str
    alt: str
    title: str = ""
    caption: str = ""
    label: str = ""
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Columns(Block):
    """Blocks beside each other where the page is wide enough, else below each other."""

    template: ClassVar[str] = "columns.html"
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Folded(Block):
    """Blocks that are seen when one asks for them.

    Attributes:
        title: what there is to be seen.
        blocks: that are folded.
    """

    template: ClassVar[str] = "folded.html"
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Commands(Block):
    """What to type.

    Attributes:
        lines: a word on each command, and the command.
    """

    template: ClassVar[str] = "commands.html"
    lines: Sequence[tuple[str, str]]
