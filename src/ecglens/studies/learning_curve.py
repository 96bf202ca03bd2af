"""How many people each way of learning needs: scores against the number of training people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ecglens.errors import UsageError
from ecglens.evaluation import subject_folds
from ecglens.evaluation.metrics import IntArray, subject_confusions
from ecglens.steps import Steps, quiet
from ecglens.studies.cells import Cells
from ecglens.studies.curves import Point, point_of, weights_of_people
from ecglens.studies.learners import Index, Learner, learnt_answers
from ecglens.studies.learning_plan import CurveSettings, Plan, Task, draw_training
from ecglens.studies.learning_report import report_of
from ecglens.studies.study import CELLS, Study
from ecglens.windows import Windows

Confusions = dict[tuple[str, int | None], list[IntArray]]
"""Of each learner and level, a confusion matrix per person for each draw."""


def study_learning_curve(
    windows: Windows,
    learners: Sequence[Learner],
    folder: Path,
    settings: CurveSettings | None = None,
    *,
    described: dict[str, Any] | None = None,
    notes: Sequence[str] = (),
    steps: Steps = quiet,
) -> Study:
    """Measure macro-F1, accuracy and sensitivities against the number of training people.

    Test folds are fixed and subject-wise. From the other people of a fold so many of each class
    are drawn by chance (all of a class that has fewer); a learner sees their windows of that
    class and nothing else, and has no parameter that is chosen on test people. Drawn people of a
    smaller number are among those of a larger one. Every fit is kept in ``cells.jsonl``, so a run
    that was stopped goes on where it was.

    Args:
        windows: labelled, readable windows.
        learners: what learns, in the order of tables; slow ones last.
        folder: for finished fits.
        settings: how it is measured.
        described: what the features were made with, for the settings of the report.
        notes: what limits the figures, in words.
        steps: told of progress.

    Raises:
        UsageError: there is no learner.
        EvaluationError: the windows cannot support the folds.
        OutputError: the folder cannot be written.
    """
    settings = settings or CurveSettings()
    if not learners:
        raise UsageError("a learning curve needs a learner or more; name some")
    folds = subject_folds(
        windows.labels,
        windows.subjects,
        n_splits=settings.folds,
        random_state=settings.random_state,
    )
    plan = Plan(windows, settings, folds)
    confusions = _all_confusions(plan, learners, Cells(folder / CELLS), steps)
    points = _points(plan, confusions)
    return report_of(plan, learners, points, described or {}, notes)


def _all_confusions(
    plan: Plan, learners: Sequence[Learner], cells: Cells, steps: Steps
) -> Confusions:
    """Return, for each learner and level, a confusion matrix per person for each draw."""
    windows = plan.windows
    codes = np.searchsorted(windows.classes, windows.labels)
    _, who = np.unique(windows.subjects, return_inverse=True)
    found: Confusions = {}
    for learner in learners:
        tasks = list(plan.tasks(learner))
        said: dict[tuple[int | None, int], IntArray] = {}
        with steps(learner.name) as step:
            for done, task in enumerate(tasks, start=1):
                answers = said.setdefault((task.level, task.draw), np.empty(len(codes), np.int64))
                answers[plan.folds[task.fold][1]] = _fit(plan, task, cells)
                step(done, len(tasks))
        for (level, _), answers in said.items():
            matrix = subject_confusions(codes, answers, who, len(windows.classes))
            found.setdefault((learner.name, level), []).append(matrix)
    return found


def _fit(plan: Plan, task: Task, cells: Cells) -> Index:
    """Return the class numbers that a learner gives to the test windows of a fold."""
    windows, state = plan.windows, plan.settings.random_state
    everyone, test = plan.folds[task.fold]
    seed = (state, task.draw, task.fold)
    train = draw_training(windows.labels, windows.subjects, everyone, task.level, seed)
    where = f"fold {task.fold + 1} of {len(plan.folds)}"
    return learnt_answers(cells, task.learner, windows, train, test, where, state + task.draw)


def _points(plan: Plan, confusions: Confusions) -> dict[str, list[Point]]:
    """Return the points of each learner's curve."""
    settings = plan.settings
    n_subjects = len(np.unique(plan.windows.subjects))
    weights = weights_of_people(n_subjects, settings.n_bootstrap, settings.random_state)
    points: dict[str, list[Point]] = {}
    for (name, _), matrices in confusions.items():
        points.setdefault(name, []).append(point_of(matrices, weights, settings.random_state))
    return points
