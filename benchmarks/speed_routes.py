"""The ways from windows to features that are compared."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ecglens.backbones import Backbone, make_engine, pool

FS = 250.0
SIZE = 128
BATCH = 32
FloatArray = npt.NDArray[np.float32]


def make_signals(n_windows: int, fs: float = FS) -> FloatArray:
    """Return ten-second windows of coloured noise in mV: no signal changes the work."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(n_windows, round(10 * fs)))
    walk = noise.cumsum(axis=1) * 0.05
    return np.asarray(walk + noise * 0.1, dtype=np.float32)


class UsualRoute:
    """One picture at a time: matplotlib, PIL, torch.

    Raises:
        ImportError: torch, timm or PIL is missing.
        RuntimeError: timm has no such network.
    """

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
                maps = self.network.forward_features((pixels - self.mean) / self.std)
                maps.mean(dim=(2, 3)).numpy()

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


def ecglens_network(
    backbone: Backbone, outputs: list[tuple[str, str]], precision: str, images: FloatArray
) -> Callable[[int], object]:
    """Return what runs the network on gray images and pools its maps, as the package does."""
    layers = list(dict.fromkeys(layer for layer, _ in outputs))
    engine = make_engine(backbone, layers, precision=precision, gray=True)

    def run(n: int) -> None:
        for start in range(0, n, 64):
            maps = engine.run(images[start : min(start + 64, n)])
            for layer, pooling in outputs:
                pool(maps[layer], pooling)

    return run


def torch_network(
    backbone: Backbone, layers: list[str], precision: str, images: FloatArray
) -> Callable[[int], object]:
    """Return what runs the same network in torch, in batches.

    Raises:
        BackboneError: torch or timm is missing, or it is no timm network.
    """
    options: dict[str, Any] = {"engine": "torch", "precision": precision, "batch_size": BATCH}
    engine = make_engine(backbone, layers, gray=True, **options)
    return lambda n: engine.run(images[:n])


def onnxruntime_network(
    backbone: Backbone, layers: list[str], images: FloatArray
) -> Callable[[int], object]:
    """Return what runs the same network in ONNX Runtime, fp32, in batches.

    Raises:
        ImportError: ONNX Runtime is missing.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(backbone.onnx, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    mean, std = (
        np.array(values, dtype=np.float32).reshape(1, 3, 1, 1)
        for values in (backbone.mean, backbone.std)
    )

    def run(n: int) -> None:
        for start in range(0, n, BATCH):
            batch = (images[start : min(start + BATCH, n)] - mean) / std
            session.run(layers, {name: batch})

    return run
