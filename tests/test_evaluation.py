"""Protocols: folds, leaks, chance, errors, tables."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_predict

from ecglens.classifiers import make_classifier
from ecglens.errors import EvaluationError, LeakError, UsageError
from ecglens.evaluation import check_no_leak, evaluate, evaluate_holdout, shuffle_labels

POOLED_TITLE = "pooled (leaks: one person's windows are on both sides)"


def by_rhythm(n_subjects=24, per_subject=8, spread=1.0, seed=0):
    """Return features that carry the class, subjects and databases."""
    rng = np.random.default_rng(seed)
    n = n_subjects * per_subject
    who, kind = np.arange(n) // per_subject, np.arange(n) % 2
    X = rng.normal(scale=spread, size=(n, 5))
    X[:, 0] += 2.0 * kind
    subjects = np.array([f"p{i:02d}" for i in who])
    return X, np.array(["AF", "N"])[kind], subjects, np.where(who % 2, "mitdb", "vfdb")


def by_person(n_subjects=60, per_subject=10, seed=0):
    """Return features that carry only who it is; each person has one class, drawn by lot."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(n_subjects), per_subject)
    faces = rng.normal(size=(n_subjects, 12))
    X = faces[who] + rng.normal(scale=0.1, size=(len(who), 12))
    kinds = rng.permutation(np.arange(n_subjects) % 2)
    return X, np.array(["N", "VF"])[kinds[who]], np.array([f"p{i:02d}" for i in who])


def quick(data, **options):
    options = {"classifier": make_classifier("lda"), "n_splits": 4, "n_bootstrap": 50, **options}
    return evaluate(*data[:3], **options)


def test_both_protocols_use_the_folds_of_scikit_learn_and_score_out_of_fold():
    X, y, subjects, _ = by_rhythm()
    lda = make_classifier("lda")
    evaluation = evaluate(X, y, subjects, classifier=lda, n_bootstrap=10)
    folds = {
        "pooled": StratifiedKFold(10, shuffle=True, random_state=0),
        "subject": StratifiedGroupKFold(10, shuffle=True, random_state=0),
    }
    assert list(evaluation.results) == ["pooled", "subject"]
    for name, splitter in folds.items():
        splits = list(splitter.split(X, y, *([subjects] if name == "subject" else [])))
        expected = cross_val_predict(lda, X, y, cv=splits)
        result = evaluation.results[name]
        np.testing.assert_array_equal(result.predictions, expected)
        assert result.accuracy.value == pytest.approx(accuracy_score(y, expected))
        assert result.macro_f1.value == pytest.approx(f1_score(y, expected, average="macro"))
        for number, (_, test) in enumerate(splits):
            assert (result.folds[test] == number).all()


def test_each_window_is_tested_once_and_subject_folds_share_no_subject():
    data = by_rhythm()
    result = quick(data).results["subject"]
    assert sorted(set(result.folds)) == [0, 1, 2, 3]
    for person in np.unique(data[2]):
        assert len(set(result.folds[data[2] == person])) == 1
    assert result.confusion.sum() == len(data[1])


def test_recognising_the_person_scores_high_pooled_and_by_chance_subject_wise():
    evaluation = quick(by_person(), classifier=make_classifier("knn", n_neighbors=3))
    pooled, subject = (evaluation.results[name] for name in ("pooled", "subject"))
    assert pooled.accuracy.value > 0.97
    assert 0.3 < subject.accuracy.value < 0.7


def test_shuffled_labels_score_at_chance_in_both_protocols():
    X, y, subjects, _ = by_rhythm(60)
    shuffled = shuffle_labels(y, 3)
    assert sorted(shuffled) == sorted(y)
    np.testing.assert_array_equal(shuffled, shuffle_labels(y, 3))
    assert (shuffled != shuffle_labels(y, 4)).any()
    evaluation = quick((X, shuffled, subjects))
    for result in evaluation.results.values():
        assert result.accuracy.value == pytest.approx(0.5, abs=0.1)
    for result in quick((X, y, subjects)).results.values():
        assert result.accuracy.value > 0.75


def test_a_planted_leak_is_caught(monkeypatch):
    class Leaking:
        def __init__(self, n_splits, *, shuffle, random_state):
            self.folds = StratifiedKFold(n_splits, shuffle=shuffle, random_state=random_state)

        def split(self, X, y, groups):
            return self.folds.split(X, y)

    monkeypatch.setattr("ecglens.evaluation.protocols.StratifiedGroupKFold", Leaking)
    with pytest.raises(LeakError, match=r"fold 1: 24 subjects on both sides \(p00, p01, .*19 more"):
        quick(by_rhythm())
    quick(by_rhythm(), protocols=["pooled"])


def test_check_no_leak_names_subjects_and_fold():
    subjects = np.array(["a", "b", "a", "c"])
    check_no_leak(subjects, [0, 2], [1, 3], 1)
    with pytest.raises(LeakError, match=r"^fold 7: 1 subject on both sides \(a\); .*split by subj"):
        check_no_leak(subjects, [0, 1], [2, 3], 7)
    with pytest.raises(LeakError, match=r"^holdout: 2 subjects"):
        check_no_leak(["a", "b", "b", "a"], [0, 1], [2, 3], "holdout")


def test_the_same_seed_gives_the_same_numbers_and_another_does_not():
    first, second = quick(by_rhythm()), quick(by_rhythm())
    assert first.to_dict() == second.to_dict()
    assert first.to_dict() != quick(by_rhythm(), random_state=1).to_dict()


@pytest.mark.slow
def test_the_number_of_jobs_changes_no_number():
    assert quick(by_rhythm(), n_jobs=2).to_dict() == quick(by_rhythm()).to_dict()


def test_the_classifier_is_cloned_and_left_unfitted():
    classifier = make_classifier("lda")
    quick(by_rhythm(), classifier=classifier)
    assert not hasattr(classifier.named_steps["head"], "classes_")


def test_progress_counts_the_folds_of_all_protocols():
    seen = []
    quick(by_rhythm(), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i + 1, 8) for i in range(8)]


def test_tables_per_class_database_and_subject():
    X, y, subjects, databases = by_rhythm()
    y = np.where((databases == "vfdb") & (y == "AF"), "N", y)
    result = quick((X, y, subjects), databases=databases).results["subject"]
    af, normal = result.per_class
    assert (af.name, af.n_windows, af.n_subjects) == ("AF", 48, 12)
    assert (normal.n_windows, normal.n_subjects) == (144, 24)
    mitdb, vfdb = result.per_database
    assert (mitdb.database, mitdb.n_windows, mitdb.n_subjects) == ("mitdb", 96, 12)
    assert np.isnan(vfdb.sensitivity["AF"])
    right = result.predictions == y
    assert vfdb.accuracy == pytest.approx(right[databases == "vfdb"].mean())
    here = databases == "mitdb"
    assert mitdb.macro_f1 == pytest.approx(
        f1_score(y[here], result.predictions[here], average="macro")
    )
    first = result.per_subject[0]
    assert (first.subject, first.database, first.n_windows) == ("p00", "vfdb", 8)
    assert first.classes == {"N": 8}
    assert first.accuracy == pytest.approx(right[:8].mean())


def test_the_whole_is_ready_for_json_and_names_the_leak():
    X, y, subjects, databases = by_rhythm()
    y = np.where((databases == "vfdb") & (y == "AF"), "N", y)
    evaluation = quick((X, y, subjects), databases=databases)
    table = json.loads(json.dumps(evaluation.to_dict(), allow_nan=False))
    assert table["results"]["pooled"]["title"] == POOLED_TITLE
    assert table["results"]["subject"]["per_database"][1]["sensitivity"]["AF"] is None
    assert table["results"]["subject"]["per_class"][0]["f1"].keys() == {"value", "low", "high"}


def test_the_text_puts_pooled_and_subject_wise_side_by_side():
    X, y, subjects, databases = by_rhythm()
    y = np.where((databases == "vfdb") & (y == "AF"), "N", y)
    evaluation = quick((X, y, subjects), databases=databases)
    text = evaluation.format_table()
    assert POOLED_TITLE in text
    for line in text.splitlines():
        if "pooled" in line:
            assert "leaks" in line
    head = next(line for line in text.splitlines() if line.startswith("class"))
    assert head.index("pooled (leaks)") < head.index("subject-wise")
    accuracy = next(line for line in text.splitlines() if "accuracy  " in line and "all" in line)
    assert str(evaluation.results["pooled"].accuracy) in accuracy
    assert str(evaluation.results["subject"].accuracy) in accuracy
    rows = [line.split() for line in text.splitlines()]
    start = next(i for i, row in enumerate(rows) if row[:1] == ["vfdb"])
    assert rows[start][-2] == "-"  # no AF in that database
    assert text.isascii()


def test_one_protocol_alone():
    evaluation = quick(by_rhythm(), protocols="subject")
    assert list(evaluation.results) == ["subject"]
    assert "pooled" not in evaluation.format_table()


# What the data cannot support


def test_arrays_that_disagree():
    X, y, subjects, _ = by_rhythm()
    with pytest.raises(EvaluationError, match="192 rows of features, 191 labels, 192 subjects"):
        quick((X, y[1:], subjects))
    with pytest.raises(EvaluationError, match="192 rows of features, 192 labels, 190 subjects"):
        quick((X, y, subjects[2:]))
    with pytest.raises(EvaluationError, match="1 databases; give one of each"):
        quick((X, y, subjects), databases=["mitdb"])
    with pytest.raises(EvaluationError, match=r"shape \(192,\); they must be \(n_windows, n_feat"):
        quick((X[:, 0], y, subjects))


def test_features_that_are_not_finite():
    X, y, subjects, _ = by_rhythm()
    X[[5, 9], 1] = np.nan, np.inf
    with pytest.raises(EvaluationError, match=r"2 of 192 windows are not finite \(first: row 5\)"):
        quick((X, y, subjects))


def test_windows_without_label_or_subject():
    X, y, subjects, _ = by_rhythm()
    y = np.where(np.arange(192) == 3, "", y)
    with pytest.raises(EvaluationError, match=r"1 of 192 windows have no label \(first: row 3\)"):
        quick((X, y, subjects))
    with pytest.raises(EvaluationError, match="192 of 192 windows have no subject"):
        quick((X, by_rhythm()[1], np.full(192, "")))
    for nothing in (None, math.nan):
        y = by_rhythm()[1].astype(object)
        y[3] = nothing
        with pytest.raises(EvaluationError, match=r"1 of 192 windows have no label"):
            quick((X, y, subjects))


def test_one_class():
    X, y, subjects, _ = by_rhythm()
    with pytest.raises(EvaluationError, match=r"1 class \('N'\); .* add windows of another class"):
        quick((X, np.full_like(y, "N"), subjects))
    with pytest.raises(EvaluationError, match=r"0 classes \(none\)"):
        quick((X[:0], y[:0], subjects[:0]))


def test_fewer_windows_of_a_class_than_pooled_folds():
    X, y, subjects, _ = by_rhythm()
    y = np.where((y == "AF") & (np.arange(192) > 5), "N", y)
    with pytest.raises(EvaluationError, match=r"'AF' has 3 windows; 4 pooled .*use 3 folds or"):
        quick((X, y, subjects), protocols=["pooled"])


def test_fewer_subjects_than_folds():
    with pytest.raises(
        EvaluationError, match=r"there are 3 subjects; 4 subject-wise .*use 3 folds"
    ):
        quick(by_rhythm(3))
    with pytest.raises(EvaluationError, match=r"there is 1 subject; .*gather more or add records"):
        quick(by_rhythm(1))


def test_a_class_of_one_subject_cannot_be_judged_subject_wise():
    X, y, subjects, _ = by_rhythm()
    y = np.where(subjects == "p03", "VF", y)
    with pytest.raises(EvaluationError, match=r"'VF' comes from one subject \(p03\); .*leave 'VF'"):
        quick((X, y, subjects))


def test_a_class_of_fewer_subjects_than_folds_is_noted():
    X, y, subjects, _ = by_rhythm()
    y = np.where(np.isin(subjects, ["p03", "p10"]), "VF", y)
    evaluation = quick((X, y, subjects))
    assert evaluation.notes[0].startswith("class 'VF' has 2 subjects for 4 subject-wise folds")
    assert f"note: {evaluation.notes[0]}" in evaluation.format_table()


def test_the_warning_of_scikit_learn_about_few_windows_becomes_the_note():
    X, y, subjects, _ = by_rhythm()
    y[:] = "N"
    y[::16] = "AF"
    y[[5, 50]] = "VF"
    head = make_classifier("logistic")
    evaluation = quick((X, y, subjects), protocols=["subject"], classifier=head)
    assert len(evaluation.notes) == 1


def test_no_class_with_as_many_windows_as_folds():
    X, _, _, _ = by_rhythm(2, 4)
    labels, subjects = ["AF", "AF", "N", "N", "ST", "ST", "VF", "VF"], list("abcdefgh")
    with pytest.raises(EvaluationError, match="no class has more than 2 windows; 4 subject-wise"):
        quick((X, labels, subjects), protocols=["subject"])


def fixed_folds(monkeypatch, *splits):
    class Fixed:
        def __init__(self, *_, **__): ...

        def split(self, *_):
            return iter(splits)

    monkeypatch.setattr("ecglens.evaluation.protocols.StratifiedGroupKFold", Fixed)


def test_a_training_part_without_a_class_is_named(monkeypatch):
    X = by_rhythm(2)[0]
    subjects = np.repeat(["a", "b", "c", "d"], 4)
    y = np.where(np.isin(subjects, ["a", "b"]), "AF", "N")
    fixed_folds(monkeypatch, (np.arange(8), np.arange(8, 16)))
    with pytest.raises(EvaluationError, match=r"fold 1 of 2, subject-wise: .* no window of 'N'"):
        quick((X, y, subjects), n_splits=2, protocols=["subject"])


def test_an_empty_test_part_is_named(monkeypatch):
    data = by_rhythm()
    fixed_folds(monkeypatch, (np.arange(192), np.arange(0)))
    with pytest.raises(
        EvaluationError, match="fold 1 of 4, subject-wise: no window is left to test"
    ):
        quick(data)


def test_pca_that_asks_too_much_names_the_fold_before_anything_is_fitted():
    seen = []
    with pytest.raises(
        EvaluationError, match=r"^fold 1 of 4, pooled: PCA is to make 9 comp.*pca=5"
    ):
        quick(
            by_rhythm(),
            classifier=make_classifier("lda", pca=9),
            progress=lambda *done: seen.append(done),
        )
    assert seen == []


class Refusing(ClassifierMixin, BaseEstimator):
    """Raises the error it is given."""

    def __init__(self, error=ValueError):
        self.error = error

    def fit(self, X, y):
        raise self.error("no, thank you")


def test_a_classifier_that_refuses_is_reported_with_its_fold():
    with pytest.raises(
        EvaluationError, match=r"^fold 1 of 4, pooled: .*144 training windows of 5 .*no, "
    ):
        quick(by_rhythm(), classifier=Refusing())
    with pytest.raises(UsageError, match=r"^no, thank you"):
        quick(by_rhythm(), classifier=Refusing(UsageError))


def test_options_out_of_range():
    with pytest.raises(UsageError, match=r"unknown protocol 'subjects'.*did you mean 'subject'"):
        quick(by_rhythm(), protocols=["subjects"])
    with pytest.raises(UsageError, match="no protocol was asked for"):
        quick(by_rhythm(), protocols=[])
    with pytest.raises(UsageError, match="n_splits must be 2 or more, got 1"):
        quick(by_rhythm(), n_splits=1)
    with pytest.raises(UsageError, match="n_bootstrap must be 0"):
        quick(by_rhythm(), n_bootstrap=-1)


# Holdout


def holdout(train, test, **options):
    options = {"classifier": make_classifier("lda"), "n_bootstrap": 50, **options}
    return evaluate_holdout(*train[:3], *test[:3], **options)


def other_people(seed=1):
    X, y, subjects, databases = by_rhythm(10, seed=seed)
    return X, y, np.char.add("other-", subjects), databases


def test_holdout_scores_people_who_were_not_trained_on():
    train, test = by_rhythm(), other_people()
    result = holdout(train, test, test_databases=test[3])
    expected = make_classifier("lda").fit(train[0], train[1]).predict(test[0])
    np.testing.assert_array_equal(result.predictions, expected)
    assert result.accuracy.value == pytest.approx(accuracy_score(test[1], expected))
    assert len(result.per_subject) == 10
    assert {row.database for row in result.per_database} == {"mitdb", "vfdb"}
    assert "holdout" in result.format_table()
    assert json.dumps(result.to_dict(), allow_nan=False)


def test_holdout_may_lack_a_class_of_the_training_set():
    X, y, subjects, _ = other_people()
    kept = y == "N"
    result = holdout(by_rhythm(), (X[kept], y[kept], subjects[kept]))
    af, normal = result.per_class
    assert np.isnan(af.sensitivity.value)
    assert normal.n_windows == kept.sum()
    assert np.isnan(normal.specificity.value)


def test_holdout_refuses_a_shared_subject():
    X, y, subjects, _ = other_people()
    subjects = np.where(subjects == "other-p04", "p04", subjects)
    with pytest.raises(LeakError, match=r"holdout: 1 subject on both sides \(p04\)"):
        holdout(by_rhythm(), (X, y, subjects))


def test_holdout_refuses_what_does_not_fit():
    train, (X, y, subjects, _) = by_rhythm(), other_people()
    with pytest.raises(EvaluationError, match="never trained: VF; known are AF, N"):
        holdout(train, (X, np.where(y == "AF", "VF", y), subjects))
    with pytest.raises(EvaluationError, match="have 5 features, test windows 4"):
        holdout(train, (X[:, 1:], y, subjects))
    with pytest.raises(EvaluationError, match="the test set has no windows"):
        holdout(train, (X[:0], y[:0], subjects[:0]))
    with pytest.raises(EvaluationError, match="test windows disagree"):
        holdout(train, (X, y[1:], subjects))
    with pytest.raises(EvaluationError, match="holdout: PCA is to make 8"):
        holdout(train, (X, y, subjects), classifier=make_classifier("lda", pca=8))
