"""``ecglens backbones``: which networks there are, and the layers of one."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ecglens.cli.console import say, say_json, table
from ecglens.cli.options import RunOptions

EXAMPLE = "Example: ecglens backbones ecglens-s"


def run(
    running: RunOptions,
    name: Annotated[
        str | None,
        typer.Argument(help="ecglens-s, timm network or .onnx file.", show_default="list all"),
    ] = None,
    weights: Annotated[
        str,
        typer.Option(
            help="Of a timm network: imagenet (download), random, or a .safetensors file."
        ),
    ] = "imagenet",
    image_size: Annotated[int, typer.Option(min=16, max=1024, help="Height and width.")] = 128,
) -> None:
    """List the networks, or the layers of one."""
    from ecglens.backbones import list_backbones, load_backbone

    if name is None:
        found = [asdict(info) for info in list_backbones()]
        if running.json:
            say_json({"backbones": found})
        else:
            say(table(found))
        return
    source: str | Path = weights
    backbone = load_backbone(
        name, weights=source, image_size=(image_size, image_size), random_state=running.random_state
    )
    layers = [asdict(layer) for layer in backbone.layers]
    if running.json:
        said = {"name": backbone.name, "weights": backbone.weights, "sha256": backbone.sha256}
        say_json({**said, "layers": layers})
    else:
        height, width = backbone.image_size
        say(table(layers))
        say(f"{backbone.name} ({backbone.weights}), images {height} x {width}")
