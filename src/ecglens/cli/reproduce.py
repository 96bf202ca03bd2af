"""``ecglens reproduce``: a published experiment from nothing to its table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecglens.cli.console import note, progress, say, say_json, table, transfer
from ecglens.cli.options import Mirror, RunOptions
from ecglens.cli.work import split
from ecglens.errors import BackboneError, UsageError, suggest

if TYPE_CHECKING:
    from ecglens.reproduction import Planned, ReproductionSettings

EXAMPLE = "Example: ecglens reproduce salem2018 --quick --out salem2018"
_KNOWN = ("salem2018",)
_GROUP = "Experiment"


@dataclass(frozen=True)
class PlaceOptions:
    """Where recordings come from, where results go, and how much of it all."""

    out: Annotated[Path, typer.Option(help="Folder for the report and all results.")] = Path(
        "salem2018"
    )
    data: Annotated[
        Path | None,
        typer.Option(help="Folder with folders of databases; nothing is fetched."),
    ] = None
    to: Annotated[
        Path | None,
        typer.Option(
            help="Folder that databases are fetched into.",
            show_default="ECGLENS_DATA, or the platform's cache",
        ),
    ] = None
    mirror: Mirror = None
    windows: Annotated[
        Path | None,
        typer.Option(help="Labelled windows (.npz of 'ecglens windows') instead of databases."),
    ] = None
    quick: Annotated[
        bool, typer.Option("--quick", help="Few records, ecglens-s, five folds: minutes.")
    ] = False
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan, fetch and write nothing.")
    ] = False
    jobs: Annotated[int, typer.Option(min=1, max=4, help="Files fetched at once.")] = 3


@dataclass(frozen=True)
class ExperimentOptions:
    """What of the paper's experiment is done otherwise."""

    backbone: Annotated[
        str | None,
        typer.Option(
            help="Network instead of the paper's.",
            show_default="densenet161; ecglens-s with --quick",
            rich_help_panel=_GROUP,
        ),
    ] = None
    weights: Annotated[
        str,
        typer.Option(
            help="Of a timm network: imagenet (download) or a .safetensors file.",
            rich_help_panel=_GROUP,
        ),
    ] = "imagenet"
    layers: Annotated[
        str | None,
        typer.Option(help="Layers to try, separated by commas.", rich_help_panel=_GROUP),
    ] = None
    without: Annotated[
        str | None,
        typer.Option(help="Classes to leave out: N, AF, VF, ST.", rich_help_panel=_GROUP),
    ] = None
    n_windows: Annotated[
        int | None,
        typer.Option(
            help="Windows of the experiment.",
            show_default="7000; 800 with --quick; all of --windows",
            rich_help_panel=_GROUP,
        ),
    ] = None
    folds: Annotated[
        int | None,
        typer.Option(
            min=2, help="Folds.", show_default="10; 5 with --quick", rich_help_panel=_GROUP
        ),
    ] = None
    bootstrap: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Bootstrap draws over subjects.",
            show_default="1000; 200 with --quick",
            rich_help_panel=_GROUP,
        ),
    ] = None
    cache: Annotated[
        Path | None,
        typer.Option(
            help="Folder of computed features.",
            show_default="the platform's cache",
            rich_help_panel=_GROUP,
        ),
    ] = None


def run(
    paper: Annotated[str, typer.Argument(help="salem2018.", show_default=False)],
    running: RunOptions,
    places: PlaceOptions,
    experiment: ExperimentOptions,
) -> None:
    """Repeat a published experiment from nothing, with the controls it lacks.

    A run that was broken off goes on where it was.
    """
    from ecglens.reproduction import Telling, run_reproduction

    if paper not in _KNOWN:
        raise UsageError(
            f"unknown experiment {paper!r}{suggest(paper, _KNOWN)}; known: {', '.join(_KNOWN)}"
        )
    out, settings = places.out, _settings(places, experiment, running)
    prepared = _planned(settings, out, dry_run=places.dry_run, as_json=running.json)
    if places.dry_run or prepared is None:
        return
    telling = Telling(steps=progress, transfers=transfer, say=note)
    found = run_reproduction(out, settings, prepared=prepared, telling=telling)
    if running.json:
        say_json({"out": str(out), **found.to_dict()})
        return
    say(f"\n{found.format_table()}")
    for text in found.notes:
        say(f"note: {text}")
    say(f"\nThe report is {out / 'report.html'}; results.json and results.md say the same.")


def _settings(
    places: PlaceOptions, experiment: ExperimentOptions, running: RunOptions
) -> ReproductionSettings:
    from ecglens.reproduction import ReproductionSettings

    return ReproductionSettings(
        data=places.data,
        to=places.to,
        mirror=places.mirror,
        windows=places.windows,
        quick=places.quick,
        backbone=experiment.backbone,
        weights=experiment.weights,
        layers=split(experiment.layers) if experiment.layers else None,
        folds=experiment.folds,
        bootstrap=experiment.bootstrap,
        n_windows=experiment.n_windows,
        without=split(experiment.without or ""),
        cache=experiment.cache,
        jobs=places.jobs,
        random_state=running.random_state,
    )


def _planned(settings: ReproductionSettings, out: Path, *, dry_run: bool, as_json: bool) -> Any:
    """Plan and print the plan; None where it is to be printed alone and the network is missing."""
    from ecglens.databases.holdings import data_folder
    from ecglens.reproduction import prepare
    from ecglens.reproduction.sources import plan_sources

    try:
        prepared = prepare(settings, out)
        planned, words = prepared.planned, prepared.estimate.in_words()
        reckoned = prepared.estimate.to_dict()
    except BackboneError as error:
        if not dry_run:
            raise
        prepared, reckoned = None, {}
        planned = () if settings.windows else plan_sources(settings, settings.to or data_folder())
        words = f"time is not known: {error}"
    if as_json and dry_run:
        said = [{**each.to_dict(), "fetch_mb": round(each.fetch_mb, 1)} for each in planned]
        say_json({"plan": said, "estimate": reckoned})
    elif not as_json:
        say(_plan_table(planned) if planned else f"windows of {settings.windows}")
        say(words)
    return prepared


def _plan_table(planned: tuple[Planned, ...]) -> str:
    return table(
        [
            {
                "database": each.source.database,
                "for": ", ".join(each.source.classes) or "controls",
                "records": len(each.records),
                "of each": "all" if each.source.minutes is None else f"{each.source.minutes:g} min",
                "MB": f"{each.fetch_mb:.0f}" if each.fetch_mb else "-",
                "folder": _place(each),
            }
            for each in planned
        ]
    )


def _place(planned: Planned) -> str:
    if planned.folder is not None:
        return f"here: {planned.folder}"
    return "to be fetched" if planned.records else "not there"
