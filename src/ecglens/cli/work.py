"""Steps that several verbs share: from sources to windows, and from windows to features."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecglens import __version__
from ecglens.cli.console import note, progress
from ecglens.cli.options import (
    EngineOptions,
    FoldOptions,
    HeadOptions,
    NetworkOptions,
    WindowOptions,
)
from ecglens.errors import OutputError, UsageError, WindowError, suggest
from ecglens.files import cache_folder, refuse_device
from ecglens.guarded import is_folder, is_regular, lies_in, read_text, real_path

_MAX_SUBJECTS_BYTES = 1 << 26

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ecglens.backbones import Backbone
    from ecglens.databases import Database
    from ecglens.evaluation import Evaluation
    from ecglens.features import EngineSettings, Extractor, Output
    from ecglens.recipes import Recipe
    from ecglens.records import Record
    from ecglens.windows import Windows

    FloatArray = npt.NDArray[np.float32]


def load_sources(
    sources: Sequence[Path],
    options: WindowOptions,
    random_state: int,
    entries: Mapping[Path, Database] | None = None,
) -> Windows:
    """Return labelled windows from a windows file, or from records and folders of records.

    Args:
        sources: what the command names.
        options: how to cut and choose.
        random_state: of the choice.
        entries: databases that were named, by their folder.

    Raises:
        EcglensError: a source is missing or damaged, or nothing usable is in it.
    """
    from ecglens.windows import balance_windows, load_windows

    windows_files = [path for path in sources if _is_windows_file(path)]
    if windows_files and len(sources) > 1:
        raise UsageError(
            f"{windows_files[0]} holds windows; give it alone, or give records and folders"
        )
    if windows_files:
        _refuse_cutting(windows_files[0], options)
        windows = load_windows(windows_files[0])
    else:
        windows = _cut(sources, options, entries or {})
    if options.exclude:
        windows = leave_out(windows, options.exclude)
    if options.per_class is not None:
        windows = balance_windows(windows, options.per_class, random_state=random_state)
    return windows


def with_databases(
    sources: Sequence[Path] | None, databases: str | None, data: Path | None
) -> tuple[list[Path], dict[Path, Database]]:
    """Return the sources named and the folders of databases that have been fetched.

    Returns:
        All of them, and the database of each of those folders.

    Raises:
        UsageError: nothing is named, there is no such database, or the folder is of none.
        RecordError: a database is not here.
    """
    from ecglens.databases import find_database
    from ecglens.databases.holdings import folder_of

    named = split(databases or "")
    if not sources and not named:
        raise UsageError("nothing to read; name records, folders or windows, or give --databases")
    if data is not None and not named:
        raise UsageError("--data is the folder of --databases; give them too, or leave it out")
    entries = {folder_of(database, data): database for database in map(find_database, named)}
    return [*(sources or ()), *entries], entries


def _refuse_cutting(path: Path, options: WindowOptions) -> None:
    """Refuse options that would have no effect, since the windows are cut already."""
    for name in ("label_map", "length_s", "hop_s", "purity", "fs_out", "fs", "leads", "subjects"):
        if getattr(options, name) != getattr(WindowOptions, name):
            option = "map" if name == "label_map" else name.replace("_", "-")
            raise UsageError(
                f"{path} holds windows that are cut and labelled already, so --{option} has no "
                "effect; leave it out or give the records"
            )


def _is_windows_file(path: Path) -> bool:
    """Tell windows of this program from a recording in an ``.npz``."""
    if path.suffix.lower() != ".npz" or not is_regular(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return {"format.npy", "labels.npy"} <= set(archive.namelist())
    except (OSError, ValueError, RuntimeError, zipfile.BadZipFile):
        return False


def _cut(
    sources: Sequence[Path], options: WindowOptions, entries: Mapping[Path, Database]
) -> Windows:
    from ecglens.labels import load_label_map
    from ecglens.windows import WindowRule, make_windows

    label_map = load_label_map(options.label_map)
    rule = WindowRule(
        length_s=options.length_s,
        hop_s=options.hop_s,
        purity=options.purity,
        fs=options.fs_out,
        leads=lead_choice(options.leads),
    )
    subjects = None if options.subjects is None else read_subjects(options.subjects)
    paths = list_records(sources)
    names: set[str] = set()
    with progress("reading") as step:

        def records() -> Iterator[Record]:
            from ecglens.databases import read_record

            for done, path in enumerate(paths):
                step(done, len(paths))
                known = (entries[folder] for folder in entries if lies_in(path, folder))
                record = read_record(path, fs=options.fs, database=next(known, None))
                names.add(record.record_id)
                yield record

        windows = make_windows(records(), label_map, rule, subjects=subjects)
    if subjects is not None:
        _say_unmatched(set(subjects), names, options.subjects)
    return windows


def _say_unmatched(lines: set[str], names: set[str], path: Path | None) -> None:
    """Say how far a table of subjects and the records read are the same."""
    without, others = len(names - lines), len(lines - names)
    if without:
        note(f"{path}: {without} of {len(names)} records have no line and keep their own subject")
    if others:
        note(f"{path}: {others} of {len(lines)} lines are of no record read")


def read_subjects(path: Path) -> dict[str, str]:
    """Return the person of each record from a CSV file with columns ``record`` and ``subject``.

    Raises:
        UsageError: the file cannot be read or lacks a column.
    """
    try:
        text = read_text(path, _MAX_SUBJECTS_BYTES)
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot read subjects {path}: {reason}") from error
    found = {_cell(row, "record"): _cell(row, "subject") for row in rows}
    if not found or not all(found) or not all(found.values()):
        raise UsageError(
            f"subjects {path}: every line needs a record and a subject; the first line is "
            "'record,subject'"
        )
    return found


def _cell(row: dict[str, str], column: str) -> str:
    return (row.get(column) or "").strip()


def lead_choice(text: str) -> str | list[str]:
    """Return ``first``, ``best``, ``all`` or the lead names of a list with commas.

    Raises:
        UsageError: no lead is named.
    """
    names = split(text)
    if not names:
        raise UsageError(
            f"--leads {text!r} names no lead; give first, best, all, or names with commas"
        )
    return text if text in ("first", "best", "all") else list(names)


def list_records(sources: Sequence[Path]) -> list[Path]:
    """Return the records that files and folders stand for, in order, each once however it is named.

    Raises:
        RecordError: a folder without records, or nothing at all.
    """
    from ecglens.databases import find_records

    paths: list[Path] = []
    for source in sources:
        paths += find_records(source) if is_folder(source) else [source]
    once: dict[Path, Path] = {}
    for path in paths:
        once.setdefault(_identity(path), path)
    return list(once.values())


def _identity(path: Path) -> Path:
    """Return one path for all the ways to name a record: ``r``, ``r.hea`` and ``./r.dat``."""
    place = real_path(path)
    return place.with_suffix("") if place.suffix.lower() in (".hea", ".dat") else place


def leave_out(windows: Windows, names: Sequence[str]) -> Windows:
    """Drop every window of the people on the named records.

    Raises:
        UsageError: no window is of a named record.
        WindowError: nothing is left.
    """
    import numpy as np

    known = set(windows.records.tolist())
    for name in names:
        if name not in known:
            raise UsageError(f"--exclude {name}: no window is of that record{suggest(name, known)}")
    people = np.unique(windows.subjects[np.isin(windows.records, list(names))])
    kept = ~np.isin(windows.subjects, people)
    if not kept.any():
        raise WindowError(f"--exclude {', '.join(names)} leaves no window; exclude fewer records")
    return windows.subset(kept)


def check_place(out: Path) -> None:
    """Check before the work that a file can stand at ``out``.

    Raises:
        OutputError: its folder is not there, or a folder, a device or a pipe has its name.
    """
    if not is_folder(out.parent):
        raise OutputError(f"cannot write {out}: no folder {out.parent}; make it first")
    if is_folder(out):
        raise OutputError(f"cannot write {out}: it is a folder; name a file in it")
    try:
        refuse_device(out)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"cannot write {out}: {reason}; choose another place") from error


def open_recipe(
    network: NetworkOptions, random_state: int, head: HeadOptions | None = None
) -> tuple[Recipe, Backbone]:
    """Return the recipe with the options laid over it, and its network.

    Raises:
        BackboneError: the network or its weights cannot be had.
    """
    from ecglens.backbones import load_backbone
    from ecglens.recipes import find_recipe

    recipe = find_recipe(network.recipe)
    size = (recipe.image.height, recipe.image.width)
    backbone = load_backbone(
        network.backbone or recipe.backbone,
        weights=network.weights,
        image_size=size,
        random_state=random_state,
    )
    if backbone.image_size != size:
        height, width = backbone.image_size
        note(f"{backbone.name} takes images of {height} x {width}; the recipe's are made so")
        recipe = replace(recipe, image=recipe.image.sized(height, width))
    recipe = recipe.fit_to(backbone)
    if network.layers:
        recipe = replace(recipe, layers=split(network.layers))
    if network.pooling:
        recipe = replace(recipe, pooling=split(network.pooling))
    return _with_head(recipe, head), backbone


def _with_head(recipe: Recipe, head: HeadOptions | None) -> Recipe:
    if head is not None and head.head not in (None, recipe.head):
        refuse_experts([head.head])
        recipe = replace(recipe, head=head.head, head_params={})
    if head is not None and head.pca is not None:
        recipe = replace(recipe, pca=head.pca or None)
    return recipe


def refuse_experts(heads: Sequence[str | None]) -> None:
    """Refuse a head that needs the handmade measures, where layers alone are taken.

    Raises:
        UsageError: it is among those named.
    """
    if "experts" in heads:
        raise UsageError(
            "the head experts needs handmade measures, which are part of the recipe; take "
            "--recipe fusion and no --head"
        )


def say_bundled(model: Path) -> None:
    """Say, beside the results, that a model of the package judges."""
    from ecglens.models import bundled_models, find_model

    if find_model(model) in bundled_models().values():
        note(f"judged by {model}, which comes with ecglens; research use only")


def split(text: str) -> tuple[str, ...]:
    """Return the words of a list with commas."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def engine_settings(options: EngineOptions) -> EngineSettings:
    """Return the engine that the options name.

    Raises:
        UsageError: there is no such engine, device or precision.
    """
    from ecglens.backbones.engine import check_choices
    from ecglens.features import EngineSettings

    check_choices(options.engine, options.device, options.precision)
    return EngineSettings(options.engine, options.device, options.precision)


def extract(
    windows: Windows,
    recipe: Recipe,
    backbone: Backbone,
    network: NetworkOptions,
    engine: EngineOptions,
) -> FloatArray:
    """Return the recipe's features of the windows, with progress."""
    from ecglens.features import concatenate_outputs

    extractor = make_extractor(backbone, recipe, network, engine)
    with progress("features") as step:
        return concatenate_outputs(extractor.run(windows.X, windows.fs, progress=step))


def cross_validate(
    features: FloatArray,
    labels: npt.NDArray[np.str_],
    windows: Windows,
    recipe: Recipe,
    folding: FoldOptions,
    random_state: int,
) -> Evaluation:
    """Evaluate the recipe's classifier, pooled and subject-wise, with progress."""
    from ecglens.evaluation import evaluate

    with progress("folds") as step:
        return evaluate(
            features,
            labels,
            windows.subjects,
            databases=windows.databases,
            classifier=recipe.classifier(random_state=random_state),
            n_splits=folding.folds,
            n_bootstrap=folding.bootstrap,
            random_state=random_state,
            progress=step,
        )


def origin(
    recipe: Recipe, backbone: Backbone, engine: EngineOptions, windows: Windows
) -> dict[str, Any]:
    """Return what figures were measured with, JSON-ready."""
    from ecglens.backbones.precision import resolve_precision

    return {
        "ecglens": __version__,
        "recipe": recipe.to_dict(),
        "backbone": {
            "name": backbone.name,
            "weights": backbone.weights,
            "sha256": backbone.sha256,
        },
        "engine": engine.engine,
        "precision": resolve_precision(engine.engine, engine.precision),
        "window": {"length_s": windows.length_s, "fs": windows.fs},
        "databases": sorted(set(windows.databases.tolist())),
    }


def make_extractor(
    backbone: Backbone,
    recipe: Recipe,
    network: NetworkOptions,
    engine: EngineOptions,
    outputs: Sequence[Output] | None = None,
) -> Extractor:
    """Return an extractor of the recipe's outputs (or the ones given) with the cache it may use."""
    from ecglens.cache import FeatureStore
    from ecglens.features import Extractor

    return Extractor(
        backbone=backbone,
        outputs=outputs or recipe.outputs(),
        image=recipe.image,
        engine=engine_settings(engine),
        store=FeatureStore(network.cache or cache_folder() / "features"),
    )
