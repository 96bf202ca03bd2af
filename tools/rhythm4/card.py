"""What the model's card says beside what every card says: sources, figures, failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ecglens.databases import find_database, list_databases
from ecglens.evaluation import Evaluation
from ecglens.evaluation.tables import counted
from ecglens.windows import Windows

INTENDED_USE = (
    "Research only. Not a medical device; not for diagnosis or treatment. A first look at "
    "single-lead recordings of adults for normal rhythm, atrial fibrillation, ventricular "
    "fibrillation or flutter and ST change, to be read by someone who can judge the ECG."
)
CATALOGUE_NAMES = {"ptbxl": "ptb-xl"}
"""Databases that the yardstick names otherwise than the catalogue."""

PREPARED = {
    "cudb": "annotations of a third party: the start and end of fibrillation on a grid of five "
    "seconds, which may include some ventricular tachycardia",
    "ltstdb": "decimated to 50 Hz by its source; labels hold for any lead of the record, the "
    "window shows one",
    "ptbxl": "filtered to 0.5 to 40 Hz and z-scored by its source, so that amplitudes are lost; "
    "people are told apart by their ECG's number",
}

RHYTHMS = {
    "AB": "atrial bigeminy",
    "AFL": "atrial flutter",
    "ASYS": "asystole",
    "B": "ventricular bigeminy",
    "BI": "first-degree block",
    "BII": "second-degree block",
    "HGEA": "high-grade ventricular ectopy",
    "IVR": "idioventricular rhythm",
    "NOD": "nodal rhythm",
    "NOISE": "noise",
    "P": "paced rhythm",
    "PM": "paced rhythm",
    "PREX": "pre-excitation",
    "SBR": "sinus bradycardia",
    "SVTA": "supraventricular tachyarrhythmia",
    "T": "ventricular trigeminy",
    "VER": "ventricular escape rhythm",
    "VT": "ventricular tachycardia",
}
"""What the databases' names of rhythms that are no class stand for."""

_TOLD = ("ASYS", "B", "NOISE", "P", "VT")
"""Those of which the known failures tell."""


def card_of(
    windows: Windows,
    evaluation: Evaluation,
    others: Sequence[Mapping[str, Any]],
    trained: Mapping[str, str],
) -> dict[str, Any]:
    """Return what is added to the card, JSON-ready.

    Args:
        windows: trained on.
        evaluation: before training.
        others: what is said of rhythms that are no class, a row for each.
        trained: when, from which revision and from what.
    """
    return {
        "name": "rhythm4",
        "intended_use": INTENDED_USE,
        "trained": dict(trained),
        "sources": [_source(windows, str(name)) for name in np.unique(windows.databases)],
        "evaluation": evaluation.to_dict(),
        "other_rhythms": [dict(row) for row in others],
        "known_failures": known_failures(windows, evaluation, others),
    }


def _source(windows: Windows, name: str) -> dict[str, Any]:
    mine = windows.subset(windows.databases == name)
    called = CATALOGUE_NAMES.get(name, name)
    known = {entry.name for entry in list_databases()}
    facts = {}
    if called in known:
        entry = find_database(called)
        facts = {
            "title": f"{entry.title} {entry.version}",
            "licence": entry.licence,
            "doi": entry.doi,
            "citation": entry.citation,
        }
    return {
        "database": name,
        **facts,
        "prepared": PREPARED.get(name, ""),
        "n_windows": len(mine),
        "n_subjects": len(np.unique(mine.subjects)),
        "windows": {label: int((mine.labels == label).sum()) for label in mine.classes},
        "subjects": {
            label: len(np.unique(mine.subjects[mine.labels == label])) for label in mine.classes
        },
    }


def known_failures(
    windows: Windows, evaluation: Evaluation, others: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Return in sentences what the model is known to get wrong, with its figures."""
    return [
        *_weak_spots(evaluation),
        *_few_people(windows),
        *sentences_of_others(others),
        "Amplitudes count for little and one lead is seen at a time: ST change that shows in "
        "another lead is missed.",
    ]


def _weak_spots(evaluation: Evaluation, below: float = 0.7) -> list[str]:
    """Name databases in which new people's windows of a class are often missed."""
    return [
        f"Of new people's {label} windows of {row.database}, {percent(share)} are called {label}."
        for row in evaluation.results["subject"].per_database
        for label, share in row.sensitivity.items()
        if share < below
    ]


def _few_people(windows: Windows, share: float = 0.75) -> list[str]:
    """Name classes most of whose windows are of a few people."""
    said = []
    for label in windows.classes:
        mine = windows.subjects[windows.labels == label]
        counts = np.sort(np.unique(mine, return_counts=True)[1])[::-1]
        few = int(np.searchsorted(np.cumsum(counts), share * len(mine))) + 1
        if few <= 10 and few < len(counts) / 2:
            said.append(
                f"{label} has {len(counts)} people, but {few} of them give {counts[:few].sum()} of "
                f"its {len(mine)} windows: its figures hold for few kinds of people."
            )
    return said


def sentences_of_others(others: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say what becomes of some rhythms that are no class, each window by itself."""
    said = []
    for row in others:
        if row["rhythm"] in _TOLD:
            shares = {f"are called {name}": share for name, share in row["claimed"].items()}
            shares["are given no class"] = row["not_claimed"]
            ordered = sorted(shares.items(), key=lambda item: -item[1])
            parts = ", ".join(f"{percent(share)} {word}" for word, share in ordered if share)
            name = RHYTHMS[row["rhythm"]]
            said.append(
                f"{name[0].upper()}{name[1:]} is no class: of {row['n_windows']} windows of "
                f"{counted(row['n_subjects'], 'person', 'people')}, {parts}{_by_signal(row)}."
            )
    return said


def _by_signal(row: Mapping[str, Any]) -> str:
    """Say what share of a rhythm has no class because of its signal, whatever the model thinks."""
    words = ", ".join(f'"{reason}" {percent(share)}' for reason, share in row["refused"].items())
    return f" (for their signal alone: {words})" if words else ""


def percent(share: float) -> str:
    """Return a share as per cent."""
    return f"{100 * share:.0f} %"
