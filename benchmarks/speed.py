"""Speed of this package's route beside the usual one, in one run on one machine.

    python benchmarks/speed.py --json speed.json

The usual route draws each spectrogram with matplotlib, reads the picture with PIL and shows it to
the network in torch, fp32, one window at a time. Both routes run the same network with the same
(random) weights on windows of noise-like signals: neither changes the work. The routes take
turns, so that a machine that slows down slows both; the ratio is of the medians.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecglens.backbones import load_backbone
from ecglens.backbones.precision import resolve_precision
from ecglens.errors import EcglensError
from ecglens.features import EngineSettings, Extractor
from ecglens.files import write_atomically
from ecglens.images import make_images
from ecglens.recipes import find_recipe

FS = 250.0
SIZE = 128
FloatArray = npt.NDArray[np.float32]


def make_signals(n_windows: int) -> FloatArray:
    """Return ten-second windows of coloured noise in mV."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(n_windows, round(10 * FS)))
    return np.asarray(noise.cumsum(axis=1) * 0.05 + noise * 0.1, dtype=np.float32)


class UsualRoute:
    """One picture at a time: matplotlib, PIL, torch."""

    def __init__(self, backbone: str) -> None:
        import timm
        import torch

        self.torch = torch
        self.network = timm.create_model(backbone, pretrained=False).eval()
        self.mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
        self.std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)

    def run(self, X: FloatArray) -> None:
        """Compute the features of each window."""
        for window in X:
            pixels = self.torch.from_numpy(self._picture(window)).permute(2, 0, 1)[None]
            with self.torch.inference_mode():
                self.network.forward_features((pixels - self.mean) / self.std)

    def _picture(self, window: FloatArray) -> FloatArray:
        from matplotlib import pyplot
        from PIL import Image

        figure, axes = pyplot.subplots(figsize=(2.24, 2.24), dpi=100)
        axes.specgram(window, NFFT=128, Fs=FS, noverlap=112)
        axes.set_axis_off()
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
        pyplot.close(figure)
        picture = Image.open(buffer).convert("RGB").resize((SIZE, SIZE))
        return np.asarray(picture, dtype=np.float32) / np.float32(255)


def seconds_of(job: Callable[[], object]) -> float:
    """Return how long a job takes."""
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Return windows per second of each route and stage, and their ratio."""
    recipe = find_recipe(args.recipe)
    image = replace(recipe.image, height=SIZE, width=SIZE)
    backbone = load_backbone(args.backbone, weights="random", image_size=(SIZE, SIZE))
    last = backbone.layers[-1].name
    usual = UsualRoute(args.backbone)
    ours = {
        precision: Extractor(backbone, [(last, "mean")], image, EngineSettings(precision=precision))
        for precision in _precisions()
    }
    few, many = make_signals(args.usual_windows), make_signals(args.windows)
    usual.run(few[:1])
    for extractor in ours.values():
        extractor.run(many[:64], FS)
    rates: dict[str, list[float]] = {name: [] for name in ("usual", "images only", *ours)}
    for _ in range(args.rounds):
        rates["usual"].append(len(few) / seconds_of(lambda: usual.run(few)))
        spent = seconds_of(lambda: [make_images(part, FS, image) for part in _parts(many)])
        rates["images only"].append(len(many) / spent)
        for name, extractor in ours.items():
            rates[name].append(len(many) / seconds_of(partial(extractor.run, many, FS)))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    return {
        "backbone": args.backbone,
        "layer": last,
        "image": [SIZE, SIZE],
        "windows_per_s": medians,
        "ratio_to_usual": {name: medians[name] / medians["usual"] for name in ours},
        "rounds": args.rounds,
    }


def _precisions() -> tuple[str, ...]:
    has_bf16 = resolve_precision("openvino", "auto") == "bf16"
    return ("bf16", "fp32") if has_bf16 else ("fp32",)


def _parts(X: FloatArray) -> list[FloatArray]:
    return [X[i : i + 64] for i in range(0, len(X), 64)]


def main() -> int:
    """Print the table and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--backbone", default="densenet121")
    parser.add_argument("--recipe", default="salem2018")
    parser.add_argument("--windows", type=int, default=512, help="windows for this package's route")
    parser.add_argument("--usual-windows", type=int, default=24, help="windows for the usual route")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    try:
        found = measure(args)
        text = json.dumps(found, indent=1) + "\n"
        if args.json is not None:
            write_atomically(args.json, lambda file: file.write(text.encode()))
    except EcglensError as error:
        print(f"speed: error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{found['backbone']} to {found['layer']}, images {SIZE} x {SIZE}, ten-second windows")
    for name, rate in found["windows_per_s"].items():
        ratio = found["ratio_to_usual"].get(name)
        print(f"{name:12s} {rate:8.1f} windows/s" + (f"  {ratio:6.1f} x usual" if ratio else ""))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
