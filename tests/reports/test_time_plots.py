"""The geometry of plots over time, and the small PNG files in them."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import matplotlib.image
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecglens.records import runs_of
from ecglens.reports import Curve, Lane, Page, Panel, Section, Strip, TimePlot, render_html
from ecglens.reports.time_plots import ZOOMS, names_of, palette_png, paths_of, ticks_of, width_of
from tests.reports.parsing import check_self_contained, parse


def plot_of(*panels: Panel, start_s: float = 0.0, end_s: float = 30.0) -> TimePlot:
    return TimePlot(panels, start_s, end_s, "alt")


def points_of(d: str) -> list[list[tuple[int, int]]]:
    """Read a path back: absolute points of each of its pieces."""
    pieces = []
    for piece in d.split("M")[1:]:
        start, steps = piece.split("l")
        x, y = (int(n) for n in start.split())
        numbers = [int(n) for n in re.findall(r"-?\d+", steps)]
        points = [(x, y)]
        for dx, dy in zip(numbers[::2], numbers[1::2], strict=True):
            points.append((points[-1][0] + dx, points[-1][1] + dy))
        pieces.append(points)
    return pieces


@settings(max_examples=50)
@given(st.lists(st.one_of(st.floats(-2, 3), st.just(float("nan"))), min_size=1, max_size=40))
def test_a_path_is_the_curve_within_half_a_step_and_nan_leaves_gaps(values: list[float]) -> None:
    array = np.array(values)
    times = np.linspace(0, 30, len(values)) if len(values) > 1 else np.zeros(1)
    panel = Panel("mV", 5.0, low=-1.0, high=2.0, curves=(Curve(times, array),))
    plot = plot_of(panel)
    expected: list[tuple[float, float]] = []
    for first, last in runs_of(np.isfinite(array)):
        piece = [
            (t / 30 * width_of(plot), (2.0 - np.clip(v, -1, 2)) / 3 * 1000)
            for t, v in zip(times[first:last], array[first:last], strict=True)
        ]
        # A point alone is drawn as a line of no length.
        expected += piece * 2 if len(piece) == 1 else piece
    found = [p for path in paths_of(plot, panel) for piece in points_of(path.d) for p in piece]
    assert len(found) == len(expected)
    assert np.allclose(np.array(found) - np.array(expected), 0, atol=0.51)


def test_a_point_between_gaps_is_still_drawn() -> None:
    values = np.array([np.nan, 0.5, np.nan])
    panel = Panel("mV", 5.0, curves=(Curve(np.array([0.0, 15.0, 30.0]), values),))
    (path,) = paths_of(plot_of(panel), panel)
    assert path.d == "M500 500l0 0"


@pytest.mark.parametrize("lower", [None, np.array([np.nan, 0.25, np.nan])])
def test_a_value_alone_is_as_long_as_the_time_it_stands_for(lower: np.ndarray | None) -> None:
    values, times = np.array([np.nan, 0.5, np.nan]), np.array([0.0, 3.0, 30.0])
    panel = Panel("", 5.0, curves=(Curve(times, values, lower, width_s=9.0),))
    (path,) = paths_of(plot_of(panel), panel)
    # It begins with the plot: 1.5 s of it would lie before.
    around = [(0, 500), (250, 500)] + ([] if lower is None else [(250, 750), (0, 750)])
    assert points_of(path.d) == [around]


def test_a_curve_without_values_draws_nothing() -> None:
    panel = Panel("mV", 5.0, curves=(Curve(np.arange(3.0), np.full(3, np.nan)),))
    assert list(paths_of(plot_of(panel), panel)) == []


def test_an_area_goes_out_above_and_back_below() -> None:
    times = np.array([0.0, 10.0, 30.0])
    panel = Panel("", 5.0, curves=(Curve(times, np.full(3, 0.75), np.full(3, 0.25)),))
    (path,) = paths_of(plot_of(panel), panel)
    assert path.area
    assert points_of(path.d) == [
        [(0, 250), (333, 250), (1000, 250), (1000, 750), (333, 750), (0, 750)]
    ]


@pytest.mark.parametrize(
    ("start_s", "end_s"), [(0, 1), (97.5, 127.5), (0, 3600), (0, 86400), (0, 7 * 86400)]
)
def test_every_step_of_zoom_has_more_ticks_but_not_too_many(start_s: float, end_s: float) -> None:
    ticks = ticks_of(plot_of(start_s=start_s, end_s=end_s))
    assert [t.at for t in ticks] == sorted(t.at for t in ticks)
    assert all(-1e-6 <= t.at <= 100 + 1e-6 for t in ticks)
    for level, zoom in enumerate(ZOOMS, 1):
        assert 1 <= sum(t.level <= level for t in ticks) <= 7 * zoom + 1
    spaces = np.diff([t.at for t in ticks if t.level == 1])
    assert np.allclose(spaces, spaces[0] if len(spaces) else 0)


def test_ticks_are_round_times_of_the_record() -> None:
    ticks = ticks_of(plot_of(start_s=3597.5, end_s=3627.5))
    assert [t.text for t in ticks if t.level == 1] == [
        "1:00:00", "1:00:05", "1:00:10", "1:00:15", "1:00:20", "1:00:25",
    ]  # fmt: skip
    assert ticks[[t.text for t in ticks].index("1:00:00")].at == pytest.approx(100 * 2.5 / 30)


@pytest.mark.parametrize(
    ("marks", "before"),
    [
        ([(10.0, "VF begins")], [False]),
        ([(29.0, "VF begins")], [True]),
        ([(25.5, "inconclusive begins"), (29.5, "ends")], [True, True]),
        ([(10.0, "VF begins"), (11.0, "ends")], [True, False]),
        ([(0.0, "VF begins"), (1.0, "ends")], [False, False]),
    ],
    ids=["middle", "end", "both near the end", "near each other", "no room at all"],
)
def test_names_of_marks_stand_where_there_is_room(
    marks: list[tuple[float, str]], before: list[bool]
) -> None:
    names = names_of(replace(plot_of(), marks=marks))
    assert [(name.at * 0.3, name.text) for name in names] == [
        (pytest.approx(at), text) for at, text in marks
    ]
    assert [name.before for name in names] == before


def test_texts_near_an_edge_are_pulled_in() -> None:
    """As the last tick of a record of 1,805 s, which stands at 99.7 per cent."""
    plot = replace(plot_of(end_s=1805.0), marks=((1800.0, "here"),))
    strip = Strip((Lane("x", ()),), 1805.0)
    seen = parse(render_html(Page("t", (Section("s", (plot, strip)),))))
    spans = [a for a in seen.named("span") if a.get("style", "").startswith("left:")]
    last = [a.get("class", "").split() for a in spans if a["style"] == "left:99.723%"]
    assert last == [["before"], ["t1", "near-right"], ["near-right"]]
    first = [a.get("class", "").split() for a in spans if a["style"] == "left:0.000%"]
    assert first == [["t1", "near-left"], ["near-left"]]
    (style,) = seen.text_of("style")
    assert ".near-right { transform: translateX(-100%); }" in style
    assert ".before { padding: 0 .3rem 0 0; transform: translateX(-100%); }" in style


def test_a_png_reads_back_pixel_by_pixel() -> None:
    rng = np.random.default_rng(0)
    levels = rng.integers(0, 5, (7, 11))
    colours = rng.integers(0, 256, (5, 3))
    seen = matplotlib.image.imread(io.BytesIO(palette_png(levels, colours)), format="png")
    assert np.array_equal(np.rint(255 * seen[..., :3]).astype(int), colours[levels])


def test_on_a_page_each_plot_has_buttons_of_its_own_and_needs_no_script() -> None:
    panel = Panel(
        "Hz", 5.0, ticks=((0.5, "10"),), png=palette_png(np.zeros((2, 2)), [[0, 0, 0]]),
        spans=((0.0, 15.0, "N"),), curves=(Curve(np.arange(3.0), np.zeros(3)),),
    )  # fmt: skip
    one = TimePlot((panel,), 0.0, 30.0, "alt", marks=((10.0, "here"),))
    html = render_html(Page("t", (Section("s", (one, one)),), {"N": ""}))
    check_self_contained(html)
    seen = parse(html)
    buttons = seen.named("input")
    assert [a["name"] for a in buttons] == ["z1"] * 3 + ["z2"] * 3
    assert ["checked" in a for a in buttons] == [True, False, False] * 2
    assert [a["style"] for a in seen.named("i") if a["class"] == "moment"] == ["left:33.333%"] * 2
    (style,) = seen.text_of("style")
    for number, zoom in enumerate(ZOOMS[1:], 2):
        assert f".plot:has(.z{number}:checked) {{ --zoom: {zoom};" in style
