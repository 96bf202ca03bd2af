"""Reports: one HTML file that needs nothing beside it, made of sections and blocks."""

from __future__ import annotations

from ecglens.reports.blocks import (
    Block,
    Cell,
    Columns,
    Commands,
    Facts,
    Folded,
    Lane,
    Matrix,
    Notice,
    Picture,
    Shares,
    Strip,
    Table,
    Text,
    Tile,
    Tiles,
)
from ecglens.reports.page import Page, Section, render_html, save_html
from ecglens.reports.strips import clock
from ecglens.reports.time_plots import Curve, Panel, TimePlot

__all__ = [
    "Block",
    "Cell",
    "Columns",
    "Commands",
    "Curve",
    "Facts",
    "Folded",
    "Lane",
    "Matrix",
    "Notice",
    "Page",
    "Panel",
    "Picture",
    "Section",
    "Shares",
    "Strip",
    "Table",
    "Text",
    "Tile",
    "Tiles",
    "TimePlot",
    "clock",
    "render_html",
    "save_html",
]
