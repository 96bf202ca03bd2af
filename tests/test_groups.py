from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecglens.groups import Groups

_SIZES = st.lists(st.integers(0, 12), max_size=8)


def _made(sizes: list[int], seed: int, *shape: int) -> tuple[Groups, list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    lists = [rng.normal(size=(n, *shape)) for n in sizes]
    return Groups.of_lists(lists), lists


def _joined(lists: list[np.ndarray], *shape: int) -> np.ndarray:
    return np.concatenate([np.empty((0, *shape)), *lists])


@given(_SIZES, st.integers(0, 99), st.sampled_from([(), (3,)]))
def test_every_number_is_that_of_the_group_alone(
    sizes: list[int], seed: int, shape: tuple[int, ...]
) -> None:
    groups, lists = _made(sizes, seed, *shape)
    values = _joined(lists, *shape)
    for found, plain in (
        (groups.sum(values), np.sum),
        (groups.mean(values), np.mean),
        (groups.median(values), np.median),
        (groups.least(values), np.min),
        (groups.greatest(values), np.max),
        (groups.quantiles(values, (0.25,))[0], lambda x, axis: np.quantile(x, 0.25, axis=axis)),
    ):
        assert found.shape == (len(sizes), *shape)
        for row, mine in zip(found, lists, strict=True):
            wanted = plain(mine, axis=0) if len(mine) else np.zeros(shape)
            np.testing.assert_allclose(row, wanted, rtol=1e-12, atol=1e-12)


@given(_SIZES, st.integers(0, 99))
def test_a_group_is_the_same_to_the_last_bit_whichever_stand_beside_it(
    sizes: list[int], seed: int
) -> None:
    groups, lists = _made(sizes, seed)
    together = groups.mean(_joined(lists)), groups.median(_joined(lists))
    for row, mine in enumerate(lists):
        alone = Groups.of_lists([mine])
        assert alone.mean(mine)[0] == together[0][row]
        assert alone.median(mine)[0] == together[1][row]


@given(_SIZES, st.integers(0, 99), st.integers(1, 3))
def test_neighbours_stay_inside_their_group(sizes: list[int], seed: int, lag: int) -> None:
    groups, lists = _made(sizes, seed)
    values = _joined(lists)
    pairs, first = groups.neighbours(lag)
    change = [mine[lag:] - mine[:-lag] for mine in lists]
    np.testing.assert_array_equal(values[first + lag] - values[first], _joined(change))
    np.testing.assert_array_equal(pairs.sizes, [len(mine) for mine in change])


@pytest.mark.parametrize("chosen", [[True, False, True], [False, False, False]])
def test_some_groups_keep_their_values(chosen: list[bool]) -> None:
    groups, lists = _made([2, 3, 1], 0)
    left, mine = groups.only(np.array(chosen))
    kept = [values for values, keep in zip(lists, chosen, strict=True) if keep]
    np.testing.assert_array_equal(_joined(lists)[mine], _joined(kept))
    assert left.sizes.tolist() == [len(values) for values in kept]


def test_some_values_keep_their_groups() -> None:
    groups = Groups(np.array([2, 0, 3]))
    left = groups.where(np.array([True, False, False, True, True]))
    assert left.sizes.tolist() == [1, 0, 2]


def test_rows_are_filled_up_behind() -> None:
    rows = Groups(np.array([1, 0, 2])).padded(np.array([5.0, 6.0, 7.0]), -1.0)
    np.testing.assert_array_equal(rows, [[5, -1], [-1, -1], [6, 7]])
