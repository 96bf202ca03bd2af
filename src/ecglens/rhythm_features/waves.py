"""Measures of the median beat and of what is left when it is taken out of the signal.

Everything is relative to the height of the median QRS complex, and turned so that its largest
deflection points upwards: neither gain nor polarity matters.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import fft

from ecglens.groups import Groups, lengths

FloatArray = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]

FS = 125.0
"""Rate in Hz of the windows measured here."""

PROFILE_MS = tuple(range(-272, 465, 32))
"""Times from the R peak at which the median beat is given, each a mean over 24 ms."""

WAVE_NAMES = (
    *(f"beat_{ms:+d}ms" for ms in PROFILE_MS),
    "p_height", "p_shared", "p_alike", "p_residue", "f_share", "f_residue", "f_peak", "residue",
    "qrs_onset_s", "qrs_width_s", "qrs_alike", "qrs_least_alike", "qrs_cv", "qrs_negative",
    "st_level", "st_slope", "st_change", "t_height", "t_depth", "t_area", "t_time_s",
)  # fmt: skip
"""In order: the median beat.

Of the atria: height of the P wave; share of the power in the 160 ms before the QRS complex that all
beats share (near 1 with P waves, 1 / n_beats without); median correlation of a beat with the median
beat there; size of what is left there. Of the signal less the median beat: share of the power from
4 to 9 Hz, its size, the height of its peak there; size of all that is left.

Of the ventricles: time from QRS onset to R; QRS width; mean and least correlation of QRS complexes
with the median; variation of their height; depth of the opposite deflection; level of the ST
segment 60 to 100 ms behind R, its slope to 160 ms, its variation between beats; highest, lowest and
mean T wave and the time of its extreme."""

MIN_BEATS = 3

_BEFORE, _AFTER = 35, 60  # samples of a beat around its R peak: 280 and 480 ms
_AROUND = np.arange(-_BEFORE, _AFTER + 1)
_SMOOTH = 3


def _part(from_ms: int, to_ms: int) -> slice:
    """Return the samples of a beat between two times from its R peak."""
    first, last = (round(ms * FS / 1000) + _BEFORE for ms in (from_ms, to_ms))
    return slice(first, last + 1)


_PQ = _part(-88, -56)
_QRS = _part(-64, 64)
_ST = _part(60, 100)
_LATER_ST = _part(140, 180)
_T = _part(140, 420)
_P_SAMPLES = 20  # 160 ms
_QRS_MOST = 15  # samples from onset to R: 120 ms
_QUIET = 3  # samples: 24 ms
_STEEP = 0.03  # of the height of the QRS complex, per sample


def measure_waves(X: FloatArray, beats: Groups, at: Index) -> Floats:
    """Return the measures of :data:`WAVE_NAMES`, shape (n_windows, n_measures).

    Zeros for windows of fewer than 3 whole beats.

    Args:
        X: windows without their baseline, shape (n_windows, n_samples), 125 Hz.
        beats: which beats are of one window.
        at: the sample of every R peak in its window, shape (n_beats,).
    """
    out = np.zeros((len(X), len(WAVE_NAMES)))
    whole = (at >= _BEFORE) & (at < X.shape[1] - _AFTER)
    beats, at = beats.where(whole), at[whole]
    enough = beats.sizes >= MIN_BEATS
    found = _Beats.cut(X, *_only(beats, at, enough), np.flatnonzero(enough))
    if len(found.windows):
        parts = [_profile(found.usual), _atrial(found), _ventricular(found)]
        out[found.windows] = np.concatenate(parts, axis=1)
    return out


@dataclass(frozen=True, eq=False)
class _Beats:
    """The beats of windows in which they can be measured, in parts of the median QRS height.

    Attributes:
        windows: index of the windows, shape (n,).
        X: the windows themselves, shape (n, n_samples).
        groups: which beats are of one of them.
        at: sample of every R peak, shape (n_beats,).
        each: the beats, each around its R peak, shape (n_beats, 96).
        usual: the median beats, shape (n, 96).
    """

    windows: Index
    X: Floats
    groups: Groups
    at: Index
    each: Floats
    usual: Floats

    @classmethod
    def cut(cls, X: FloatArray, groups: Groups, at: Index, windows: Index) -> Self:
        """Cut out the beats of ``windows`` and leave windows without a height out."""
        each = X[windows[groups.member][:, None], at[:, None] + _AROUND].astype(np.float64)
        each -= each[:, _PQ].mean(axis=1, keepdims=True)
        usual = groups.median(each)
        qrs = usual[:, _QRS]
        size = np.ptp(qrs, axis=1)
        has_size = size > 1e-6 * np.maximum(1.0, np.abs(usual).max(axis=1))
        size = np.where(-qrs.min(axis=1) > qrs.max(axis=1), -size, size)
        left, mine = groups.only(has_size)
        windows, size = windows[has_size], size[has_size, None]
        return cls(
            windows=windows,
            X=X[windows] / size,
            groups=left,
            at=at[mine],
            each=each[mine] / size[left.member],
            usual=usual[has_size] / size,
        )


def _only(groups: Groups, values: Index, chosen: npt.NDArray[np.bool_]) -> tuple[Groups, Index]:
    left, mine = groups.only(chosen)
    return left, values[mine]


def _profile(usual: Floats) -> Floats:
    centre = _BEFORE + np.round(np.array(PROFILE_MS) * FS / 1000).astype(int)
    return np.asarray((usual[:, centre - 1] + usual[:, centre] + usual[:, centre + 1]) / _SMOOTH)


def _atrial(beats: _Beats) -> Floats:
    """Return the measures of P waves, and of what is left without the median beat, (n, 9)."""
    groups = beats.groups
    onset = _onset(beats.usual)
    # The 160 ms before the QRS complex, fewer where it begins early: the first are then no part.
    stop = np.maximum(_QUIET, onset - 2)
    n_samples = stop - np.maximum(0, onset - 2 - _P_SAMPLES)
    place = np.arange(_P_SAMPLES) - (_P_SAMPLES - n_samples)[:, None]
    index = np.maximum(stop[:, None] - _P_SAMPLES + np.arange(_P_SAMPLES), 0)
    part = _Part(place >= 0, n_samples)
    p = np.take_along_axis(beats.usual, index, axis=1)
    p_each = np.take_along_axis(beats.each, index[groups.member], axis=1)
    begin = np.where((place >= 0) & (place < 3), p, 0.0).sum(axis=1, keepdims=True) / 3
    end = p[:, -3:].mean(axis=1, keepdims=True)
    line = begin + (end - begin) * place / (n_samples[:, None] - 1)
    bump = np.where(part.there, p - line, 0.0)
    highest = np.argmax(np.abs(bump), axis=1)
    of_beats = part.of(groups.member)
    rows, shape = of_beats.centred(p_each), part.centred(p)
    likeness = (rows * shape[groups.member]).sum(axis=1)
    likeness /= lengths(rows) * lengths(shape)[groups.member] + 1e-12
    shared = part.mean(groups.mean(rows) ** 2) / (groups.mean(of_beats.mean(rows**2)) + 1e-12)
    residue = of_beats.centred(p_each - p[groups.member])
    return np.column_stack(
        [
            bump[np.arange(len(bump)), highest],
            shared,
            groups.median(likeness),
            groups.median(np.sqrt(of_beats.mean(residue**2))),
            _of_residue(beats),
            (_BEFORE - onset) / FS,
        ]
    )


@dataclass(frozen=True, eq=False)
class _Part:
    """The samples of rows that count, shape (n_rows, 20), and their number, shape (n_rows,)."""

    there: npt.NDArray[np.bool_]
    n_samples: Index

    def of(self, rows: Index) -> _Part:
        return _Part(self.there[rows], self.n_samples[rows])

    def mean(self, values: Floats) -> Floats:
        return np.asarray(np.where(self.there, values, 0.0).sum(axis=1) / self.n_samples)

    def centred(self, values: Floats) -> Floats:
        return np.where(self.there, values - self.mean(values)[:, None], 0.0)


def _of_residue(beats: _Beats) -> Floats:
    """Return share, size and peak of 4 to 9 Hz, and size, of what is no median beat, (n, 4)."""
    first = beats.at[beats.groups.starts] - _BEFORE
    stop = beats.at[beats.groups.starts + beats.groups.sizes - 1] + _AFTER + 1
    found = []
    for row, low, high in zip(_without_beats(beats), first, stop, strict=True):
        part = row[low:high] - row[low:high].mean()
        length = fft.next_fast_len(len(part), real=True)
        found_at = fft.rfft(part * _taper(len(part)), length)
        power = found_at.real**2 + found_at.imag**2
        slow = power[_band(4, 9, length)]
        share = slow.sum() / (power[_band(0.7, 40, length)].sum() + 1e-12)
        spread = np.sqrt(part @ part / len(part))
        peak = slow.max() / (slow.mean() + 1e-12)
        found.append((share, spread * np.sqrt(share), np.log1p(peak), spread))
    return np.array(found)


def _without_beats(beats: _Beats) -> Floats:
    """Return the windows less the median beat at every beat, (n, n_samples)."""
    member = beats.groups.member[:, None]
    model = np.zeros(beats.X.shape)
    # Where two overlap the later one stays: assignment goes through the beats in order.
    model[member, beats.at[:, None] + _AROUND] = beats.usual[beats.groups.member]
    left = beats.X - model
    # QRS complexes that differ a little leave large remains.
    inner = beats.at[:, None] + np.arange(-8, 9)
    first, last = left[member, inner[:, :1]], left[member, inner[:, -1:]]
    left[member, inner] = first + (last - first) * np.linspace(0, 1, 17)
    return np.asarray(left)


@lru_cache(maxsize=2048)
def _taper(length: int) -> Floats:
    """Return a Hann window; making one takes longer than using it."""
    return np.hanning(length)


def _band(low_hz: float, high_hz: float, length: int) -> slice:
    """Return the bins of a spectrum of ``length`` samples from one frequency to another."""
    return slice(int(np.ceil(low_hz * length / FS)), int(high_hz * length / FS) + 1)


def _onset(usual: Floats) -> Index:
    """Return the samples where QRS complexes begin: where 24 ms before are not steep, (n,)."""
    steep = np.abs(np.diff(usual[:, : _BEFORE + 1], axis=1)) > _STEEP
    still = ~steep[:, :-2] & ~steep[:, 1:-1] & ~steep[:, 2:]
    # The flat top of R is no onset: the search starts 24 ms before it.
    backwards = still[:, : _BEFORE - 2 * _QUIET][:, ::-1]
    last = backwards.shape[1] - 1 - backwards.argmax(axis=1)
    return np.where(backwards.any(axis=1), last + _QUIET, _BEFORE - _QRS_MOST)


def _ventricular(beats: _Beats) -> Floats:
    """Return the measures of QRS complexes, ST segments and T waves, (n, 12)."""
    usual, groups = beats.usual, beats.groups
    qrs_each, qrs = beats.each[:, _QRS], usual[:, _QRS]
    rows = qrs_each - qrs_each.mean(axis=1, keepdims=True)
    shape = qrs - qrs.mean(axis=1, keepdims=True)
    alike = (rows * shape[groups.member]).sum(axis=1)
    alike /= lengths(rows) * lengths(shape)[groups.member] + 1e-12
    heights = np.ptp(qrs_each, axis=1)
    t = usual[:, _T]
    st = usual[:, _ST].mean(axis=1)
    steep = np.abs(np.diff(usual[:, _part(-120, 120)], axis=1)) > 0.05
    extreme = np.argmax(np.abs(t - t.mean(axis=1, keepdims=True)), axis=1)
    return np.column_stack(
        [
            np.count_nonzero(steep, axis=1) / FS,
            groups.mean(alike),
            groups.least(alike),
            _spread(groups, heights) / (groups.mean(heights) + 1e-12),
            qrs.min(axis=1),
            st,
            usual[:, _LATER_ST].mean(axis=1) - st,
            _spread(groups, beats.each[:, _ST].mean(axis=1)),
            t.max(axis=1),
            t.min(axis=1),
            t.mean(axis=1),
            (extreme + _T.start - _BEFORE) / FS,
        ]
    )


def _spread(groups: Groups, values: Floats) -> Floats:
    """Return the standard deviation of every group."""
    return np.sqrt(groups.mean((values - groups.mean(values)[groups.member]) ** 2))
