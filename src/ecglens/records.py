"""What a recording is: signal, leads, rhythm annotations and gaps."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ecglens.errors import RecordError, UsageError, suggest
from ecglens.lead_names import lead_key, limb_key

FloatArray = npt.NDArray[np.float32]

MIN_FS_HZ = 10.0
MAX_FS_HZ = 100_000.0


@dataclass(frozen=True, slots=True)
class Lead:
    """One lead of a record.

    Attributes:
        name: as the file gives it, for example ``"MLII"``; ``"lead1"`` where it gives none.
        unit: what the signal array holds: ``"mV"``, or the file's own word where it is not a
            voltage that can be converted (images are scale-free, so such a lead is still usable).
        assumed: whether the file gives no unit and mV was assumed.
        signal: number of the signal in a WFDB header, the first being 0; signals that are no ECG
            count there, but are no rows here. None where it is the row, as in other formats.
    """

    name: str
    unit: str = "mV"
    assumed: bool = False
    signal: int | None = field(default=None, compare=False)

    @property
    def in_mv(self) -> bool:
        """Whether amplitudes are known to be in mV."""
        return self.unit == "mV" and not self.assumed


@dataclass(frozen=True, slots=True)
class RhythmSpan:
    """A stretch ``[start_s, end_s)`` that an annotator gave one rhythm.

    Attributes:
        start_s: in seconds from the start of the record.
        end_s: likewise.
        rhythm: the annotator's word, such as ``"AFIB"``.
        lead: the one lead it is said of; ``""`` for all.
    """

    start_s: float
    end_s: float
    rhythm: str
    lead: str = ""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start_s) and self.start_s <= self.end_s < math.inf):
            raise RecordError(
                f"rhythm span {self.rhythm!r} runs from {self.start_s} s to {self.end_s} s; "
                "a span must start before it ends"
            )


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch ``[start_s, end_s)`` of one lead without samples (NaN in the signal)."""

    start_s: float
    end_s: float
    lead: str


class Recording(ABC):
    """One recording of one person: in memory (:class:`Record`) or read from disk in stretches.

    Attributes:
        fs: sampling rate in Hz.
        leads: one :class:`Lead` per row of the signal.
        record_id: name of the recording, without folder or suffix.
        subject_id: the person; several records may share it. Defaults to database and record.
        database: name of the collection the record belongs to (its folder's name), or ``""``.
        rhythms: annotated rhythm spans, put in order of their starts; empty when there is no
            annotation.
        notes: what a reader had to assume or repair, in words for the user.
        unread: why the annotation beside the recording could not be read, ``""`` where nothing is
            amiss; see :meth:`known_rhythms`.
    """

    fs: float
    leads: tuple[Lead, ...]
    record_id: str
    subject_id: str
    database: str
    rhythms: tuple[RhythmSpan, ...]
    notes: tuple[str, ...]
    unread: str = ""

    @property
    @abstractmethod
    def n_samples(self) -> int:
        """Number of samples of each lead."""

    @abstractmethod
    def _read(self, start: int, stop: int, rows: Sequence[int]) -> FloatArray:
        """Return samples [start, stop) of some rows."""

    def read(self, start: int, stop: int, leads: Sequence[str | int] | None = None) -> FloatArray:
        """Return the samples [start, stop) of all leads, or of some by name or position.

        Returns:
            float32, shape (n_leads, stop - start), in mV; missing samples are NaN.

        Raises:
            UsageError: the stretch does not lie within the record.
            RecordError: the record has no such lead, or its file cannot be decoded.
        """
        if not 0 <= start <= stop <= self.n_samples:
            raise UsageError(
                f"record {self.record_id!r}: samples {start} to {stop} were asked for; "
                f"a stretch must lie within 0 to {self.n_samples}"
            )
        rows = range(self.n_leads) if leads is None else [self.lead_index(lead) for lead in leads]
        return self._read(start, stop, rows)

    @property
    def n_leads(self) -> int:
        """Number of leads."""
        return len(self.leads)

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.n_samples / self.fs

    @property
    def lead_names(self) -> tuple[str, ...]:
        """Names of the leads, in the order of the rows."""
        return tuple(lead.name for lead in self.leads)

    def lead_index(self, lead: str | int) -> int:
        """Return the row of a lead given by position or by name, spelled as :meth:`find_lead` may.

        Raises:
            RecordError: the record has no such lead.
        """
        row = self.find_lead(lead) if isinstance(lead, str) else lead
        if row is not None and 0 <= row < self.n_leads:
            return row
        if isinstance(lead, int):
            raise RecordError(
                f"record {self.record_id!r} has no lead number {lead}; "
                f"it has {self.n_leads}: {', '.join(self.lead_names)}"
            )
        raise RecordError(
            f"record {self.record_id!r} has no lead {lead!r}; "
            f"it has {', '.join(self.lead_names)}{suggest(lead, self.lead_names)}"
        )

    def find_lead(self, name: str) -> int | None:
        """Return the row of the first lead of a name, None where there is none.

        The name as it is wins, then another case, then another spelling (``"Lead II"``, ``"DII"``,
        ``"Ableitung II"``), then the modified lead for the limb lead (``"MLII"`` for ``"II"``).
        """
        for key in (str, str.casefold, lead_key, limb_key):
            keys = [key(own) for own in self.lead_names]
            if key(name) in keys:
                return keys.index(key(name))
        return None

    def known_rhythms(self) -> tuple[RhythmSpan, ...]:
        """Return the rhythms, for work that must not take a damaged annotation for none.

        Raises:
            RecordError: the annotation beside the recording is damaged.
        """
        if self.unread:
            raise RecordError(self.unread)
        return self.rhythms

    def _complete(self) -> None:
        """Fill in the subject, put the rhythms in order and check the rate."""
        if not self.subject_id:
            parts = [part for part in (self.database, self.record_id) if part]
            object.__setattr__(self, "subject_id", "-".join(parts))
        in_order = tuple(sorted(self.rhythms, key=lambda span: span.start_s))
        object.__setattr__(self, "rhythms", in_order)
        try:
            check_fs(self.fs, f"record {self.record_id!r}")
        except UsageError as error:
            raise RecordError(str(error)) from error


@dataclass(frozen=True, eq=False)
class Record(Recording):
    """A recording in memory.

    Attributes:
        signal: float32, shape (n_leads, n_samples), in mV; missing samples are NaN.
        fs: and the others: see :class:`Recording`.

    Raises:
        RecordError: the parts do not fit together (shape, leads), or the rate is not one that an
            ECG can have.
    """

    signal: FloatArray
    fs: float
    leads: tuple[Lead, ...]
    record_id: str
    subject_id: str = ""
    database: str = ""
    rhythms: tuple[RhythmSpan, ...] = ()
    notes: tuple[str, ...] = field(default=())
    unread: str = ""

    def __post_init__(self) -> None:
        signal = np.asarray(self.signal, dtype=np.float32)
        object.__setattr__(self, "signal", signal)
        where = f"record {self.record_id!r}"
        if signal.ndim != 2 or signal.shape[0] == 0 or signal.shape[1] == 0:
            raise RecordError(
                f"{where}: signal has shape {signal.shape}; "
                "it must be (n_leads, n_samples), neither of them 0"
            )
        if len(self.leads) != signal.shape[0]:
            raise RecordError(
                f"{where}: {len(self.leads)} lead names for {signal.shape[0]} rows of signal; "
                "give one lead per row"
            )
        self._complete()

    @property
    def n_samples(self) -> int:
        """Number of samples of each lead."""
        return int(self.signal.shape[1])

    def _read(self, start: int, stop: int, rows: Sequence[int]) -> FloatArray:
        return self.signal[list(rows), start:stop]

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """Missing stretches of every lead, by lead and then time."""
        found: list[Gap] = []
        for name, row in zip(self.lead_names, self.signal, strict=True):
            for start, end in runs_of(np.isnan(row)):
                found.append(Gap(start / self.fs, end / self.fs, name))
        return tuple(found)


def check_fs(fs: float, where: str = "fs") -> float:
    """Return ``fs`` in Hz if it is a rate an ECG can have.

    Raises:
        UsageError: ``fs`` is not a number from 10 to 100,000 Hz.
    """
    if not math.isfinite(fs) or not MIN_FS_HZ <= fs <= MAX_FS_HZ:
        raise UsageError(
            f"{where}: fs must be from {MIN_FS_HZ:g} to {MAX_FS_HZ:g} Hz, got {fs:g} Hz"
        )
    return float(fs)


def runs_of(mask: npt.NDArray[np.bool_]) -> Sequence[tuple[int, int]]:
    """Return the ``[start, end)`` index pairs of every run of True in a 1-D mask."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
