"""The page: one file, whole HTML, nothing asked of the network, every text as it is."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ecglens
from ecglens.errors import OutputError
from ecglens.plots import plot_stretch, render_inline
from ecglens.plots.style import FAINT, GRID, INK, PALETTE
from ecglens.reports import (
    Block,
    Cell,
    Columns,
    Commands,
    Facts,
    Folded,
    Lane,
    Matrix,
    Notice,
    Page,
    Panel,
    Picture,
    Section,
    Shares,
    Strip,
    Table,
    Text,
    Tile,
    Tiles,
    TimePlot,
    render_html,
    save_html,
)
from tests.reports.parsing import check_self_contained, parse

HOSTILE = (
    """</p></td></style><script>alert('&amp;')</script><img src="http://x" onerror='a'>"{{ 7*7 }}"""
)


def blocks_of(text: str) -> tuple[Block, ...]:
    """One block of each kind with one text in every place that takes a text."""
    return (
        Text(text),
        Text(text, small=True),
        Notice(text, text),
        Facts(((text, text),)),
        Tiles((Tile(text, text, text),)),
        Table((text, text), ((Cell(text, text, text), text), (text, Cell(text))), text),
        Matrix(text, (text, "b"), ((1, 2), (0, 0)), text),
        Strip((Lane(text, ((0.0, 50.0, text),)),), 100.0, caption=text),
        Shares(((text, 1.0, text),), text),
        TimePlot(
            (Panel(text, 5.0, ticks=((0.5, text),)),), 0, 9, text, text, text, text, ((1.0, text),)
        ),
        Picture("<svg></svg>", text, text, text, text),
        Columns((Text(text),)),
        Folded(text, (Text(text),)),
        Commands(((text, text),)),
    )


def page_of(*blocks: Block, **more: Any) -> Page:
    return Page("title", (Section("section", blocks),), **more)


def hostile_page() -> Page:
    sections = tuple(Section(HOSTILE, blocks_of(HOSTILE)) for _ in range(3))
    opening = (Text(HOSTILE),)
    return Page(HOSTILE, sections, {HOSTILE: HOSTILE}, HOSTILE, HOSTILE, opening, (HOSTILE,))


def test_every_block_there_is_was_tried() -> None:
    kinds = {type(block) for block in blocks_of("x")}
    offered = {getattr(ecglens.reports, name) for name in ecglens.reports.__all__}  # type: ignore[attr-defined]
    assert kinds == {kind for kind in offered if is_dataclass(kind) and issubclass(kind, Block)} - {
        Block
    }


def test_a_hostile_text_is_a_text_wherever_it_stands() -> None:
    html = render_html(hostile_page())
    check_self_contained(html)
    assert "<script" not in html
    assert "49" not in html.replace("49%", "")
    seen = parse(html)
    assert not seen.named("img")
    # One for each field that takes a text; attributes (names for the blind) not counted.
    n_shown = sum(text.count("alert('&amp;')") for tag, text in seen.texts if tag != "style")
    per_section = 1 + sum(_texts_of(block) for block in blocks_of("x"))
    assert n_shown >= 3 * per_section + 5
    for label in seen.values("aria-label"):
        assert label in ("Contents", "Stretch the time axis") or "alert" in label


def _texts_of(value: object) -> int:
    """Count the texts that a block shows in its elements."""
    if isinstance(value, str):
        return 1
    if isinstance(value, tuple):
        return sum(_texts_of(item) for item in value)
    if is_dataclass(value):
        unseen = {"svg", "alt", "label"}
        return sum(_texts_of(getattr(value, f.name)) for f in fields(value) if f.name not in unseen)
    return 0


def test_the_same_page_gives_the_same_text() -> None:
    assert render_html(page_of(*blocks_of("x"))) == render_html(page_of(*blocks_of("x")))


def test_light_dark_print_and_phone_are_in_the_styles() -> None:
    (style,) = parse(render_html(page_of())).text_of("style")
    assert "@media screen and (prefers-color-scheme: dark)" in style
    assert "@media print" in style
    assert "size: A4" in style
    kept_whole = " ".join(re.findall(r"([^{}]*){ break-inside: avoid; }", style))
    assert {".picture,", ".matrix,", "tr"} <= set(kept_whole.split())
    (viewport,) = [
        a["content"]
        for a in parse(render_html(page_of())).named("meta")
        if a.get("name") == "viewport"
    ]
    assert viewport == "width=device-width, initial-scale=1"
    for colour, name in ((INK, "ink"), (FAINT, "faint"), (GRID, "grid")):
        assert f'[style*="stroke: {colour}"] {{ stroke: var(--{name}) !important; }}' in style


def test_classes_have_the_colours_that_figures_give_them() -> None:
    strip = Strip((Lane("a", ((0.0, 10.0, "VF"), (10.0, 20.0, "unreadable"))),), 20.0)
    seen = parse(render_html(page_of(strip, classes={"AF": "", "VF": "shivers"})))
    (style,) = seen.text_of("style")
    assert f".c1 {{ --colour: {PALETTE[1]}; }}" in style
    assert [a["class"] for a in seen.named("rect") if "class" in a] == ["empty", "c1", "unreadable"]
    assert "VF shivers" in seen.words


def test_a_label_of_no_class_is_grey() -> None:
    seen = parse(render_html(page_of(Table(("a",), ((Cell("x", label="odd"),),)))))
    assert [a["class"] for a in seen.named("i")] == ["mark unknown"]


def test_a_contents_list_links_to_every_section() -> None:
    sections = [Section(name, ()) for name in "abc"]
    seen = parse(render_html(Page("t", sections)))
    links = [a["href"].removeprefix("#") for a in seen.named("a")]
    assert links == [a["id"] for a in seen.named("section")]
    assert not parse(render_html(Page("t", sections[:2]))).named("nav")


def test_matrix_shows_shares_of_rows_and_counts() -> None:
    html = render_html(page_of(Matrix("m", ("A", "B", "C"), ((999, 1, 0), (0, 0, 0), (1, 1, 2)))))
    cells = parse(html).text_of("td")
    assert [text for text in cells if text] == [
        "100 %",
        "<1 %",
        "0",
        "–",
        "–",
        "–",
        "25 %",
        "25 %",
        "50 %",
    ]
    assert parse(html).text_of("small") == ["999", "1", "1", "1", "2"]
    shares = [a["style"] for a in parse(html).named("td") if "style" in a]
    assert shares[0] == "--share:0.999"
    assert shares[3:6] == ["--share:0.000"] * 3


def test_a_figure_stands_in_the_page_and_takes_its_colours() -> None:
    windows = np.sin(np.arange(1000) / 9)[None]
    figure = plot_stretch(windows, np.ones((1, 8, 8)) / 2, 100.0, np.linspace(40, 0, 8))
    html = render_html(page_of(Picture(render_inline(figure), "a sine", wide=True)))
    check_self_contained(html)
    seen = parse(html)
    assert "a sine" in seen.values("aria-label")
    assert f"stroke: {INK}" in html
    assert "seconds" in seen.text_of("text")


def test_saved_whole_or_not_at_all(tmp_path: Path) -> None:
    save_html(page_of(Text("x")), tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text() == render_html(page_of(Text("x")))
    with pytest.raises(OutputError, match="cannot write"):
        save_html(page_of(), tmp_path / "none" / "page.html")
