"""``ecglens evaluate``: pooled and subject-wise cross-validation, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecglens.cli.console import say, say_json
from ecglens.cli.options import (
    EngineOptions,
    FoldOptions,
    HeadOptions,
    NetworkOptions,
    RunOptions,
    Sources,
    WindowOptions,
)
from ecglens.cli.work import cross_validate, extract, load_sources, open_recipe, origin
from ecglens.files import make_folder, write_json, write_rows, write_text

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ecglens.evaluation import Evaluation
    from ecglens.windows import Windows

EXAMPLE = "Example: ecglens evaluate mitdb vfdb --out evaluation"


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
    from ecglens.evaluation import shuffle_labels as shuffled

    folder = None if out is None else make_folder(out)
    windows = load_sources(sources, cutting, running.random_state)
    recipe, backbone = open_recipe(network, running.random_state, head)
    features = extract(windows, recipe, backbone, network, engine)
    labels = shuffled(windows.labels, running.random_state) if shuffle_labels else windows.labels
    evaluation = cross_validate(features, labels, windows, recipe, folding, running.random_state)
    said = {
        **origin(recipe, backbone, engine, windows),
        "shuffled_labels": shuffle_labels,
        **evaluation.to_dict(),
    }
    text = ("LABELS SHUFFLED: a control\n" if shuffle_labels else "") + evaluation.format_table()
    if folder is not None:
        save_evaluation(evaluation, said, text, labels, windows, folder)
    if running.json:
        say_json(said)
    else:
        say(text)
        if folder is not None:
            say(f"tables and figures are in {folder}")


def save_evaluation(
    evaluation: Evaluation,
    said: dict[str, Any],
    text: str,
    labels: npt.NDArray[np.str_],
    windows: Windows,
    folder: Path,
) -> None:
    """Write an evaluation as JSON, text, predictions and figures into a folder."""
    from ecglens.plots import plot_confusions, plot_subjects, save_figure

    write_json(folder / "evaluation.json", said)
    write_text(folder / "evaluation.txt", text + "\n")
    write_rows(
        folder / "predictions.csv",
        [
            {
                "record": str(windows.records[i]),
                "start_s": float(windows.start_s[i]),
                "subject": str(windows.subjects[i]),
                "label": str(labels[i]),
                "pooled": str(evaluation.results["pooled"].predictions[i]),
                "subject-wise": str(evaluation.results["subject"].predictions[i]),
            }
            for i in range(len(windows))
        ],
    )
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
    figure = plot_examples(
        examples, windows.fs, windows.length_s, settings.row_hz(), row_lag_s=settings.row_lag_s()
    )
    save_figure(figure, path)
