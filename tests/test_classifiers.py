"""Heads, PCA and calibration."""

from __future__ import annotations

import numpy as np
import pytest
import skops.io
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import StratifiedGroupKFold

from ecglens.classifiers import HEADS, calibrate, check_components, make_classifier
from ecglens.errors import EvaluationError, UsageError

TRUSTED_WHEN_CALIBRATED = {
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._TemperatureScaling",
}


EXPERTS = ("experts.ExpertPool", "experts.ImagePCA", "heads.MemorySVC")
OUR_TYPES = {
    "svm-memory": {"ecglens.heads.MemorySVC"},
    "experts": {f"ecglens.{name}" for name in EXPERTS},
}


def three_classes(n_subjects: int = 30, per_subject: int = 6):
    """Return features, labels and subjects; each subject has windows of all three classes."""
    rng = np.random.default_rng(7)
    n = n_subjects * per_subject
    labels = np.array(["AF", "N", "VF"])[np.arange(n) % 3]
    subjects = np.array([f"s{i:02d}" for i in np.arange(n) // per_subject])
    X = rng.normal(size=(n, 6)).astype(np.float32)
    X[np.arange(n), np.arange(n) % 3] += 2.0
    return X, labels, subjects


@pytest.mark.parametrize("head", HEADS)
def test_every_head_learns_and_survives_skops_with_no_type_to_trust_but_ours(head):
    X, y, _ = three_classes()
    pipeline = make_classifier(head, pca=4).fit(X, y)
    assert pipeline.score(X, y) > 0.6
    dumped = skops.io.dumps(pipeline)
    untrusted = skops.io.get_untrusted_types(data=dumped)
    assert set(untrusted) == OUR_TYPES.get(head, set())
    loaded = skops.io.loads(dumped, trusted=untrusted)
    np.testing.assert_array_equal(loaded.predict(X), pipeline.predict(X))


@pytest.mark.parametrize("head", HEADS)
def test_calibrated_heads_need_two_more_types_of_scikit_learn(head):
    X, y, subjects = three_classes()
    calibrated = calibrate(make_classifier(head, pca=4), X, y, subjects)
    dumped = skops.io.dumps(calibrated)
    untrusted = skops.io.get_untrusted_types(data=dumped)
    assert set(untrusted) == TRUSTED_WHEN_CALIBRATED | OUR_TYPES.get(head, set())
    loaded = skops.io.loads(dumped, trusted=untrusted)
    np.testing.assert_array_equal(loaded.predict_proba(X), calibrated.predict_proba(X))


def test_steps_are_scale_pca_head_and_can_be_left_out():
    assert list(make_classifier(pca=3).named_steps) == ["scale", "pca", "head"]
    assert list(make_classifier(scale=False).named_steps) == ["head"]


def test_the_default_is_the_published_machine():
    head = make_classifier().named_steps["head"]
    assert (head.C, head.kernel, head.gamma, head.class_weight) == (
        10.0,
        "rbf",
        "scale",
        "balanced",
    )


def test_parameters_reach_the_head():
    assert make_classifier("svm-rbf", C=3.0).named_steps["head"].C == 3.0


def test_any_classifier_can_be_a_head_and_is_cloned():
    forest = RandomForestClassifier(n_estimators=7)
    pipeline = make_classifier(forest, max_depth=2)
    assert pipeline.named_steps["head"].max_depth == 2
    assert forest.max_depth is None


def test_share_of_variance_keeps_fewer_components():
    X, y, _ = three_classes()
    kept = make_classifier("lda", pca=0.5).fit(X, y).named_steps["pca"].n_components_
    assert 1 <= kept < 6


def test_unknown_head_is_answered_with_a_suggestion():
    with pytest.raises(
        UsageError, match=r"unknown head 'svm-rfb'; known are .*did you mean 'svm-rbf'"
    ):
        make_classifier("svm-rfb")


def test_something_that_is_no_classifier_is_refused():
    with pytest.raises(UsageError, match="an instance of a scikit-learn classifier, got Linear"):
        make_classifier(LinearRegression())
    with pytest.raises(UsageError, match="must be a name"):
        make_classifier(RandomForestClassifier)


def test_unknown_parameter_is_answered_with_a_suggestion():
    with pytest.raises(
        UsageError, match=r"'svm-rbf' has no parameter 'gama'; .*did you mean 'gamma'"
    ):
        make_classifier("svm-rbf", gama=1.0)


def test_deprecated_probability_points_to_calibrate():
    with pytest.raises(UsageError, match=r"takes no probability; .* calibrate"):
        make_classifier("svm-rbf", probability=True)


@pytest.mark.parametrize("pca", [0, -1, 1.0, 1.5, 0.0, True, "mle"])
def test_pca_out_of_range_is_refused(pca):
    with pytest.raises(UsageError, match="pca must be a number of components"):
        make_classifier(pca=pca)


def test_too_many_components_are_refused_with_the_largest_number_that_works():
    with pytest.raises(EvaluationError, match=r"9 components of 6 features of 50 .* use pca=6"):
        check_components(make_classifier(pca=9), 50, 6)
    check_components(make_classifier(pca=6), 50, 6)
    check_components(make_classifier(pca=0.9), 2, 2)
    check_components(RandomForestClassifier(), 2, 2)


@pytest.mark.parametrize("head", ["svm-rbf", "logistic"])
def test_temperature_scaling_leaves_the_decision_to_the_head(head):
    X, y, subjects = three_classes()
    pipeline = make_classifier(head)
    calibrated = calibrate(pipeline, X, y, subjects)
    probabilities = calibrated.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-6)
    np.testing.assert_array_equal(calibrated.predict(X), pipeline.fit(X, y).predict(X))


def test_calibration_works_for_two_classes_and_does_not_fit_its_argument():
    X, y, subjects = three_classes()
    two = y != "VF"
    pipeline = make_classifier("svm-rbf")
    calibrated = calibrate(pipeline, X[two], y[two], subjects[two])
    assert calibrated.classes_.tolist() == ["AF", "N"]
    assert not hasattr(pipeline.named_steps["head"], "support_")


def test_calibration_folds_share_no_subject():
    X, y, subjects = three_classes()
    for train, test in calibrate(make_classifier("lda"), X, y, subjects).cv:
        assert not set(subjects[train]) & set(subjects[test])


def test_calibrated_probabilities_mean_what_they_say_on_new_people():
    X, y, subjects = three_classes(200)
    known = subjects < "s15"
    calibrated = calibrate(make_classifier("svm-rbf"), X[known], y[known], subjects[known])
    probabilities = calibrated.predict_proba(X[~known])
    hit = calibrated.classes_[probabilities.argmax(axis=1)] == y[~known]
    assert probabilities.max(axis=1).mean() == pytest.approx(hit.mean(), abs=0.1)


def test_a_class_with_too_few_subjects_cannot_be_calibrated():
    X, y, subjects = three_classes(6)
    y = np.where((y == "VF") & (subjects > "s02"), "N", y)
    with pytest.raises(EvaluationError, match=r"class 'VF' has 3 subjects; .* use n_splits=3"):
        calibrate(make_classifier(), X, y, subjects)
    assert calibrate(make_classifier("lda"), X, y, subjects, n_splits=3).classes_.size == 3
    y = np.where((y == "VF") & (subjects > "s00"), "N", y)
    with pytest.raises(EvaluationError, match=r"class 'VF' has 1 subject; .*; add subjects"):
        calibrate(make_classifier(), X, y, subjects)


def test_calibration_refuses_bad_arguments():
    X, y, subjects = three_classes(6)
    with pytest.raises(UsageError, match="n_splits must be 2 or more, got 1"):
        calibrate(make_classifier(), X, y, subjects, n_splits=1)
    with pytest.raises(UsageError, match=r"features have shape \(36, 6\), labels \(35,\)"):
        calibrate(make_classifier(), X, y[1:], subjects)
    with pytest.raises(EvaluationError, match="needs two classes or more, got 1"):
        calibrate(make_classifier(), X, np.full(36, "N"), subjects)
    with pytest.raises(EvaluationError, match="40 components of 6 features"):
        calibrate(make_classifier(pca=40), X, y, subjects)


def test_a_calibration_fold_without_a_class_is_named(monkeypatch):
    X, y, subjects = three_classes(6)
    n = len(y)

    def split(*_):
        yield np.flatnonzero(y != "VF"), np.flatnonzero(y == "VF")
        yield np.arange(n), np.arange(0)

    monkeypatch.setattr(StratifiedGroupKFold, "split", split)
    with pytest.raises(EvaluationError, match=r"calibration fold 1 of 2: .* no window of VF"):
        calibrate(make_classifier(), X, y, subjects, n_splits=2)
