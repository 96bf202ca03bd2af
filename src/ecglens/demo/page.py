"""The demo's report, in the order in which one wants to know it."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from ecglens import __version__
from ecglens.demo.pictures import example_pictures, onset_pictures
from ecglens.demo.results import DemoResult
from ecglens.demo.words import REHEARSAL, SHIPPED, WHY, next_steps
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
from ecglens.reports.timelines import burden_table, false_table, match_table, rhythm_strip
from ecglens.reports.words import CLASS_NAMES, NORMAL, RESEARCH_USE


def make_page(result: DemoResult, folder: Path) -> Page:
    """Return the report of a demo whose files are in ``folder``."""
    return Page(
        title="Rehearsal on virtual patients",
        subtitle=(
            f"Holter of {result.record.subject_id}, {result.settings.hours:g} h, lead "
            f"{result.timeline.lead}, {result.record.fs:g} Hz"
        ),
        lead=verdict(result),
        opening=(Notice(REHEARSAL, WHY), _tiles(result)),
        sections=(
            Section("The Holter", tuple(_holter(result))),
            Section("The same Holter by the shipped model", tuple(_shipped(result))),
            Section("How far to trust it", tuple(_evaluation(result))),
            Section("What the network sees", tuple(_examples(result))),
            Section("Settings", tuple(_settings(result))),
            Section("With recordings of your own", tuple(_next_steps(result, folder))),
        ),
        classes={name: CLASS_NAMES.get(name, "") for name in result.model.classes},
        footer=(RESEARCH_USE, f"{REHEARSAL} {WHY}", f"Made by ecglens {__version__}."),
    )


def shipped_verdict(result: DemoResult) -> str:
    """Return what the model that comes with ecglens found, in a sentence."""
    shipped = result.by_shipped
    return (
        f"{SHIPPED}, the model that comes with ecglens, learnt from recordings of people: in the "
        f"same Holter it {_episodes(shipped)}, predicted {_false(shipped)} and named "
        f"{_per_cent(shipped.right_share)} of the time rightly."
    )


def verdict(result: DemoResult) -> str:
    """Return what was done and what was found, a sentence each."""
    n_classes, n_patients = len(result.model.classes), result.settings.n_patients
    return (
        f"ecglens learnt {n_classes} patterns from {n_patients} virtual patients. In the Holter of "
        f"one it had never seen it {_episodes(result)}, predicted {_false(result)} and named "
        f"{_per_cent(result.right_share)} of the time rightly."
    )


def _episodes(result: DemoResult) -> str:
    parts = [f"{name} {n} of {there}" for name, (n, there) in result.found.items() if there]
    return f"found {_found(result)} episodes ({', '.join(parts)})" if parts else "had none to find"


def _found(result: DemoResult) -> str:
    counts = list(result.found.values())
    return f"{sum(n for n, _ in counts)} of {sum(there for _, there in counts)}"


def _false(result: DemoResult) -> str:
    n = result.n_false
    return f"{n or 'no'} false {'one' if n < 2 else 'ones'}"


def _per_cent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _tiles(result: DemoResult) -> Tiles:
    subject, pooled = (result.evaluation.results[name].accuracy for name in ("subject", "pooled"))
    others = f"of windows of {result.evaluation.n_subjects} other patients, subject-wise"
    return Tiles(
        (
            Tile(_found(result), "episodes of the Holter found", _false(result)),
            Tile(_per_cent(result.right_share), "of the Holter named rightly", "by time"),
            Tile(_per_cent(subject.value), others, _limits(subject)),
            Tile(_per_cent(pooled.value), "the same in pooled folds, which leak", _limits(pooled)),
        )
    )


def _limits(score: Score) -> str:
    return f"95 % limits {100 * score.low:.1f} to {100 * score.high:.1f} %"


def _holter(result: DemoResult) -> Iterator[Block]:
    timeline, matches = result.timeline, result.matches
    yield rhythm_strip(timeline, result.truth)
    yield burden_table(timeline, result.truth)
    yield Text(
        f"The model gives one answer for each {timeline.length_s:g} s, so that episodes start and "
        f"end on that grid. {NORMAL} is what lies between them. An episode counts as found when "
        "half of it or more is covered.",
        small=True,
    )
    if any(match.reference is not None for match in matches):
        yield match_table(matches)
    if result.n_false:
        yield false_table(matches, result.truth)
    yield from (Text(note, small=True) for note in timeline.notes)
    onsets = tuple(onset_pictures(result))
    if onsets:
        yield Text("The start of one predicted episode of each class, three windows wide:")
        yield Columns(onsets)


def _shipped(result: DemoResult) -> Iterator[Block]:
    yield Text(shipped_verdict(result))
    yield rhythm_strip(result.shipped, result.truth)
    matches = result.by_shipped.matches
    if any(match.reference is not None for match in matches):
        yield match_table(matches)
    yield Text(
        f"{SHIPPED} has never seen a virtual patient, and the model above none but these. How "
        "either does on a drawing tells nothing of how it does on people; its card does.",
        small=True,
    )


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
    yield _subjects(result)


def _subjects(result: DemoResult) -> Picture:
    subjects = result.evaluation.results["subject"]
    figure = plot_subjects(subjects)
    figure.axes[0].set_title("", loc="left")  # it is said below the picture
    return Picture(
        render_inline(figure),
        alt=f"Accuracy of each of {len(subjects.per_subject)} patients, from worst to best.",
        title="Patients differ",
        caption=(
            "Accuracy of each patient, judged by a model that had not seen that patient; dashed: "
            "of all windows together. Larger dots have more windows."
        ),
        wide=True,
    )


def _examples(result: DemoResult) -> Iterator[Block]:
    yield Text(
        "A window of ten seconds becomes a picture: time to the right, frequency upwards, bright "
        "where the signal is strong. A frozen image network describes the picture; a classical "
        "classifier on top decides."
    )
    yield Columns(tuple(example_pictures(result)))


def _settings(result: DemoResult) -> Iterator[Block]:
    recipe, backbone, windows = result.model.recipe, result.model.backbone, result.windows
    image, evaluation = recipe.image, result.evaluation
    packages = ("numpy", "scipy", "scikit-learn", "openvino")
    yield Commands((("The same again:", result.settings.command),))
    yield Facts(
        (
            ("Seed", str(result.settings.random_state)),
            ("Patients", f"{result.settings.n_patients} to learn from, one for the Holter"),
            ("Windows", f"{len(windows)} of {windows.length_s:g} s at {windows.fs:g} Hz"),
            ("Image", f"{image.height} x {image.width}, {image.band_hz[0]:g} to "
                      f"{image.band_hz[1]:g} Hz, {image.dynamic_range_db:g} dB"),
            ("Recipe", recipe.name),
            ("Backbone", f"{backbone.name} ({backbone.weights}), {result.precision}"),
            ("Layers", ", ".join(recipe.layers)),
            ("Pooling", ", ".join(recipe.pooling)),
            ("Head", recipe.head),
            ("Components", str(recipe.pca or "all")),
            ("Folds", str(evaluation.n_splits)),
            ("Draws for limits", str(evaluation.n_bootstrap)),
            ("ecglens", f"{__version__}, Python {platform.python_version()}"),
            ("Libraries", ", ".join(f"{name} {version(name)}" for name in packages)),
        )
    )  # fmt: skip
    yield Text(f"SHA-256 of the backbone: {backbone.sha256}", small=True)


def _next_steps(result: DemoResult, folder: Path) -> Iterator[Block]:
    yield Text(
        "Put annotated recordings into a folder, as WFDB records such as PhysioNet offers, and do "
        "the same with people. Each record counts as one person; --subjects FILE.csv says "
        "otherwise."
    )
    yield Commands(next_steps(result.settings.backbone, folder))
