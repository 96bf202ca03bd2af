"""Candidates side by side: what each explains of the teacher, and what it costs."""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import torch

from ecglens.backbones import make_engine, onnx_graph
from ecglens.backbones.backbone import Backbone
from ecglens.files import make_folder
from tools.distill.export import to_onnx
from tools.distill.shards import ShardStore
from tools.distill.students import CANDIDATES, LAYERS, Student
from tools.distill.training import Schedule, Teaching

RECIPE_LAYERS = ("transition1", "transition2")
"""Layers of the default recipe, by which speed is judged."""


def compare(store: ShardStore, schedule: Schedule, args: argparse.Namespace) -> str:
    """Teach every candidate for a short while; return a table as text.

    Returns:
        A line a candidate: millions of parameters, images a second with the recipe's layers
        (median of rounds in which the candidates take turns), and the share of the variance of
        each layer's maps, and of their means, that is explained on new images.
    """
    taught: dict[str, Student] = {}
    explained: dict[str, dict[str, float]] = {}
    backbones: dict[str, Backbone] = {}
    for name, make in CANDIDATES.items():
        torch.manual_seed(args.seed)
        folder = make_folder(args.work / f"compare-{name}")
        teaching = Teaching(make(), store, schedule, args.device, folder)
        teaching.run()
        explained[name] = teaching.judge()
        taught[name] = teaching.student
        backbones[name] = _backbone(to_onnx(taught[name], teaching.scaling, name), store.size)
    rates = images_per_s(backbones)
    lines = ["candidate      M par.  images/s  " + "  ".join(LAYERS)]
    for name, student in taught.items():
        size = sum(p.numel() for p in student.parameters()) / 1e6
        shares = "  ".join(
            f"{explained[name][layer]:.3f} {explained[name][layer + ':mean']:.3f}"
            for layer in LAYERS
        )
        lines.append(f"{name:14s} {size:6.2f}  {rates[name]:8.0f}  {shares}")
    return "\n".join(lines)


def _backbone(onnx: bytes, size: int) -> Backbone:
    model = onnx_graph.parse_onnx(onnx, "candidate")
    metadata = onnx_graph.metadata_of(model)
    onnx_graph.fix_image_size(model, (size, size))
    return onnx_graph.backbone_from_onnx(onnx_graph.serialize(model, metadata))


def images_per_s(backbones: dict[str, Backbone], rounds: int = 5, n: int = 256) -> dict[str, float]:
    """Return images a second of each network, its recipe's layers alone, in fp32."""
    engines = {
        name: make_engine(backbone, RECIPE_LAYERS, precision="fp32")
        for name, backbone in backbones.items()
    }
    size = next(iter(backbones.values())).image_size
    images = np.random.default_rng(0).random((n, 3, *size), dtype=np.float32)
    spent: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(rounds):
        for name, engine in engines.items():
            start = time.perf_counter()
            engine.run(images)
            spent[name].append(time.perf_counter() - start)
    return {name: n / statistics.median(seconds) for name, seconds in spent.items()}
