"""The engine on the CPU: OpenVINO."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from ecglens.backbones.arithmetic import multiply_adds
from ecglens.backbones.backbone import Backbone, Layer
from ecglens.backbones.engine import Floats, checked_images, empty_maps, filled, no_bf16
from ecglens.errors import BackboneError

# Small batches, one stream per core: maps stay in the core's cache and cores do not wait for
# each other. Measured with DenseNet-121 at 128x128 on two cores; see benchmarks.
BEST_BATCH = {"bf16": 2, "fp32": 8}

# A request to OpenVINO costs some 0.1 ms of Python; below this many multiply-adds that shows. More
# images leave the cache: ecglens-s at 128 x 128 is slower with 16 of them than with 8.
WORTHWHILE = 300_000_000
LARGEST_BATCH = 16
# 512 MB of float32. The largest map of DenseNet-161 on images of 1024 x 1024 has 25 million values.
MOST_VALUES = 1 << 27
# What OpenVINO and the libraries in it say where memory is out, or that for a thread's stack; a
# promise is broken by a thread that did not start.
_NO_MEMORY = (
    "bad_alloc", "allocate", "can't alloc", "Resource temporarily unavailable", "Broken promise",
)  # fmt: skip


class OpenVinoEngine:
    """A backbone compiled by OpenVINO; see ``ecglens.backbones.Engine``.

    Batches run in parallel streams. Maps are float32 whatever the precision inside.
    """

    def __init__(
        self,
        backbone: Backbone,
        layers: Sequence[Layer],
        precision: str,
        threads: int | None,
        batch_size: int | None,
        gray: bool,
    ) -> None:
        import openvino

        self._backbone = backbone
        self._wanted = tuple(layers)
        self._channels = 1 if gray else 3
        self.layers = tuple(layer.name for layer in layers)
        try:
            core = openvino.Core()
            self.precision = _precision(precision, has_bf16(core))
            model = cut_model(core, backbone, self._wanted, gray=gray)
            fixed = model.input(0).partial_shape[0]
            if fixed.is_dynamic:
                sizes = (self._channels, *backbone.image_size)
                model.reshape([1, *sizes])
                self.batch_size = batch_size or best_batch(multiply_adds(model), self.precision)
                model.reshape([self.batch_size, *sizes])
            else:
                self.batch_size = int(fixed.get_length())
            _check_shapes(model, backbone, self._wanted)
            _check_sizes(model, backbone, self.batch_size)
            # No CACHE_DIR: a compiled network would start 0.01 to 0.07 s sooner, and OpenVINO
            # runs a damaged one without a word.
            compiled = core.compile_model(model, "CPU", _settings(self.precision, threads))
            self._queue = openvino.AsyncInferQueue(compiled)
        except RuntimeError as error:
            raise _cannot_run(backbone, error) from error
        # Not a method: the queue would hold the engine, the engine the queue, for ever.
        self._queue.set_callback(_keep)

    def run(self, images: Floats) -> dict[str, Floats]:
        """Compute feature maps; see ``ecglens.backbones.Engine.run``."""
        images = checked_images(images, self._backbone, self._channels)
        maps = empty_maps(self._wanted, len(images))
        try:
            for start in range(0, len(images), self.batch_size):
                batch = filled(images[start : start + self.batch_size], self.batch_size)
                kept = [values[start : start + self.batch_size] for values in maps.values()]
                # It travels with the request: OpenVINO reads it in place and must not lose it.
                self._queue.start_async({0: batch}, [batch, *kept], share_inputs=True)
            self._queue.wait_all()
        except RuntimeError as error:
            raise _cannot_run(self._backbone, error) from error
        return maps


def _cannot_run(backbone: Backbone, error: RuntimeError) -> Exception:
    """Return what to raise for an error of OpenVINO, which has one class for all of them."""
    reason = (str(error).strip().splitlines() or ["no reason given"])[-1][:200]
    if any(words in str(error) for words in _NO_MEMORY):
        return MemoryError(f"OpenVINO has no memory to run {backbone.name}: {reason}")
    return BackboneError(
        f"OpenVINO cannot run {backbone.name}: {reason}; choose another backbone or engine"
    )


def _keep(request: Any, arrays: list[Floats]) -> None:
    """Copy a finished request's maps to their places and let go of them."""
    for index, kept in enumerate(arrays[1:]):
        kept[:] = request.get_output_tensor(index).data[: len(kept)]
    arrays.clear()


def has_bf16(core: Any) -> bool:
    """Whether the processor computes in bfloat16."""
    return "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _precision(asked: str, bf16: bool) -> str:
    if asked == "bf16" and not bf16:
        raise no_bf16("this processor")
    return "bf16" if asked != "fp32" and bf16 else "fp32"


def _settings(precision: str, threads: int | None) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
        "PERFORMANCE_HINT": "THROUGHPUT",
    }
    if threads is not None:
        settings["INFERENCE_NUM_THREADS"] = threads
    return settings


def cut_model(core: Any, backbone: Backbone, layers: Sequence[Layer], *, gray: bool = False) -> Any:
    """Read the network, keep the wanted layers alone, and put the normalisation before it.

    Returns:
        An ``openvino.Model`` that takes images in [0, 1], of one channel if ``gray``; its results
        are the layers in order.
    """
    import openvino
    from openvino import opset13 as ops

    model = core.read_model(backbone.onnx)
    results = [model.output(layer.name).get_node() for layer in layers]
    (whole,) = model.get_parameters()
    sizes = [whole.partial_shape[0], 1 if gray else 3, *backbone.image_size]
    images = ops.parameter(openvino.PartialShape(sizes), np.float32, "images")
    mean, std = (
        np.array(values, dtype=np.float32).reshape(1, 3, 1, 1)
        for values in (backbone.mean, backbone.std)
    )
    targets = whole.output(0).get_target_inputs()
    if gray and _is_one_convolution(targets):
        first = next(iter(targets)).get_node()
        _replace(first, _gray_convolution(first, images, mean, std))
    else:
        # A gray image becomes three channels here, by broadcasting.
        normal = ops.divide(ops.subtract(images, ops.constant(mean)), ops.constant(std))
        for target in targets:
            target.replace_source_output(normal.output(0))
    # Only now: the first convolution, which may be a layer itself, may have been replaced.
    sources = [result.input(0).get_source_output() for result in results]
    return openvino.Model(sources, [images], backbone.name)


def _is_one_convolution(targets: Collection[Any]) -> bool:
    """Whether what takes the images is a single convolution with weights of the file."""
    nodes = [target.get_node() for target in targets]
    return [node.get_type_name() for node in nodes] == ["Convolution"] and (
        nodes[0].input_value(1).get_node().get_type_name() == "Constant"
    )


def _replace(node: Any, by: Any) -> None:
    for target in node.output(0).get_target_inputs():
        target.replace_source_output(by.output(0))


def _gray_convolution(first: Any, images: Any, mean: Floats, std: Floats) -> Any:
    """Return what the first convolution makes of normalised images whose channels are equal.

    Normalisation and convolution are linear. So the images pass through the sum of the weights
    over channels, which is less work, and what the means add is the same for all. It is not
    constant along the edges, where the normalised image is padded by 0.
    """
    from openvino import opset13 as ops

    weights = first.input_value(1).get_node().get_data()
    names = ("strides", "pads_begin", "pads_end", "dilations", "auto_pad")
    how = {name: first.get_attributes()[name] for name in names}
    with np.errstate(over="ignore", invalid="ignore"):  # of a broken network; see the extractor
        gain = (weights / std).sum(axis=1, keepdims=True, dtype=np.float32)
        offset = (weights * (-mean / std)).sum(axis=1, keepdims=True, dtype=np.float32)
    height, width = (size.get_length() for size in list(images.partial_shape)[2:])
    ones = ops.constant(np.ones((1, 1, height, width), dtype=np.float32))
    means = ops.convolution(ones, ops.constant(offset), **how)
    return ops.add(ops.convolution(images, ops.constant(gain), **how), means)


def best_batch(cost: int, precision: str) -> int:
    """Return how many images a request should hold if one costs so many multiply-adds."""
    batch = BEST_BATCH[precision]
    while batch < LARGEST_BATCH and batch * cost < WORTHWHILE:
        batch *= 2
    return batch


def _check_sizes(model: Any, backbone: Backbone, batch_size: int) -> None:
    """Refuse a network that makes maps too large for any memory out of a small file."""
    for step in model.get_ordered_ops():
        for output in step.outputs():
            sizes = output.partial_shape.get_max_shape()
            if math.prod(int(size) for size in sizes) // batch_size > MOST_VALUES:
                raise BackboneError(
                    f"{backbone.name} makes maps of sizes {[int(size) for size in sizes]}, over "
                    f"{MOST_VALUES} values an image; choose a smaller network or image"
                )


def _check_shapes(model: Any, backbone: Backbone, layers: Sequence[Layer]) -> None:
    """Check that the network makes the maps it announces."""
    for output, layer in zip(model.outputs, layers, strict=True):
        sizes = [int(size) for size in output.partial_shape.get_max_shape()]
        if sizes[1:] != [layer.channels, layer.height, layer.width]:
            raise BackboneError(
                f"{backbone.name} is damaged: layer {layer.name} makes maps of sizes {sizes[1:]}, "
                f"announced are {[layer.channels, layer.height, layer.width]}"
            )
