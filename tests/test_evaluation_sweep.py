"""Sweeps over layers, poolings and heads."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from ecglens.classifiers import make_classifier
from ecglens.errors import EvaluationError, UsageError
from ecglens.evaluation import evaluate, sweep_layers

COLUMNS = ("pooled accuracy", "pooled macro-F1", "subject accuracy", "subject macro-F1")


def layers():
    """Return features of three layers, the middle one good, with labels and subjects."""
    rng = np.random.default_rng(0)
    n = 96
    kind, subjects = np.arange(n) % 2, np.array([f"p{i}" for i in np.arange(n) // 6])
    weak, good = rng.normal(size=(n, 3)), rng.normal(size=(n, 8))
    weak[:, 0] += 0.5 * kind
    good[:, 0] += 4.0 * kind
    features = {
        ("zeroth", "mean"): rng.normal(size=(n, 4)),
        ("middle", "mean"): good,
        ("middle", "max"): good[:, ::-1] * 2 + 1,
        ("a-last", "mean"): weak,
    }
    return features, np.array(["AF", "N"])[kind], subjects


def sweep(**options):
    options = {
        "heads": {"lda": make_classifier("lda")},
        "n_splits": 4,
        "n_bootstrap": 20,
        **options,
    }
    return sweep_layers(*layers(), **options)


def test_rows_stand_in_network_order_and_equal_single_evaluations():
    features, y, subjects = layers()
    found = sweep(heads={"lda": make_classifier("lda"), "svm": make_classifier("svm-linear")})
    keys = [(row.layer, row.pooling, row.head) for row in found.rows]
    assert keys == [(*key, head) for key in features for head in ("lda", "svm")]
    assert found.layers == ("zeroth", "middle", "a-last")
    assert found.columns == COLUMNS
    row = found.rows[2]
    alone = evaluate(
        features["middle", "mean"],
        y,
        subjects,
        classifier=make_classifier("lda"),
        n_splits=4,
        n_bootstrap=20,
    )
    assert row.n_features == 8
    assert row.scores["pooled accuracy"] == alone.results["pooled"].accuracy
    assert row.scores["subject macro-F1"] == alone.results["subject"].macro_f1


def test_layer_order_can_be_given():
    found = sweep(layer_order=["a-last", "unused", "middle", "zeroth"])
    assert found.layers == ("a-last", "middle", "zeroth")
    assert [row.pooling for row in found.rows] == ["mean", "mean", "max", "mean"]
    with pytest.raises(UsageError, match="layer_order misses a-last; it must name every layer"):
        sweep(layer_order=["zeroth", "middle"])


def test_best_is_the_highest_of_a_column():
    found = sweep()
    assert found.best().layer == "middle"
    for name in COLUMNS:
        values = [row.scores[name].value for row in found.rows]
        assert found.best(name).scores[name].value == max(values)
    with pytest.raises(
        UsageError, match=r"no column 'subject macro-f1'; .*did you mean 'subject mac"
    ):
        found.best("subject macro-f1")


def test_the_table_marks_one_best_per_column_and_names_the_leak():
    text = sweep().format_table()
    lines = text.splitlines()
    assert "pooled (leaks: one person's windows are on both sides)" in text
    assert sum(line.count("*") for line in lines[1:]) == len(COLUMNS)
    rows = [line.split()[0] for line in lines if line.startswith(("zeroth", "middle", "a-last"))]
    assert rows == ["zeroth", "middle", "middle", "a-last"]
    assert all("*" not in line for line in lines if line.startswith(("zeroth", "a-last")))
    assert text.isascii()


def test_rows_are_flat_for_json_and_csv():
    found = sweep().to_dict()
    assert json.dumps(found, allow_nan=False)
    row = found["rows"][1]
    assert (row["layer"], row["pooling"], row["head"], row["n_features"]) == (
        "middle",
        "mean",
        "lda",
        8,
    )
    assert row["subject_macro_f1_low"] <= row["subject_macro_f1"] <= row["subject_macro_f1_high"]
    text = io.StringIO()
    csv.DictWriter(text, list(row)).writerows(found["rows"])
    assert "{" not in text.getvalue()


def test_pca_is_lowered_for_narrow_layers_and_said_so():
    found = sweep(heads={"lda": make_classifier("lda", pca=4)})
    assert [row.n_components for row in found.rows] == [4, 4, 4, 3]
    assert found.notes == (
        "a-last (mean) has 3 features, so PCA of lda keeps 3 components instead of 4",
    )
    assert found.notes[0] in found.format_table()


def test_too_few_windows_for_pca_is_an_error_and_not_lowered():
    _, y, subjects = layers()
    wide = {("wide", "mean"): np.random.default_rng(0).normal(size=(len(y), 200))}
    with pytest.raises(EvaluationError, match=r"72 training windows; .*use pca=72 or less"):
        sweep_layers(wide, y, subjects, heads={"lda": make_classifier("lda", pca=100)}, n_splits=4)


def test_progress_counts_the_folds_of_the_whole_sweep():
    seen = []
    sweep(progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i + 1, 32) for i in range(32)]


def test_one_protocol_has_its_columns_only():
    found = sweep(protocols=["subject"])
    assert found.columns == ("subject accuracy", "subject macro-F1")
    assert "pooled" not in found.format_table()


def test_features_are_read_one_at_a_time():
    features, y, subjects = layers()
    read = []

    class Lazy(dict):
        def __getitem__(self, key):
            read.append(key)
            return features[key]

    heads = {"a": make_classifier("lda"), "b": make_classifier("lda", pca=2)}
    sweep_layers(Lazy.fromkeys(features), y, subjects, heads=heads, n_splits=2, n_bootstrap=0)
    assert read == list(features)


def test_empty_sweeps_are_refused():
    _, y, subjects = layers()
    with pytest.raises(UsageError, match="features of one layer or more, got none"):
        sweep_layers({}, y, subjects, heads={"lda": make_classifier("lda")})
    with pytest.raises(UsageError, match="a sweep needs one head or more, got none"):
        sweep(heads={})
