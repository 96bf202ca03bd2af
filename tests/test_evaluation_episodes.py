"""Predicted episodes against annotated ones."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecglens.evaluation import agreement, match_episodes

Span = tuple[float, float, str]


@st.composite
def tilings(draw: st.DrawFn) -> list[Span]:
    """Spans that tile a record, no two neighbours alike."""
    lengths = draw(st.lists(st.integers(1, 300), min_size=1, max_size=12))
    spans, start, label = [], 0.0, ""
    for length in lengths:
        label = draw(st.sampled_from([name for name in ("N", "AF", "VF") if name != label]))
        spans.append((start, start + length, label))
        start += length
    return spans


@given(tilings())
def test_a_perfect_prediction_covers_all_without_error(spans: list[Span]) -> None:
    matches = match_episodes(spans, spans)
    assert [(m.reference, m.label) for m in matches] == [(s[:2], s[2]) for s in spans]
    assert all(m.covered == 1 and m.found and m.n_pieces == 1 for m in matches)
    assert {(m.start_error_s, m.end_error_s) for m in matches} == {(0.0, 0.0)}
    assert agreement(spans, spans) == pytest.approx(1)


@given(tilings(), tilings())
def test_every_episode_of_either_side_is_accounted_for(
    reference: list[Span], predicted: list[Span]
) -> None:
    matches = match_episodes(reference, predicted)
    real = [m for m in matches if m.reference is not None]
    assert sorted((m.reference, m.label) for m in real) == sorted((s[:2], s[2]) for s in reference)
    used = sum(
        any(s[2] == r[2] and s[0] < r[1] and r[0] < s[1] for r in reference) for s in predicted
    )
    assert len(matches) - len(real) == len(predicted) - used
    assert all(0 <= m.covered <= 1 for m in matches)
    starts = [(m.reference or m.predicted or (0.0,))[0] for m in matches]
    assert starts == sorted(starts)
    annotated = sum(end - start for start, end, _ in reference)
    covered = sum(m.covered * (m.reference[1] - m.reference[0]) for m in real if m.reference)
    assert agreement(reference, predicted) == pytest.approx(covered / annotated)


def test_late_early_and_in_pieces() -> None:
    reference = [(100.0, 200.0, "AF")]
    predicted = [(110.0, 130.0, "AF"), (130.0, 140.0, "N"), (140.0, 195.0, "AF")]
    match, alone = match_episodes(reference, predicted)
    assert (match.start_error_s, match.end_error_s, match.n_pieces) == (10.0, -5.0, 2)
    assert match.covered == pytest.approx(0.75)
    assert match.found
    assert (alone.label, alone.reference, alone.predicted) == ("N", None, (130.0, 140.0))
    assert alone.start_error_s is None
    assert not alone.found


def test_missed_where_another_class_was_said() -> None:
    missed, false = match_episodes([(0.0, 60.0, "VF")], [(0.0, 60.0, "AF")])
    assert missed.predicted is None
    assert missed.end_error_s is None
    assert (missed.covered, missed.found) == (0.0, False)
    assert false.label == "AF"


def test_nothing_annotated_agrees_with_nothing() -> None:
    assert match_episodes([], []) == ()
    assert math.isnan(agreement([], [(0.0, 1.0, "N")]))
