from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ecglens.backbones import Layer, pool, pooled_size
from ecglens.errors import UsageError

POOLINGS = [
    "mean", "max", "std", "meanstd", "timestd", "bands1", "bands4", "bandstd1", "bandstd3", "time1",
    "time5",
]  # fmt: skip
MAPS = hnp.arrays(
    np.float32, (3, 2, 8, 10), elements=st.floats(-100, 100, width=32, allow_subnormal=False)
)
FEW = settings(max_examples=25)


def random_maps(n: int = 6) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(n, 5, 8, 12)).astype(np.float32)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("n", [0, 1, 4])
def test_size_is_the_one_announced(pooling: str, n: int) -> None:
    pooled = pool(random_maps(n), pooling)
    assert pooled.shape == (n, pooled_size(Layer("l", 5, 8, 12), pooling))
    assert pooled.dtype == np.float32
    assert pooled.flags.c_contiguous


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_window_does_not_depend_on_its_batch(pooling: str) -> None:
    maps = random_maps(6)
    alone = np.concatenate([pool(maps[i : i + 1], pooling) for i in range(6)])
    np.testing.assert_array_equal(pool(maps, pooling), alone)


def test_definitions() -> None:
    maps = random_maps()
    course = maps.mean(axis=2)
    bands = maps.reshape(6, 5, 4, 2, 12).mean(axis=3)  # (n, channel, band, time)
    expected = {
        "mean": maps.mean(axis=(2, 3)),
        "max": maps.max(axis=(2, 3)),
        "std": maps.std(axis=(2, 3)),
        "meanstd": np.hstack([maps.mean(axis=(2, 3)), maps.std(axis=(2, 3))]),
        "timestd": course.std(axis=2),
        "bands4": bands.mean(axis=3).swapaxes(1, 2).reshape(6, 20),
        "bandstd4": maps.reshape(6, 5, 4, 24).std(axis=3).swapaxes(1, 2).reshape(6, 20),
        "time3": course.reshape(6, 5, 3, 4).mean(axis=3).swapaxes(1, 2).reshape(6, 15),
    }
    for pooling, values in expected.items():
        np.testing.assert_allclose(pool(maps, pooling), values, atol=1e-6, err_msg=pooling)


def test_first_band_is_the_top_and_first_stretch_the_earliest() -> None:
    maps = np.zeros((1, 1, 4, 4), dtype=np.float32)
    maps[0, 0, 0] = 1.0
    assert pool(maps, "bands2")[0].tolist() == [0.5, 0.0]
    assert pool(maps.swapaxes(2, 3), "time2")[0].tolist() == [0.5, 0.0]


def test_uneven_bands_cover_every_row_once() -> None:
    maps = np.eye(7, dtype=np.float32)[:, None, :, None]  # window i: row i is one
    heights = np.array([2, 2, 3])  # floor(7 i / 3): 0, 2, 4, 7
    means = pool(maps, "bands3")
    np.testing.assert_allclose(means.sum(axis=0), 1.0, rtol=1e-6)
    np.testing.assert_array_equal((means > 0).sum(axis=0), heights)


@FEW
@given(MAPS)
def test_equal_bands_and_stretches_average_to_the_mean(maps: np.ndarray) -> None:
    mean = pool(maps, "mean")
    bands = pool(maps, "bands4").reshape(3, 4, 2)
    stretches = pool(maps, "time5").reshape(3, 5, 2)
    np.testing.assert_allclose(bands.mean(axis=1), mean, atol=1e-3)
    np.testing.assert_allclose(stretches.mean(axis=1), mean, atol=1e-3)


@FEW
@given(MAPS, st.integers(0, 9))
def test_only_time_stretches_feel_a_cyclic_shift(maps: np.ndarray, shift: int) -> None:
    moved = np.roll(maps, shift, axis=3)
    for pooling in ("mean", "max", "std", "meanstd", "timestd", "bands2", "bandstd2"):
        np.testing.assert_allclose(pool(moved, pooling), pool(maps, pooling), atol=1e-3)


@FEW
@given(MAPS)
def test_deviations_are_bounded(maps: np.ndarray) -> None:
    # By Jensen's inequality the course over time spreads no more than the whole map.
    std, timestd = pool(maps, "std"), pool(maps, "timestd")
    assert (std >= 0).all()
    assert (timestd >= 0).all()
    assert (timestd <= std + 1e-3).all()


@FEW
@given(MAPS)
def test_spread_of_the_whole_is_that_within_bands_and_between(maps: np.ndarray) -> None:
    # The law of total variance.
    within = np.square(pool(maps, "bandstd4")).reshape(3, 4, 2).mean(axis=1)
    between = np.square(pool(maps, "bands4").reshape(3, 4, 2).std(axis=1))
    np.testing.assert_allclose(np.sqrt(within + between), pool(maps, "std"), atol=1e-3)


def test_a_constant_map_has_no_spread() -> None:
    maps = np.full((2, 3, 16, 16), 1000.1, dtype=np.float32)
    np.testing.assert_allclose(pool(maps, "meanstd")[:, 3:], 0.0, atol=1e-3)


@pytest.mark.parametrize(
    ("pooling", "message"),
    [
        ("meen", r"unknown pooling 'meen'; did you mean 'mean'\? poolings are mean, max"),
        ("bands0", "unknown pooling 'bands0'"),
        ("bands", "k from 1"),
        ("bands9", "needs maps of at least 9 rows, this layer has 8; take 'bands8' or less"),
        ("bandstd9", "needs maps of at least 9 rows, this layer has 8; take 'bandstd8' or less"),
        ("time13", "needs maps of at least 13 columns, this layer has 12"),
    ],
)
def test_unknown_poolings(pooling: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        pool(random_maps(), pooling)
    with pytest.raises(UsageError, match=message):
        pooled_size(Layer("l", 5, 8, 12), pooling)


def test_maps_of_another_rank() -> None:
    with pytest.raises(UsageError, match=r"must be \(n, channels, height, width\), got \(3, 4\)"):
        pool(np.zeros((3, 4), dtype=np.float32), "mean")


@pytest.mark.parametrize("pooling", ["mean", "meanstd", "bands2", "bandstd2", "timestd", "time2"])
def test_infinite_maps_give_no_warning(pooling: str) -> None:
    maps = np.zeros((1, 2, 4, 4), dtype=np.float32)
    maps[0, 0, 0, 0] = np.inf
    assert not np.isfinite(pool(maps, pooling)).all()
