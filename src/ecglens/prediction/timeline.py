"""What is said of one record: windows, and the episodes they make."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecglens.files import write_table
from ecglens.prediction.summaries import summarise
from ecglens.prediction.tables import write_parquet
from ecglens.records import Recording

StrArray = npt.NDArray[np.str_]
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Episode:
    """A stretch ``[start_s, end_s)`` of one label.

    Attributes:
        start_s: in seconds from the start of the record.
        end_s: in seconds.
        label: a class of the model, ``"inconclusive"`` or ``"unreadable"``.
        probability: mean over its windows of the label's probability, given the whole record;
            None where it has none.
        lead: the lead that was judged.
        n_windows: how many windows the episode was merged from.
        reason: why most of its windows have no class; ``""`` where they have one.
    """

    start_s: float
    end_s: float
    label: str
    probability: float | None
    lead: str
    n_windows: int
    reason: str = ""

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s


@dataclass(frozen=True, eq=False)
class Timeline:
    """What a model says of one record.

    Attributes:
        record_id: the record.
        lead: the lead that was judged, or all of them joined by ``+``.
        duration_s: length of the record in seconds.
        length_s: length of a window in seconds.
        hop_s: from one window's start to the next in seconds.
        classes: the model's classes, in the order of the columns of ``probabilities``.
        start_s: start of each window in seconds, shape (n_windows,).
        labels: class of each window, ``"inconclusive"`` or ``"unreadable"``.
        reasons: why a window is unreadable or inconclusive, else ``""``.
        probabilities: of each window by itself, shape (n_windows, n_classes); NaN where unreadable.
        posteriors: given all windows of the record, of the same shape; NaN where unreadable.
        quality: of the signal, 0 to 1 (clean), shape (n_windows,).
        heart_rate: beats/min, shape (n_windows,); NaN where too few beats can be found.
        notes: what the reader assumed, and what to mind about this prediction.
        rows: of the record's leads that were judged; names need not tell them apart. Empty where
            they are not known.
    """

    record_id: str
    lead: str
    duration_s: float
    length_s: float
    hop_s: float
    classes: tuple[str, ...]
    start_s: Numbers
    labels: StrArray
    reasons: StrArray
    probabilities: Numbers
    posteriors: Numbers
    quality: Numbers
    heart_rate: Numbers
    notes: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()

    def rows_in(self, record: Recording) -> list[int]:
        """Return the rows of the leads that were judged.

        Where they are not known they are found by name, and are the first where none is named so.

        Args:
            record: that was judged.
        """
        if self.rows:
            return list(self.rows)
        names = [name.casefold() for name in record.lead_names]
        whole = self.lead.casefold()
        wanted = [whole] if whole in names else whole.split("+")
        return [names.index(name) for name in wanted if name in names] or [0]

    @property
    def episodes(self) -> tuple[Episode, ...]:
        """Neighbouring windows of one label, merged.

        Where windows overlap each one speaks for the hop around its centre.
        """
        return tuple(self._episodes())

    def _episodes(self) -> Iterator[Episode]:
        changes = np.flatnonzero(self.labels[1:] != self.labels[:-1]) + 1
        bounds = self._bounds()
        for first, last in zip(
            [0, *changes.tolist()], [*changes.tolist(), len(self.labels)], strict=True
        ):
            label = str(self.labels[first])
            probability = None
            if label in self.classes:
                column = self.posteriors[first:last, self.classes.index(label)]
                probability = float(column.mean())
            reasons, counts = np.unique(self.reasons[first:last], return_counts=True)
            yield Episode(
                start_s=float(bounds[first]),
                end_s=float(bounds[last]),
                label=label,
                probability=probability,
                lead=self.lead,
                n_windows=last - first,
                reason=str(reasons[counts.argmax()]),
            )

    def _bounds(self) -> Numbers:
        """Return where the word passes from each window to the next, shape (n_windows + 1,)."""
        end = self.start_s[-1] + self.length_s
        inner = self.start_s[1:] + (self.length_s - self.hop_s) / 2
        return np.concatenate([self.start_s[:1], inner, [end]])

    @property
    def stretch_s(self) -> Numbers:
        """Seconds that each window speaks for, shape (n_windows,); they add up to the episodes."""
        return np.diff(self._bounds())

    def summary(self) -> dict[str, Any]:
        """Return the timeline in figures, JSON-ready.

        ``seconds`` and ``share`` of each label, and in ``burden`` the same in minutes and per cent
        with number of episodes and the longest one; ``reasons`` of what is inconclusive or
        unreadable, in seconds; ``quality`` of all windows and ``heart_rate`` (beats/min) of those
        that are readable and not ventricular fibrillation, as least, 5th percentile, median, 95th
        and greatest, None where there is none.

        Shares are of the readable time, so that a lead that was off makes no burden smaller; the
        share of the unreadable is of all time covered.
        """
        return summarise(self)

    def to_dict(self) -> dict[str, Any]:
        """Return summary, episodes and windows, JSON-ready."""
        return {**self._head(), "windows": list(self._rows())}

    def _head(self) -> dict[str, Any]:
        episodes = [asdict(episode) for episode in self.episodes]
        return {"summary": self.summary(), "episodes": episodes}

    def _rows(self) -> Iterator[dict[str, Any]]:
        columns = self._columns()
        for row in zip(*columns.values(), strict=True):
            yield dict(zip(columns, row, strict=True))

    def _columns(self) -> dict[str, list[Any]]:
        """Return what the tables say of each window, by column; None where there is no number."""
        own, given = _plain(self.probabilities, 6), _plain(self.posteriors, 6)
        return {
            "start_s": self.start_s.tolist(),
            "end_s": (self.start_s + self.length_s).tolist(),
            "label": self.labels.tolist(),
            "reason": self.reasons.tolist(),
            "quality": _plain(self.quality, 3).tolist(),
            "heart_rate": _plain(self.heart_rate, 1).tolist(),
            **{f"p_{label}": own[:, i].tolist() for i, label in enumerate(self.classes)},
            **{f"post_{label}": given[:, i].tolist() for i, label in enumerate(self.classes)},
        }

    def save_windows_csv(self, path: str | Path) -> None:
        """Write one line per window."""
        columns = self._table()
        write_table(Path(path), list(columns), zip(*columns.values(), strict=True))

    def save_windows_parquet(self, path: str | Path) -> None:
        """Write one row per window, with the columns of the CSV file.

        Raises:
            UsageError: pyarrow is not installed.
        """
        write_parquet(Path(path), self._table())

    def _table(self) -> dict[str, list[Any]]:
        """Return the columns with times to the microsecond."""
        columns = self._columns()
        for name in ("start_s", "end_s"):
            columns[name] = np.round(columns[name], 6).tolist()
        return columns

    def save_episodes_csv(self, path: str | Path) -> None:
        """Write one line per episode."""
        rows = [
            {"record": self.record_id, **asdict(e), "duration_s": e.duration_s}
            for e in self.episodes
        ]
        rounded = (
            [round(v, 6) if isinstance(v, float) else v for v in row.values()] for row in rows
        )
        write_table(Path(path), list(rows[0]), rounded)


def _plain(values: Numbers, digits: int) -> npt.NDArray[np.object_]:
    """Return rounded numbers, None in the place of NaN."""
    plain = np.round(values, digits).astype(object)
    plain[np.isnan(values)] = None
    return plain
