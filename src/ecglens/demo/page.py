"""The demo's report, in the order in which one wants to know it."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from ecglens import __version__
from ecglens.demo.pictures import CLASS_NAMES, example_pictures, onset_pictures
from ecglens.demo.results import NORMAL, REHEARSAL, RESEARCH_USE, DemoResult
from ecglens.demo.steps import next_steps
from ecglens.evaluation import Score
from ecglens.plots import plot_subjects, render_inline
from ecglens.reports import (
    Block,
    Columns,
    Commands,
    Facts,
    Notice,
    Page,
    Picture,
    Section,
    Text,
    Tile,
    Tiles,
)
from ecglens.reports.evaluations import confusion_matrices, score_table
from ecglens.reports.timelines import burden_table, match_table, rhythm_strip


def make_page(result: DemoResult, folder: Path) -> Page:
    """Return the report of a demo whose files are in ``folder``."""
    return Page(
        title="Rehearsal on virtual patients",
        subtitle=(
            f"Holter of {result.record.subject_id}, {result.settings.hours:g} h, lead "
            f"{result.timeline.lead}, {result.record.fs:g} Hz"
        ),
        lead=verdict(result),
        opening=(Notice("A rehearsal, not evidence.", REHEARSAL), _tiles(result)),
        sections=(
            Section("The Holter", tuple(_holter(result))),
            Section("How far to trust it", tuple(_evaluation(result))),
            Section("What the network sees", tuple(_examples(result))),
            Section("Settings", (_settings(result),)),
            Section("With recordings of your own", tuple(_next_steps(result, folder))),
        ),
        classes=result.model.classes,
        footer=(RESEARCH_USE, REHEARSAL, f"Made by ecglens {__version__}."),
    )


def verdict(result: DemoResult) -> str:
    """Return what was found, in a sentence."""
    real = sum(there for _, there in result.found.values())
    found = sum(found for found, _ in result.found.values())
    parts = [f"{name} {n} of {there}" for name, (n, there) in result.found.items() if there]
    accuracy = result.evaluation.results["subject"].accuracy
    return (
        f"In a Holter of {result.settings.hours:g} h of a virtual patient it had never seen, the "
        f"model found {found} of {real} episodes ({', '.join(parts) or 'there were none'}) and "
        f"called {result.right_share:.1%} of the time what it is; of the windows of "
        f"{result.evaluation.n_subjects} others it got {_percent(accuracy)} right, when each was "
        "judged by a model that had not seen that patient."
    )


def _percent(score: Score) -> str:
    return f"{score.value:.1%}"


def _tiles(result: DemoResult) -> Tiles:
    subject, pooled = (result.evaluation.results[name].accuracy for name in ("subject", "pooled"))
    real = sum(there for _, there in result.found.values())
    found = sum(found for found, _ in result.found.values())
    return Tiles(
        (
            Tile(f"{found} of {real}", "episodes found", f"{result.n_false} predicted beside them"),
            Tile(f"{result.right_share:.1%}", "of the Holter called rightly", "by time"),
            Tile(f"{subject.value:.1%}", "of windows right, subject-wise", _limits(subject)),
            Tile(f"{pooled.value:.1%}", "the same, pooled: leaks", _limits(pooled)),
        )
    )


def _limits(score: Score) -> str:
    return f"95 % limits {100 * score.low:.1f} to {100 * score.high:.1f} %"


def _holter(result: DemoResult) -> Iterator[Block]:
    timeline, truth = result.timeline, result.truth
    yield rhythm_strip(timeline, truth)
    names = [f"{label} {CLASS_NAMES[label]}" for label in timeline.classes if label in CLASS_NAMES]
    yield Text(f"{'; '.join(names)}. Time runs from the start of the recording.", small=True)
    yield burden_table(timeline, truth)
    yield match_table(
        result.matches,
        "Episodes by their start, with how much later (+) or earlier (-) than the truth the "
        f"prediction starts and ends. The model gives one answer for each {timeline.length_s:g} s, "
        f"so errors of some seconds are its grid. {NORMAL} is what lies between.",
    )
    yield from (Text(note, small=True) for note in timeline.notes)
    yield Text("The start of one predicted episode of each class, three windows wide:")
    yield Columns(tuple(onset_pictures(result)))


def _evaluation(result: DemoResult) -> Iterator[Block]:
    evaluation = result.evaluation
    yield Text(
        "Two ways to cross-validate the same windows. Pooled folds leak: windows of one patient "
        "stand on both sides, so the classifier meets patients it knows. Subject-wise folds keep "
        "every patient on one side; they tell what to expect of a new one. Where the two differ, "
        "believe the subject-wise figure."
    )
    yield score_table(evaluation)
    yield from (Text(note, small=True) for note in evaluation.notes)
    yield confusion_matrices(evaluation)
    subjects = evaluation.results["subject"]
    yield Picture(
        render_inline(plot_subjects(subjects)),
        alt=f"Accuracy of each of {evaluation.n_subjects} virtual patients, worst to best.",
        title="Patients differ",
        caption="Each dot is a patient, judged by a model that had not seen that patient.",
        wide=True,
    )


def _examples(result: DemoResult) -> Iterator[Block]:
    yield Text(
        "A window of ten seconds becomes a picture: time to the right, frequency upwards, bright "
        "where the signal is strong. An image network that was trained on photographs and stays "
        "as it is describes the picture; a classical classifier on top decides."
    )
    yield Columns(tuple(example_pictures(result)))


def _settings(result: DemoResult) -> Facts:
    recipe, backbone = result.model.recipe, result.model.backbone
    image, settings = recipe.image, result.settings
    packages = ("numpy", "scipy", "scikit-learn", "openvino")
    return Facts(
        (
            ("Command", settings.command),
            ("Seed", str(settings.random_state)),
            ("Patients", f"{settings.n_patients} to learn from, 1 for the Holter"),
            ("Windows", f"{len(result.windows)} of {result.windows.length_s:g} s at "
                        f"{result.windows.fs:g} Hz"),
            ("Recipe", recipe.name),
            ("Image", f"{image.height} x {image.width}, {image.band_hz[0]:g} to "
                      f"{image.band_hz[1]:g} Hz, {image.dynamic_range_db:g} dB"),
            ("Backbone", f"{backbone.name} ({backbone.weights}), {result.precision}"),
            ("Backbone's hash", f"sha256 {backbone.sha256}"),
            ("Layers", ", ".join(recipe.layers)),
            ("Pooling", ", ".join(recipe.pooling)),
            ("Head", f"{recipe.head}, {recipe.pca or 'no'} principal components"),
            ("Folds", f"{result.evaluation.n_splits}; {result.evaluation.n_bootstrap} draws of "
                      "subjects for the limits"),
            ("Versions", f"ecglens {__version__}, Python {platform.python_version()}"),
            ("Packages", ", ".join(f"{name} {version(name)}" for name in packages)),
        )
    )  # fmt: skip


def _next_steps(result: DemoResult, folder: Path) -> Sequence[Block]:
    return (
        Text(
            "Put annotated recordings into a folder, WFDB as PhysioNet offers them, and do the "
            "same with people. Each record counts as one person; --subjects FILE.csv says otherwise."
        ),
        Commands(next_steps(result.settings, folder)),
    )
