"""Recordings on disk, of which only the stretch asked for is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ecglens.errors import RecordError
from ecglens.records import FloatArray, Lead, Record, Recording, RhythmSpan

# Two gigabytes of float32: a day of twelve leads at 500 Hz.
MAX_VALUES = 2**29


class Samples(Protocol):
    """The samples of one file, in the file's own units."""

    @property
    def n_samples(self) -> int:
        """Number of samples of each lead."""

    def read(self, start: int, stop: int, rows: Sequence[int]) -> npt.NDArray[np.floating]:
        """Return samples [start, stop) of some rows, shape (len(rows), stop - start).

        Raises:
            RecordError: the file cannot be decoded, or is no longer what it was.
        """


@dataclass(frozen=True, eq=False)
class RecordSource(Recording):
    """A recording that stays on disk; :meth:`read` gives the samples of a stretch.

    Attributes:
        samples: of the file, float32, in mV, missing ones NaN.
        fs: and the others: see :class:`ecglens.records.Recording`.
    """

    samples: Samples
    fs: float
    leads: tuple[Lead, ...]
    record_id: str
    subject_id: str = ""
    database: str = ""
    rhythms: tuple[RhythmSpan, ...] = ()
    notes: tuple[str, ...] = ()
    unread: str = ""

    def __post_init__(self) -> None:
        self._complete()

    @property
    def n_samples(self) -> int:
        """Number of samples of each lead."""
        return self.samples.n_samples

    def _read(self, start: int, stop: int, rows: Sequence[int]) -> FloatArray:
        return np.asarray(self.samples.read(start, stop, rows), dtype=np.float32)

    def to_record(self) -> Record:
        """Read all samples into memory.

        Raises:
            RecordError: the file cannot be decoded, or is too long to be read as a whole.
        """
        if self.n_samples * self.n_leads > MAX_VALUES:
            raise RecordError(
                f"record {self.record_id!r} has {self.n_samples} samples of {self.n_leads} leads, "
                f"more than {MAX_VALUES} values; read it in stretches, with open_record"
            )
        return Record(
            signal=self.read(0, self.n_samples),
            fs=self.fs,
            leads=self.leads,
            record_id=self.record_id,
            subject_id=self.subject_id,
            database=self.database,
            rhythms=self.rhythms,
            notes=self.notes,
            unread=self.unread,
        )


class ArraySamples:
    """Rows of an array, shape (n_leads, n_samples).

    Args:
        lend: returns the array, each time the same. It may map a file anew, so that what was read
            of it before takes no memory.
        rows: which rows are leads.
        gain: counts per unit of each of them, or None.
    """

    def __init__(
        self,
        lend: Callable[[], npt.NDArray[Any]],
        rows: Sequence[int],
        gain: npt.NDArray[np.float64] | None = None,
    ) -> None:
        self._lend = lend
        self._rows = tuple(rows)
        self._gain = gain
        self.n_samples = int(lend().shape[1])

    def read(self, start: int, stop: int, rows: Sequence[int]) -> npt.NDArray[np.floating]:
        """Return samples [start, stop) of some rows; see :class:`Samples`."""
        picked = [self._rows[row] for row in rows]
        values = self._lend()[:, start:stop][picked]
        if self._gain is not None:
            with np.errstate(over="ignore", invalid="ignore"):  # infinities are reported as such
                return np.asarray(values / self._gain[list(rows), np.newaxis])
        return values.astype(np.result_type(values, np.float32), copy=False)
