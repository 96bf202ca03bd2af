"""timm network to ONNX, once."""

from __future__ import annotations

import contextlib
import io
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ecglens.backbones import onnx_graph, timm_network
from ecglens.backbones.backbone import Backbone
from ecglens.backbones.timm_layers import ModuleLayer, find_layers, recorded
from ecglens.errors import BackboneError

OPSET = 17  # the first with LayerNormalization
PARAMETERS = "network."  # how the graph's initializers begin


def convert(
    name: str, weights: str | Path, image_size: tuple[int, int], random_state: int, label: str
) -> Backbone:
    """Convert a timm network to a backbone.

    The graph is ``forward_features`` in opset 17 with a free batch size, a fixed image size and
    every layer (see ``timm_layers.find_layers``) as a named output. Weights stay apart from the
    operations and keep their names, so that torch can be given them back.

    Args:
        name: a timm network, with or without a pretrained tag.
        weights: ``"imagenet"``, ``"random"`` or a safetensors file.
        image_size: (height, width).
        random_state: seed of random weights.
        label: what ``Backbone.weights`` will say.

    Raises:
        BackboneError: torch or timm is missing, the network is unknown or has no layer, or
            weights are missing or do not fit.
    """
    timm_network.check_name(name)
    if isinstance(weights, Path):
        network = timm_network.file_network(name, weights)
    elif weights == "imagenet":
        network = timm_network.imagenet_network(name)
    else:
        network = timm_network.random_network(name, random_state)
    layers = find_layers(network, image_size)
    model = onnx_graph.parse_onnx(_exported(network, layers, image_size), name)
    _fix_shapes(model, layers)
    mean, std = timm_network.normalisation_of(network)
    metadata = onnx_graph.describe(
        name=name,
        weights=label,
        mean=mean,
        std=std,
        network=name,
        modules=json.dumps({layer.name: layer.module for layer in layers}),
        tag=str(timm_network.config_of(network).get("tag") or ""),
    )
    return onnx_graph.backbone_from_onnx(onnx_graph.serialize(model, metadata), name)


def _exported(network: Any, layers: Sequence[ModuleLayer], image_size: tuple[int, int]) -> bytes:
    import torch

    names = [layer.name for layer in layers]
    file = io.BytesIO()
    # The TorchScript exporter: four times faster than the newer one, and it keeps every
    # parameter under its name. It announces its retirement on each call.
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(
                _reader(network, layers),
                (torch.zeros(2, 3, *image_size),),
                file,
                dynamo=False,
                opset_version=OPSET,
                input_names=["images"],
                output_names=names,
                dynamic_axes={name: {0: "n"} for name in ["images", *names]},
                do_constant_folding=False,
                # Otherwise parameters of equal value are merged and lose their names.
                training=torch.onnx.TrainingMode.PRESERVE,
            )
        except Exception as error:  # the exporter raises many unrelated classes
            raise BackboneError(
                f"cannot convert {timm_network.network_name(network)} to ONNX: "
                f"{str(error)[:200]}; choose another network or give an ONNX file"
            ) from error
    return file.getvalue()


def _reader(network: Any, layers: Sequence[ModuleLayer]) -> Any:
    """Wrap a network into a module that returns all layers."""
    from torch import nn

    paths = [layer.module for layer in layers]

    class Reader(nn.Module):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, images: Any) -> tuple[Any, ...]:
            with recorded(self.network, paths) as outputs:
                self.network.forward_features(images)
            return tuple(outputs[path] for path in paths)

    reader = Reader()
    network.eval()
    return reader


def _fix_shapes(model: Any, layers: Sequence[ModuleLayer]) -> None:
    """Write each layer's sizes where the exporter left them free."""
    for output, layer in zip(model.graph.output, layers, strict=True):
        dimensions = output.type.tensor_type.shape.dim
        for dimension, size in zip(dimensions[1:], layer.shape, strict=True):
            dimension.dim_value = size
    for node in model.graph.node:
        node.doc_string = ""
