"""From predictions to a result: scores overall, per class, per database and per subject."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ecglens.evaluation.checks import Data
from ecglens.evaluation.metrics import IntArray, ratios, score_confusions, subject_confusions
from ecglens.evaluation.results import (
    ClassScores,
    DatabaseScores,
    ProtocolResult,
    SubjectScores,
)


def summarise(
    protocol: str,
    data: Data,
    classes: tuple[str, ...],
    predicted: npt.NDArray[np.str_],
    folds: IntArray,
    n_bootstrap: int,
    random_state: int,
) -> ProtocolResult:
    """Return the scores of one protocol.

    Args:
        protocol: ``"pooled"``, ``"subject"`` or ``"holdout"``.
        data: the windows that were tested, n of them.
        classes: sorted; every label and prediction is one of them.
        predicted: shape (n,).
        folds: fold in which each window was tested, shape (n,).
        n_bootstrap: draws of subjects behind the limits.
        random_state: seed of the draws.
    """
    reference, called = np.searchsorted(classes, data.labels), np.searchsorted(classes, predicted)
    people, who = np.unique(data.subjects, return_inverse=True)
    confusions = subject_confusions(reference, called, who, len(classes))
    accuracy, macro_f1, scores = score_confusions(
        confusions, n_bootstrap=n_bootstrap, random_state=random_state
    )
    counts = confusions.sum(axis=2)
    return ProtocolResult(
        protocol=protocol,
        classes=classes,
        predictions=predicted,
        folds=folds,
        accuracy=accuracy,
        macro_f1=macro_f1,
        per_class=tuple(
            ClassScores(
                name,
                **scores[i],
                n_windows=int(counts[:, i].sum()),
                n_subjects=int((counts[:, i] > 0).sum()),
            )
            for i, name in enumerate(classes)
        ),
        confusion=confusions.sum(axis=0),
        per_database=_per_database(data, classes, reference, called),
        per_subject=_per_subject(data, classes, people, confusions),
    )


def _per_database(
    data: Data, classes: tuple[str, ...], reference: IntArray, called: IntArray
) -> tuple[DatabaseScores, ...]:
    """Return one row per database."""
    names, where = np.unique(data.databases, return_inverse=True)
    confusions = subject_confusions(reference, called, where, len(classes))
    found = ratios(confusions)
    return tuple(
        DatabaseScores(
            database=str(name),
            n_windows=int(confusions[i].sum()),
            n_subjects=len(np.unique(data.subjects[where == i])),
            accuracy=float(found.accuracy[i]),
            macro_f1=float(found.macro_f1[i]),
            sensitivity=dict(zip(classes, found.sensitivity[i].tolist(), strict=True)),
        )
        for i, name in enumerate(names)
    )


def _per_subject(
    data: Data,
    classes: tuple[str, ...],
    people: npt.NDArray[np.str_],
    confusions: IntArray,
) -> tuple[SubjectScores, ...]:
    """Return one row per subject."""
    accuracy, counts = ratios(confusions).accuracy, confusions.sum(axis=2)
    pairs = np.unique(np.stack([data.subjects, data.databases], axis=1), axis=0)
    origins: dict[str, list[str]] = {}
    for person, database in pairs:
        origins.setdefault(str(person), []).append(str(database))
    return tuple(
        SubjectScores(
            subject=str(person),
            database=", ".join(origins[str(person)]),
            n_windows=int(counts[i].sum()),
            accuracy=float(accuracy[i]),
            classes={name: int(n) for name, n in zip(classes, counts[i], strict=True) if n},
        )
        for i, person in enumerate(people)
    )
