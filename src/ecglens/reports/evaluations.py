"""Blocks that show an evaluation."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ecglens.evaluation import Evaluation, ProtocolResult, Score
from ecglens.reports.blocks import Cell, Columns, Matrix, Table

_RATIOS = {"sensitivity": "sensitivity", "specificity": "specificity", "f1": "F1"}


def score_table(evaluation: Evaluation) -> Table:
    """Return all scores, a column per protocol; the pooled one is named as leaking."""
    results = list(evaluation.results.values())
    rows = results[0].per_class
    classes = ", ".join(f"{row.name} {row.n_windows} of {row.n_subjects}" for row in rows)
    return Table(
        head=("class", "score", *(result.short_title for result in results)),
        rows=tuple(_score_rows(results)),
        caption=(
            f"{evaluation.n_windows} windows of {evaluation.n_subjects} subjects ({classes}), "
            f"{evaluation.n_splits} folds. Small figures are 95 % limits from "
            f"{evaluation.n_bootstrap} draws of subjects."
        ),
        left=2,
    )


def _score_rows(results: list[ProtocolResult]) -> Iterator[tuple[Cell | str, ...]]:
    yield (Cell("all"), "accuracy", *(_cell(result.accuracy) for result in results))
    yield ("", "macro-F1", *(_cell(result.macro_f1) for result in results))
    means = [np.mean([row.accuracy for row in result.per_subject]) for result in results]
    yield ("", "accuracy, mean of subjects", *(Cell(f"{mean:.3f}") for mean in means))
    for number, row in enumerate(results[0].per_class):
        for attribute, word in _RATIOS.items():
            first = Cell(row.name, label=row.name) if attribute == "sensitivity" else ""
            scores = (getattr(result.per_class[number], attribute) for result in results)
            yield (first, word, *map(_cell, scores))


def _cell(score: Score) -> Cell:
    if math.isnan(score.value):
        return Cell("–")
    limits = "" if math.isnan(score.low) else f"{score.low:.2f}–{score.high:.2f}"
    return Cell(f"{score.value:.3f}", limits)


def confusion_matrices(evaluation: Evaluation) -> Columns:
    """Return the confusion matrix of every protocol, side by side."""
    return Columns(
        tuple(
            Matrix(
                title=result.short_title,
                names=result.classes,
                counts=result.confusion.tolist(),
                caption="Per cent of the row, and windows",
            )
            for result in evaluation.results.values()
        )
    )
