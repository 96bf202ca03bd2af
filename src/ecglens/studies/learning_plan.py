"""Who learns from whom in a learning curve: folds, levels, and people drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ecglens.errors import UsageError
from ecglens.evaluation.metrics import check_draws
from ecglens.studies.learners import Index, Learner
from ecglens.windows import Windows

LEVELS = (1, 2, 5, 10, 20, 50, 100)
SCRATCH = "cnn1d"


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
class Task:
    """One fit: a learner, people of each class (None for all), a draw and a fold."""

    learner: Learner
    level: int | None
    draw: int
    fold: int


@dataclass(frozen=True, eq=False)
class Plan:
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

    def tasks(self, learner: Learner) -> Iterator[Task]:
        """Yield all fits of a learner, draw after draw."""
        for draw in range(max(self.settings.draws, self.settings.network_draws)):
            for level in self.levels:
                if draw < self.draws(learner, level):
                    for fold in range(len(self.folds)):
                        yield Task(learner, level, draw, fold)


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
