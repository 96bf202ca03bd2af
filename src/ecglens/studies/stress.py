"""Score against what a recording suffers: trained clean, tested stressed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecglens.classifiers import feature_space
from ecglens.features import Extractor, concatenate_outputs
from ecglens.models import RhythmModel
from ecglens.signals import fill_gaps, unreadable_reasons
from ecglens.steps import Steps, quiet
from ecglens.studies.cells import Cells, cell_key
from ecglens.studies.examined import Examined, StressSettings
from ecglens.studies.learners import Index
from ecglens.studies.stress_level import level_of
from ecglens.studies.stress_report import report_of
from ecglens.studies.stresses import CLEAN, FloatArray, Stress, all_stresses
from ecglens.studies.study import CELLS, Study
from ecglens.threads import one_blas_core
from ecglens.windows import Windows


def study_stress(
    windows: Windows,
    examined: Examined,
    folder: Path,
    settings: StressSettings | None = None,
    *,
    stresses: Sequence[Stress] | None = None,
    described: dict[str, Any] | None = None,
    notes: Sequence[str] = (),
    steps: Steps = quiet,
) -> Study:
    """Measure what noise and front ends do to models that were trained on clean windows.

    Missing samples are bridged by straight lines before a class is asked for, so that it shows
    what a gap does; whether a window counts as readable is judged before.

    Args:
        windows: labelled, readable windows.
        examined: models that were not trained on the people they judge.
        folder: for finished levels.
        settings: how it is measured.
        stresses: what happens; None for all of :func:`ecglens.studies.stresses.all_stresses`.
        described: what the features were made with, for the settings of the report.
        notes: what limits the figures, in words.
        steps: told of progress.

    Raises:
        OutputError: the folder cannot be written.
    """
    settings = settings or StressSettings()
    wanted = all_stresses() if stresses is None else stresses
    asked = (CLEAN, *(stress for stress in wanted if windows.fs > stress.above_hz))
    impossible = sorted({stress.kind for stress in wanted if windows.fs <= stress.above_hz})
    if impossible:
        at = f"windows at {windows.fs:g} Hz cannot hold it"
        notes = (*notes, f"Left out: {', '.join(impossible)}; {at}.")
    cells = Cells(folder / CELLS)
    judge = _Judge(windows, examined, settings.random_state)
    levels = []
    data = cell_key(windows.X, windows.labels, windows.subjects, windows.fs)
    with steps("stress") as step:
        for done, stress in enumerate(asked, start=1):
            key = cell_key(
                "stress", data, examined.identity, stress.kind, stress.level, settings.random_state
            )

            def compute(stress: Stress = stress) -> dict[str, list[int]]:
                return judge(stress)

            levels.append(level_of(windows, examined, stress, cells.get(key, compute), settings))
            step(done, len(asked))
    return report_of(windows, examined, levels, settings, described or {}, notes)


class _Judge:
    """Stresses windows and asks the models."""

    def __init__(self, windows: Windows, examined: Examined, seed: int) -> None:
        self._windows, self._examined, self._seed = windows, examined, seed
        self._extractor: Extractor | None = None

    def __call__(self, stress: Stress) -> dict[str, list[int]]:
        """Return for each window whether it is readable, its class, and the class claimed.

        The class is the number of classes where there is no image, the claim -1 where there is
        none.
        """
        windows = self._windows
        X = stress.change(fill_gaps(windows.X), windows.fs, self._seed)
        readable = unreadable_reasons(X, windows.fs) == ""
        X = fill_gaps(X)
        shown = np.flatnonzero(unreadable_reasons(X, windows.fs) == "")
        called, claimed = self._ask(X[shown], shown)
        claimed[~readable] = -1
        return {
            "readable": readable.astype(int).tolist(),
            "called": called.tolist(),
            "claimed": claimed.tolist(),
        }

    def _ask(self, X: FloatArray, shown: Index) -> tuple[Index, Index]:
        """Return class and claim of every window, of which some are shown."""
        n, k = len(self._windows), len(self._examined.classes)
        called, claimed = np.full(n, k, dtype=np.int64), np.full(n, -1, dtype=np.int64)
        if not len(shown):
            return called, claimed
        judges = self._examined.judges()
        if self._extractor is None:
            self._extractor = self._examined.extractor()
        features = concatenate_outputs(self._extractor.run(X, self._windows.fs))
        with one_blas_core():
            for model, test in judges:
                mine = np.isin(shown, test)
                if mine.any():
                    index = shown[mine]
                    called[index], claimed[index] = _judgement(model, features[mine])
        return called, claimed


def _judgement(model: RhythmModel, features: npt.NDArray[np.float32]) -> tuple[Index, Index]:
    """Return the likeliest class of each window, and the class it is claimed for, or -1."""
    probabilities = np.asarray(model.head.predict_proba(features), dtype=np.float64)
    distances = np.zeros(len(features))
    if model.distance is not None:
        distances = model.distance.of(feature_space(model.head, features))
    sure = model.reject_rule.judge(probabilities, distances) == ""
    claimed = np.where(sure, model.reject_rule.claimed(probabilities), -1)
    return probabilities.argmax(axis=1), claimed
