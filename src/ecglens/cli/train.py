"""``ecglens train``: annotated records to one model file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecglens.cli.console import progress, say, say_json, table
from ecglens.cli.options import (
    EngineOptions,
    FoldOptions,
    HeadOptions,
    NetworkOptions,
    RunOptions,
    Sources,
    WindowOptions,
)
from ecglens.cli.windows import count_rows
from ecglens.cli.work import check_place, load_sources, make_extractor, open_recipe

if TYPE_CHECKING:
    from ecglens.evaluation import Evaluation

EXAMPLE = (
    "Example: ecglens train mitdb vfdb --weights densenet121.safetensors "
    "--exclude 201 --out rhythm.ecglens"
)


def run(
    sources: Sources,
    out: Annotated[Path, typer.Option(help="Model file to write.")],
    cutting: WindowOptions,
    network: NetworkOptions,
    engine: EngineOptions,
    head: HeadOptions,
    folding: FoldOptions,
    running: RunOptions,
    evaluate: Annotated[
        bool, typer.Option(help="Evaluate first and keep the figures in the model's card.")
    ] = True,
) -> None:
    """Train a rhythm classifier and write it, with its evaluation, to one file."""
    from ecglens.features import concatenate_outputs
    from ecglens.models import fit_model, save_model

    check_place(out)
    windows = load_sources(sources, cutting, running.random_state)
    recipe, backbone = open_recipe(network, running.random_state, head)
    extractor = make_extractor(backbone, recipe, network, engine)
    with progress("features") as step:
        features = concatenate_outputs(extractor.run(windows.X, windows.fs, progress=step))
    evaluation: Evaluation | None = None
    if evaluate:
        from ecglens.evaluation import evaluate as cross_validate

        with progress("folds") as step:
            evaluation = cross_validate(
                features,
                windows.labels,
                windows.subjects,
                databases=windows.databases,
                classifier=recipe.classifier(random_state=running.random_state),
                n_splits=folding.folds,
                n_bootstrap=folding.bootstrap,
                random_state=running.random_state,
                progress=step,
            )
    model = fit_model(windows, features, recipe, backbone, random_state=running.random_state)
    if evaluation is not None:
        model = replace(model, card={**model.card, "evaluation": evaluation.to_dict()})
    save_model(model, out)
    said: dict[str, Any] = {"out": str(out), "bytes": out.stat().st_size, "card": dict(model.card)}
    if running.json:
        say_json(said)
        return
    say(table(count_rows(windows)))
    if evaluation is not None:
        say("\n" + evaluation.format_table())
    say(f"\nmodel of {', '.join(model.classes)} in {out} ({said['bytes'] / 1e6:.1f} MB)")
