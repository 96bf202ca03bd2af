"""Blocks of a Holter: strip, burden, episodes beside the truth."""

from __future__ import annotations

import numpy as np
import pytest

from ecglens.evaluation import match_episodes
from ecglens.prediction import Timeline
from ecglens.reports import Cell, Table
from ecglens.reports.timelines import (
    MOST_ROWS,
    burden_table,
    false_table,
    match_table,
    rhythm_strip,
    spans_of,
)

Span = tuple[float, float, str]
TRUTH: list[Span] = [(0.0, 28.0, "N"), (28.0, 65.0, "AF"), (65.0, 100.0, "N")]


def timeline_of(*labels: str) -> Timeline:
    n = len(labels)
    return Timeline(
        record_id="r", lead="II", duration_s=10.0 * n, length_s=10.0, hop_s=10.0,
        classes=("AF", "N"), start_s=10.0 * np.arange(n), labels=np.array(labels),
        reasons=np.full(n, ""), probabilities=np.full((n, 2), 0.5),
        posteriors=np.full((n, 2), 0.5), quality=np.ones(n), heart_rate=np.full(n, 60.0),
    )  # fmt: skip


SEEN = timeline_of("N", "N", "N", "AF", "N", "AF", "N", "AF", "unreadable", "N")


def texts(table: Table) -> list[list[str]]:
    def both(cell: Cell | str) -> str:
        return cell if isinstance(cell, str) else f"{cell.text} {cell.detail}".strip()

    return [[both(cell) for cell in row] for row in table.rows]


def test_strip_has_the_prediction_above_the_truth() -> None:
    strip = rhythm_strip(SEEN, TRUTH)
    assert [lane.name for lane in strip.lanes] == ["predicted", "true"]
    assert strip.lanes[0].spans[1] == (30.0, 40.0, "AF")
    assert list(strip.lanes[1].spans) == TRUTH
    assert strip.duration_s == 100.0
    assert len(rhythm_strip(SEEN).lanes) == 1


def test_burden_beside_the_truth() -> None:
    table = burden_table(SEEN, TRUTH)
    assert texts(table) == [
        ["AF", "0.5 min 33.3 %", "0.6 min 37.0 %", "−0.1 min"],
        ["N", "1.0 min 66.7 %", "1.1 min 63.0 %", "−0.1 min"],
        ["unreadable", "0.2 min 10.0 %", "0.0 min 0.0 %", "+0.2 min"],
    ]
    assert [row[0].label for row in table.rows if isinstance(row[0], Cell)] == [
        "AF", "N", "unreadable",
    ]  # fmt: skip


def test_burden_without_a_truth_is_the_prediction_alone() -> None:
    table = burden_table(SEEN)
    assert table.head == ("rhythm", "predicted")
    assert {len(row) for row in table.rows} == {2}


def test_true_episodes_with_errors_and_false_ones_apart() -> None:
    af = [span for span in TRUTH if span[2] == "AF"]
    matches = match_episodes(af, [span for span in spans_of(SEEN) if span[2] == "AF"])
    assert texts(match_table(matches)) == [
        ["AF", "0:28–1:05", "0:30–1:00 54 % covered in 2 pieces", "+2.0, −5.0"]
    ]
    assert texts(false_table(matches, TRUTH)) == [["AF", "1:10–1:20", "N", "10 s"]]


def test_a_missed_episode_is_called_missed() -> None:
    assert texts(match_table(match_episodes([(0.0, 60.0, "VF")], []))) == [
        ["VF", "0:00–1:00", "missed", ""]
    ]


@pytest.mark.parametrize("n", [MOST_ROWS, MOST_ROWS + 1])
def test_long_tables_are_cut_and_say_so(n: int) -> None:
    spans = [(100.0 * i, 100.0 * i + 50, "AF") for i in range(n)]
    real, false = match_episodes(spans, spans), match_episodes([], spans)
    for table in (match_table(real), false_table(false, ())):
        assert len(table.rows) == MOST_ROWS
        assert (f"The first {MOST_ROWS} of {n}." in table.caption) == (n > MOST_ROWS)
