"""Windows of one make, where each came from, and picking among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ecglens.errors import UsageError, WindowError
from ecglens.records import check_fs

FloatArray = npt.NDArray[np.float32]
StrArray = npt.NDArray[np.str_]
Index = npt.NDArray[np.intp] | npt.NDArray[np.bool_]

TEXTS = ("labels", "subjects", "databases", "records", "leads")
_PER_WINDOW = (*TEXTS, "start_s")


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of one length and one sampling rate, with where each came from.

    Attributes:
        X: float32, shape (n_windows, n_samples), in mV; NaN marks missing samples.
        fs: sampling rate in Hz.
        labels: class of each window, ``""`` where it has none; shape (n_windows,), as below.
        subjects: the person.
        databases: the collection.
        records: the recording.
        leads: the lead.
        start_s: start within the recording in seconds, float64.

    Raises:
        WindowError: shapes disagree or there is no window.
    """

    X: FloatArray
    fs: float
    labels: StrArray
    subjects: StrArray
    databases: StrArray
    records: StrArray
    leads: StrArray
    start_s: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        check_fs(self.fs, "windows")
        if self.X.ndim != 2 or self.X.shape[1] == 0:
            raise WindowError(f"X has shape {self.X.shape}; it must be (n_windows, n_samples)")
        for name in _PER_WINDOW:
            shape = getattr(self, name).shape
            if shape != (len(self.X),):
                raise WindowError(f"{name} has shape {shape} for {len(self.X)} windows")

    def __len__(self) -> int:
        return len(self.X)

    @property
    def length_s(self) -> float:
        """Length of each window in seconds."""
        return int(self.X.shape[1]) / self.fs

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes that occur, in alphabetical order."""
        return tuple(str(label) for label in np.unique(self.labels) if label)

    def subset(self, index: Index) -> Windows:
        """Return the windows that a mask or an index array picks."""
        picked: dict[str, Any] = {name: getattr(self, name)[index] for name in _PER_WINDOW}
        return replace(self, X=self.X[index], **picked)


def concatenate_windows(parts: Sequence[Windows]) -> Windows:
    """Join windows of one length and rate.

    Raises:
        WindowError: nothing to join, or lengths or rates differ.
    """
    if not parts:
        raise WindowError("no windows to join; give at least one set")
    shapes = {(part.fs, part.X.shape[1]) for part in parts}
    if len(shapes) > 1:
        said = ", ".join(f"{n} samples at {fs:g} Hz" for fs, n in sorted(shapes))
        raise WindowError(f"windows differ ({said}); make them with one length and one fs")
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in _PER_WINDOW
    }
    return replace(parts[0], X=np.concatenate([part.X for part in parts]), **joined)


def balance_windows(windows: Windows, per_class: int, *, random_state: int = 0) -> Windows:
    """Pick up to ``per_class`` windows of each class, spread over subjects as evenly as they allow.

    Subjects with few windows give all of them; the rest is shared out among the others. Within a
    subject the pick is random. The order of the windows is kept.

    Raises:
        UsageError: ``per_class`` is below 1.
    """
    if per_class < 1:
        raise UsageError(f"windows per class must be 1 or more, got {per_class}")
    rng = np.random.default_rng(random_state)
    picked: list[int] = []
    for label in windows.classes:
        mine = np.flatnonzero(windows.labels == label)
        groups = [mine[windows.subjects[mine] == s] for s in np.unique(windows.subjects[mine])]
        for group, share in zip(
            groups, share_out([len(g) for g in groups], per_class), strict=True
        ):
            picked.extend(rng.choice(group, size=share, replace=False).tolist())
    return windows.subset(np.array(sorted(picked), dtype=np.intp))


def share_out(sizes: Sequence[int], total: int) -> list[int]:
    """Share ``total`` out: nobody gets more than its size, and the smallest share is largest."""
    shares = [0] * len(sizes)
    left = min(total, sum(sizes))
    order = sorted(range(len(sizes)), key=lambda i: sizes[i])
    for rank, i in enumerate(order):
        shares[i] = min(sizes[i], left // (len(sizes) - rank))
        left -= shares[i]
    return shares
