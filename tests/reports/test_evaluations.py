"""Blocks of an evaluation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ecglens.classifiers import make_classifier
from ecglens.evaluation import Evaluation, Score, evaluate
from ecglens.reports import Cell, Matrix, Page, Section, render_html
from ecglens.reports.evaluations import confusion_matrices, score_table
from tests.reports.parsing import parse


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    rng = np.random.default_rng(0)
    kind = np.arange(90) % 3
    X = rng.normal(size=(90, 3))
    X[np.arange(90), kind] += 1.5
    return evaluate(
        X,
        np.array(["AF", "N", "VF"])[kind],
        np.array([f"p{i:02d}" for i in np.arange(90) // 6]),
        classifier=make_classifier("lda"),
        n_splits=3,
        n_bootstrap=20,
    )


def test_protocols_stand_side_by_side_and_the_pooled_one_is_named_as_leaking(
    evaluation: Evaluation,
) -> None:
    table = score_table(evaluation)
    assert table.head == ("class", "score", "pooled (leaks)", "subject-wise")
    assert len(table.rows) == 3 + 3 * 3
    _, word, pooled, subject = table.rows[0]
    assert word == "accuracy"
    for cell, name in ((pooled, "pooled"), (subject, "subject")):
        score = evaluation.results[name].accuracy
        assert cell == Cell(f"{score.value:.3f}", f"{score.low:.2f}–{score.high:.2f}")
    counts = "90 windows of 15 subjects (AF 30 of 15, N 30 of 15, VF 30 of 15), 3 folds"
    assert counts in table.caption
    assert "20 draws of subjects" in table.caption


def test_every_class_has_sensitivity_specificity_and_f1(evaluation: Evaluation) -> None:
    rows = score_table(evaluation).rows[3:]
    named = [row[0].text for row in rows if isinstance(row[0], Cell)]
    assert named == ["AF", "N", "VF"]
    assert [row[1] for row in rows] == ["sensitivity", "specificity", "F1"] * 3
    vf = evaluation.results["subject"].per_class[2]
    assert [row[3].text for row in rows[6:] if isinstance(row[3], Cell)] == [
        f"{score.value:.3f}" for score in (vf.sensitivity, vf.specificity, vf.f1)
    ]


def test_what_is_undefined_is_a_dash(evaluation: Evaluation) -> None:
    subject = evaluation.results["subject"]
    odd = replace(subject, accuracy=Score(float("nan")), macro_f1=Score(0.5))
    rows = score_table(replace(evaluation, results={"subject": odd})).rows
    assert rows[0][2] == Cell("–")
    assert rows[1][2] == Cell("0.500")


def test_confusions_keep_their_counts_on_the_page(evaluation: Evaluation) -> None:
    columns = confusion_matrices(evaluation)
    titles = [block.title for block in columns.blocks if isinstance(block, Matrix)]
    assert titles == ["pooled (leaks)", "subject-wise"]
    seen = parse(render_html(Page("t", (Section("s", (columns,)),))))
    shown = [int(text) for text in seen.text_of("small")]
    counts = np.concatenate([r.confusion.ravel() for r in evaluation.results.values()])
    assert shown == counts[counts > 0].tolist()
