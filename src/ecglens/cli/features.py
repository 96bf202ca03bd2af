"""``ecglens features``: windows to a file of feature vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from ecglens.cli.console import say, say_json
from ecglens.cli.options import EngineOptions, NetworkOptions, RunOptions, Sources, WindowOptions
from ecglens.cli.work import check_place, extract, load_sources, open_recipe
from ecglens.files import write_atomically

EXAMPLE = "Example: ecglens features windows.npz --out features.npz"


def run(
    sources: Sources,
    out: Annotated[Path, typer.Option(help="File of features to write (.npz).")],
    cutting: WindowOptions,
    network: NetworkOptions,
    engine: EngineOptions,
    running: RunOptions,
) -> None:
    """Compute feature vectors of labelled windows, for use elsewhere (NumPy, R, MATLAB)."""
    import numpy as np

    check_place(out)
    windows = load_sources(sources, cutting, running.random_state)
    recipe, backbone = open_recipe(network, running.random_state)
    features = extract(windows, recipe, backbone, network, engine)

    def write(file: BinaryIO) -> None:
        np.savez(
            file,
            features=features,
            labels=windows.labels,
            subjects=windows.subjects,
            databases=windows.databases,
            records=windows.records,
            start_s=windows.start_s,
        )

    write_atomically(out, write)
    said = {
        "out": str(out),
        "windows": len(windows),
        "features": features.shape[1],
        "backbone": backbone.name,
        "weights": backbone.weights,
        "outputs": [f"{layer}:{pooling}" for layer, pooling in recipe.outputs()],
    }
    if running.json:
        say_json(said)
    else:
        outputs = ", ".join(f"{layer}:{pooling}" for layer, pooling in recipe.outputs())
        say(f"{features.shape[0]} windows x {features.shape[1]} features in {out}")
        say(f"{backbone.name} ({backbone.weights}), {outputs}")
