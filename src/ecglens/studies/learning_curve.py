"""How many people each way of learning needs: scores against the number of training people."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecglens.errors import UsageError
from ecglens.evaluation import subject_folds
from ecglens.evaluation.metrics import IntArray, check_draws, none_if_nan, subject_confusions
from ecglens.reports import Cell, Table
from ecglens.studies.cells import Cells
from ecglens.studies.curves import (
    Point,
    needed_with_limits,
    point_of,
    score_of,
    weights_of_people,
)
from ecglens.studies.learners import Index, Learner, learnt_answers
from ecglens.studies.learning_figure import plot_learning_curve
from ecglens.studies.material import Steps, quiet
from ecglens.studies.study import CELLS, Study, score_cell
from ecglens.windows import Windows

LEVELS = (1, 2, 5, 10, 20, 50, 100)
SCRATCH = "cnn1d"
_SPOKEN_OF = 10


@dataclass(frozen=True)
class CurveSettings:
    """How a learning curve is measured.

    Attributes:
        levels: people of each class to learn from; all training people come on top.
        draws: how often those people are drawn anew.
        network_draws: the same for the network that is trained from scratch, which takes long.
        folds: subject-wise folds; the people of a fold are tested, the others drawn from.
        n_bootstrap: draws behind the 95 % limits.
        random_state: seed of folds, draws and learners.

    Raises:
        UsageError: a number is out of range.
    """

    levels: tuple[int, ...] = LEVELS
    draws: int = 5
    network_draws: int = 2
    folds: int = 5
    n_bootstrap: int = 1000
    random_state: int = 0

    def __post_init__(self) -> None:
        if not self.levels or min(self.levels) < 1 or list(self.levels) != sorted({*self.levels}):
            said = ", ".join(map(str, self.levels)) or "none"
            raise UsageError(f"levels must be numbers of people that rise from 1 on, got {said}")
        for name in ("draws", "network_draws"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be 1 or more, got {getattr(self, name)}")
        check_draws(self.n_bootstrap)


@dataclass(frozen=True)
class _Task:
    """One fit: a learner, people of each class (None for all), a draw and a fold."""

    learner: Learner
    level: int | None
    draw: int
    fold: int


@dataclass(frozen=True, eq=False)
class _Plan:
    """The windows with their folds."""

    windows: Windows
    settings: CurveSettings
    folds: Sequence[tuple[Index, Index]]

    @property
    def most(self) -> int:
        """Training people of the class that has most, mean over the folds."""
        y, who = self.windows.labels, self.windows.subjects
        counts = [
            max(len(np.unique(who[train][y[train] == name])) for name in self.windows.classes)
            for train, _ in self.folds
        ]
        return round(float(np.mean(counts)))

    @property
    def levels(self) -> tuple[int | None, ...]:
        """The levels below all people, and None for all."""
        return (*(level for level in self.settings.levels if level < self.most), None)

    def people(self, level: int | None) -> int:
        """Return where a level stands on the axis."""
        return self.most if level is None else level

    def draws(self, learner: Learner, level: int | None) -> int:
        """Return how many draws a learner gets; of all people there is one."""
        if level is None:
            return 1
        scratch = learner.name == SCRATCH
        return self.settings.network_draws if scratch else self.settings.draws

    def tasks(self, learner: Learner) -> Iterator[_Task]:
        """Yield all fits of a learner, draw after draw."""
        for draw in range(max(self.settings.draws, self.settings.network_draws)):
            for level in self.levels:
                if draw < self.draws(learner, level):
                    for fold in range(len(self.folds)):
                        yield _Task(learner, level, draw, fold)


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
    plan = _Plan(windows, settings, folds)
    confusions = _all_confusions(plan, learners, Cells(folder / CELLS), steps)
    points = _points(plan, confusions, settings)
    return _study(plan, learners, points, described or {}, notes)


def draw_training(
    labels: npt.NDArray[np.str_],
    subjects: npt.NDArray[np.str_],
    train: Index,
    level: int | None,
    seed: Sequence[int],
) -> Index:
    """Return the windows of so many people of each class, in the order of the windows.

    Args:
        labels: class of each window, shape (n,).
        subjects: person of each window, shape (n,).
        train: windows of all training people.
        level: people of each class; a class with fewer gives all; None for everybody.
        seed: of the draw. The people of a smaller level are among those of a larger one.
    """
    if level is None:
        return train
    picked = []
    for number, name in enumerate(np.unique(labels[train]).tolist()):
        mine = train[labels[train] == name]
        people = np.unique(subjects[mine])
        drawn = np.random.default_rng([*seed, number]).permutation(people)[:level]
        picked.append(mine[np.isin(subjects[mine], drawn)])
    return np.sort(np.concatenate(picked))


def _all_confusions(
    plan: _Plan, learners: Sequence[Learner], cells: Cells, steps: Steps
) -> dict[tuple[str, int | None], list[IntArray]]:
    """Return, for each learner and level, a confusion matrix per person for each draw."""
    windows = plan.windows
    codes = np.searchsorted(windows.classes, windows.labels)
    _, who = np.unique(windows.subjects, return_inverse=True)
    found: dict[tuple[str, int | None], list[IntArray]] = {}
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


def _fit(plan: _Plan, task: _Task, cells: Cells) -> Index:
    """Return the class numbers that a learner gives to the test windows of a fold."""
    windows, state = plan.windows, plan.settings.random_state
    everyone, test = plan.folds[task.fold]
    seed = (state, task.draw, task.fold)
    train = draw_training(windows.labels, windows.subjects, everyone, task.level, seed)
    where = f"fold {task.fold + 1} of {len(plan.folds)}"
    return learnt_answers(cells, task.learner, windows, train, test, where, state + task.draw)


def _points(
    plan: _Plan,
    confusions: dict[tuple[str, int | None], list[IntArray]],
    settings: CurveSettings,
) -> dict[str, list[Point]]:
    """Return the points of each learner's curve."""
    n_subjects = len(np.unique(plan.windows.subjects))
    weights = weights_of_people(n_subjects, settings.n_bootstrap, settings.random_state)
    points: dict[str, list[Point]] = {}
    for (name, _), matrices in confusions.items():
        points.setdefault(name, []).append(point_of(matrices, weights, settings.random_state))
    return points


def _study(
    plan: _Plan,
    learners: Sequence[Learner],
    points: dict[str, list[Point]],
    described: dict[str, Any],
    notes: Sequence[str],
) -> Study:
    windows, settings = plan.windows, plan.settings
    titles = {learner.name: learner.title for learner in learners}
    people = [plan.people(level) for level in plan.levels]
    needed = _needed(people, points)
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
            *([_needed_table(needed, titles)] if needed else []),
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


def _rows(
    plan: _Plan, learners: Sequence[Learner], points: dict[str, list[Point]]
) -> Iterator[dict[str, Any]]:
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


def _table(plan: _Plan, learners: Sequence[Learner], points: dict[str, list[Point]]) -> Table:
    head = [
        "macro-F1, people of each class",
        *("all" if n is None else str(n) for n in plan.levels),
    ]
    rows: list[tuple[Cell | str, ...]] = [
        (learner.title, *(score_cell(score_of(point.macro_f1)) for point in points[learner.name]))
        for learner in learners
    ]
    return Table(head=head, rows=rows, caption="Subject-wise macro-F1 with 95 % limits.")


def _needed(people: Sequence[int], points: dict[str, list[Point]]) -> list[dict[str, Any]]:
    """Return how many people one learner needs for what a transferred one has at each level."""
    rows = []
    others = [name for name in (SCRATCH, "random", "handmade") if name in points]
    for mine, other in itertools.product(("imagenet", "backbone"), others):
        for n, point in zip(people, points.get(mine, []), strict=False):
            value, low, high = needed_with_limits(people, points[other], point)
            rows.append(
                {
                    "learner": mine,
                    "people": n,
                    "other": other,
                    "needed": _finite(value),
                    "low": _finite(low),
                    "high": _finite(high),
                    "limits": not math.isnan(low),
                    "at_most": people[-1],
                }
            )
    return rows


def _finite(value: float) -> float | None:
    """Return a number of people, or None where the other never comes to it."""
    return None if math.isinf(value) else none_if_nan(value)


def _needed_table(needed: list[dict[str, Any]], titles: dict[str, str]) -> Table:
    rows = [
        (titles[row["learner"]], titles[row["other"]], str(row["people"]), _needed_cell(row))
        for row in needed
    ]
    return Table(
        head=("what", "is reached by", "people of each class", "who needs"),
        rows=rows,
        caption="People of each class that another way to learn needs for the same macro-F1; "
        "'never': not with all people there are.",
        left=2,
    )


def _needed_cell(row: dict[str, Any]) -> Cell:
    value, low, high = (_people(row[name]) for name in ("needed", "low", "high"))
    return (
        Cell(value) if not row["limits"] or low == value == high else Cell(value, f"{low} – {high}")
    )


def _people(n: float | None) -> str:
    """Return a number of people in words; None stands for one beyond all there are."""
    return "never" if n is None else f"{n:.0f}" if n > 1 else "1 or fewer"


def _said(
    people: Sequence[int],
    points: dict[str, list[Point]],
    titles: dict[str, str],
    needed: list[dict[str, Any]],
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
        _clause(row, titles) for row in needed if row["learner"] == mine and row["people"] == spoken
    ]
    start = f"With {_counted(spoken)} of each class {titles[mine]} has macro-F1 {score:.3f}: "
    return " ".join([start + "; ".join(clauses) + ".", *parts])


def _counted(n: int) -> str:
    return "1 person" if n == 1 else f"{n} people"


def _clause(row: dict[str, Any], titles: dict[str, str]) -> str:
    other, low, high = titles[row["other"]], row["low"], row["high"]
    if row["needed"] is None:
        limits = "" if low is None else f", lower limit {low:.0f}"
        return f"{other} does not come to that with all {row['at_most']} there are{limits}"
    most = "more than there are" if high is None else f"{high:.0f}"
    limits = "" if low is None else f" (95 % limits {low:.0f} to {most})"
    return f"{other} needs {_people(row['needed'])} for that{limits}"
