"""Windows whose classes are told apart by one number, and learners that see it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ecglens.classifiers import make_classifier
from ecglens.studies import Learner
from ecglens.windows import Windows
from tests.signals_of import beats, fibrillation

FS = 100.0
N_PEOPLE, N_EACH = 12, 3


@pytest.fixture(scope="session")
def windows() -> Windows:
    """Twelve people in three databases, each with windows of N and of VF."""
    rows, signals = [], []
    for person in range(N_PEOPLE):
        for number in range(N_EACH):
            seed = 10 * person + number
            for label, make in (("N", beats), ("VF", fibrillation)):
                signals.append(make(4.0, FS, seed=seed))
                rows.append((label, f"p{person:02d}", f"db{person % 3}", 4.0 * number))
    labels, subjects, databases, start_s = (np.array(column) for column in zip(*rows, strict=True))
    return Windows(
        X=np.stack(signals),
        fs=FS,
        labels=labels,
        subjects=subjects,
        databases=databases,
        records=subjects,
        leads=np.full(len(rows), "II"),
        start_s=start_s.astype(np.float64),
    )


@pytest.fixture(scope="session")
def learner(windows: Windows) -> Learner:
    """Sees the class through noise of its own for each person."""
    rng = np.random.default_rng(0)
    people = {name: rng.normal(scale=0.8) for name in np.unique(windows.subjects)}
    shift = np.array([people[name] for name in windows.subjects])
    column = 2.0 * (windows.labels == "VF") + shift + rng.normal(scale=0.3, size=len(windows))
    features = np.stack([column, rng.normal(size=len(windows))], axis=1).astype(np.float32)
    return Learner("backbone", "seeing", features, {}, lambda _n, _s: make_classifier("lda"))


@pytest.fixture(scope="session")
def blind(windows: Windows, learner: Learner) -> Learner:
    """Sees nothing of the class."""
    noise = np.random.default_rng(1).normal(size=learner.features.shape).astype(np.float32)
    return replace(learner, name="random", title="blind", features=noise)
