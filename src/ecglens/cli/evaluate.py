"""``ecglens evaluate``: pooled and subject-wise cross-validation, side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecglens.cli.console import progress, say, say_json
from ecglens.cli.options import (
    EngineOptions,
    FoldOptions,
    HeadOptions,
    NetworkOptions,
    RunOptions,
    Sources,
    WindowOptions,
)
from ecglens.cli.work import load_sources, make_extractor, open_recipe
from ecglens.files import make_folder, write_atomically

if TYPE_CHECKING:
    from ecglens.evaluation import Evaluation
    from ecglens.windows import Windows

EXAMPLE = "Example: ecglens evaluate mitdb vfdb --weights densenet121.safetensors --out evaluation"


def run(
    sources: Sources,
    cutting: WindowOptions,
    network: NetworkOptions,
    engine: EngineOptions,
    head: HeadOptions,
    folding: FoldOptions,
    running: RunOptions,
    out: Annotated[
        Path | None, typer.Option(help="Folder for tables and figures.", show_default="none")
    ] = None,
    shuffle_labels: Annotated[
        bool, typer.Option(help="Control: shuffle the labels first; must score at chance.")
    ] = False,
) -> None:
    """Evaluate a recipe on annotated records: pooled (leaks) and on new people."""
    from ecglens.evaluation import evaluate
    from ecglens.evaluation import shuffle_labels as shuffled
    from ecglens.features import concatenate_outputs

    folder = None if out is None else make_folder(out)
    windows = load_sources(sources, cutting, running.random_state)
    recipe, backbone = open_recipe(network, running.random_state, head)
    extractor = make_extractor(backbone, recipe, network, engine)
    with progress("features") as step:
        features = concatenate_outputs(extractor.run(windows.X, windows.fs, progress=step))
    labels = shuffled(windows.labels, running.random_state) if shuffle_labels else windows.labels
    with progress("folds") as step:
        evaluation = evaluate(
            features,
            labels,
            windows.subjects,
            databases=windows.databases,
            classifier=recipe.classifier(random_state=running.random_state),
            n_splits=folding.folds,
            n_bootstrap=folding.bootstrap,
            random_state=running.random_state,
            progress=step,
        )
    said = {"recipe": recipe.to_dict(), "weights": backbone.weights, **evaluation.to_dict()}
    if folder is not None:
        save_evaluation(evaluation, said, windows, folder)
    if running.json:
        say_json(said)
    else:
        say(evaluation.format_table())
        if folder is not None:
            say(f"tables and figures are in {folder}")


def save_evaluation(
    evaluation: Evaluation, said: dict[str, Any], windows: Windows, folder: Path
) -> None:
    """Write an evaluation as JSON, text and figures into a folder."""
    from ecglens.plots import plot_confusions, plot_subjects, save_figure

    text = json.dumps(said, indent=1, allow_nan=False) + "\n"
    write_atomically(folder / "evaluation.json", lambda file: file.write(text.encode()))
    table = evaluation.format_table() + "\n"
    write_atomically(folder / "evaluation.txt", lambda file: file.write(table.encode()))
    save_figure(plot_confusions(evaluation), folder / "confusion.png")
    save_figure(plot_subjects(evaluation.results["subject"]), folder / "subjects.png")
    save_examples(windows, said["recipe"]["image"], folder / "examples.png")


def save_examples(windows: Windows, image: dict[str, Any], path: Path) -> None:
    """Draw one window of each class with its image."""
    from ecglens.images import ImageSettings, make_images
    from ecglens.plots import plot_examples, save_figure

    settings = ImageSettings.from_dict(image)
    examples = {}
    for label in windows.classes:
        # The middle window of the class: neither the first seconds of a record nor picked by hand.
        mine = windows.subset(windows.labels == label)
        window = mine.X[len(mine) // 2]
        examples[label] = (window, make_images(window[None], windows.fs, settings)[0, 0])
    save_figure(plot_examples(examples, windows.fs, windows.length_s, settings.row_hz()), path)
