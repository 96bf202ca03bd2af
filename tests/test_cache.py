from __future__ import annotations

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecglens.cache import FeatureStore

X = np.arange(12, dtype=np.float32).reshape(3, 4)
BLOCK = np.ones((3, 5), np.float32)


def test_a_block_comes_back_and_an_absent_one_does_not(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "made" / "later")
    key = store.key(X, {"fs": 125})
    assert store.load(key, 3) is None
    store.save(key, BLOCK)
    np.testing.assert_array_equal(store.load(key, 3), BLOCK)


@given(
    st.sampled_from(
        [
            (X + 1, {"fs": 125}),
            (X.astype(np.float64), {"fs": 125}),
            (X.reshape(4, 3), {"fs": 125}),
            (X, {"fs": 250}),
            (X, {"fs": 125, "layer": "a"}),
        ]
    )
)
@settings(max_examples=5)
def test_everything_that_decides_a_feature_decides_its_name(other: tuple) -> None:
    store = FeatureStore("nowhere")
    assert store.key(X, {"fs": 125}) != store.key(*other)


def test_names_of_several_blocks_are_those_of_each() -> None:
    store = FeatureStore("nowhere")
    settings = [{"layer": "a"}, {"layer": "b"}]
    assert store.keys(X, settings) == [store.key(X, each) for each in settings]


def test_what_float16_holds_takes_half_the_space_and_comes_back_the_same(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    blocks = {
        2: np.array([[1.5, -0.25, 65504.0, 2**-24]], np.float32),
        4: np.array([[1.5, -0.1, 65504.0, 2**-24]], np.float32),
        5: np.array([[1.5, 1e6, -1e38, 0.0]], np.float32),
    }
    for number, block in blocks.items():
        key = store.key(X, {"number": number})
        store.save(key, block)
        loaded = store.load(key, 1)
        assert loaded is not None
        assert loaded.dtype == np.float32
        np.testing.assert_array_equal(loaded, block)
        stored = np.load(next(tmp_path.rglob(f"{key}.npy")))
        assert stored.dtype == (np.float16 if number == 2 else np.float32)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_block_that_is_not_finite_counts_as_damaged(tmp_path: Path, value: float) -> None:
    store = FeatureStore(tmp_path)
    key = store.key(X, {})
    store.save(key, BLOCK * np.float32(value))
    assert store.load(key, 3) is None


def test_the_order_of_settings_does_not_matter() -> None:
    store = FeatureStore("nowhere")
    assert store.key(X, {"a": 1, "b": 2}) == store.key(X, {"b": 2, "a": 1})


def test_damaged_or_foreign_blocks_are_computed_again(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    key = store.key(X, {})
    store.save(key, BLOCK / 3)
    path = next(tmp_path.rglob("*.npy"))
    whole = path.read_bytes()
    for size in (0, 5, 60, len(whole) - 1):
        path.write_bytes(whole[:size])
        assert store.load(key, 3) is None
    header = whole[: whole.index(b"\n") + 1]
    claim = header.replace(b"(3, 5), }" + 13 * b" ", b"(3, 10000000000000), }")
    assert claim != header
    path.write_bytes(claim + bytes(60))
    assert store.load(key, 3) is None
    for foreign in (BLOCK.astype(np.float64), BLOCK[:2], np.array([{}], dtype=object)):
        np.save(path, foreign, allow_pickle=True)
        assert store.load(key, 3) is None


def test_a_folder_that_cannot_be_written_costs_the_cache_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    store = FeatureStore(tmp_path / "file" / "cache")
    with caplog.at_level(logging.WARNING):
        store.save(store.key(X, {}), BLOCK)
        store.save(store.key(X, {}), BLOCK)
    assert caplog.text.count("features are not kept: cannot make folder") == 1


@pytest.mark.parametrize("seconds", [0.0, 4e9])
def test_a_block_counts_whatever_the_time_of_its_file(tmp_path: Path, seconds: float) -> None:
    store = FeatureStore(tmp_path)
    key = store.key(X, {})
    store.save(key, BLOCK)
    os.utime(next(tmp_path.rglob("*.npy")), (seconds, seconds))
    np.testing.assert_array_equal(store.load(key, 3), BLOCK)


def test_many_writers_and_readers_of_one_block(tmp_path: Path) -> None:
    key = FeatureStore(tmp_path).key(X, {})

    def save_and_load(_: int) -> bool:
        store = FeatureStore(tmp_path)
        store.save(key, BLOCK)
        found = store.load(key, 3)
        return found is not None and np.array_equal(found, BLOCK)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(save_and_load, range(100)))
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [f"{key}.npy"]
