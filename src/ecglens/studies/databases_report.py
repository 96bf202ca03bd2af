"""Databases left out as a study: rows, table, figure and the answer in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ecglens.evaluation.tables import counted
from ecglens.reports import Cell, Table
from ecglens.studies.databases_figure import plot_databases
from ecglens.studies.databases_outcome import Outcome
from ecglens.studies.databases_plan import IN_MIX, LEFT_OUT, WITHIN, DatabaseSettings
from ecglens.studies.learners import Learner
from ecglens.studies.study import Study, score_cell
from ecglens.windows import Windows


def report_of(
    windows: Windows,
    learner: Learner,
    outcomes: Sequence[Outcome],
    settings: DatabaseSettings,
    described: Mapping[str, Any],
    notes: Sequence[str],
) -> Study:
    """Return what the outcomes say.

    Args:
        windows: of all databases.
        learner: that was judged.
        outcomes: of each database under each protocol.
        settings: how it was measured.
        described: what the features were made with.
        notes: what limits the figures, in words.
    """
    return Study(
        name="databases",
        title="Does it hold for a recorder it has not seen?",
        said=_said(learner, outcomes),
        settings={
            "windows": len(windows),
            "subjects": len(np.unique(windows.subjects)),
            "learner": learner.title,
            **asdict(settings),
            **described,
        },
        rows=tuple(_rows(outcomes)),
        tables=(_table(windows, outcomes),),
        figure=plot_databases(outcomes, windows.classes),
        alt="Macro-F1 and the sensitivity of each class by database: left out of training, in the "
        "mix, and within the database alone.",
        notes=(
            "Macro-F1 is over the classes tested. 'left out' and 'in the mix' test the same "
            "windows, of classes that another database has; 'within' tells apart the classes of "
            "one database by its own people. Limits (95 %) are from drawing people anew.",
            *notes,
        ),
        classes=windows.classes,
    )


def _rows(outcomes: Sequence[Outcome]) -> Iterator[dict[str, Any]]:
    for one in outcomes:
        first = {
            "database": one.database,
            "protocol": one.protocol,
            "windows": one.n_windows,
            "subjects": one.n_subjects,
        }
        yield {**first, "score": "macro_f1", "class": "", **one.macro_f1.to_dict()}
        yield {**first, "score": "accuracy", "class": "", **one.accuracy.to_dict()}
        for name, score in one.sensitivity.items():
            yield {**first, "score": "sensitivity", "class": name, **score.to_dict()}


def _table(windows: Windows, outcomes: Sequence[Outcome]) -> Table:
    rows: list[tuple[Cell | str, ...]] = []
    for one in outcomes:
        scores = [one.sensitivity.get(name) for name in windows.classes]
        rows.append(
            (
                one.database,
                one.protocol,
                f"{one.n_windows} of {one.n_subjects}",
                score_cell(one.macro_f1),
                score_cell(one.accuracy),
                *("" if score is None else score_cell(score) for score in scores),
            )
        )
    return Table(
        head=(
            "database",
            "trained",
            "windows of people",
            "macro-F1",
            "accuracy",
            *(f"sensitivity {name}" for name in windows.classes),
        ),
        rows=rows,
        left=2,
    )


def _said(learner: Learner, outcomes: Sequence[Outcome]) -> str:
    """Return the answer in sentences."""
    out = _by_database(outcomes, LEFT_OUT)
    # One that cannot be left out is not compared.
    mix = {name: one for name, one in _by_database(outcomes, IN_MIX).items() if name in out}
    falls = {name: mix[name].macro_f1.value - out[name].macro_f1.value for name in out}
    worst = max(falls, key=lambda name: falls[name])
    mean_mix, mean_out = (_mean(side, lambda one: one.macro_f1.value) for side in (mix, out))
    parts = [
        f"New people of a database that {learner.title} learnt from have macro-F1 {mean_mix:.3f} "
        f"in the mean of {counted(len(mix), 'database')}; left out of training, {mean_out:.3f}."
    ]
    if falls[worst] > 0:
        parts.append(
            f"{worst} loses most: {mix[worst].macro_f1.value:.3f} to "
            f"{out[worst].macro_f1.value:.3f}."
        )
    within = _by_database(outcomes, WITHIN)
    if within:
        least = min(within.values(), key=lambda one: one.macro_f1.value)
        classes = " and ".join(least.sensitivity)
        parts.append(
            f"By its own people alone, {least.database} is the hardest to tell apart "
            f"({classes}): macro-F1 {least.macro_f1.value:.3f}."
        )
    return " ".join(parts)


def _by_database(outcomes: Sequence[Outcome], protocol: str) -> dict[str, Outcome]:
    return {one.database: one for one in outcomes if one.protocol == protocol}


def _mean(side: dict[str, Outcome], value: Callable[[Outcome], float]) -> float:
    return float(np.mean([value(one) for one in side.values()]))
