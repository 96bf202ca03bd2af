"""What a network costs, in multiply-adds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any


def multiply_adds(model: Any) -> int:
    """Return the multiply-adds of one run: those of convolutions and matrix products.

    Normalisations, activations and poolings are left out; in image networks they are a few per
    cent.

    Args:
        model: an ``openvino.Model`` of known shapes.
    """
    return sum(_multiply_adds(node) for node in model.get_ops())


def _multiply_adds(node: Any) -> int:
    terms = _TERMS.get(node.get_type_name())
    return 0 if terms is None else math.prod(node.output(0).shape) * terms(node)


def _of_weights(first: int) -> Callable[[Any], int]:
    return lambda node: math.prod(list(node.input(1).get_shape())[first:])


def _of_matmul(node: Any) -> int:
    transposed = node.get_attributes()["transpose_a"]
    return int(list(node.input(0).get_shape())[-2 if transposed else -1])


# Terms of the sum behind each output value. Weights of a convolution are (out, in, h, w), with a
# dimension of groups before them in a grouped one.
_TERMS: Mapping[str, Callable[[Any], int]] = {
    "Convolution": _of_weights(1),
    "GroupConvolution": _of_weights(2),
    "MatMul": _of_matmul,
}
