"""The form every backbone is kept in: an ONNX graph that describes itself.

Its input is (n, 3, height, width) float32 with fixed height and width, its outputs are the
layers, and its metadata hold the name, the weights' origin and the normalisation. So the same
bytes give the same backbone wherever they were stored.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from ecglens.backbones.backbone import Backbone, Layer, sha256_of
from ecglens.errors import BackboneError

FORMAT = "1"
MAX_BYTES = 1 << 30
# A file can ask for any number of rounds of these.
_LOOPS = frozenset({"Loop", "Scan", "SequenceMap"})
_EXTERNAL = 1  # TensorProto.EXTERNAL
# float, double and complex numbers have fixed widths; others may be packed, or short as varints.
_LEAST_BITS = {1: 32, 11: 64, 14: 64, 15: 128}


def parse_onnx(data: bytes, source: str) -> Any:
    """Parse and check ONNX bytes.

    Args:
        data: the file's content.
        source: what to call it in messages.

    Returns:
        An ``onnx.ModelProto`` without references to other files.

    Raises:
        BackboneError: too large, damaged, not ONNX, with weights in another file or of more values
            than the file holds.
    """
    import onnx

    if len(data) > MAX_BYTES:
        raise BackboneError(
            f"{source} has {len(data)} bytes, more than the {MAX_BYTES} allowed; take a smaller "
            "network"
        )
    try:
        model = onnx.load_model_from_string(data)
        has_graph = bool(model.graph.node)
    except Exception as error:  # protobuf's own classes differ between its versions
        raise BackboneError(_damaged(source, error)) from error
    if not has_graph:
        raise BackboneError(_damaged(source, "it holds no graph"))
    for tensor in _tensors(model):
        if tensor.data_location == _EXTERNAL:
            raise BackboneError(
                f"{source} keeps weights in another file; save it as one ONNX file "
                "(onnx.save_model with save_as_external_data=False)"
            )
        _check_size(tensor, source)
    if loop := _looping(model):
        raise BackboneError(
            f"{source} holds the operation {loop}; a backbone computes each map once, without loops"
        )
    try:
        onnx.checker.check_model(data)
    except Exception as error:  # the checker raises several unrelated classes
        raise BackboneError(_damaged(source, error)) from error
    return model


def _looping(model: Any) -> str:
    """Return the first operation that repeats a graph at will, ``""`` for none."""
    todo = [model.graph.node, *(function.node for function in model.functions)]
    while todo:
        for node in todo.pop():
            if node.op_type in _LOOPS:
                return str(node.op_type)
            for attribute in node.attribute:
                todo += [graph.node for graph in (attribute.g, *attribute.graphs)]
    return ""


def _damaged(source: str, reason: object) -> str:
    first = (str(reason).strip().splitlines() or ["no reason given"])[0][:200]
    return f"{source} is not a usable ONNX model ({first}); export it again"


def _tensors(model: Any) -> Iterator[Any]:
    """Yield every tensor that the file holds, in subgraphs and functions too."""
    graphs = [model.graph]
    nodes = [node for function in model.functions for node in function.node]
    while graphs or nodes:
        if graphs:
            graph = graphs.pop()
            yield from graph.initializer
            for sparse in graph.sparse_initializer:
                yield from (sparse.values, sparse.indices)
            nodes += graph.node
        else:
            for attribute in nodes.pop().attribute:
                yield from attribute.tensors
                graphs += attribute.graphs
                if attribute.HasField("t"):
                    yield attribute.t
                if attribute.HasField("g"):
                    graphs.append(attribute.g)


def _check_size(tensor: Any, source: str) -> None:
    """Refuse a tensor of more values than the file holds, before room is made for them."""
    shape = tuple(tensor.dims)
    bits = _LEAST_BITS.get(tensor.data_type, 2)
    n_bytes = tensor.ByteSize()
    if min(shape, default=0) < 0 or math.prod(shape) * bits > 8 * n_bytes:
        said = f"the tensor {tensor.name[:50]!r} of {n_bytes} bytes has the shape {shape}"
        raise BackboneError(_damaged(source, said))


def metadata_of(model: Any) -> dict[str, str]:
    """Return the model's metadata whose keys begin with ``ecglens.``, without that prefix."""
    return {
        entry.key.removeprefix("ecglens."): entry.value
        for entry in model.metadata_props
        if entry.key.startswith("ecglens.")
    }


def describe(
    *, name: str, weights: str, mean: tuple[float, ...], std: tuple[float, ...], **more: str
) -> dict[str, str]:
    """Return the metadata of a backbone, in the order in which they are written."""
    return {
        "format": FORMAT,
        "name": name,
        "weights": weights,
        "mean": json.dumps(list(mean)),
        "std": json.dumps(list(std)),
        **more,
    }


def serialize(model: Any, metadata: Mapping[str, str]) -> bytes:
    """Return the model's bytes with these metadata in place of all others."""
    del model.metadata_props[:]
    for key, value in metadata.items():
        model.metadata_props.add(key=f"ecglens.{key}", value=value)
    return bytes(model.SerializeToString(deterministic=True))


def normalisation(metadata: Mapping[str, str], key: str, source: str) -> tuple[float, float, float]:
    """Read ``mean`` or ``std`` from the metadata: three numbers, deviations above zero.

    Raises:
        BackboneError: it is not three finite numbers.
    """
    try:
        values = json.loads(metadata[key])
        numbers = tuple(float(value) for value in values)
    except (KeyError, TypeError, ValueError):
        numbers = ()
    good = len(numbers) == 3 and all(math.isfinite(number) for number in numbers)
    if not good or (key == "std" and min(numbers) <= 0):
        raise BackboneError(
            f"{source}: metadata ecglens.{key} is {metadata.get(key)!r}; it must be three numbers "
            "like [0.485, 0.456, 0.406], deviations above zero"
        )
    return numbers[0], numbers[1], numbers[2]


def sizes_of(value: Any) -> list[int]:
    """Return a tensor's sizes, 0 where one is free; empty if the rank is unknown."""
    tensor = value.type.tensor_type
    return [int(dimension.dim_value) for dimension in tensor.shape.dim]


def is_float32(value: Any) -> bool:
    """Whether a graph input or output is a float32 tensor."""
    return bool(value.type.tensor_type.elem_type == 1)  # TensorProto.FLOAT


def image_input(model: Any, source: str) -> Any:
    """Return the graph's one image input, (n, 3, height, width) float32.

    Raises:
        BackboneError: there is none, or more than one input.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs) or "none"
        raise BackboneError(f"{source} has the inputs {names}; a backbone takes one, the image")
    sizes = sizes_of(inputs[0])
    if len(sizes) != 4 or not is_float32(inputs[0]) or sizes[1] not in (0, 3):
        raise BackboneError(
            f"{source} takes {inputs[0].name} of sizes {sizes} (0: free); a backbone takes float32 "
            "images (n, 3, height, width) of three channels"
        )
    return inputs[0]


def fix_image_size(model: Any, image_size: tuple[int, int]) -> None:
    """Write the image size into a graph that leaves it free, and what it makes of every layer."""
    import onnx

    image = image_input(model, "the network")
    for dimension, size in zip(image.type.tensor_type.shape.dim[2:], image_size, strict=True):
        dimension.dim_value = size
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    del model.graph.output[:]
    model.graph.output.extend(inferred.graph.output)


def backbone_from_onnx(data: bytes, source: str = "the ONNX model") -> Backbone:
    """Rebuild a backbone from the bytes in ``Backbone.onnx``.

    Args:
        data: bytes that ``load_backbone`` made, wherever they were kept.
        source: what to call them in messages.

    Returns:
        A backbone equal to the one that the bytes were taken from.

    Raises:
        BackboneError: the bytes are damaged or were not made by ecglens.
    """
    model = parse_onnx(data, source)
    metadata = metadata_of(model)
    if metadata.get("format") != FORMAT or not {"name", "weights"} <= metadata.keys():
        raise BackboneError(
            f"{source} has ecglens.format {metadata.get('format')!r}, not {FORMAT!r}; open the "
            "original ONNX file with load_backbone"
        )
    height, width = sizes_of(image_input(model, source))[2:]
    layers = tuple(_layer(output, source) for output in model.graph.output)
    if min(height, width) < 1 or len({layer.name for layer in layers}) != len(layers):
        raise BackboneError(f"{source} is damaged: free image size or two layers of one name")
    return Backbone(
        name=metadata["name"],
        onnx=data,
        layers=layers,
        image_size=(height, width),
        mean=normalisation(metadata, "mean", source),
        std=normalisation(metadata, "std", source),
        weights=metadata["weights"],
        sha256=sha256_of(data),
    )


def _layer(output: Any, source: str) -> Layer:
    sizes = sizes_of(output)
    if len(sizes) != 4 or not is_float32(output) or min(sizes[1:]) < 1:
        raise BackboneError(
            f"{source}: output {output.name} of sizes {sizes} is no layer; a layer is float32 "
            "(n, channels, height, width)"
        )
    return Layer(output.name, sizes[1], sizes[2], sizes[3])
