"""A smaller backbone: the network up to the last layer used, and nothing behind it."""

from __future__ import annotations

from collections.abc import Sequence

from ecglens.backbones.backbone import Backbone
from ecglens.backbones.onnx_graph import (
    backbone_from_onnx,
    image_input,
    metadata_of,
    parse_onnx,
    serialize,
)


def cut_backbone(backbone: Backbone, layers: Sequence[str]) -> Backbone:
    """Return a backbone with these layers alone and the weights they need.

    Args:
        backbone: the whole network.
        layers: names of the layers to keep; their maps stay as they are.

    Raises:
        BackboneError: the network has no such layer.
    """
    from onnx.utils import Extractor

    wanted = {backbone.layer(name).name for name in layers}
    kept = [layer.name for layer in backbone.layers if layer.name in wanted]
    model = parse_onnx(backbone.onnx, backbone.name)
    metadata = metadata_of(model)
    source = image_input(model, backbone.name).name
    smaller = Extractor(model).extract_model([source], kept)
    return backbone_from_onnx(serialize(smaller, metadata), backbone.name)
