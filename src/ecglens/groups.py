"""Values in groups of different size, such as the beats of each window: a number for every group.

The values of all groups lie behind each other in one array, so that a batch of windows needs
neither a loop nor padding. What is said of a group is the same to the last bit whichever others
stand beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]


def lengths(rows: Floats) -> Floats:
    """Return the Euclidean length of every row, (n,), of (n, width)."""
    return np.asarray(np.sqrt((rows * rows).sum(axis=1)))


@dataclass(frozen=True, eq=False)
class Groups:
    """Which of the values of an array belong together.

    Attributes:
        sizes: values of each group, shape (n_groups,), 0 or more.
    """

    sizes: Index

    @classmethod
    def of_lists(cls, lists: Sequence[npt.NDArray[Any]]) -> Self:
        """Return the groups of ``np.concatenate(lists)``."""
        return cls(np.array([len(values) for values in lists], dtype=np.intp))

    def __len__(self) -> int:
        return len(self.sizes)

    @cached_property
    def member(self) -> Index:
        """The group of every value, shape (n_values,), ascending."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @cached_property
    def starts(self) -> Index:
        """The index of the first value of every group, shape (n_groups,)."""
        return np.cumsum(self.sizes) - self.sizes

    def only(self, chosen: Mask) -> tuple[Groups, Mask]:
        """Return some of the groups, shape (n_groups,), and which values are theirs."""
        return Groups(self.sizes[chosen]), chosen[self.member]

    def where(self, kept: Mask) -> Groups:
        """Return the same groups with some of their values, shape (n_values,)."""
        return Groups(np.bincount(self.member[kept], minlength=len(self)))

    def neighbours(self, lag: int = 1) -> tuple[Groups, Index]:
        """Return the values that have another ``lag`` places behind them in their group.

        Returns:
            Groups of one value for each pair, and the index of its first.
        """
        first = np.flatnonzero(self.member[lag:] == self.member[:-lag])
        return Groups(np.maximum(self.sizes - lag, 0)), first

    def sum(self, values: npt.NDArray[Any]) -> Floats:
        """Return the sum of every group, (n_groups, ...), of values (n_values, ...); 0 of none."""
        return self._reduced(np.add, values.astype(np.float64, copy=False))

    def mean(self, values: npt.NDArray[Any]) -> Floats:
        """Return the mean of every group; 0 of none."""
        size = np.maximum(self.sizes, 1).reshape(-1, *(1,) * (values.ndim - 1))
        return self.sum(values) / size

    def least(self, values: Floats) -> Floats:
        """Return the least value of every group; 0 of none."""
        return self._reduced(np.minimum, values)

    def greatest(self, values: Floats) -> Floats:
        """Return the greatest value of every group; 0 of none."""
        return self._reduced(np.maximum, values)

    def median(self, values: Floats) -> Floats:
        """Return the median of every group, (n_groups, ...), of values (n_values, ...)."""
        return self.quantiles(values, (0.5,))[0]

    def quantiles(self, values: Floats, shares: Sequence[float]) -> list[Floats]:
        """Return quantiles of every group as ``np.quantile`` does, an array for each; 0 of none."""
        in_order = np.sort(self.padded(values, np.inf), axis=-1)
        in_order[self.sizes == 0] = 0.0
        last = np.maximum(self.sizes - 1, 0)
        found = []
        for share in shares:
            at = (share * last).reshape(-1, *(1,) * (in_order.ndim - 1))
            low = at.astype(np.intp)
            high = np.minimum(low + 1, last.reshape(low.shape))
            below = np.take_along_axis(in_order, low, axis=-1)[..., 0]
            above = np.take_along_axis(in_order, high, axis=-1)[..., 0]
            found.append(below + (at - low)[..., 0] * (above - below))
        return found

    def padded(self, values: Floats, filling: float) -> Floats:
        """Return the values of every group in a row, (n_groups, ..., most), ``filling`` behind."""
        most = max(1, int(self.sizes.max(initial=0)))
        rows = np.full((len(self), *values.shape[1:], most), filling)
        rank = np.arange(len(self.member)) - self.starts[self.member]
        np.moveaxis(rows, -1, 1)[self.member, rank] = values
        return rows

    def _reduced(self, ufunc: np.ufunc, values: Floats) -> Floats:
        out = np.zeros((len(self), *values.shape[1:]))
        some = self.sizes > 0
        if some.any():
            out[some] = ufunc.reduceat(values, self.starts[some], axis=0)
        return out
