"""``ecglens train``: annotated records to one model file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecglens.cli.console import say, say_json, table
from ecglens.cli.options import (
    Databases,
    DataFolder,
    DecisionOptions,
    EngineOptions,
    FoldOptions,
    HeadOptions,
    MoreSources,
    NetworkOptions,
    RunOptions,
    WindowOptions,
)
from ecglens.cli.windows import count_rows
from ecglens.cli.work import (
    check_place,
    cross_validate,
    extract,
    load_sources,
    open_recipe,
    with_databases,
)

if TYPE_CHECKING:
    from ecglens.evaluation import Evaluation

EXAMPLE = "Example: ecglens train mitdb vfdb --exclude 201 --out rhythm.ecglens"


def run(
    out: Annotated[Path, typer.Option(help="Model file to write.")],
    cutting: WindowOptions,
    network: NetworkOptions,
    engine: EngineOptions,
    head: HeadOptions,
    deciding: DecisionOptions,
    folding: FoldOptions,
    running: RunOptions,
    evaluate: Annotated[
        bool, typer.Option(help="Evaluate first and keep the figures in the model's card.")
    ] = True,
    sources: MoreSources = None,
    databases: Databases = None,
    data: DataFolder = None,
) -> None:
    """Train a rhythm classifier and write it, with its evaluation, to one file."""
    from ecglens.models import fit_model, save_model

    check_place(out)
    chosen, entries = with_databases(sources, databases, data)
    windows = load_sources(chosen, cutting, running.random_state, entries)
    recipe, backbone = open_recipe(network, running.random_state, head)
    features = extract(windows, recipe, backbone, network, engine)
    evaluation: Evaluation | None = None
    if evaluate:
        evaluation = cross_validate(
            features, windows.labels, windows, recipe, folding, running.random_state
        )
    model = fit_model(
        windows,
        features,
        recipe,
        backbone,
        alpha=deciding.alpha if deciding.abstain else None,
        smooth=deciding.smooth,
        random_state=running.random_state,
    )
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
    if "abstention" in model.card:
        say("\n" + _abstention(model.card["abstention"]))
    say(f"\nmodel of {', '.join(model.classes)} in {out} ({said['bytes'] / 1e6:.1f} MB)")


def _abstention(figures: Mapping[str, Any]) -> str:
    """Return in a line what the reject rule does to people it was not fitted on."""

    def percent(share: float | None) -> str:
        return "-" if share is None else f"{share:.1%}"

    return (
        f"by itself {percent(figures['coverage'])} of new people's windows get a class "
        f"(alpha {figures['alpha']:g}), of which {percent(figures['error'])} a wrong one; "
        f"without abstention {percent(figures['error_at_full_coverage'])} would"
    )
