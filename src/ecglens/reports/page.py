"""From sections to one HTML file: no network, no script, no font or file beside it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from ecglens import __version__
from ecglens.files import write_text
from ecglens.plots.style import FAINT, GRID, INK, MARK, NEUTRAL, colours_of
from ecglens.prediction import INCONCLUSIVE, UNREADABLE
from ecglens.reports import time_plots
from ecglens.reports.blocks import Block
from ecglens.reports.strips import edge_of, labels_of, lines_of, said_of


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Page:
    """A report.

    Attributes:
        title: of the report.
        sections: in the order of reading.
        classes: what each class means, in the order that decides its colour.
        subtitle: below the title.
        lead: the report in a sentence.
        opening: what everybody shall see, before the first section.
        footer: below the last section.
    """

    title: str
    sections: Sequence[Section]
    classes: Mapping[str, str] = field(default_factory=dict)
    subtitle: str = ""
    lead: str = ""
    opening: Sequence[Block] = ()
    footer: Sequence[str] = ()


def render_html(page: Page) -> str:
    """Return the page as one HTML document; the same page gives the same text.

    Every text is escaped. The document holds its styles and figures and asks for nothing else; a
    content security policy in it keeps it so.
    """
    colours = colours_of(list(page.classes))
    marks = {name: f"c{number}" for number, name in enumerate(colours)}
    marks |= {INCONCLUSIVE: "inconclusive", UNREADABLE: "unreadable"}
    return (
        _environment()
        .get_template("page.html")
        .render(
            page=page,
            colours=list(colours.values()),
            mark=lambda label: marks.get(label, "unknown"),
            lines_of=lines_of,
            labels_of=labels_of,
            said_of=said_of,
            edge_of=edge_of,
            next_number=itertools.count(1).__next__,
            zooms=time_plots.ZOOMS,
            width_of=time_plots.width_of,
            height_at=time_plots.height_at,
            paths_of=time_plots.paths_of,
            png_url=time_plots.png_url,
            time_ticks=time_plots.ticks_of,
            names_of=time_plots.names_of,
            ink=INK,
            faint=FAINT,
            grid=GRID,
            neutral=NEUTRAL,
            moment=MARK,
            version=__version__,
        )
    )


def save_html(page: Page, path: str | Path) -> None:
    """Write the page, whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    write_text(Path(path), render_html(page))


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("ecglens.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
