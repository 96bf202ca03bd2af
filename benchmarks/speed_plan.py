"""What is timed: the stages of the route, networks alone, and whole routes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from ecglens.backbones import Backbone, load_backbone, pooled_size
from ecglens.backbones.arithmetic import multiply_adds
from ecglens.backbones.openvino_engine import cut_model
from ecglens.errors import EcglensError
from ecglens.features import BATCH, EngineSettings, Extractor
from ecglens.images import draw_channels, filter_windows, refuse_unreadable
from ecglens.models import RhythmModel, fit_model
from ecglens.readers import open_record
from ecglens.recipes import Recipe, find_recipe
from ecglens.threads import helpers
from ecglens.windows import WindowRule, Windows, window_blocks
from speed_growth import write_record
from speed_jobs import Job, Key
from speed_machine import matrix_jobs, precisions
from speed_routes import (
    FloatArray,
    UsualRoute,
    ecglens_network,
    make_signals,
    onnxruntime_network,
    torch_network,
)

FS = 125.0
MOST = 1024
CLASSES = ("N", "AF", "VF", "ST")
N_SUBJECTS = 20


@dataclass
class Plan:
    """What is to be timed, and what cannot be.

    Attributes:
        jobs: in the order in which they take turns.
        skipped: what is left out, and why.
        multiply_adds: of each network, for one image, up to the deepest layer of the recipe.
        models: a trained model with each network.
    """

    jobs: list[Job] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)
    multiply_adds: dict[str, int] = field(default_factory=dict)
    models: dict[str, RhythmModel] = field(default_factory=dict)

    def try_to_add(self, key: Key, make: Callable[[], Callable[[int], object]], **job: int) -> None:
        """Time what ``make`` returns, or note that its library is missing."""
        try:
            self.jobs.append(Job(key, make(), **job))
        except (ImportError, RuntimeError, EcglensError) as error:
            self.skip(", ".join(key), error)

    def skip(self, what: str, error: Exception) -> None:
        """Note what is left out, and why."""
        self.skipped.append({"what": what, "why": str(error).strip().splitlines()[0]})


def make_plan(backbones: Sequence[str], training_windows: int, folder: Path) -> Plan:
    """Load networks, train a model on each, and list all that is to be timed.

    Args:
        backbones: names or ONNX files.
        training_windows: how many windows the head remembers.
        folder: for files that the jobs read.
    """
    plan = Plan(jobs=matrix_jobs())
    X = make_signals(MOST, FS)
    _add_shared_stages(plan, X, folder)
    for name in backbones:
        try:
            _add_network(plan, _load(name), X, training_windows)
        except EcglensError as error:
            plan.skip(name, error)
    return plan


def _load(name: str) -> Backbone:
    image = find_recipe("default").image
    size = (image.height, image.width)
    if name.endswith(".onnx"):
        return load_backbone(name, image_size=size)
    return load_backbone(name, weights="random", image_size=size)


def _add_shared_stages(plan: Plan, X: FloatArray, folder: Path) -> None:
    """Add what is done before any network: read a record, filter windows, draw images."""
    image = find_recipe("default").image
    header = write_record(folder, hours=MOST * 10 / 3600)

    def read(_n: int) -> None:
        for _ in window_blocks(open_record(header), WindowRule(fs=FS)):
            pass

    def pass_band(rows: FloatArray) -> FloatArray:
        refuse_unreadable(rows, FS)
        return filter_windows(rows, FS, image)

    def draw(rows: FloatArray) -> FloatArray:
        return draw_channels(rows, image)

    plan.jobs += [
        Job(("stage", "read"), read, unit=MOST),
        Job(("stage", "filter"), partial(_in_batches, pass_band, X)),
        Job(("stage", "image"), partial(_in_batches, draw, pass_band(X))),
    ]


def _in_batches(work: Callable[[FloatArray], object], rows: FloatArray, n: int) -> None:
    """Do work on n rows as the package does: batches, each by one of its helpers."""
    with helpers() as executor:
        list(executor.map(work, [rows[i : min(i + BATCH, n)] for i in range(0, n, BATCH)]))


def _add_network(plan: Plan, backbone: Backbone, X: FloatArray, training_windows: int) -> None:
    """Add a network: alone on each engine, its head, and whole routes with it."""
    recipe = find_recipe("default").fit_to(backbone)
    recipe = replace(recipe, pca=min(recipe.pca or 0, _n_features(backbone, recipe)) or None)
    plan.multiply_adds[backbone.name] = _multiply_adds(backbone, recipe)
    images = draw_channels(filter_windows(X, FS, recipe.image), recipe.image)
    outputs, layers = list(recipe.outputs()), list(recipe.layers)
    for precision in precisions():
        alone = partial(ecglens_network, backbone, outputs, precision, images)
        plan.try_to_add(("network", backbone.name, "ecglens", precision), alone)
        torch = partial(torch_network, backbone, layers, precision, images)
        plan.try_to_add(("network", backbone.name, "torch", precision), torch)
        whole = partial(_whole_route, backbone, recipe, precision, X)
        plan.try_to_add(("route", "ecglens", backbone.name, precision), whole)
    onnxruntime = partial(onnxruntime_network, backbone, layers, images)
    plan.try_to_add(("network", backbone.name, "ONNX Runtime", "fp32"), onnxruntime)
    usual = partial(_usual_route, backbone)
    plan.try_to_add(("route", "usual", backbone.name, "fp32"), usual, unit=8, most=64)
    model = _trained(backbone, recipe, training_windows)
    plan.models[backbone.name] = model
    plan.jobs.append(Job(("stage", "head", backbone.name), _head(model)))


def _multiply_adds(backbone: Backbone, recipe: Recipe) -> int:
    import openvino

    layers = [backbone.layer(name) for name in recipe.layers]
    model = cut_model(openvino.Core(), backbone, layers)
    model.reshape([1, 3, *backbone.image_size])
    return multiply_adds(model)


def _whole_route(
    backbone: Backbone, recipe: Recipe, precision: str, X: FloatArray
) -> Callable[[int], object]:
    engine = EngineSettings(precision=precision)
    extractor = Extractor(backbone, recipe.outputs(), recipe.image, engine)
    return lambda n: extractor.run(X[:n], FS)


def _usual_route(backbone: Backbone) -> Callable[[int], object]:
    route = UsualRoute(backbone.name)
    X = make_signals(64)
    return lambda n: route.run(X[:n])


def _trained(backbone: Backbone, recipe: Recipe, n_windows: int) -> RhythmModel:
    """Return a model whose head has seen noise: as slow as one that has learnt something."""
    rng = np.random.default_rng(0)
    numbers = np.arange(n_windows)
    windows = Windows(
        X=make_signals(n_windows, FS),
        fs=FS,
        labels=np.array(CLASSES)[numbers % len(CLASSES)],
        subjects=np.char.add("made-", (numbers // len(CLASSES) % N_SUBJECTS).astype(str)),
        databases=np.full(n_windows, "made"),
        records=np.full(n_windows, "made"),
        leads=np.full(n_windows, "II"),
        start_s=(10.0 * numbers).astype(np.float64),
    )
    features = rng.normal(size=(n_windows, _n_features(backbone, recipe)))
    return fit_model(windows, features.astype(np.float32), recipe, backbone)


def _head(model: RhythmModel) -> Callable[[int], object]:
    n_features = _n_features(model.backbone, model.recipe)
    features = np.random.default_rng(1).normal(size=(MOST, n_features)).astype(np.float32)
    return lambda n: model.head.predict_proba(features[:n])


def _n_features(backbone: Backbone, recipe: Recipe) -> int:
    return sum(pooled_size(backbone.layer(layer), way) for layer, way in recipe.outputs())
