"""Scores by hand, against scikit-learn, and their limits."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ecglens.errors import UsageError
from ecglens.evaluation.metrics import (
    Score,
    draw_subjects,
    ratios,
    score_confusions,
    subject_confusions,
)

# Reference in rows. Of 10 A: 8 A, 2 B. Of 20 B: 5 A, 15 B. Of 10 C: 1 A, 9 C.
BY_HAND = np.array([[8, 2, 0], [5, 15, 0], [1, 0, 9]])


def test_ratios_of_a_matrix_worked_by_hand():
    found = ratios(BY_HAND)
    assert float(found.accuracy) == pytest.approx(32 / 40)
    np.testing.assert_allclose(found.sensitivity, [8 / 10, 15 / 20, 9 / 10])
    np.testing.assert_allclose(found.specificity, [24 / 30, 18 / 20, 30 / 30])
    np.testing.assert_allclose(found.ppv, [8 / 14, 15 / 17, 9 / 9])
    np.testing.assert_allclose(found.f1, [16 / 24, 30 / 37, 18 / 19])
    assert float(found.macro_f1) == pytest.approx((16 / 24 + 30 / 37 + 18 / 19) / 3)


def test_undefined_ratios_are_nan_and_never_zero():
    # No window of B and none called B; every window is A.
    found = ratios(np.array([[4, 0], [0, 0]]))
    np.testing.assert_array_equal(found.sensitivity, [1.0, np.nan])
    np.testing.assert_array_equal(found.specificity, [np.nan, 1.0])
    np.testing.assert_array_equal(found.ppv, [1.0, np.nan])
    np.testing.assert_array_equal(found.f1, [1.0, np.nan])
    assert float(found.macro_f1) == 1.0
    assert np.isnan(ratios(np.zeros((2, 2), dtype=int)).accuracy)


def test_macro_f1_averages_over_the_classes_that_are_present():
    # B is absent but called twice: its F1 is 0 and does not count, its calls lower the F1 of A.
    found = ratios(np.array([[8, 2], [0, 0]]))
    np.testing.assert_allclose(found.f1, [16 / 18, 0.0])
    assert float(found.macro_f1) == pytest.approx(16 / 18)


def test_ratios_work_on_stacks():
    stack = np.stack([BY_HAND, 2 * BY_HAND, np.zeros_like(BY_HAND)])
    found = ratios(stack)
    np.testing.assert_allclose(found.macro_f1[0], found.macro_f1[1])
    assert found.sensitivity.shape == (3, 3)
    assert np.isnan(found.accuracy[2])


indices = hnp.arrays(np.int64, st.integers(4, 60), elements=st.integers(0, 3))


@settings(max_examples=25)
@given(data=st.data(), reference=indices)
def test_scores_equal_those_of_scikit_learn(data, reference):
    called = data.draw(hnp.arrays(np.int64, len(reference), elements=st.integers(0, 3)))
    who = np.arange(len(reference)) % 3
    confusion = subject_confusions(reference, called, who, 4).sum(axis=0)
    labels = [0, 1, 2, 3]
    expected = sklearn.metrics.confusion_matrix(reference, called, labels=labels)
    np.testing.assert_array_equal(confusion, expected)
    found = ratios(confusion)
    assert float(found.accuracy) == pytest.approx(sklearn.metrics.accuracy_score(reference, called))
    kinds = {"sensitivity": "recall", "ppv": "precision", "f1": "f1"}
    for ours, theirs in kinds.items():
        score = getattr(sklearn.metrics, f"{theirs}_score")
        value = score(reference, called, labels=labels, average=None, zero_division=np.nan)
        np.testing.assert_allclose(getattr(found, ours), value)
    present = sorted(set(reference.tolist()))
    macro = sklearn.metrics.f1_score(
        reference, called, labels=present, average="macro", zero_division=np.nan
    )
    assert float(found.macro_f1) == pytest.approx(macro)


@settings(max_examples=40)
@given(
    confusions=hnp.arrays(
        np.int64, st.tuples(st.integers(1, 12), st.just(3), st.just(3)), elements=st.integers(0, 9)
    )
)
def test_limits_contain_the_value_and_stay_between_0_and_1(confusions):
    accuracy, macro_f1, rows = score_confusions(confusions, n_bootstrap=60, random_state=1)
    scores = [accuracy, macro_f1, *[score for row in rows for score in row.values()]]
    for score in scores:
        if not math.isnan(score.low):
            assert 0.0 <= score.low <= score.value <= score.high <= 1.0
        else:
            assert math.isnan(score.high)


def test_one_subject_has_values_without_limits():
    accuracy, macro_f1, rows = score_confusions(BY_HAND[None], n_bootstrap=100, random_state=0)
    assert accuracy.value == pytest.approx(0.8)
    assert math.isnan(accuracy.low)
    assert math.isnan(macro_f1.high)
    assert all(math.isnan(score.low) for row in rows for score in row.values())


def test_a_class_of_one_subject_has_no_limits_though_the_others_have():
    three = np.array([[[5, 1], [0, 0]], [[3, 2], [0, 0]], [[4, 0], [1, 6]]])
    _, _, (first, second) = score_confusions(three, n_bootstrap=200, random_state=0)
    assert first["sensitivity"].low < first["sensitivity"].high
    assert math.isnan(second["sensitivity"].low)
    assert math.isnan(second["f1"].low)
    # Three people were called the second class, so its PPV varies between people.
    assert second["ppv"].low < second["ppv"].high


def test_a_draw_without_a_class_does_not_lift_macro_f1():
    """30 people each of two classes that are found, and two of a third that is hardly."""
    people = []
    for label, right in [(0, 19)] * 30 + [(1, 19)] * 30 + [(2, 2)] * 2:
        one = np.zeros((3, 3), dtype=np.int64)
        one[label, label], one[label, (label + 1) % 3] = right, 20 - right
        people.append(one)
    _, macro_f1, _ = score_confusions(np.stack(people), n_bootstrap=400, random_state=0)
    assert macro_f1.high < macro_f1.value + 0.05


def test_equal_subjects_give_limits_of_no_width():
    accuracy, _, _ = score_confusions(
        np.repeat(BY_HAND[None], 5, axis=0), n_bootstrap=100, random_state=0
    )
    assert accuracy.low == accuracy.value == accuracy.high


def test_limits_agree_with_the_spread_of_a_binomial_share():
    # 200 subjects with one window each, 80 % right: 0.8 +- 1.96 sqrt(0.8 x 0.2 / 200) = 0.055
    right, wrong = np.array([[1, 0], [0, 0]]), np.array([[0, 1], [0, 0]])
    subjects = np.stack([right] * 160 + [wrong] * 40)
    accuracy, _, _ = score_confusions(subjects, n_bootstrap=4000, random_state=0)
    assert accuracy.low == pytest.approx(0.8 - 0.055, abs=0.01)
    assert accuracy.high == pytest.approx(0.8 + 0.055, abs=0.01)


def test_subjects_are_drawn_and_not_windows():
    # Ten windows per subject, all right or all wrong: ten times the windows, the same limits.
    right, wrong = np.array([[1, 0], [0, 0]]), np.array([[0, 1], [0, 0]])
    one = np.stack([right] * 30 + [wrong] * 10)
    few, _, _ = score_confusions(one, n_bootstrap=500, random_state=3)
    many, _, _ = score_confusions(10 * one, n_bootstrap=500, random_state=3)
    assert few == many


def test_draws_keep_the_mean_and_the_seed_fixes_them():
    confusions = np.random.default_rng(0).integers(0, 5, size=(40, 3, 3))
    drawn = draw_subjects(confusions, 3000, 5)
    np.testing.assert_allclose(drawn.mean(axis=0), confusions.sum(axis=0), rtol=0.05)
    np.testing.assert_array_equal(drawn, draw_subjects(confusions, 3000, 5))
    assert (drawn != draw_subjects(confusions, 3000, 6)).any()


def test_draws_do_not_depend_on_how_many_are_held_in_memory(monkeypatch):
    confusions = np.random.default_rng(0).integers(0, 5, size=(40, 3, 3))
    whole = draw_subjects(confusions, 50, 5)
    monkeypatch.setattr("ecglens.evaluation.metrics.DRAWN_AT_ONCE", 90)
    np.testing.assert_array_equal(draw_subjects(confusions, 50, 5), whole)


def test_no_draws_no_limits():
    accuracy, _, _ = score_confusions(np.stack([BY_HAND] * 3), n_bootstrap=0, random_state=0)
    assert math.isnan(accuracy.low)
    with pytest.raises(UsageError, match="n_bootstrap must be 0"):
        draw_subjects(np.stack([BY_HAND] * 3), -1, 0)


def test_scores_as_text_and_json():
    assert str(Score(0.5, 0.25, 0.75)) == "0.500 (0.250-0.750)"
    assert str(Score(0.5)) == "0.500 (-)"
    assert str(Score(math.nan)) == "-"
    assert json.dumps(Score(math.nan).to_dict()) == '{"value": null, "low": null, "high": null}'
