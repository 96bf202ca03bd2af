"""A study of stress: rows, tables, figure and the answer in words."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ecglens.evaluation.metrics import none_if_nan
from ecglens.reports import Cell, Table
from ecglens.studies.examined import Examined, StressSettings
from ecglens.studies.stress_figure import by_kind, plot_stress
from ecglens.studies.stress_level import Level
from ecglens.studies.study import Study, score_cell
from ecglens.windows import Windows

_LOSS = 0.05
"""A fall of macro-F1 that is spoken of."""

_SEEN = 0.005
"""A fall of a sensitivity that two decimals show."""


def report_of(
    windows: Windows,
    examined: Examined,
    levels: Sequence[Level],
    settings: StressSettings,
    described: Mapping[str, Any],
    notes: Sequence[str],
) -> Study:
    """Return what the levels say.

    Args:
        windows: as they were before.
        examined: the models.
        levels: clean windows first, then every stress, kind by kind.
        settings: how it was measured.
        described: what the features were made with.
        notes: what limits the figures, in words.
    """
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
        tables=(_table_of_kinds(levels), _table(levels)),
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


def _table_of_kinds(levels: Sequence[Level]) -> Table:
    """Return what each kind of stress costs first, and at its worst."""
    clean = levels[0]
    rows = [
        (
            Cell(kind, mine[0].stress.unit),
            *_level_cells(_first_loss(clean, mine)),
            *_level_cells(min(mine, key=lambda level: level.macro_f1.value)),
            _most_lost(clean, mine),
        )
        for kind, mine in by_kind(levels[1:]).items()
    ]
    return Table(
        head=("stress", "costs first at", "macro-F1", "worst at", "macro-F1", "class that falls"),
        rows=rows,
        caption=f"Clean windows: macro-F1 {clean.macro_f1.value:.3f}. 'First': in the order of "
        f"the next table, the level that costs {100 * _LOSS:g} points. The class is the one whose "
        "sensitivity falls most.",
    )


def _level_cells(level: Level | None) -> tuple[Cell | str, Cell | str]:
    return ("–", "–") if level is None else (level.stress.level, score_cell(level.macro_f1))


def _first_loss(clean: Level, levels: Sequence[Level]) -> Level | None:
    """Return the mildest level that costs what is spoken of; None where none does."""
    least = clean.macro_f1.value - _LOSS
    return next((level for level in levels if level.macro_f1.value <= least), None)


def _most_lost(clean: Level, levels: Sequence[Level]) -> Cell:
    """Return the class that loses most at any level, and where."""
    name, level = max(
        itertools.product(clean.sensitivity, levels),
        key=lambda one: clean.sensitivity[one[0]].value - one[1].sensitivity[one[0]].value,
    )
    before, after = clean.sensitivity[name].value, level.sensitivity[name].value
    if before - after < _SEEN:
        return Cell("–")
    return Cell(name, f"{before:.2f} to {after:.2f} at {level.stress.level}")


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
    clean = levels[0]
    first = {kind: _first_loss(clean, mine) for kind, mine in by_kind(levels[1:]).items()}
    costs = [
        f"{kind}, first at {level.stress.level} ({level.macro_f1.value:.2f})"
        for kind, level in first.items()
        if level is not None
    ]
    stood = [kind for kind, level in first.items() if level is None]
    parts = [
        f"{examined.title} has macro-F1 {clean.macro_f1.value:.3f} on clean windows of new people."
    ]
    if costs:
        parts.append(f"{100 * _LOSS:g} points or more are lost to {'; '.join(costs)}.")
    if stood:
        parts.append(f"Less than that, at any level tried, to {'; '.join(stood)}.")
    return " ".join(parts)
