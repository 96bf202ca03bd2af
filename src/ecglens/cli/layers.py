"""``ecglens layers``: every layer, pooling and head in one table; features computed once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecglens.cli.console import note, progress, say, say_json
from ecglens.cli.options import (
    EngineOptions,
    FoldOptions,
    NetworkOptions,
    RunOptions,
    Sources,
    WindowOptions,
)
from ecglens.cli.work import (
    load_sources,
    make_extractor,
    open_recipe,
    origin,
    refuse_experts,
    split,
)
from ecglens.errors import UsageError
from ecglens.files import make_folder, write_json, write_rows

if TYPE_CHECKING:
    from ecglens.evaluation import Sweep

EXAMPLE = "Example: ecglens layers mitdb vfdb --heads svm-rbf,lda --out layers"


def run(
    sources: Sources,
    cutting: WindowOptions,
    network: NetworkOptions,
    engine: EngineOptions,
    folding: FoldOptions,
    running: RunOptions,
    heads: Annotated[str, typer.Option(help="Heads, separated by commas.")] = "svm-rbf",
    pca: Annotated[int, typer.Option(min=0, help="Principal components; 0 for none.")] = 128,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the table and figure.", show_default="none")
    ] = None,
) -> None:
    """Sweep layers x poolings x heads: which layer describes an ECG best?

    All layers of the backbone, unless --layers names some; --pooling mean, unless more are named.
    """
    from ecglens.classifiers import HEADS, make_classifier
    from ecglens.evaluation import sweep_layers
    from ecglens.features import outputs_of

    named = split(heads)
    if not named:
        known = ", ".join(name for name in HEADS if name != "experts")
        raise UsageError(f"--heads {heads!r} names no head; known are {known}")
    refuse_experts(named)
    folder = None if out is None else make_folder(out)
    windows = load_sources(sources, cutting, running.random_state)
    recipe, backbone = open_recipe(network, running.random_state)
    if recipe.rhythm:
        note(f"layers are compared by themselves, without the measures of recipe {recipe.name}")
    layers = recipe.layers if network.layers else tuple(layer.name for layer in backbone.layers)
    outputs = outputs_of(layers, split(network.pooling or "mean"))
    extractor = make_extractor(backbone, recipe, network, engine, outputs)
    with progress("features") as step:
        features = extractor.run(windows.X, windows.fs, progress=step)
    with progress("folds") as step:
        sweep = sweep_layers(
            features,
            windows.labels,
            windows.subjects,
            heads={
                name: make_classifier(name, pca=pca or None, random_state=running.random_state)
                for name in named
            },
            n_splits=folding.folds,
            n_bootstrap=folding.bootstrap,
            random_state=running.random_state,
            progress=step,
        )
    said = {**origin(recipe, backbone, engine, windows), **sweep.to_dict()}
    said["n_bootstrap"] = folding.bootstrap
    if folder is not None:
        save_sweep(sweep, said, folder)
    if running.json:
        say_json(said)
    else:
        say(f"{backbone.name} ({backbone.weights}), images of recipe {recipe.name}")
        say(sweep.format_table())
        if folder is not None:
            say(f"table and figure are in {folder}")


def save_sweep(sweep: Sweep, said: dict[str, Any], folder: Path) -> None:
    """Write a sweep as JSON, CSV and a figure into a folder."""
    from ecglens.plots import plot_sweep, save_figure

    write_json(folder / "layers.json", said)
    write_rows(folder / "layers.csv", said["rows"])
    save_figure(plot_sweep(sweep), folder / "layers.png")
