"""A network small enough for any test: three convolutions, three layers, random seeded weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ecglens.backbones import Backbone
from ecglens.backbones.backbone import sha256_of

TINY_LAYERS = ("stage1", "stage2", "stage3")
TINY_CHANNELS = (4, 6, 8)


def make_tiny_onnx(path: Path, seed: int = 0, *, image_size: tuple[int, int] | None = None) -> Path:
    """Write the network and return its path; ``image_size`` None leaves height and width free.

    Each stage is Conv 3x3, stride 2, then Relu: 4, 6 and 8 channels at 1/2, 1/4 and 1/8 of the
    image. Opset 17; input ``images`` (n, 3, height, width); outputs ``TINY_LAYERS``.
    """
    random = np.random.default_rng(seed)
    nodes, weights, source, channels_in = [], [], "images", 3
    for number, (layer, channels) in enumerate(zip(TINY_LAYERS, TINY_CHANNELS, strict=True), 1):
        scale = np.sqrt(2.0 / (9 * channels_in))
        kernel = random.normal(0.0, scale, (channels, channels_in, 3, 3)).astype(np.float32)
        bias = random.normal(0.0, 0.1, channels).astype(np.float32)
        weights.append(numpy_helper.from_array(kernel, f"weight{number}"))
        weights.append(numpy_helper.from_array(bias, f"bias{number}"))
        inputs = [source, f"weight{number}", f"bias{number}"]
        sizes = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
        nodes.append(helper.make_node("Conv", inputs, [f"conv{number}"], **sizes))
        nodes.append(helper.make_node("Relu", [f"conv{number}"], [layer]))
        source, channels_in = layer, channels
    height, width = image_size or ("height", "width")
    shapes = dict(zip(TINY_LAYERS, TINY_CHANNELS, strict=True))
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, height, width])
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", shapes[name], None, None])
        for name in TINY_LAYERS
    ]
    graph = helper.make_graph(nodes, "tiny", [images], outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def make_broken(
    backbone: Backbone, layer: str, part: str = "bias", value: float = np.inf
) -> Backbone:
    """Return the network with a great bias or weight of a layer; what is behind it is lost."""
    model = onnx.load_model_from_string(backbone.onnx)
    (found,) = (w for w in model.graph.initializer if w.name == layer.replace("stage", part))
    found.CopyFrom(numpy_helper.from_array(np.full(found.dims, value, np.float32), found.name))
    data = model.SerializeToString()
    return replace(backbone, onnx=data, sha256=sha256_of(data))
