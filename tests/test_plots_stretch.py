"""The figure of neighbouring windows, and figures that stand inside a page."""

from __future__ import annotations

import re

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from ecglens.errors import UsageError
from ecglens.plots import plot_stretch, render_inline
from ecglens.plots.style import INK

FS = 100.0
ROWS = np.linspace(40.0, 0.0, 8)


def stretch(n: int = 3, **more: object) -> Figure:
    rng = np.random.default_rng(0)
    windows, images = rng.normal(size=(n, 1000)), rng.uniform(size=(n, 8, 16))
    return plot_stretch(windows, images, FS, ROWS, **more)  # type: ignore[arg-type]


def ids_in(svg: str) -> set[str]:
    return set(re.findall(r'\bid="([^"]*)"', svg))


def words(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_the_ecg_runs_over_its_images() -> None:
    upper, lower = stretch(3, origin_s=-10.0).axes
    seconds, voltage = upper.lines[0].get_data()
    assert len(voltage) == 3000
    assert (seconds[0], seconds[-1]) == pytest.approx((-10.0, 19.99))
    assert [tuple(image.get_extent())[:2] for image in lower.images] == [
        (-10, 0),
        (0, 10),
        (10, 20),
    ]
    assert lower.get_xlim() == upper.get_xlim() == (-10.0, 20.0)
    assert next(tick.get_text() for tick in lower.get_yticklabels()) == "0"


def test_moments_are_marked_in_both_and_named_once_outwards() -> None:
    figure = stretch(marks={"predicted": 12.0, "true": 9.0})
    upper, lower = figure.axes
    assert [line.get_xdata()[0] for line in upper.lines[1:]] == [9.0, 12.0]
    # The two lines between three windows come first.
    assert [line.get_xdata()[0] for line in lower.lines[2:]] == [9.0, 12.0]
    assert words(figure) == ["true", "predicted"]
    assert [text.get_ha() for text in upper.texts] == ["right", "left"]
    first = stretch(marks={"predicted": 12.0}).axes[0].lines[1].get_linestyle()
    assert upper.lines[2].get_linestyle() == first != upper.lines[1].get_linestyle()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="one image per window"):
        plot_stretch(np.zeros((2, 100)), np.zeros((1, 8, 8)), FS, ROWS)
    with pytest.raises(UsageError, match=r"windows have shape \(100,\)"):
        plot_stretch(np.zeros(100), np.zeros((1, 8, 8)), FS, ROWS)
    with pytest.raises(UsageError, match="fs must be from 10"):
        plot_stretch(np.zeros((1, 100)), np.zeros((1, 8, 8)), 0.0, ROWS)


def test_an_inline_figure_is_one_element_with_text_and_ids_of_its_own() -> None:
    before = dict(matplotlib.rcParams)
    first, second = render_inline(stretch(3)), render_inline(stretch(2))
    assert dict(matplotlib.rcParams) == before
    assert first == render_inline(stretch(3))
    for svg in (first, second):
        assert svg.startswith("<svg")
        assert svg.endswith("</svg>")
        assert ">seconds</text>" in svg
        assert "font-family" not in svg
        assert f"stroke: {INK}" in svg
        ids = re.findall(r'\bid="([^"]*)"', svg)
        used = re.findall(r'(?:href="#|url\(#)([^")]*)', svg)
        assert len(ids) == len(set(ids))
        assert set(used) <= set(ids)
    assert not ids_in(first) & ids_in(second)


def test_an_inline_figure_escapes_its_texts() -> None:
    svg = render_inline(stretch(marks={"<script>&": 5.0}))
    assert "<script" not in svg
    assert "&lt;script&gt;&amp;" in svg
