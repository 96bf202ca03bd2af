"""Score against what a recording suffers: trained clean, tested stressed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecglens.classifiers import feature_space
from ecglens.evaluation import Score
from ecglens.evaluation.metrics import none_if_nan, score_confusions, subject_confusions
from ecglens.features import Extractor, concatenate_outputs
from ecglens.models import RhythmModel
from ecglens.reports import Cell, Table
from ecglens.signals import fill_gaps, unreadable_reasons
from ecglens.steps import Steps, quiet
from ecglens.studies.cells import Cells, cell_key
from ecglens.studies.examined import Examined, StressSettings
from ecglens.studies.learners import Index
from ecglens.studies.stress_figure import plot_stress
from ecglens.studies.stresses import CLEAN, FloatArray, Stress, all_stresses
from ecglens.studies.study import CELLS, Study, score_cell
from ecglens.threads import one_blas_core
from ecglens.windows import Windows

_LOSS = 0.05
"""A fall of macro-F1 that is spoken of."""


@dataclass(frozen=True, eq=False)
class Level:
    """What became of one stress.

    Attributes:
        stress: kind and level.
        accuracy: share of windows called rightly, when every window must get a class; one that
            cannot be read counts as wrong.
        macro_f1: mean F1 over the classes, likewise.
        sensitivity: of each class that occurs, likewise.
        readable: share of windows that can be read.
        claimed: share that the reject rule lets a class claim; none that cannot be read.
        right: share of those that are right; NaN where none is claimed.
    """

    stress: Stress
    accuracy: Score
    macro_f1: Score
    sensitivity: dict[str, Score]
    readable: float
    claimed: float
    right: float


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
    asked = (CLEAN, *(all_stresses() if stresses is None else stresses))
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

            levels.append(_level(windows, examined, stress, cells.get(key, compute), settings))
            step(done, len(asked))
    return _study(windows, examined, levels, settings, described or {}, notes)


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


def _level(
    windows: Windows,
    examined: Examined,
    stress: Stress,
    said: dict[str, list[int]],
    settings: StressSettings,
) -> Level:
    """Return the scores of one stress."""
    classes = examined.classes
    codes = np.searchsorted(classes, windows.labels)
    _, who = np.unique(windows.subjects, return_inverse=True)
    called, claimed = np.array(said["called"]), np.array(said["claimed"])
    # One column more: of windows without an image.
    confusions = subject_confusions(codes, called, who, len(classes) + 1)
    accuracy, macro_f1, scores = score_confusions(
        confusions, n_bootstrap=settings.n_bootstrap, random_state=settings.random_state
    )
    sure = claimed >= 0
    return Level(
        stress=stress,
        accuracy=accuracy,
        macro_f1=macro_f1,
        sensitivity={
            name: scores[i]["sensitivity"] for i, name in enumerate(classes) if (codes == i).any()
        },
        readable=float(np.mean(said["readable"])),
        claimed=float(sure.mean()),
        right=float((claimed[sure] == codes[sure]).mean()) if sure.any() else float("nan"),
    )


def _study(
    windows: Windows,
    examined: Examined,
    levels: Sequence[Level],
    settings: StressSettings,
    described: dict[str, Any],
    notes: Sequence[str],
) -> Study:
    return Study(
        name="stress",
        title="What does it stand?",
        said=_said(examined, levels),
        settings={
            "windows": len(windows),
            "subjects": len(np.unique(windows.subjects)),
            "model": examined.title,
            **asdict(settings),
            **described,
        },
        rows=tuple(row for level in levels for row in _rows(level)),
        tables=(_table(levels),),
        figure=plot_stress(levels),
        alt="Macro-F1, the sensitivity of each class and the share of windows claimed, against "
        "the strength of each kind of stress.",
        notes=(
            "Trained on clean windows of other people. Every window must get a class for macro-F1 "
            "and sensitivities, missing samples being bridged; 'claimed' is the share that the "
            "reject rule lets pass, 'right' the share of those that are right. Limits (95 %) are "
            "from drawing people anew.",
            *notes,
        ),
        classes=windows.classes,
    )


def _rows(level: Level) -> Iterator[dict[str, Any]]:
    first = {"stress": level.stress.kind, "level": level.stress.level, "unit": level.stress.unit}
    yield {**first, "score": "macro_f1", "class": "", **level.macro_f1.to_dict()}
    yield {**first, "score": "accuracy", "class": "", **level.accuracy.to_dict()}
    for name, score in level.sensitivity.items():
        yield {**first, "score": "sensitivity", "class": name, **score.to_dict()}
    for name in ("readable", "claimed", "right"):
        value = none_if_nan(getattr(level, name))
        yield {**first, "score": name, "class": "", "value": value, "low": None, "high": None}


def _table(levels: Sequence[Level]) -> Table:
    rows: list[tuple[Cell | str, ...]] = []
    last = ""
    for level in levels:
        kind = level.stress.kind
        rows.append(
            (
                "" if kind == last else Cell(kind, level.stress.unit),
                level.stress.level,
                score_cell(level.macro_f1),
                *(f"{score.value:.2f}" for score in level.sensitivity.values()),
                _share(level.readable),
                _share(level.claimed),
                _share(level.right),
            )
        )
        last = kind
    names = (f"sens. {name}" for name in levels[0].sensitivity)
    return Table(
        head=("stress", "level", "macro-F1", *names, "readable", "claimed", "right"),
        rows=rows,
        left=2,
    )


def _share(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.2f}"


def _said(examined: Examined, levels: Sequence[Level]) -> str:
    """Return the answer in sentences: what costs, from which level on, and what does not."""
    clean = levels[0].macro_f1.value
    first: dict[str, Level | None] = {}
    for level in levels[1:]:
        kind = level.stress.kind
        if first.get(kind) is None:
            lost = clean - level.macro_f1.value >= _LOSS
            first[kind] = level if lost else None
    costs = [
        f"{kind}, first at {level.stress.level} ({level.macro_f1.value:.2f})"
        for kind, level in first.items()
        if level is not None
    ]
    stood = [kind for kind, level in first.items() if level is None]
    parts = [f"{examined.title} has macro-F1 {clean:.3f} on clean windows of new people."]
    if costs:
        parts.append(f"{100 * _LOSS:g} points or more are lost to {'; '.join(costs)}.")
    if stood:
        parts.append(f"Less than that, at any level tried, to {'; '.join(stood)}.")
    return " ".join(parts)
