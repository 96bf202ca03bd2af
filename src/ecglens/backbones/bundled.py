"""The backbones that come with the package: small networks that need no download and no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType
from typing import Any

import numpy as np

from ecglens.backbones import onnx_graph
from ecglens.backbones.backbone import Backbone, sha256_of
from ecglens.errors import BackboneError

BUNDLED: Mapping[str, str] = MappingProxyType(
    {"ecglens-s": "393bd364932ddb3bf1a72cc251da08bd7ef54699a4ce9d9e16df57618067b8e9"}
)
"""Name of each bundled backbone, and the SHA-256 of its file."""

WEIGHTS = "distilled"
"""What ``Backbone.weights`` says of a bundled backbone as it was trained."""


def load_bundled(
    name: str, image_size: tuple[int, int], *, random_state: int | None = None
) -> Backbone:
    """Load a backbone that comes with the package.

    Args:
        name: one of :data:`BUNDLED`.
        image_size: (height, width) in pixels, each at least 32.
        random_state: None for the trained weights; a number draws random ones with this seed, for
            a control.

    Raises:
        BackboneError: the file is missing or differs from the one that was shipped, or images are
            too small.
    """
    data = _file(f"{name}.onnx")
    if sha256_of(data) != BUNDLED[name]:
        raise BackboneError(
            f"the bundled backbone {name} is damaged: the hash of its file differs from the one "
            "that was shipped; install ecglens again"
        )
    if min(image_size) < 32:
        raise BackboneError(
            f"{name} takes images from 32 x 32 pixels, got {image_size[0]} x {image_size[1]}"
        )
    model = onnx_graph.parse_onnx(data, name)
    metadata = onnx_graph.metadata_of(model)
    if random_state is not None:
        _randomise(model, random_state)
        metadata["weights"] = f"random-{random_state}"
    onnx_graph.fix_image_size(model, image_size)
    return onnx_graph.backbone_from_onnx(onnx_graph.serialize(model, metadata), name)


def bundled_card(name: str) -> dict[str, Any]:
    """Return how a bundled backbone was made and what it was measured to do, JSON-ready.

    Raises:
        BackboneError: the file is missing or damaged.
    """
    try:
        card: dict[str, Any] = json.loads(_file(f"{name}.json"))
    except ValueError as error:
        raise BackboneError(
            f"the card of {name} is damaged ({error}); install ecglens again"
        ) from error
    return card


def _file(name: str) -> bytes:
    try:
        return resources.files("ecglens.backbones").joinpath("bundled_files", name).read_bytes()
    except OSError as error:
        raise BackboneError(
            f"{name}, which comes with ecglens, cannot be read ({error.strerror or error}); "
            "install ecglens again"
        ) from error


def _randomise(model: Any, random_state: int) -> None:
    """Draw every convolution anew (He et al. 2015, arXiv 1502.01852), biases 0."""
    from onnx.numpy_helper import from_array, to_array

    rng = np.random.default_rng(random_state)
    for tensor in model.graph.initializer:
        shape = to_array(tensor).shape
        values = np.zeros(shape)
        if len(shape) == 4:
            values = rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)
        tensor.CopyFrom(from_array(values.astype(np.float32), tensor.name))
