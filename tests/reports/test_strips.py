"""Where the bars and ticks of a strip stand."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecglens.reports import Lane, Strip, clock
from ecglens.reports.strips import decimals_of, edge_of, labels_of, lines_of


@settings(max_examples=40)
@given(
    cuts=st.lists(st.integers(0, 20_000), max_size=12),
    duration_s=st.floats(60, 20_000),
    line_s=st.floats(600, 4_000),
)
def test_lines_hold_all_of_every_span_and_no_more(
    cuts: list[int], duration_s: float, line_s: float
) -> None:
    edges = sorted({0.0, duration_s, *(float(cut) for cut in cuts if cut < duration_s)})
    spans = tuple((a, b, f"{a}") for a, b in pairwise(edges))
    lines = list(lines_of(Strip((Lane("x", spans),), duration_s, line_s)))
    length_s = min(line_s, duration_s)
    assert sum(line.width for line in lines) * length_s / 100 == pytest.approx(duration_s)
    for start, end, label in spans:
        bars = [bar for line in lines for bar in line.lanes[0][1] if bar.label == label]
        assert sum(bar.width for bar in bars) * length_s / 100 == pytest.approx(
            end - start, abs=1e-6
        )
    for line in lines:
        assert all(bar.left + bar.width <= line.width + 1e-6 for bar in line.lanes[0][1])
        assert all(0 <= at <= line.width + 1e-6 for at, _ in line.ticks)
        assert 1 <= len(line.ticks) <= 8


def test_an_hour_is_one_line_and_a_day_has_twenty_four() -> None:
    lanes = (Lane("x", ()),)
    (hour,) = lines_of(Strip(lanes, 3600.0))
    words = ["0:00", "10:00", "20:00", "30:00", "40:00", "50:00", "1:00:00"]
    assert [word for _, word in hour.ticks] == words
    assert [at for at, _ in hour.ticks] == pytest.approx([100 * i / 6 for i in range(7)])
    day = list(lines_of(Strip(lanes, 24 * 3600.0)))
    assert len(day) == 24
    assert day[23].ticks[0] == (0.0, "23:00:00")


def test_a_short_record_fills_its_line() -> None:
    (line,) = lines_of(Strip((Lane("x", ((0.0, 45.0, "N"),)),), 90.0))
    assert line.width == 100
    assert line.lanes[0][1][0].width == pytest.approx(50)
    assert line.lanes[0][1][0].text == "N 0:00 to 0:45"


def test_labels_are_named_once() -> None:
    lanes = (Lane("x", ((0, 1, "N"), (1, 2, "AF"))), Lane("y", ((0, 2, "N"),)))
    assert labels_of(Strip(lanes, 2.0)) == ["AF", "N"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (59.6, "0:59.6"), (143.5, "2:23.5"), (96.5, "1:36.5"), (754, "12:34"),
     (3599.9996, "1:00:00"), (3600, "1:00:00"), (3604.125, "1:00:04.125"), (86399, "23:59:59")],
)  # fmt: skip
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_the_clocks_of_a_column_can_have_as_many_decimals() -> None:
    times_s = [0.0, 94.5, 102.0]
    assert decimals_of(times_s) == 1
    assert [clock(time_s, 1) for time_s in times_s] == ["0:00.0", "1:34.5", "1:42.0"]
    assert decimals_of([60.0, 4.875]) == 3
    assert decimals_of([60.0]) == decimals_of([]) == 0


def test_an_edge_is_near_what_stands_at_it() -> None:
    found = [edge_of(at) for at in (0.0, 1.7, 10.0, 50.0, 90.0, 97.1, 99.723, 100.0)]
    assert found == [*["near-left"] * 2, "", "", "", *["near-right"] * 3]


def test_bars_say_what_the_table_says() -> None:
    (line,) = lines_of(Strip((Lane("x", ((143.5, 198.5, "AF"),)),), 250.0))
    assert line.lanes[0][1][0].text == "AF 2:23.5 to 3:18.5"
