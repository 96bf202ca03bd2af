"""Any ONNX vision model as a backbone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ecglens.backbones import onnx_graph
from ecglens.backbones.backbone import IMAGENET_MEAN, IMAGENET_STD, Backbone
from ecglens.errors import BackboneError
from ecglens.guarded import read_bytes

# A layer is what one of these makes; a bare convolution is not, its norm or activation follows.
# fmt: off
_LAYER_OPS = frozenset(
    [
        "Relu", "LeakyRelu", "PRelu", "Clip", "Elu", "Selu", "Celu", "HardSwish", "Gelu",
        "Mish", "Swish", "Add", "Sum", "Concat", "MaxPool", "AveragePool",
        "BatchNormalization", "InstanceNormalization", "LayerNormalization",
        "GroupNormalization", "LRN",
    ]
)
# fmt: on
_GATES = frozenset(["Sigmoid", "HardSigmoid"])


def load_onnx_file(path: Path, image_size: tuple[int, int]) -> Backbone:
    """Load an ONNX vision model and name its layers.

    The model takes one float32 image (n, 3, height, width). A size that is fixed in the file
    stays; free ones become ``image_size``. Layers are, in the order of the graph, its float32
    4-D outputs and every 4-D feature map (n, channels, height, width) larger than one pixel
    that an activation, addition, concatenation, pooling or normalisation makes, each under its
    tensor's name; x * sigmoid(x) counts as an activation. The normalisation is ImageNet's
    unless the metadata hold ``ecglens.mean`` and ``ecglens.std``, each three numbers as JSON.
    A file that ecglens wrote is loaded unchanged.

    Raises:
        BackboneError: the file is missing, larger than 1 GiB, damaged, keeps weights in another
            file, takes anything but one three-channel image, or has no layer.
    """
    source = path.name
    data = _read(path)
    model = onnx_graph.parse_onnx(data, source)
    metadata = onnx_graph.metadata_of(model)
    if "format" not in metadata:
        _fix_sizes(onnx_graph.image_input(model, source), image_size)
        _expose_layers(model, source)
        mean, std = IMAGENET_MEAN, IMAGENET_STD
        if "mean" in metadata or "std" in metadata:
            mean = onnx_graph.normalisation(metadata, "mean", source)
            std = onnx_graph.normalisation(metadata, "std", source)
        described = onnx_graph.describe(
            name=path.stem, weights=f"file:{path.name}", mean=mean, std=std
        )
        data = onnx_graph.serialize(model, described)
    return onnx_graph.backbone_from_onnx(data, source)


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > onnx_graph.MAX_BYTES:
            raise BackboneError(
                f"{path} has {path.stat().st_size} bytes, more than the {onnx_graph.MAX_BYTES} "
                "allowed; take a smaller network"
            )
        return read_bytes(path, onnx_graph.MAX_BYTES)
    except OSError as error:
        reason = error.strerror or str(error)
        raise BackboneError(f"cannot read backbone {path}: {reason}; check the path") from error


def _fix_sizes(image: Any, image_size: tuple[int, int]) -> None:
    """Write three channels and the image size where the file leaves them free."""
    dimensions = image.type.tensor_type.shape.dim
    for dimension, size in zip(dimensions[1:], (3, *image_size), strict=True):
        if dimension.dim_value == 0:
            dimension.dim_value = size
    if dimensions[0].dim_value == 0:
        dimensions[0].dim_param = "n"


def _expose_layers(model: Any, source: str) -> None:
    """Make the layers the graph's only outputs, with their shapes."""
    import onnx

    try:
        # Shapes in the file may be those of another image size.
        del model.graph.value_info[:]
        for output in model.graph.output:
            output.type.tensor_type.ClearField("shape")
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except Exception as error:  # the library raises several unrelated classes
        raise BackboneError(
            f"{source} does not fit images of {_shown(model)}: {str(error).strip()[:200]}; "
            "choose another image size"
        ) from error
    layers = list(_layers(inferred))
    if not layers:
        raise BackboneError(
            f"{source} has no layer: no output or intermediate tensor is a 4-D feature map "
            "(n, channels, height, width); transformers and channels-last networks do not fit"
        )
    del model.graph.output[:]
    model.graph.output.extend(layers)


def _shown(model: Any) -> str:
    sizes = [onnx_graph.sizes_of(value) for value in model.graph.input]
    return next((f"{size[2]}x{size[3]}" for size in sizes if len(size) == 4), "this size")


def _layers(model: Any) -> Iterator[Any]:
    graph = model.graph
    height, width = onnx_graph.sizes_of(onnx_graph.image_input(model, "the model"))[2:]
    known = {value.name: value for value in [*graph.value_info, *graph.output]}
    outputs = {value.name for value in graph.output}
    makers = {name: node for node in graph.node for name in node.output}
    for node in graph.node:
        wanted = node.op_type in _LAYER_OPS or _is_swish(node, makers)
        for name in node.output:
            value = known.get(name)
            if value is None or not (name in outputs or wanted) or not name:
                continue
            if onnx_graph.is_float32(value) and _is_map(value, height, width):
                yield value


def _is_map(value: Any, height: int, width: int) -> bool:
    """Whether sizes are (n, channels, rows, columns) with rows and columns as in the image.

    One pixel of slack: strides round. Channels-last maps fail unless the image hides it.
    """
    sizes = onnx_graph.sizes_of(value)
    if len(sizes) != 4 or min(sizes[1:]) < 1:
        return False
    rows, columns = sizes[2:]
    return rows * columns > 1 and abs(rows * width - columns * height) <= max(height, width)


def _is_swish(node: Any, makers: dict[str, Any]) -> bool:
    """Whether a product is x * gate(x), as exporters write SiLU."""
    if node.op_type != "Mul" or len(node.input) != 2:
        return False
    for gate, value in (node.input, reversed(node.input)):
        maker = makers.get(gate)
        if maker is not None and maker.op_type in _GATES and list(maker.input) == [value]:
            return True
    return False
