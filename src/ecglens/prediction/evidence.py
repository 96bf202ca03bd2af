"""What is known of each window by itself, before the record as a whole is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Evidence:
    """Some windows of one lead, in order of time.

    Attributes:
        start_s: start of each window in seconds, shape (n_windows,).
        unreadable: why a window cannot be judged, ``""`` where it can.
        probabilities: calibrated, shape (n_windows, n_classes); NaN where unreadable.
        distances: from the training windows, shape (n_windows,); NaN where unreadable.
        quality: of the signal, 0 to 1 (clean).
        heart_rate: beats/min; NaN where too few beats can be found.
    """

    start_s: Numbers
    unreadable: npt.NDArray[np.str_]
    probabilities: Numbers
    distances: Numbers
    quality: Numbers
    heart_rate: Numbers

    def __len__(self) -> int:
        return len(self.start_s)

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """Return one piece of evidence of several that follow each other."""
        return cls(
            **{
                f.name: np.concatenate([getattr(part, f.name) for part in parts])
                for f in fields(cls)
            }
        )

    def to_dict(self) -> dict[str, list[Any]]:
        """Return plain lists by name, exact to the last bit."""
        return {f.name: getattr(self, f.name).tolist() for f in fields(self)}

    @classmethod
    def from_dict(cls, values: dict[str, list[Any]]) -> Self:
        """Return the evidence that :meth:`to_dict` wrote.

        Raises:
            KeyError, TypeError, ValueError: it did not.
        """
        kinds = {"unreadable": np.str_}
        arrays: dict[str, Any] = {
            f.name: np.array(values[f.name], dtype=kinds.get(f.name, np.float64))
            for f in fields(cls)
        }
        if len({len(array) for array in arrays.values()}) != 1 or arrays["probabilities"].ndim != 2:
            raise ValueError("arrays of evidence differ in length")
        return cls(**arrays)
