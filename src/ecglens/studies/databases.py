"""Databases left out of training, and contrasts within one: rhythm learnt, or recorder?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ecglens.errors import EvaluationError
from ecglens.evaluation import split_databases
from ecglens.steps import Steps, quiet
from ecglens.studies.cells import Cells
from ecglens.studies.databases_outcome import Answers, outcomes_of
from ecglens.studies.databases_plan import LEFT_OUT, DatabaseSettings, Plan, names_of, plans_of
from ecglens.studies.databases_report import report_of
from ecglens.studies.learners import Learner, learnt_answers
from ecglens.studies.study import CELLS, Study
from ecglens.windows import Windows


def study_databases(
    windows: Windows,
    learner: Learner,
    folder: Path,
    settings: DatabaseSettings | None = None,
    *,
    described: dict[str, Any] | None = None,
    notes: Sequence[str] = (),
    steps: Steps = quiet,
) -> Study:
    """Compare each database left out of training with the same windows in the mix, and within.

    A database is tested on the classes that another one has too: trained on the people of all
    others, and beside it by subject-wise folds over all databases. Where it has several classes
    of two people or more each, subject-wise folds within it show the contrast without any other
    recorder. What cannot be judged is left out and said in the notes. Nobody is ever on both
    sides: who is in the database left out and in another is not trained on, and that is said too.

    Args:
        windows: labelled, readable windows.
        learner: with features of all windows.
        folder: for finished fits.
        settings: how it is measured.
        described: what the features were made with, for the settings of the report.
        notes: what limits the figures, in words.
        steps: told of progress.

    Raises:
        EvaluationError: no database can be left out, or the windows cannot support the folds.
        OutputError: the folder cannot be written.
    """
    settings = settings or DatabaseSettings()
    splits = split_databases(windows.labels, windows.subjects, windows.databases)
    if not any(len(split.test) for split in splits):
        raise EvaluationError(
            f"no class is in two databases or more ({', '.join(names_of(windows))}), of people "
            "of its own; leaving one out needs windows of a class from another; add a database"
        )
    plans, more_notes = plans_of(windows, settings, splits)
    if not any(plan.protocol == LEFT_OUT for plan in plans):
        raise EvaluationError(f"{'; '.join(more_notes)}; add a database with another class")
    answers = _answers(windows, learner, plans, Cells(folder / CELLS), settings, steps)
    outcomes = tuple(outcomes_of(windows, splits, answers, settings))
    return report_of(windows, learner, outcomes, settings, described or {}, (*more_notes, *notes))


def _answers(
    windows: Windows,
    learner: Learner,
    plans: Sequence[Plan],
    cells: Cells,
    settings: DatabaseSettings,
    steps: Steps,
) -> Answers:
    """Return what is said of every window under each plan, -1 where it is not tested."""
    answers: Answers = {}
    todo = sum(len(plan.fits) for plan in plans)
    done = 0
    with steps("databases") as step:
        for plan in plans:
            said = np.full(len(windows), -1, dtype=np.int64)
            for where, train, test in plan.fits:
                said[test] = learnt_answers(
                    cells, learner, windows, train, test, where, settings.random_state
                )
                done += 1
                step(done, todo)
            answers[plan.protocol, plan.database] = said
    return answers
