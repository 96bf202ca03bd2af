"""Records to windows, a block of them at a time, so that no record need be in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ecglens.databases import subject_of
from ecglens.errors import UsageError, WindowError
from ecglens.quality import choose_lead
from ecglens.records import Recording, check_fs
from ecglens.signals import fill_gaps, ratio_of_rates, resample, resampled_fs
from ecglens.windows.data import FloatArray, StrArray, Windows, concatenate_windows

LeadChoice = str | Sequence[str]

BLOCK = 512
"""Windows that :func:`window_blocks` gives at once; at 10 s and 125 Hz they take 2.5 MB."""

# Samples of a piece, at the faster of its two rates: 17 minutes at 250 Hz.
_PIECE = 2**18
# The filter of `resample` reaches 10 samples of the slower rate to either side.
_REACH = 16


@dataclass(frozen=True)
class WindowRule:
    """How records are cut.

    Attributes:
        length_s: length of a window in seconds, 1 to 600.
        hop_s: from one window's start to the next in seconds; None means ``length_s``.
        purity: share of a window that must carry its class, 0 (exclusive) to 1; the other part
            must not carry a second class. 1 means the whole window.
        fs: common sampling rate of the windows in Hz.
        leads: ``"first"``, ``"best"`` (:func:`ecglens.quality.choose_lead`), ``"all"``, or names
            in order of preference (the first that a record has, in any usual spelling, is used).

    Raises:
        UsageError: a value is out of its range.
    """

    length_s: float = 10.0
    hop_s: float | None = None
    purity: float = 1.0
    fs: float = 125.0
    leads: LeadChoice = "first"

    def __post_init__(self) -> None:
        check_fs(self.fs, "windows")
        if not 1 <= self.length_s <= 600:
            raise UsageError(f"window length must be from 1 to 600 s, got {self.length_s:g} s")
        if not 0 < self.hop <= 600 or self.hop_samples < 1:
            raise UsageError(f"hop must be over 0 and up to 600 s, got {self.hop:g} s")
        if not 0 < self.purity <= 1:
            raise UsageError(f"purity must be over 0 and up to 1, got {self.purity:g}")

    @property
    def hop(self) -> float:
        """Hop in seconds, resolved."""
        return self.length_s if self.hop_s is None else self.hop_s

    @property
    def n_samples(self) -> int:
        """Samples of one window."""
        return round(self.length_s * self.fs)

    @property
    def hop_samples(self) -> int:
        """Samples from one window's start to the next."""
        return round(self.hop * self.fs)

    def times(self, record: Recording) -> tuple[float, float]:
        """Return length and hop in seconds of the windows of a record.

        They are those of whole samples at the rate that the record really gets, which is not quite
        :attr:`fs` where no ratio of small numbers leads there
        (:func:`ecglens.signals.resampled_fs`).
        """
        fs = resampled_fs(record.fs, self.fs)
        return self.n_samples / fs, self.hop_samples / fs


def cut_record(record: Recording, rule: WindowRule) -> Windows:
    """Cut a record into windows without labels; unreadable ones are kept.

    Raises:
        WindowError: the record is shorter than one window.
        RecordError: it lacks the leads asked for.
    """
    blocks = [
        block
        for row in lead_rows(record, rule.leads)
        for block in _lead_blocks(record, row, rule, BLOCK)
    ]
    return concatenate_windows(blocks)


def window_blocks(
    record: Recording,
    rule: WindowRule,
    size: int | None = None,
    *,
    rows: Sequence[int] | None = None,
) -> Iterator[Windows]:
    """Cut a record into the windows of :func:`cut_record`, some at a time.

    Only the stretch of the record that the block needs is read.

    Args:
        record: in memory or on disk.
        rule: how to cut.
        size: windows of a block (512 by default); the last block of a lead may have fewer.
        rows: leads by row, instead of the rule's choice.

    Raises:
        WindowError: the record is shorter than one window.
        RecordError: it lacks the leads asked for, or its file cannot be decoded.
    """
    for row in lead_rows(record, rule.leads) if rows is None else rows:
        yield from _lead_blocks(record, row, rule, size or BLOCK)


def count_windows(record: Recording, rule: WindowRule) -> int:
    """Return how many windows each lead of a record gives, 0 where it is shorter than one."""
    n_samples = _n_samples(record.n_samples, ratio_of_rates(record.fs, rule.fs))
    return max(0, (n_samples - rule.n_samples) // rule.hop_samples + 1)


def read_padded(record: Recording, start: int, stop: int, rows: Sequence[int]) -> FloatArray:
    """Return samples [start, stop) of some rows, missing (NaN) where the record has ended.

    A record that lacks less than one sample of the windows' rate still gives the last window
    (:func:`count_windows`), so at its own rate that window may end behind the record.

    Returns:
        float32, shape (n_rows, stop - start), in mV.

    Raises:
        UsageError: the stretch begins outside the record.
        RecordError: the record's file cannot be decoded.
    """
    signal = np.full((len(rows), stop - start), np.nan, dtype=np.float32)
    there = record.read(start, min(stop, record.n_samples), rows)
    signal[:, : there.shape[1]] = there
    return signal


def lead_rows(record: Recording, leads: LeadChoice) -> list[int]:
    """Return the rows of a record that a choice of leads stands for.

    Raises:
        RecordError: it lacks the leads asked for.
    """
    if leads == "first":
        return [0]
    if leads == "all":
        return list(range(record.n_leads))
    if leads == "best":
        # One lead alone need not be read to be the best.
        return [0] if record.n_leads == 1 else [choose_lead(record)]
    wanted = [leads] if isinstance(leads, str) else list(leads)
    found = (record.find_lead(lead) for lead in wanted)
    row = next((row for row in found if row is not None), None)
    return [record.lead_index(wanted[0]) if row is None else row]


def _lead_blocks(record: Recording, row: int, rule: WindowRule, size: int) -> Iterator[Windows]:
    if count_windows(record, rule) == 0:
        raise WindowError(
            f"record {record.record_id!r} lasts {record.duration_s:.1f} s, shorter than one window "
            f"of {rule.length_s:g} s; use longer recordings or shorter windows"
        )
    first = 0
    for X in _slices(_pieces(record, row, rule.fs), rule.n_samples, rule.hop_samples, size):
        yield _described(X, first, record, row, rule)
        first += len(X)


def _described(X: FloatArray, first: int, record: Recording, row: int, rule: WindowRule) -> Windows:
    n_windows = len(X)

    def same(text: str) -> StrArray:
        return np.full(n_windows, text, dtype=f"<U{max(1, len(text))}")

    places = np.arange(first, first + n_windows, dtype=np.float64)
    return Windows(
        X=X,
        fs=rule.fs,
        labels=same(""),
        subjects=same(subject_of(record)),
        databases=same(record.database),
        records=same(record.record_id),
        leads=same(record.lead_names[row]),
        start_s=places * rule.times(record)[1],
    )


def _slices(
    pieces: Iterator[FloatArray], n_samples: int, hop: int, size: int
) -> Iterator[FloatArray]:
    """Yield the windows of a signal that comes in pieces, up to ``size`` at once."""
    needed = max((size - 1) * hop + n_samples, size * hop)
    signal = np.empty(0, dtype=np.float32)  # from the start of the next window on
    for piece in pieces:
        signal = np.concatenate([signal, piece])
        while len(signal) >= needed:
            yield _cut(signal[:needed], n_samples, hop)
            signal = signal[size * hop :]
    if len(signal) >= n_samples:
        yield _cut(signal, n_samples, hop)


def _cut(signal: FloatArray, n_samples: int, hop: int) -> FloatArray:
    slices = np.lib.stride_tricks.sliding_window_view(signal, n_samples)
    return np.array(slices[::hop])


def _pieces(record: Recording, row: int, fs_out: float) -> Iterator[FloatArray]:
    """Yield one lead at another rate in pieces, which side by side are the whole lead.

    The pieces lie on a grid of their own from the start of the record, whatever is made of them
    and wherever the samples are, so the same record always gives the same numbers.
    """
    ratio = ratio_of_rates(record.fs, fs_out)
    up, down = ratio.numerator, ratio.denominator
    step = max(1, _PIECE // max(up, down)) * down
    reach = 0 if ratio == 1 else -(-_REACH * max(up, down) // (up * down)) * down
    for start in range(0, record.n_samples, step):
        stop = min(start + step, record.n_samples)
        low, high = max(0, start - reach), min(stop + reach, record.n_samples)
        signal = _at_rate(record.read(low, high, [row])[0], record.fs, fs_out)
        skipped = (start - low) // down * up
        yield signal[skipped : skipped + _n_samples(stop - start, ratio)]


def _n_samples(n_samples: int, ratio: Fraction) -> int:
    """Return how many samples resampling makes of so many."""
    return -(-n_samples * ratio.numerator // ratio.denominator)


def _at_rate(signal: FloatArray, fs: float, fs_out: float) -> FloatArray:
    """Resample one lead; samples nearest to missing ones stay missing."""
    missing = ~np.isfinite(signal)
    if not missing.any():
        return resample(signal, fs, fs_out)
    filled = fill_gaps(np.where(missing, np.nan, signal))
    moved = resample(filled, fs, fs_out).copy()
    places = np.round(np.arange(len(moved)) / float(ratio_of_rates(fs, fs_out)))
    nearest = np.minimum(places, len(signal) - 1)
    moved[missing[nearest.astype(np.intp)]] = np.nan
    return moved
