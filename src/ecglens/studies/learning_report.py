"""A learning curve as a study: rows, tables, figure and the answer in words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ecglens.reports import Cell, Table
from ecglens.studies.curves import Point, score_of
from ecglens.studies.learners import Learner
from ecglens.studies.learning_figure import plot_learning_curve
from ecglens.studies.learning_needed import Needed, needed_clause, needed_rows, needed_table
from ecglens.studies.learning_plan import Plan
from ecglens.studies.study import Study, score_cell
from ecglens.windows import Windows

_SPOKEN_OF = 10
"""People of each class at which the answer is given."""

Points = Mapping[str, Sequence[Point]]
"""The curve of each learner."""


def report_of(
    plan: Plan,
    learners: Sequence[Learner],
    points: Points,
    described: Mapping[str, Any],
    notes: Sequence[str],
) -> Study:
    """Return what the curves say.

    Args:
        plan: windows, folds and levels.
        learners: in the order of tables.
        points: of each learner, one a level of the plan.
        described: what the features were made with.
        notes: what limits the figures, in words.
    """
    windows, settings = plan.windows, plan.settings
    titles = {learner.name: learner.title for learner in learners}
    people = [plan.people(level) for level in plan.levels]
    needed = needed_rows(people, points)
    curves = {titles[name]: curve for name, curve in points.items()}
    return Study(
        name="learning-curve",
        title="How many people does it take to learn?",
        said=_said(people, points, titles, needed),
        settings={
            "windows": len(windows),
            "subjects": len(np.unique(windows.subjects)),
            **asdict(settings),
            **described,
        },
        rows=tuple(_rows(plan, learners, points)),
        tables=(
            _table(plan, learners, points),
            *([needed_table(needed, titles)] if needed else []),
        ),
        figure=plot_learning_curve(curves, people, windows.classes),
        alt="Macro-F1 and the sensitivity of each class against training people per class, "
        "a line for each way to learn.",
        notes=(
            "Limits (95 %) are from drawing test people and draws of training people anew. A "
            "class with fewer people than a column asks for gives all of them: "
            + ", ".join(f"{name} has {n}" for name, n in _people_of(windows).items())
            + ", of whom a fold tests some.",
            *notes,
        ),
        more={"people_needed": needed},
        classes=windows.classes,
    )


def _people_of(windows: Windows) -> dict[str, int]:
    return {
        name: len(np.unique(windows.subjects[windows.labels == name])) for name in windows.classes
    }


def _rows(plan: Plan, learners: Sequence[Learner], points: Points) -> Iterator[dict[str, Any]]:
    for learner in learners:
        for level, point in zip(plan.levels, points[learner.name], strict=True):
            first = {
                "learner": learner.name,
                "people_per_class": "all" if level is None else level,
                "draws": plan.draws(learner, level),
            }
            scores = [("macro_f1", "", point.macro_f1), ("accuracy", "", point.accuracy)]
            scores += [
                ("sensitivity", name, point.sensitivity[:, i])
                for i, name in enumerate(plan.windows.classes)
            ]
            for score, name, values in scores:
                yield {**first, "score": score, "class": name, **score_of(values).to_dict()}


def _table(plan: Plan, learners: Sequence[Learner], points: Points) -> Table:
    head = [
        "macro-F1, people of each class",
        *("all" if n is None else str(n) for n in plan.levels),
    ]
    rows: list[tuple[Cell | str, ...]] = [
        (learner.title, *(score_cell(score_of(point.macro_f1)) for point in points[learner.name]))
        for learner in learners
    ]
    return Table(head=head, rows=rows, caption="Subject-wise macro-F1 with 95 % limits.")


def _said(
    people: Sequence[int],
    points: Points,
    titles: Mapping[str, str],
    needed: Sequence[Needed],
) -> str:
    """Return the answer in sentences."""
    last = {name: curve[-1].macro_f1[0] for name, curve in points.items()}
    best = max(last, key=lambda name: last[name])
    parts = [f"With all people {titles[best]} is best, with macro-F1 {last[best]:.3f}."]
    if not needed:
        return parts[0]
    spoken = min(people, key=lambda n: (abs(math.log(n / _SPOKEN_OF)), n))
    mine = needed[0]["learner"]
    score = points[mine][people.index(spoken)].macro_f1[0]
    clauses = [
        needed_clause(row, titles)
        for row in needed
        if row["learner"] == mine and row["people"] == spoken
    ]
    start = f"With {_counted(spoken)} of each class {titles[mine]} has macro-F1 {score:.3f}: "
    return " ".join([start + "; ".join(clauses) + ".", *parts])


def _counted(n: int) -> str:
    return "1 person" if n == 1 else f"{n} people"
