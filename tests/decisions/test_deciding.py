from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from ecglens.decisions import Decision, FeatureDistance, RejectRule, RhythmChange, decide
from ecglens.errors import UsageError

CLASSES = ("AF", "N")
RULE = RejectRule(CLASSES, 0.1, (0.4, 0.4), 2.0)
NONE = RhythmChange.none(CLASSES)
CHANGE = RhythmChange.default(CLASSES)
Numbers = npt.NDArray[np.float64]


def _decide(
    af: list[float], *, far: tuple[int, ...] = (), lost: tuple[int, ...] = (), smooth: bool = False
) -> Decision:
    p = np.array([[x, 1 - x] for x in af])
    distances, unreadable = np.ones(len(af)), np.full(len(af), "", dtype="U8")
    distances[list(far)] = 3.0
    unreadable[list(lost)] = "flat"
    p[list(lost)], distances[list(lost)] = np.nan, np.nan
    return decide(p, distances, unreadable, 10.0, RULE, CHANGE if smooth else NONE)


def test_windows_by_themselves() -> None:
    made = _decide([0.9, 0.5, 0.1, 0.1, 0.1], far=(2,), lost=(4,))
    assert made.labels.tolist() == ["AF", "inconclusive", "inconclusive", "N", "unreadable"]
    assert made.reasons.tolist() == ["", "several classes", "unlike training", "", "flat"]
    np.testing.assert_array_equal(made.posteriors[:, 0], [0.9, 0.5, 0.1, 0.1, np.nan])


def test_together_a_doubtful_window_is_read_from_its_neighbours() -> None:
    made = _decide([0.05] * 10 + [0.5] + [0.05] * 10, far=(3,), lost=(6, 7), smooth=True)
    assert made.labels.tolist() == ["N"] * 6 + ["unreadable"] * 2 + ["N"] * 13
    assert made.reasons.tolist() == [""] * 6 + ["flat"] * 2 + [""] * 13
    assert np.isnan(made.posteriors[6:8]).all()
    assert (np.delete(made.posteriors[:, 1], [6, 7]) > 0.4).all()


def test_a_doubtful_stretch_says_why_at_each_window() -> None:
    made = _decide([0.05] * 10 + [0.4] * 8 + [0.05] * 10, far=(*range(10, 13), 14, 16), smooth=True)
    doubtful = np.flatnonzero(made.labels == "inconclusive").tolist()
    assert set(range(10, 17)) <= set(doubtful)
    assert made.reasons[10] == "unlike training"
    assert made.reasons[13] == "several classes"
    assert all(made.reasons[i] for i in doubtful)
    assert all(not made.reasons[i] for i in range(28) if i not in doubtful)


def test_a_model_that_never_abstains_never_does_on_a_record_either() -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet([1, 1], size=200)
    for change in (NONE, CHANGE):
        made = decide(
            p, np.full(200, 1e6), np.full(200, ""), 10.0, RejectRule.never(CLASSES), change
        )
        assert set(made.labels.tolist()) == {"AF", "N"}
        np.testing.assert_allclose(made.posteriors.sum(axis=1), 1)


def test_a_record_of_nothing() -> None:
    made = _decide([0.5] * 3, lost=(0, 1, 2), smooth=True)
    assert made.labels.tolist() == ["unreadable"] * 3
    assert np.isnan(made.posteriors).all()


def test_the_same_evidence_gives_the_same_decision() -> None:
    p = np.random.default_rng(0).dirichlet([1, 1], size=100)
    twice = [decide(p, np.ones(100), np.full(100, ""), 5.0, RULE, CHANGE) for _ in range(2)]
    assert twice[0].posteriors.tobytes() == twice[1].posteriors.tobytes()
    assert twice[0].labels.tolist() == twice[1].labels.tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"distances": np.ones(2)}, r"distances \(2,\)"),
        ({"hop_s": 0.0}, "hop_s must be positive, got 0 s"),
        ({"rule": RejectRule.never(("N", "AF"))}, "must be of the same classes"),
        ({"probabilities": np.full((3, 2), np.nan)}, "a readable window has no probabilities"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(change: dict[str, object], message: str) -> None:
    given: dict[str, object] = {
        "probabilities": np.full((3, 2), 0.5),
        "distances": np.ones(3),
        "unreadable": np.full(3, ""),
        "hop_s": 10.0,
        "rule": RULE,
        "change": CHANGE,
    }
    with pytest.raises(UsageError, match=message):
        decide(**{**given, **change})  # type: ignore[arg-type]


class TestDistance:
    def _space(self) -> tuple[Numbers, npt.NDArray[np.str_]]:
        rng = np.random.default_rng(0)
        labels = np.repeat(np.array(CLASSES), 200)
        space = rng.normal(size=(400, 6))
        space[labels == "AF", 0] += 8
        return space, labels

    def test_planted_outliers_stand_out(self) -> None:
        space, labels = self._space()
        distance = FeatureDistance.fit(space, labels)
        usual = distance.of(space)
        assert np.median(usual) == pytest.approx(1, abs=0.3)
        # Between the classes there is nobody, though it is near the mean of all.
        strange = space[:5].copy()
        strange[:, 0] = 4
        strange[:, 1] += 6
        assert distance.of(strange).min() > np.quantile(usual, 0.99)

    def test_what_is_no_number_or_beyond_numbers_is_far(self) -> None:
        space, labels = self._space()
        distance = FeatureDistance.fit(space, labels)
        space[0, 0], space[1, 0], space[2, 0] = np.nan, np.inf, 1e300
        assert np.isinf(distance.of(space)[:3]).all()
        assert np.isfinite(distance.of(space)[3:]).all()

    def test_order_and_scale_of_the_windows_do_not_matter(self) -> None:
        space, labels = self._space()
        order = np.random.default_rng(1).permutation(len(space))
        usual = FeatureDistance.fit(space, labels).of(space)
        other = FeatureDistance.fit(1000 * space[order], labels[order]).of(1000 * space)
        np.testing.assert_allclose(other, usual, rtol=1e-9)

    def test_many_features_are_brought_to_few_axes(self) -> None:
        rng = np.random.default_rng(0)
        space = rng.normal(size=(300, 400))
        distance = FeatureDistance.fit(space, np.repeat(np.array(CLASSES), 150))
        assert distance.axes.shape == (400, 128)
        assert distance.of(space + 3).mean() > distance.of(space).mean()

    def test_features_that_do_not_vary_give_no_nonsense(self) -> None:
        distance = FeatureDistance.fit(np.ones((6, 3)), ["AF"] * 3 + ["N"] * 3)
        assert distance.of(np.ones((2, 3))).tolist() == [0, 0]

    def test_arrays_that_make_no_distance_are_refused(self) -> None:
        fine = FeatureDistance(np.eye(3), np.zeros((2, 3)))
        for changes in (
            {"axes": np.eye(4)},
            {"centres": np.full((2, 3), np.nan)},
            {"axes": np.zeros((3, 0)), "centres": np.zeros((2, 0))},
            {"centres": np.zeros(3)},
        ):
            with pytest.raises(UsageError, match="make no distance"):
                replace(fine, **changes)
