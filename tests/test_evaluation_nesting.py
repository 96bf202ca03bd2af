"""What a choice may and may not profit from."""

from __future__ import annotations

import numpy as np
import pytest

from ecglens.classifiers import make_classifier
from ecglens.errors import EvaluationError, UsageError
from ecglens.evaluation import evaluate, evaluate_nested, sweep_layers

HEADS = {"lda": make_classifier("lda")}


def people(n: int = 24, windows: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and subjects; every person has one class."""
    subjects = np.repeat([f"p{i:02}" for i in range(n)], windows)
    return np.repeat(np.array(["AF", "N"])[np.arange(n) % 2], windows), subjects


def of_persons(rng: np.random.Generator, n: int = 24, windows: int = 6) -> np.ndarray:
    """Return features that are a person's own and say nothing of the class."""
    own = np.repeat(rng.normal(size=(n, 8)), windows, axis=0)
    return own + 0.05 * rng.normal(size=own.shape)


def nested(features: dict, labels: np.ndarray, subjects: np.ndarray, **options):
    options = {"heads": HEADS, "n_splits": 4, "n_inner": 3, "n_bootstrap": 0, **options}
    return evaluate_nested(features, labels, subjects, **options)


def test_the_best_of_many_meaningless_layers_looks_good_until_the_choice_is_nested() -> None:
    labels, subjects = people()
    swept, honest = [], []
    for seed in range(2):
        rng = np.random.default_rng(seed)
        layers = {(f"layer{i}", "mean"): of_persons(rng) for i in range(12)}
        best = sweep_layers(
            layers, labels, subjects, heads=HEADS, protocols=("subject",), n_splits=3, n_bootstrap=0
        ).best()
        swept.append(best.scores["subject macro-F1"].value)
        found = nested(layers, labels, subjects, n_splits=3, n_inner=2)
        honest.append(found.result.macro_f1.value)
    assert np.mean(swept) > 0.65  # the planted leak: chosen by those it is tested on
    assert np.mean(honest) < 0.57  # chance is 0.5


def test_knowing_the_person_does_not_help_with_new_ones() -> None:
    labels, subjects = people(40)
    X = of_persons(np.random.default_rng(3), 40)
    known = evaluate(
        X, labels, subjects, classifier=make_classifier("knn", n_neighbors=3), n_bootstrap=0
    )
    assert known.results["pooled"].macro_f1.value > 0.95
    assert known.results["subject"].macro_f1.value < 0.65
    heads = {"knn": make_classifier("knn", n_neighbors=3)}
    found = nested({("a", "mean"): X}, labels, subjects, heads=heads)
    assert found.result.macro_f1.value < 0.65


def test_no_fold_shows_the_people_it_tests_to_its_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    labels, subjects = people()
    shown: list[set[str]] = []

    def watched(features, y, groups, **options):
        shown.append(set(groups))
        return sweep_layers(features, y, groups, **options)

    monkeypatch.setattr("ecglens.evaluation.nesting.sweep_layers", watched)
    layers = {("a", "mean"): of_persons(np.random.default_rng(0))}
    found = nested(layers, labels, subjects)
    tested = [set(subjects[found.result.folds == fold]) for fold in range(4)]
    assert set().union(*tested) == set(subjects)
    for seen, kept in zip(shown, tested, strict=True):
        assert kept
        assert not seen & kept


def test_a_layer_that_tells_the_classes_apart_is_chosen_in_every_fold() -> None:
    labels, subjects = people()
    rng = np.random.default_rng(1)
    good = of_persons(rng) + 4.0 * (labels == "N")[:, None]
    layers = {("poor", "mean"): of_persons(rng), ("good", "max"): good}
    done: list[tuple[int, int]] = []
    found = nested(layers, labels, subjects, progress=lambda n, of: done.append((n, of)))
    assert found.chosen == (("good", "max", "lda"),) * 4
    assert found.result.macro_f1.value > 0.95
    assert done == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_every_array_is_checked_before_any_fold() -> None:
    labels, subjects = people()
    good = of_persons(np.random.default_rng(0))
    holed = np.where(np.arange(len(good))[:, None] == 7, np.nan, good)
    with pytest.raises(EvaluationError, match=r"^b/max windows disagree: 143 rows of features"):
        nested({("a", "mean"): good, ("b", "max"): good[1:]}, labels, subjects)
    with pytest.raises(EvaluationError, match=r"^b/max features of 1 .* not finite .*row 7"):
        nested({("a", "mean"): good, ("b", "max"): holed}, labels, subjects)


def test_nothing_to_choose_from_is_refused() -> None:
    labels, subjects = people()
    with pytest.raises(UsageError, match="needs features and heads to choose from"):
        nested({}, labels, subjects)
    with pytest.raises(EvaluationError, match="24 subjects; 40 subject-wise folds"):
        nested({("a", "mean"): np.ones((144, 2))}, labels, subjects, n_splits=40)


def test_a_layer_of_fewer_features_than_components_is_fitted_as_it_was_swept() -> None:
    labels, subjects = people()
    rng = np.random.default_rng(0)
    features = {("small", "mean"): of_persons(rng), ("wide", "mean"): rng.normal(size=(144, 40))}
    features["small", "mean"][:, 0] += 9 * (labels == "AF")
    found = nested(features, labels, subjects, heads={"lda": make_classifier("lda", pca=32)})
    assert {layer for layer, _, _ in found.chosen} == {"small"}
    assert found.result.macro_f1.value > 0.9
