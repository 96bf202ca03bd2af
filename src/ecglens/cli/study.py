"""``ecglens study``: what a figure depends on, one study a command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecglens.cli.console import note, progress, say, say_json
from ecglens.cli.options import EngineOptions, NetworkOptions, RunOptions, flatten
from ecglens.cli.work import engine_settings, open_recipe, split
from ecglens.errors import UsageError
from ecglens.files import cache_folder, make_folder

if TYPE_CHECKING:
    from ecglens.backbones import Backbone
    from ecglens.recipes import Recipe
    from ecglens.studies import CurveSettings, Describing, Entry, Study
    from ecglens.windows import Windows

HELP = "Studies: learning curve, databases left out, stress; each leaves a figure and a table."

Source = Annotated[
    Path,
    typer.Argument(
        help="Windows of 'ecglens windows' (.npz), or a table of windows of several rates.",
        show_default=False,
    ),
]
Out = Annotated[Path, typer.Option(help="Folder for figure, tables and what is computed already.")]
Cache = Annotated[
    Path | None,
    typer.Option(help="Folder of computed features.", show_default="the platform's cache"),
]


@dataclass(frozen=True)
class StudyOptions:
    """Options of every study."""

    folds: Annotated[int, typer.Option(min=2, help="Subject-wise folds.")] = 5
    bootstrap: Annotated[int, typer.Option(min=0, help="Draws of people behind the limits.")] = 1000
    windows_per_subject: Annotated[
        int | None,
        typer.Option(
            min=1, help="At most so many windows of each class of a person.", show_default="all"
        ),
    ] = None


@dataclass(frozen=True)
class CurveOptions:
    """How a learning curve is measured, and who learns."""

    levels: Annotated[
        str, typer.Option(help="Training people of each class, separated by commas.")
    ] = "1,2,5,10,20,50,100"
    draws: Annotated[int, typer.Option(min=1, help="Draws of training people.")] = 5
    cnn_draws: Annotated[
        int, typer.Option(min=1, help="The same for the 1-D network, which takes long.")
    ] = 2
    cnn_steps: Annotated[int, typer.Option(min=1, help="Steps of training of the 1-D network.")] = (
        600
    )
    learners: Annotated[
        str | None,
        typer.Option(
            help="backbone, imagenet, random, handmade, fusion, cnn1d, separated by commas.",
            show_default="all that can be had",
        ),
    ] = None


@dataclass(frozen=True)
class EntryOptions:
    """The networks that learn."""

    recipe: Annotated[str, typer.Option(help="Images, layers and head of networks.")] = "default"
    backbone: Annotated[
        str, typer.Option(help="Network that comes with ecglens, or an .onnx file.")
    ] = "ecglens-s"
    imagenet: Annotated[
        str | None, typer.Option(help="A timm network with ImageNet weights, as densenet121.")
    ] = None
    weights: Annotated[
        str, typer.Option(help="Of the timm network: imagenet (download) or a .safetensors file.")
    ] = "imagenet"
    cache: Cache = None


def learning_curve(
    source: Source,
    out: Out,
    studying: StudyOptions,
    engine: EngineOptions,
    running: RunOptions,
    measuring: CurveOptions,
    entering: EntryOptions,
) -> None:
    """How many people does each way of learning need? Transfer from pictures against others."""
    from ecglens.studies import make_learners, study_learning_curve

    settings = _curve_settings(measuring, studying, running)
    windows, notes = _open(source, studying, running)
    make_folder(out)
    entrants = make_learners(
        windows,
        None if measuring.learners is None else split(measuring.learners),
        _entry(entering, measuring, running),
        _describing(entering.cache, engine),
        steps=progress,
    )
    study = study_learning_curve(
        windows,
        entrants.learners,
        out,
        settings,
        described=entrants.described,
        notes=(*notes, *entrants.notes),
        steps=progress,
    )
    _finish(study, out, running)


def databases(
    source: Source,
    out: Out,
    studying: StudyOptions,
    network: NetworkOptions,
    engine: EngineOptions,
    running: RunOptions,
) -> None:
    """Does it hold for a database it has not seen? Each one left out, and contrasts within one."""
    from ecglens.studies import DatabaseSettings, recipe_learner, study_databases

    windows, notes = _open(source, studying, running)
    make_folder(out)
    recipe, backbone = open_recipe(network, running.random_state)
    with progress("features") as step:
        describing = _describing(network.cache, engine)
        features = describing.features(windows, recipe, backbone, step)
    study = study_databases(
        windows,
        recipe_learner(recipe, backbone, features),
        out,
        DatabaseSettings(studying.folds, studying.bootstrap, running.random_state),
        described=_described(recipe, backbone),
        notes=notes,
        steps=progress,
    )
    _finish(study, out, running)


def stress(
    source: Source,
    out: Out,
    studying: StudyOptions,
    network: NetworkOptions,
    engine: EngineOptions,
    running: RunOptions,
    model: Annotated[
        Path | None,
        typer.Option(
            help="A saved model to examine; it must not know the people of the windows.",
            show_default="models of the recipe, one for each fold",
        ),
    ] = None,
    kinds: Annotated[
        str | None,
        typer.Option(
            help="baseline, muscle, motion, mains, rate, gain, bits, missing, band, separated by "
            "commas.",
            show_default="all",
        ),
    ] = None,
) -> None:
    """What does it stand? Noise, rates, gains, mains, gaps and front ends, after clean training."""
    from ecglens.studies import FoldModels, SavedModel, StressSettings, all_stresses, study_stress

    if model is not None:
        _refuse_training(studying, network)
    chosen = all_stresses(None if kinds is None else split(kinds))
    settings = StressSettings(studying.folds, studying.bootstrap, running.random_state)
    windows, notes = _open(source, studying, running)
    make_folder(out)
    examined: FoldModels | SavedModel
    if model is None:
        recipe, backbone = open_recipe(network, running.random_state)
        describing, described = _describing(network.cache, engine), _described(recipe, backbone)
        examined = FoldModels(windows, recipe, backbone, describing, settings, progress)
    else:
        examined, described = SavedModel(model, windows, engine_settings(engine)), {}
    study = study_stress(
        windows,
        examined,
        out,
        settings,
        stresses=chosen,
        described=described,
        notes=notes,
        steps=progress,
    )
    _finish(study, out, running)


STUDIES: dict[str, tuple[Callable[..., None], str]] = {
    "learning-curve": (
        learning_curve,
        "Example: ecglens study learning-curve windows.npz --out curve",
    ),
    "databases": (
        databases,
        "Example: ecglens study databases windows.npz --recipe fusion --out databases",
    ),
    "stress": (
        stress,
        "Example: ecglens study stress windows.npz --windows-per-subject 4 --out stress",
    ),
}


def make_group() -> typer.Typer:
    """Return the verb with its studies."""
    group = typer.Typer(no_args_is_help=True, help=HELP)
    for name, (command, example) in STUDIES.items():
        group.command(name, epilog=example)(flatten(command))
    return group


def _open(
    source: Path, studying: StudyOptions, running: RunOptions
) -> tuple[Windows, tuple[str, ...]]:
    """Return the windows of a study, and notes on what was left out."""
    from ecglens.studies import read_study_windows, thin_out, usable_windows

    windows, notes = usable_windows(read_study_windows(source))
    if studying.windows_per_subject is not None:
        windows = thin_out(windows, studying.windows_per_subject, running.random_state)
    for text in notes:
        note(text)
    return windows, notes


def _curve_settings(
    measuring: CurveOptions, studying: StudyOptions, running: RunOptions
) -> CurveSettings:
    from ecglens.studies import CurveSettings

    return CurveSettings(
        levels=_numbers(measuring.levels),
        draws=measuring.draws,
        network_draws=measuring.cnn_draws,
        folds=studying.folds,
        n_bootstrap=studying.bootstrap,
        random_state=running.random_state,
    )


def _entry(entering: EntryOptions, measuring: CurveOptions, running: RunOptions) -> Entry:
    from ecglens.studies import Entry

    return Entry(
        backbone=entering.backbone,
        imagenet=entering.imagenet,
        weights=entering.weights,
        recipe=entering.recipe,
        network_steps=measuring.cnn_steps,
        random_state=running.random_state,
    )


def _refuse_training(studying: StudyOptions, network: NetworkOptions) -> None:
    """Refuse options that would have no effect, since the model is trained already.

    Raises:
        UsageError: one is given.
    """
    given = ["folds"] if studying.folds != StudyOptions.folds else []
    given += [one.name for one in fields(network) if getattr(network, one.name) != one.default]
    if given:
        raise UsageError(
            f"--model names a model that is trained already, so --{', --'.join(given)} would have "
            "no effect; leave out either"
        )


def _described(recipe: Recipe, backbone: Backbone) -> dict[str, Any]:
    return {"recipe": recipe.to_dict(), "weights": f"{backbone.weights}, {backbone.sha256}"}


def _describing(cache: Path | None, engine: EngineOptions) -> Describing:
    from ecglens.cache import FeatureStore
    from ecglens.studies import Describing

    store = FeatureStore(cache or cache_folder() / "features")
    return Describing(engine_settings(engine), store)


def _numbers(text: str) -> tuple[int, ...]:
    """Return whole numbers of a list with commas.

    Raises:
        UsageError: one is none.
    """
    try:
        return tuple(int(word) for word in split(text))
    except ValueError as error:
        raise UsageError(f"--levels {text!r} must be whole numbers with commas: 1,2,5") from error


def _finish(study: Study, out: Path, running: RunOptions) -> None:
    from ecglens.studies import save_study

    save_study(study, out)
    if running.json:
        say_json({"out": str(out), **study.to_dict()})
    else:
        say(study.format_text())
        say(f"\nfigure, table and report are in {out}")
