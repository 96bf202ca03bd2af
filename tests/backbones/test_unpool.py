"""The weights of points are those of what is pooled from them."""

from __future__ import annotations

import numpy as np
import pytest

from ecglens.backbones.backbone import Layer
from ecglens.backbones.pooling import pool, pooled_size, unpool

LAYER = Layer("layer", channels=3, height=7, width=5)


@pytest.mark.parametrize("pooling", ["mean", "bands1", "bands3", "time2", "time5"])
def test_weighted_points_sum_to_weighted_averages(pooling: str) -> None:
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(1, 3, 7, 5)).astype(np.float32)
    weights = rng.normal(size=pooled_size(LAYER, pooling))
    points = unpool(weights, pooling, LAYER)
    assert points is not None
    assert (points * maps[0]).sum() == pytest.approx(weights @ pool(maps, pooling)[0], abs=1e-5)


@pytest.mark.parametrize("pooling", ["max", "std", "meanstd", "timestd"])
def test_other_poolings_have_no_such_weights(pooling: str) -> None:
    assert unpool(np.ones(pooled_size(LAYER, pooling)), pooling, LAYER) is None
