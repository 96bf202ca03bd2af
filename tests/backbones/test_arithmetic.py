from __future__ import annotations

import numpy as np
import openvino
from openvino import opset13 as ops

from ecglens.backbones import Backbone
from ecglens.backbones.arithmetic import multiply_adds
from ecglens.backbones.openvino_engine import cut_model


def test_convolutions_are_counted_by_hand(tiny: Backbone) -> None:
    def counted(name: str, n: int) -> int:
        model = cut_model(openvino.Core(), tiny, [tiny.layer(name)])
        model.reshape([n, 3, 32, 48])
        return multiply_adds(model)

    # Output values times 3 x 3 x channels in: images are 32 x 48, each stage halves them.
    stage1 = 4 * 16 * 24 * 27
    stage2 = 6 * 8 * 12 * 36
    assert counted("stage1", 1) == stage1
    assert counted("stage2", 1) == stage1 + stage2
    assert counted("stage2", 5) == 5 * (stage1 + stage2)


def test_grouped_convolutions_and_matrix_products_are_counted() -> None:
    images = ops.parameter([1, 8, 10, 12], np.float32)
    kernel = ops.constant(np.ones((4, 6, 2, 3, 3), np.float32))  # 4 groups: 2 channels to 6
    maps = ops.group_convolution(images, kernel, [1, 1], [1, 1], [1, 1], [1, 1])
    rows = ops.reshape(maps, ops.constant(np.array([1, 24, 120])), special_zero=False)
    weights = ops.constant(np.ones((24, 5), np.float32))
    product = ops.matmul(rows, weights, transpose_a=True, transpose_b=False)
    model = openvino.Model([product.output(0)], [images], "counted")
    assert multiply_adds(model) == 24 * 120 * (2 * 9) + 120 * 5 * 24
