"""What a study found, and the files it leaves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from ecglens import __version__
from ecglens.evaluation import Score
from ecglens.evaluation.tables import align
from ecglens.files import make_folder, write_json, write_rows
from ecglens.plots import render_inline, save_figure
from ecglens.reports import Cell, Facts, Page, Picture, Section, Table, Text, save_html
from ecglens.reports.words import CLASS_NAMES, RESEARCH_USE

CELLS = "cells.jsonl"
"""Name of the file that holds what is computed already."""


@dataclass(frozen=True, eq=False)
class Study:
    """What a study found.

    Attributes:
        name: of the study, as the command has it.
        title: in words.
        said: the answer in a sentence or two, from the figures.
        settings: what it was measured with, JSON-ready.
        rows: every figure with its limits, one a row, all rows with the same keys.
        tables: the figures for people.
        figure: the picture.
        alt: what is to be seen on it.
        notes: what limits the figures, in words.
        more: further results, JSON-ready.
        classes: in order.
    """

    name: str
    title: str
    said: str
    settings: Mapping[str, Any]
    rows: tuple[dict[str, Any], ...]
    tables: tuple[Table, ...]
    figure: Figure
    alt: str
    notes: tuple[str, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return all but the figure as plain values for JSON; None stands for NaN."""
        return {
            "study": self.name,
            "ecglens": __version__,
            "title": self.title,
            "said": self.said,
            "settings": dict(self.settings),
            "classes": list(self.classes),
            "notes": list(self.notes),
            **self.more,
            "rows": list(self.rows),
        }

    def format_text(self) -> str:
        """Return answer, tables and notes as text."""
        tables = [line for table in self.tables for line in ["", *_lines(table)]]
        return "\n".join([self.said, *tables, *(f"note: {note}" for note in self.notes)])


def save_study(study: Study, folder: Path) -> None:
    """Write ``study.json``, ``study.csv``, ``study.png``, ``study.svg`` and ``report.html``.

    Raises:
        OutputError: the folder cannot be made or written.
    """
    make_folder(folder)
    write_json(folder / "study.json", study.to_dict())
    write_rows(folder / "study.csv", study.rows)
    for suffix in ("png", "svg"):
        save_figure(study.figure, folder / f"study.{suffix}")
    save_html(_page(study), folder / "report.html")


def score_cell(score: Score) -> Cell:
    """Return a score with its limits as a cell of a table."""
    if math.isnan(score.value):
        return Cell("–")
    limits = "" if math.isnan(score.low) else f"{score.low:.2f}–{score.high:.2f}"
    return Cell(f"{score.value:.3f}", limits)


def _page(study: Study) -> Page:
    facts = Facts(tuple((name.replace("_", " "), _fact(v)) for name, v in study.settings.items()))
    picture = Picture(render_inline(study.figure), alt=study.alt, wide=True)
    notes = tuple(Text(note, small=True) for note in study.notes)
    return Page(
        title=study.title,
        lead=study.said,
        sections=(
            Section("Figure", (picture,)),
            Section("Table", (*study.tables, *notes)),
            Section("Settings", (facts,)),
        ),
        classes={name: CLASS_NAMES.get(name, "") for name in study.classes},
        footer=(RESEARCH_USE, f"Made by ecglens {__version__}."),
    )


def _fact(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {_fact(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_fact(one) for one in value)
    return "none" if value is None else str(value)


def _lines(table: Table) -> list[str]:
    rows = [[_plain(cell) for cell in row] for row in (table.head, *table.rows)]
    return [*([table.caption] if table.caption else []), *align(rows, left=table.left)]


def _plain(cell: Cell | str) -> str:
    if isinstance(cell, str):
        return cell
    return f"{cell.text} ({cell.detail})" if cell.detail else cell.text
