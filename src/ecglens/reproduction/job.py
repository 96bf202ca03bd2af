"""From nothing to the paper's table: plan, fetch, windows, features, folds, controls, files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ecglens.backbones import Backbone
from ecglens.backbones.precision import resolve_precision
from ecglens.cache import FeatureStore
from ecglens.databases.download import fetch_database
from ecglens.databases.holdings import data_folder
from ecglens.errors import FetchError, WindowError
from ecglens.files import cache_folder, make_folder, write_json, write_text
from ecglens.plots import plot_sweep, save_figure
from ecglens.recipes import Recipe, find_recipe
from ecglens.reports import save_html
from ecglens.reproduction.band import in_words
from ecglens.reproduction.bench import Bench, Features, both_protocols, open_network
from ecglens.reproduction.controls import Controls
from ecglens.reproduction.estimate import Estimate, estimate, refuse_full_disk
from ecglens.reproduction.gathering import Gathered, gather, gather_from
from ecglens.reproduction.markdown import make_markdown
from ecglens.reproduction.page import make_page
from ecglens.reproduction.results import LayerFigures, Reproduction, best_layer
from ecglens.reproduction.settings import ReproductionSettings
from ecglens.reproduction.sources import Planned, plan_sources
from ecglens.reproduction.stages import Stages, fingerprint
from ecglens.reproduction.telling import Telling
from ecglens.signals import unreadable_reasons
from ecglens.windows import Windows, load_windows, save_windows

STAGES, MAIN, BESIDE = "stages", "windows.npz", "windows-controls.npz"


@dataclass(frozen=True, eq=False)
class Prepared:
    """A plan and what it will take.

    Attributes:
        planned: databases and records; empty where windows are given.
        recipe: the preset with the network's layers.
        backbone: the network.
        estimate: time and disk.
    """

    planned: tuple[Planned, ...]
    recipe: Recipe
    backbone: Backbone
    estimate: Estimate


def prepare(settings: ReproductionSettings, out: Path) -> Prepared:
    """Plan a reproduction, and reckon time and disk; nothing is fetched or written.

    Args:
        settings: what is asked for.
        out: folder that gets the results.

    Raises:
        BackboneError: the network cannot be had.
        RecordError: the folder that was named has no database.
        WindowError: the file that was named has no windows.
        OutputError: the disk has not that much room.
    """
    to = settings.to or data_folder()
    n_windows = None if settings.windows is None else len(load_windows(settings.windows))
    planned = () if settings.windows is not None else plan_sources(settings, to)
    recipe, backbone = open_network(settings)
    fetch_mb = sum(each.fetch_mb for each in planned)
    found = estimate(settings, recipe, backbone, fetch_mb, n_windows)
    refuse_full_disk(found, to, out, _cache(settings))
    return Prepared(planned, recipe, backbone, found)


def run_reproduction(
    out: Path,
    settings: ReproductionSettings,
    *,
    prepared: Prepared | None = None,
    telling: Telling | None = None,
) -> Reproduction:
    """Repeat the paper's experiment and the controls it lacks, and write all of it to a folder.

    A run that was broken off goes on where it was: files of databases, windows, features, and
    each layer and control are kept as they end. The same inputs and settings give the same
    results.

    Args:
        out: made where missing; gets ``report.html``, ``results.json``, ``results.md``,
            ``layers.png``, the windows, and ``stages``.
        settings: what is asked for.
        prepared: of :func:`prepare`, where it was called before.
        telling: told of progress.

    Raises:
        FetchError: a database cannot be fetched; what arrived is kept.
        WindowError: a class has no windows at all.
        EvaluationError: there are too few windows for the folds.
        EcglensError: as of :func:`prepare`.
    """
    telling = telling or Telling()
    prepared = prepared or prepare(settings, out)
    make_folder(out)
    gathered = _gathered(out, prepared, settings, telling)
    bench = Bench(
        settings=settings,
        recipe=prepared.recipe,
        backbone=prepared.backbone,
        gathered=gathered,
        stages=Stages(out / STAGES),
        store=FeatureStore(_cache(settings)),
        telling=telling,
    )
    found = _measured(bench, prepared)
    _write(found, out)
    return found


def _cache(settings: ReproductionSettings) -> Path:
    return settings.cache or cache_folder() / "features"


def _gathered(
    out: Path, prepared: Prepared, settings: ReproductionSettings, telling: Telling
) -> Gathered:
    """Return the windows: those given, those of an earlier run, or new ones of the databases."""
    if settings.windows is not None:
        windows = load_windows(settings.windows)
        readable = unreadable_reasons(windows.X, windows.fs) == ""
        gathered = gather_from(windows.subset(readable), settings)
        lost = int((~readable).sum())
        note = (f"{lost} unreadable windows are left out",) if lost else ()
        return replace(gathered, notes=(*gathered.notes, *note))
    planned = [_fetched(each, settings, telling) for each in prepared.planned]
    stages = Stages(out / STAGES)
    inputs = {
        "sources": [{**each.to_dict(), "files": _files(each)} for each in planned],
        "classes": list(settings.classes),
        "total": settings.total,
        "random_state": settings.random_state,
    }
    kept = _kept(out, stages.load("windows", inputs))
    if kept is not None:
        return kept
    gathered = gather(planned, settings, telling)
    save_windows(gathered.main, out / MAIN)
    if gathered.beside is not None:
        save_windows(gathered.beside, out / BESIDE)
    result = {"notes": list(gathered.notes), **_hashes(gathered.main, gathered.beside)}
    stages.save("windows", inputs, result)
    return gathered


def _hashes(main: Windows, beside: Windows | None) -> dict[str, str | None]:
    """Return what tells these windows from those of a run that was killed before its stage."""
    return {"main": fingerprint(main), "beside": None if beside is None else fingerprint(beside)}


def _kept(out: Path, result: dict[str, Any] | None) -> Gathered | None:
    """Return the windows of an earlier run, None where they are not there, damaged or others."""
    if result is None:
        return None
    try:
        main = load_windows(out / MAIN)
        beside = load_windows(out / BESIDE) if result.get("beside") else None
    except WindowError:
        return None
    if any(result.get(name) != digest for name, digest in _hashes(main, beside).items()):
        return None
    return Gathered(main, beside, tuple(result["notes"]))


def _fetched(planned: Planned, settings: ReproductionSettings, telling: Telling) -> Planned:
    """Return a source whose records are here; what is missing is fetched first.

    Raises:
        FetchError: it cannot be fetched.
    """
    if planned.folder is not None or settings.data is not None:
        return planned
    source = planned.source
    with telling.transfers(f"fetching {source.database}") as step:
        try:
            fetched = fetch_database(
                source.database,
                settings.to,
                records=planned.records,
                minutes=source.minutes,
                mirror=settings.mirror,
                jobs=settings.jobs,
                progress=lambda p: step(p.files, p.n_files, p.n_bytes, p.total_bytes),
                notice=telling.say,
            )
        except FetchError as error:
            raise FetchError(
                f"{error}; what has arrived is kept; without a network name the folder that has "
                "the databases (--data DIR), or give windows (--windows FILE)"
            ) from error
    return replace(planned, folder=fetched.folder)


def _files(planned: Planned) -> list[list[Any]]:
    """Return names, sizes and times of a source's files: when they change, windows are cut anew."""
    if planned.folder is None:
        return []
    wanted = set(planned.records)
    found = sorted(path for path in planned.folder.iterdir() if path.stem in wanted)
    return [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in found]


def _measured(bench: Bench, prepared: Prepared) -> Reproduction:
    """Return the figures of every layer and control."""
    windows, main = bench.gathered.all, bench.gathered.main
    features = bench.features(windows, bench.recipe.layers, "features of all layers")
    layers = tuple(
        _layer(bench, layer, features[layer][: len(main)]) for layer in bench.recipe.layers
    )
    best = best_layer(layers).layer
    controls = Controls(bench, best, features[best])
    rows = controls.run()
    image = controls.image
    settings = _settings(bench)
    settings["common band"] = (
        f"{image.band_hz[0]:g} to {image.band_hz[1]:.3g} Hz at {image.fs:g} Hz; the databases hold "
        f"something up to {in_words(controls.edges)}"
    )
    preset = find_recipe("salem2018").layers[0]
    return Reproduction(
        layers=layers,
        preset_layer=preset if preset in bench.recipe.layers else None,
        controls=rows,
        databases=bench.gathered.rows(),
        settings=settings,
        plan=[each.to_dict() for each in prepared.planned],
        notes=bench.gathered.notes,
        random_state=bench.settings.random_state,
        n_splits=bench.settings.n_splits,
    )


def _layer(bench: Bench, layer: str, features: Features) -> LayerFigures:
    """Return the figures of one layer, from disk where they are there."""
    main = bench.gathered.main
    inputs = bench.inputs(main, layer=layer, together=list(bench.recipe.layers))

    def compute() -> dict[str, Any]:
        rows = both_protocols(bench, layer, f"folds, {layer}", features, main)
        n_features = features.shape[1]
        head = bench.classifier(len(main) // 2, n_features)
        n_components = int(head.named_steps["pca"].n_components)
        return LayerFigures(layer, n_features, n_components, tuple(rows)).to_dict()

    return LayerFigures.from_dict(bench.stages.once(f"layer-{_safe(layer)}", inputs, compute))


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in name)


def _settings(bench: Bench) -> dict[str, Any]:
    """Return what was measured with."""
    backbone, settings = bench.backbone, bench.settings
    kinds: Sequence[str] = [row["database"] for row in bench.gathered.rows()]
    return {
        "network": backbone.name,
        "weights": backbone.weights,
        "sha256 of the network": backbone.sha256,
        "precision": resolve_precision("openvino", "auto"),
        "layers": ", ".join(bench.recipe.layers),
        "windows from": "a file"
        if settings.windows is not None
        else ", ".join(dict.fromkeys(kinds)),
        "window, s": round(bench.gathered.main.length_s, 3),
        "folds": settings.n_splits,
        "draws of people": settings.n_bootstrap,
        "seed": settings.random_state,
        "quick": "yes" if settings.quick else "no",
        "left out": ", ".join(settings.without) or "no class",
    }


def _write(found: Reproduction, out: Path) -> None:
    """Write all files, the report last."""
    write_json(out / "results.json", found.to_dict())
    save_figure(plot_sweep(found.sweep), out / "layers.png")
    write_text(out / "results.md", make_markdown(found))
    save_html(make_page(found), out / "report.html")
