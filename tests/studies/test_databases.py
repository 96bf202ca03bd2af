"""Databases left out: who is trained and tested, and what it tells."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecglens.classifiers import make_classifier
from ecglens.errors import EvaluationError
from ecglens.studies import DatabaseSettings, Learner, study_databases
from ecglens.windows import Windows

SETTINGS = DatabaseSettings(folds=3, n_bootstrap=60)


def value(study, database: str, protocol: str, score: str = "macro_f1", label: str = "") -> float:
    (found,) = (
        row["value"]
        for row in study.rows
        if (row["database"], row["protocol"], row["score"], row["class"])
        == (database, protocol, score, label)
    )
    return found


def test_a_recorder_is_not_a_rhythm(windows: Windows, learner: Learner, tmp_path: Path) -> None:
    """A feature that holds the database alone, where that tells the class, seems to work."""
    kinds = np.where(windows.databases == "db0", "N", "VF")
    labels = np.where(windows.start_s == 0, windows.labels, kinds)
    told = replace(windows, labels=labels)
    where = np.unique(windows.databases, return_inverse=True)[1]
    features = np.eye(3, dtype=np.float32)[where] + learner.features[:, 1:] * 0.01
    named = replace(
        learner, features=features, classifier=lambda _n, _s: make_classifier("svm-linear")
    )
    study = study_databases(told, named, tmp_path, SETTINGS)
    assert value(study, "db0", "in the mix", "accuracy") > 0.8
    assert value(study, "db0", "left out", "accuracy") < 0.25
    assert value(study, "db0", "within", "macro_f1") < 0.6
    assert "db0 loses most" in study.said


def test_what_is_seen_of_the_rhythm_carries_over(
    windows: Windows, learner: Learner, tmp_path: Path
) -> None:
    study = study_databases(windows, learner, tmp_path, SETTINGS)
    for database in ("db0", "db1", "db2"):
        for protocol in ("left out", "in the mix", "within"):
            assert value(study, database, protocol) > 0.6
            assert value(study, database, protocol, "sensitivity", "VF") > 0.5
    for row in study.rows:
        assert (row["windows"], row["subjects"]) == (24, 4)
        assert row["low"] <= row["value"] <= row["high"]
    assert study.classes == ("N", "VF")


def test_a_second_run_learns_nothing(windows: Windows, learner: Learner, tmp_path: Path) -> None:
    first = study_databases(windows, learner, tmp_path, SETTINGS)

    def refuse(_n: int, _seed: int) -> object:
        raise AssertionError("this was learnt already")

    again = study_databases(windows, replace(learner, classifier=refuse), tmp_path, SETTINGS)
    assert again.to_dict() == first.to_dict()


def test_classes_that_one_database_has_are_not_asked_of_it_when_left_out(
    windows: Windows, learner: Learner, tmp_path: Path
) -> None:
    labels = np.where((windows.databases == "db0") & (windows.start_s == 0), "AF", windows.labels)
    told = replace(windows, labels=labels)
    study = study_databases(told, learner, tmp_path, SETTINGS)
    for database in ("db0", "db1", "db2"):
        tested = {r["class"] for r in study.rows
                  if (r["database"], r["protocol"]) == (database, "left out")}  # fmt: skip
        assert tested == {"", "N", "VF"}
    assert not [r for r in study.rows if r["class"] == "AF" and r["protocol"] != "within"]
    assert value(study, "db0", "within", "sensitivity", "AF") >= 0


def test_what_cannot_be_judged_is_said(windows: Windows, learner: Learner, tmp_path: Path) -> None:
    labels = np.where(windows.databases == "db0", "AF", windows.labels)
    study = study_databases(replace(windows, labels=labels), learner, tmp_path, SETTINGS)
    assert "db0 has no class that another database has, so it cannot be left out" in study.notes
    assert {row["database"] for row in study.rows} == {"db1", "db2"}


def test_a_database_without_which_one_class_is_left(
    windows: Windows, learner: Learner, tmp_path: Path
) -> None:
    """As mitdb beside nsrdb, all of whose windows are normal."""
    kept = (windows.databases == "db0") | ((windows.databases == "db1") & (windows.labels == "N"))
    told = replace(learner, features=learner.features[kept])
    study = study_databases(windows.subset(kept), told, tmp_path, SETTINGS)
    assert "db0 cannot be left out: the others teach one class alone" in study.notes
    assert {(row["database"], row["protocol"]) for row in study.rows} == {
        ("db0", "in the mix"),
        ("db0", "within"),
        ("db1", "left out"),
        ("db1", "in the mix"),
    }
    mixed, out = value(study, "db1", "in the mix"), value(study, "db1", "left out")
    assert f"{mixed:.3f} in the mean of 1 database; left out of training, {out:.3f}" in study.said


def test_databases_that_share_no_class(windows: Windows, learner: Learner, tmp_path: Path) -> None:
    told = replace(windows, databases=np.where(windows.labels == "N", "a", "b"))
    with pytest.raises(EvaluationError, match=r"no class is in two databases or more \(a, b\)"):
        study_databases(told, learner, tmp_path, SETTINGS)


def test_a_person_in_two_databases_is_never_on_both_sides(
    windows: Windows, learner: Learner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: one of db0 is someone of db1 too."""
    subjects = np.where(windows.subjects == "p00", "p01", windows.subjects)
    fits: dict[str, tuple[set[str], set[str]]] = {}
    answers = Learner.answers

    def noted(self, labels, train, test, seed, where):
        fits[where] = set(subjects[train].tolist()), set(subjects[test].tolist())
        return answers(self, labels, train, test, seed, where)

    monkeypatch.setattr(Learner, "answers", noted)
    study = study_databases(replace(windows, subjects=subjects), learner, tmp_path, SETTINGS)
    assert not [where for where, (train, test) in fits.items() if train & test]
    for database in ("db0", "db1"):
        train, test = fits[f"{database} left out"]
        assert "p01" in test - train
        assert (
            f"1 person of {database} is in another database too: with {database} left out, "
            "nothing of theirs is trained on (p01)"
        ) in study.notes
    assert "p01" in fits["db2 left out"][0]
    assert not any(note.startswith("1 person of db2") for note in study.notes)


def test_databases_of_the_same_people(windows: Windows, learner: Learner, tmp_path: Path) -> None:
    subjects = np.where(windows.labels == "N", "p00", "p01")
    with pytest.raises(EvaluationError, match=r"\(db0, db1, db2\), of people of its own"):
        study_databases(replace(windows, subjects=subjects), learner, tmp_path, SETTINGS)


def test_databases_whose_own_people_have_one_class(
    windows: Windows, learner: Learner, tmp_path: Path
) -> None:
    """All VF is of people who are in every database."""
    everywhere = np.array([f"p{i % 4}" for i in range(len(windows))])
    subjects = np.where(windows.labels == "VF", everywhere, windows.subjects)
    with pytest.raises(EvaluationError, match="db0 cannot be left out: the others teach one class"):
        study_databases(replace(windows, subjects=subjects), learner, tmp_path, SETTINGS)
