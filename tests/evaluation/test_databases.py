"""Databases left out in turn: who is trained on, what is tested, and what is said."""

from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt
import pytest

from ecglens.classifiers import make_classifier
from ecglens.errors import EvaluationError
from ecglens.evaluation import evaluate_holdout, leave_one_database_out

Array = npt.NDArray[np.generic]
LDA = make_classifier("lda")
CLASSES = ("AF", "N", "VF")


def make(
    has: dict[str, str], *, recorder: float = 0.0, seed: int = 0
) -> tuple[Array, Array, Array, Array]:
    """Return 5 people of 8 windows for each class of each database.

    The classes are told apart by one feature each; ``recorder`` gives the database away.
    """
    rng = np.random.default_rng(seed)
    rows = [
        (database, label, f"{database}-{label}-{person}")
        for database, labels in has.items()
        for label in labels.split()
        for person in range(5)
        for _ in range(8)
    ]
    databases, labels, subjects = (np.array(column) for column in zip(*rows, strict=True))
    X = rng.normal(size=(len(rows), 6))
    for i, name in enumerate(CLASSES):
        X[labels == name, i] += 2.5
    for i, name in enumerate(has):
        X[databases == name, 3 + i] += recorder
    return X, labels, subjects, databases


def test_each_database_is_tested_on_what_the_others_teach() -> None:
    X, labels, subjects, databases = make({"a": "N AF", "b": "N VF", "c": "N AF VF"})
    found = leave_one_database_out(X, labels, subjects, databases, classifier=LDA, n_bootstrap=10)
    assert [row.database for row in found.rows] == ["a", "b", "c"]
    assert found.databases_of == {"AF": ("a", "c"), "N": ("a", "b", "c"), "VF": ("b", "c")}
    for row in found.rows:
        test = databases == row.database
        expected = evaluate_holdout(
            X[~test], labels[~test], subjects[~test], X[test], labels[test], subjects[test],
            classifier=LDA, n_bootstrap=10,
        )  # fmt: skip
        assert row.result is not None
        np.testing.assert_array_equal(row.result.predictions, expected.predictions)
        assert row.result.accuracy == expected.accuracy
        assert row.n_trained == int((~test).sum())
        assert row.result.accuracy.value > 0.8
    assert found.notes == ()


def test_a_class_of_one_database_is_not_tested_and_that_is_said() -> None:
    data = make({"a": "N AF", "b": "N VF", "c": "N AF"})
    found = leave_one_database_out(*data, classifier=LDA, n_bootstrap=0)
    of_b = next(row for row in found.rows if row.database == "b")
    assert of_b.untaught == ("VF",)
    assert of_b.result is not None
    assert len(of_b.result.predictions) == 40  # the N of b alone
    assert found.notes == ("b: no other database has VF, so those windows were not tested",)
    assert "note: b: no other database has VF" in found.format_table()


def test_a_recorder_that_gives_the_class_away_is_found_out() -> None:
    """Each class of its own database: folds call it perfect, and nothing carries over."""
    has = {"a": "N", "b": "AF", "c": "N AF"}
    X, labels, subjects, databases = make(has, recorder=8.0)
    X[:, :3] = np.random.default_rng(1).normal(size=(len(X), 3))  # no class is told any more
    found = leave_one_database_out(X, labels, subjects, databases, classifier=LDA, n_bootstrap=0)
    of_c = next(row for row in found.rows if row.database == "c")
    assert of_c.result is not None
    assert of_c.result.accuracy.value < 0.65


def test_people_of_two_databases_are_not_trained_on() -> None:
    X, labels, subjects, databases = make({"a": "N AF", "b": "N AF"})
    shared = subjects == "b-AF-0"
    subjects = np.where(shared, "a-AF-0", subjects)
    found = leave_one_database_out(X, labels, subjects, databases, classifier=LDA, n_bootstrap=0)
    assert [row.n_trained for row in found.rows] == [72, 72]
    assert [row.n_trained_subjects for row in found.rows] == [9, 9]


def test_what_cannot_be_tested_has_its_reason() -> None:
    data = make({"a": "N", "b": "N AF", "c": "VF"})
    found = leave_one_database_out(*data, classifier=LDA, n_bootstrap=0)
    why = {row.database: row.why_not for row in found.rows}
    assert why["c"] == "no other database has its VF"
    assert why["a"] == ""
    two = leave_one_database_out(*make({"a": "N AF", "b": "N"}), classifier=LDA, n_bootstrap=0)
    assert two.rows[0].why_not == "the other databases teach N; two classes are needed"
    lines = two.format_table().splitlines()
    assert lines[1].split() == ["a", *["-"] * 6]
    said = json.loads(json.dumps(two.to_dict(), allow_nan=False))
    assert said["rows"][0]["result"] is None
    assert said["rows"][1]["result"]["protocol"] == "holdout"


@pytest.mark.parametrize(
    ("databases", "message"),
    [
        (["a"] * 80, r"windows are of 1 database \('a'\); leaving one out needs two or more"),
        (["a"] * 40 + [""] * 40, "each with a name; add windows of another database"),
    ],
)
def test_too_few_databases(databases: list[str], message: str) -> None:
    X, labels, subjects, _ = make({"a": "N AF"})
    with pytest.raises(EvaluationError, match=message):
        leave_one_database_out(X, labels, subjects, databases, classifier=LDA)


def test_progress_and_a_failure_names_the_database() -> None:
    told: list[tuple[int, int]] = []
    X, labels, subjects, databases = make({"a": "N AF", "b": "N AF"})
    leave_one_database_out(
        X, labels, subjects, databases, classifier=LDA, n_bootstrap=0,
        progress=lambda *step: told.append(step),
    )  # fmt: skip
    assert told == [(1, 2), (2, 2)]
    with pytest.raises(EvaluationError, match="with a left out: holdout: PCA is to make 50"):
        leave_one_database_out(
            X, labels, subjects, databases, classifier=make_classifier("lda", pca=50)
        )
