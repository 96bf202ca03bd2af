"""How each database fares under each protocol."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ecglens.evaluation import DatabaseSplit, Score
from ecglens.evaluation.metrics import score_confusions, subject_confusions
from ecglens.studies.databases_plan import IN_MIX, LEFT_OUT, WITHIN, DatabaseSettings
from ecglens.studies.learners import Index
from ecglens.windows import Windows

Answers = dict[tuple[str, str], Index]
"""Of a protocol and a database ("" for all), the class said of each window; -1: not tested."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """How one database fares under one protocol.

    Attributes:
        database: its name.
        protocol: ``"left out"`` (trained on all other databases), ``"in the mix"``
            (subject-wise folds over all databases) or ``"within"`` (subject-wise folds over this
            one alone).
        n_windows: windows tested.
        n_subjects: people tested.
        accuracy: share of windows that were right.
        macro_f1: mean F1 over the classes tested.
        sensitivity: of each class that was tested.
    """

    database: str
    protocol: str
    n_windows: int
    n_subjects: int
    accuracy: Score
    macro_f1: Score
    sensitivity: dict[str, Score]


def outcomes_of(
    windows: Windows,
    splits: Sequence[DatabaseSplit],
    answers: Answers,
    settings: DatabaseSettings,
) -> Iterator[Outcome]:
    """Yield, for each database, left out, in the mix and within, as far as it was judged."""
    for split in splits:
        name = split.database
        if len(split.test):
            for protocol, key in ((LEFT_OUT, name), (IN_MIX, "")):
                if (protocol, key) in answers:
                    said = answers[protocol, key]
                    yield _outcome(windows, split.test, said, name, protocol, settings)
        if (WITHIN, name) in answers:
            said = answers[WITHIN, name]
            index = np.flatnonzero(said >= 0)
            yield _outcome(windows, index, said, name, WITHIN, settings)


def _outcome(
    windows: Windows,
    index: Index,
    said: Index,
    database: str,
    protocol: str,
    settings: DatabaseSettings,
) -> Outcome:
    """Return the scores of some windows."""
    codes = np.searchsorted(windows.classes, windows.labels[index])
    people, who = np.unique(windows.subjects[index], return_inverse=True)
    confusions = subject_confusions(codes, said[index], who, len(windows.classes))
    accuracy, macro_f1, scores = score_confusions(
        confusions, n_bootstrap=settings.n_bootstrap, random_state=settings.random_state
    )
    return Outcome(
        database=database,
        protocol=protocol,
        n_windows=len(index),
        n_subjects=len(people),
        accuracy=accuracy,
        macro_f1=macro_f1,
        sensitivity={
            name: scores[i]["sensitivity"]
            for i, name in enumerate(windows.classes)
            if (codes == i).any()
        },
    )
