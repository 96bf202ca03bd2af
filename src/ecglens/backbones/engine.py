"""Engines: images in, feature maps of the layers asked for out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ecglens.backbones.backbone import Backbone, Layer
from ecglens.errors import BackboneError, UsageError, suggest
from ecglens.memory import MB, need_memory

Floats = npt.NDArray[np.float32]

ENGINES: Mapping[str, tuple[str, ...]] = {"openvino": ("cpu",), "torch": ("cpu", "cuda")}
PRECISIONS = ("auto", "bf16", "fp32")

NETWORK_MB = 320
"""What loading and running a small network takes at most, its libraries included."""
_COPIES = 8  # of the weights, while a network is compiled


class Engine(Protocol):
    """A backbone made ready to run, cut behind the deepest of its layers.

    An engine is used by one thread at a time.

    Attributes:
        layers: names of the layers that ``run`` returns.
        precision: ``"bf16"`` or ``"fp32"``, the one really used.
        batch_size: number of images that the network sees at once.
    """

    layers: tuple[str, ...]
    precision: str
    batch_size: int

    def run(self, images: Floats) -> dict[str, Floats]:
        """Compute feature maps.

        Args:
            images: float32 (n, 3, height, width) in [0, 1], of the backbone's image size; the
                backbone's mean and std are applied inside. n may be 0. An engine for gray images
                takes (n, 1, height, width).

        Returns:
            For each layer float32 (n, channels, height, width).

        Raises:
            UsageError: the images have another shape.
        """
        ...


def make_engine(
    backbone: Backbone,
    layers: Sequence[str],
    *,
    engine: str = "openvino",
    device: str = "cpu",
    precision: str = "auto",
    threads: int | None = None,
    batch_size: int | None = None,
    gray: bool = False,
) -> Engine:
    """Make a backbone ready to run.

    The network always sees batches of one fixed size, the last one filled up with zeros, so a
    window's maps do not depend on the windows beside it.

    Args:
        backbone: from ``load_backbone``.
        layers: names of the wanted layers; nothing behind the deepest is computed.
        engine: ``"openvino"`` or ``"torch"`` (timm networks, needs ``ecglens[timm]``).
        device: ``"cpu"``, or ``"cuda"`` with torch.
        precision: ``"fp32"``, ``"bf16"`` (several times as fast where the processor has it; maps
            differ from fp32 by 1 to 6 % of their norm, most in deep layers), or ``"auto"``: with
            OpenVINO bf16 where the processor has it, else fp32; with torch fp32. Train and
            predict with the same one.
        threads: number of processor threads; None leaves it to the engine.
        batch_size: number of images that the network sees at once; None takes the engine's best.
        gray: images come with one channel that stands for all three; maps are the same.

    Returns:
        The engine.

    Raises:
        UsageError: engine, device, precision, threads or batch_size are not allowed.
        BackboneError: a layer is unknown, the device is absent or cannot compute in bf16, or the
            network does not run on the engine.
        EcglensError: the process may not take the memory that this needs.
    """
    check_choices(engine, device, precision)
    for what, count in (("threads", threads), ("batch_size", batch_size)):
        if count is not None and count < 1:
            raise UsageError(f"{what} must be 1 or more, got {count}")
    if isinstance(layers, str) or not layers:
        raise UsageError(f"layers must be a list of one or more layer names, got {layers!r}")
    wanted = tuple(backbone.layer(name) for name in dict.fromkeys(layers))
    needed = NETWORK_MB + _COPIES * len(backbone.onnx) // MB
    need_memory(needed, f"running {backbone.name}")
    if engine == "torch":
        from ecglens.backbones.torch_engine import TorchEngine

        return TorchEngine(backbone, wanted, device, precision, threads, batch_size, gray)
    from ecglens.backbones.openvino_engine import OpenVinoEngine

    return OpenVinoEngine(backbone, wanted, precision, threads, batch_size, gray)


def check_choices(engine: str, device: str, precision: str) -> None:
    """Check the names of an engine, its device and a precision.

    Raises:
        UsageError: one of them is unknown.
    """
    _check_choice("engine", engine, tuple(ENGINES))
    _check_choice(f"device of engine {engine}", device, ENGINES[engine])
    _check_choice("precision", precision, PRECISIONS)


def _check_choice(what: str, received: str, known: tuple[str, ...]) -> None:
    if received not in known:
        hint = suggest(received, known) or ";"
        raise UsageError(f"unknown {what} '{received}'{hint} choose {' or '.join(known)}")


def checked_images(images: Floats, backbone: Backbone, channels: int) -> Floats:
    """Return the images as contiguous float32, without a copy where they are.

    Raises:
        UsageError: they are not (n, channels, height, width) of the backbone's image size.
    """
    sizes = (channels, *backbone.image_size)
    if images.ndim != 4 or images.shape[1:] != sizes:
        wanted = ", ".join(map(str, sizes))
        raise UsageError(
            f"images for {backbone.name} must be (n, {wanted}), got {images.shape}; "
            "load the backbone with the images' size"
        )
    return np.ascontiguousarray(images, dtype=np.float32)


def empty_maps(layers: Sequence[Layer], n: int) -> dict[str, Floats]:
    """Allocate the result of ``run`` for n images."""
    return {
        layer.name: np.empty((n, layer.channels, layer.height, layer.width), dtype=np.float32)
        for layer in layers
    }


def filled(images: Floats, batch_size: int) -> Floats:
    """Return the images, filled up with zeros to one batch."""
    if len(images) == batch_size:
        return images
    batch = np.zeros((batch_size, *images.shape[1:]), dtype=np.float32)
    batch[: len(images)] = images
    return batch


def no_bf16(where: str) -> BackboneError:
    """Return the error for bf16 on a device that has none."""
    return BackboneError(f"{where} cannot compute in bf16; take --precision auto or fp32")
