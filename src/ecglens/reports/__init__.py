"""Reports: one HTML file that needs nothing beside it, made of sections and blocks."""

from __future__ import annotations

from ecglens.reports.blocks import (
    Block,
    Cell,
    Columns,
    Commands,
    Facts,
    Lane,
    Matrix,
    Notice,
    Picture,
    Strip,
    Table,
    Text,
    Tile,
    Tiles,
)
from ecglens.reports.page import Page, Section, render_html, save_html
from ecglens.reports.strips import clock

__all__ = [
    "Block",
    "Cell",
    "Columns",
    "Commands",
    "Facts",
    "Lane",
    "Matrix",
    "Notice",
    "Page",
    "Picture",
    "Section",
    "Strip",
    "Table",
    "Text",
    "Tile",
    "Tiles",
    "clock",
    "render_html",
    "save_html",
]
