from __future__ import annotations

import numpy as np
import pytest
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from ecglens.errors import UsageError
from ecglens.heads import MemorySVC


@parametrize_with_checks([MemorySVC(), MemorySVC(votes=0), MemorySVC(pairwise=False)])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_it_is_a_scikit_learn_classifier(estimator: object, check: object) -> None:
    check(estimator)  # type: ignore[operator]


def _people(n_people: int, n_windows: int, spread: float, seed: int) -> tuple[np.ndarray, ...]:
    """Return windows of people whose class is a coin toss, each in a narrow cloud of its own."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(n_people, 20))
    labels = np.where(rng.random(n_people) < 0.5, "a", "b")
    X = np.repeat(centres, n_windows, axis=0)
    X = X + spread * rng.normal(size=X.shape)
    return X, np.repeat(labels, n_windows)


def test_known_people_are_remembered_where_the_broad_machine_forgets_them() -> None:
    X, y = _people(60, 6, 0.1, seed=0)
    train = np.arange(len(y)) % 2 == 0
    with_votes = MemorySVC(C=0.1).fit(X[train], y[train]).score(X[~train], y[~train])
    without = MemorySVC(C=0.1, votes=0).fit(X[train], y[train]).score(X[~train], y[~train])
    assert with_votes > 0.95
    assert without < with_votes - 0.05


@pytest.mark.parametrize("classes", [2, 3])
def test_for_new_people_the_votes_vanish(classes: int) -> None:
    rng = np.random.default_rng(1)
    X, _ = _people(40, 6, 0.1, seed=1)
    y = rng.integers(0, classes, size=len(X))
    far = rng.normal(size=(30, 20)) * 3
    one = MemorySVC().fit(X, y).decision_function(far)
    other = MemorySVC(votes=0).fit(X, y).decision_function(far)
    np.testing.assert_allclose(one, other, atol=1e-9)


def test_without_votes_it_is_the_plain_machine() -> None:
    X, y = _people(30, 4, 0.5, seed=2)
    gamma = 0.2 / (X.shape[1] * X.var())
    plain = SVC(C=10, gamma=gamma, class_weight="balanced").fit(X, y)
    np.testing.assert_allclose(
        MemorySVC(votes=0, pairwise=False).fit(X, y).decision_function(X),
        plain.decision_function(X),
    )


def _three(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return windows of three classes that overlap."""
    rng = np.random.default_rng(seed)
    y = np.array(["a", "b", "c"])[rng.integers(0, 3, size=240)]
    centre = {"a": (0.0, 0.0), "b": (2.0, 0.0), "c": (0.0, 2.0)}
    return np.array([centre[name] for name in y]) + rng.normal(size=(240, 2)), y


def test_margins_of_pairs_decide_nearly_alike_and_know_better_where_they_err() -> None:
    X, y = _three(0)
    new, truth = _three(1)
    shares = []
    for pairwise in (False, True):
        head = MemorySVC(votes=0, pairwise=pairwise).fit(X, y)
        scores = np.sort(head.decision_function(new), axis=1)
        right = head.predict(new) == truth
        surest = np.argsort(scores[:, -1] - scores[:, -2])[120:]
        shares.append((right.mean(), right[surest].mean()))
    assert abs(shares[0][0] - shares[1][0]) < 0.02
    assert shares[1][1] >= shares[0][1]
    assert shares[1][1] > shares[1][0] + 0.05


def test_scores_of_pairs_are_sums_of_softened_margins() -> None:
    X, y = _three(2)
    head = MemorySVC(votes=0).fit(X, y)
    ab, ac, bc = head.machine_.decision_function(X).T

    def soft(margin: np.ndarray) -> np.ndarray:
        return -np.log1p(np.exp(-4 * margin)) / 4

    expected = [soft(ab) + soft(ac), soft(-ab) + soft(bc), soft(-ac) + soft(-bc)]
    np.testing.assert_allclose(head.decision_function(X), np.transpose(expected))


def test_two_classes_have_one_margin() -> None:
    X, y = _people(30, 4, 0.5, seed=2)
    one, other = (MemorySVC(pairwise=pairwise).fit(X, y) for pairwise in (False, True))
    np.testing.assert_array_equal(one.decision_function(X), other.decision_function(X))


def test_a_head_of_before_has_no_pairs() -> None:
    X, y = _three(3)
    head = MemorySVC().fit(X, y)
    del head.__dict__["pairwise"]
    assert head.get_params()["pairwise"] is False
    assert head.decision_function(X).shape == (240, 3)


def test_votes_do_not_depend_on_how_many_are_asked_at_once() -> None:
    X, y = _people(300, 4, 0.2, seed=3)
    head = MemorySVC().fit(X, y)
    assert len(X) > 1024
    alone = np.concatenate([head.decision_function(X[i : i + 7]) for i in range(0, 70, 7)])
    np.testing.assert_allclose(head.decision_function(X)[:70], alone, atol=1e-4)


def test_the_twin_distance_is_the_median_of_nearest_neighbours() -> None:
    X = np.array([[0.0], [1.0], [3.0], [7.0], [15.0]])
    head = MemorySVC().fit(X, [0, 1, 0, 1, 0])
    assert head.twin_d2_ == pytest.approx(np.median([1, 1, 4, 16, 64]))


@pytest.mark.parametrize("change", [{"C": 0}, {"gamma": -1}, {"votes": -1}, {"sharpness": 0}])
def test_parameters_out_of_range(change: dict) -> None:
    with pytest.raises(UsageError, match=f"{next(iter(change))} of MemorySVC must be over 0"):
        MemorySVC(**change).fit([[0.0], [1.0]], [0, 1])
