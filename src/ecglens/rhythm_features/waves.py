"""Measures of the median beat and of what is left when it is taken out of the signal.

Everything is relative to the height of the median QRS complex, and turned so that its largest
deflection points upwards: neither gain nor polarity matters.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import fft

FloatArray = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Beats = npt.NDArray[np.intp]

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


def measure_waves(signal: FloatArray, beats: Beats) -> Floats:
    """Return the measures of :data:`WAVE_NAMES`; zeros for fewer than 3 whole beats.

    Args:
        signal: one window without its baseline, shape (n_samples,), 125 Hz.
        beats: sample indices of its R peaks.
    """
    whole = beats[(beats >= _BEFORE) & (beats < len(signal) - _AFTER)]
    if len(whole) < MIN_BEATS:
        return np.zeros(len(WAVE_NAMES))
    each = signal[whole[:, None] + np.arange(-_BEFORE, _AFTER + 1)].astype(np.float64)
    each -= each[:, _PQ].mean(axis=1, keepdims=True)
    usual = np.median(each, axis=0)
    qrs = usual[_QRS]
    size = np.ptp(qrs)
    if size <= 1e-6 * max(1.0, float(np.abs(usual).max())):
        return np.zeros(len(WAVE_NAMES))
    if -qrs.min() > qrs.max():
        size = -size
    each, usual = each / size, usual / size
    left = _residue(signal / size, whole, usual)
    return np.concatenate([_profile(usual), _atrial(each, usual, left), _ventricular(each, usual)])


def _profile(usual: Floats) -> Floats:
    centre = _BEFORE + np.round(np.array(PROFILE_MS) * FS / 1000).astype(int)
    return np.asarray((usual[centre - 1] + usual[centre] + usual[centre + 1]) / _SMOOTH)


def _residue(signal: Floats, beats: Beats, usual: Floats) -> Floats:
    """Return the signal between first and last beat less the median beat at every beat."""
    left = np.asarray(signal, dtype=np.float64).copy()
    model = np.zeros(len(signal))
    model[beats[:, None] + np.arange(-_BEFORE, _AFTER + 1)] = usual
    left -= model
    # QRS complexes that differ a little leave large remains.
    first, last = left[beats - 8, None], left[beats + 8, None]
    left[beats[:, None] + np.arange(-8, 9)] = first + (last - first) * np.linspace(0, 1, 17)
    part = left[beats[0] - _BEFORE : beats[-1] + _AFTER + 1]
    return np.asarray(part - part.mean())


def _atrial(each: Floats, usual: Floats, left: Floats) -> Floats:
    onset = _onset(usual)
    before = slice(max(0, onset - 2 - _P_SAMPLES), max(_QUIET, onset - 2))
    p, p_each = usual[before], each[:, before]
    bump = p - np.linspace(p[:3].mean(), p[-3:].mean(), len(p))
    length = fft.next_fast_len(len(left), real=True)
    power = np.abs(fft.rfft(left * _taper(len(left)), length)) ** 2
    slow, wide = _band(4, 9, length), _band(0.7, 40, length)
    share = power[slow].sum() / (power[wide].sum() + 1e-12)
    peak = power[slow].max() / (power[slow].mean() + 1e-12)
    spread = float(left.std())
    return np.array(
        [
            bump[np.argmax(np.abs(bump))],
            _shared(p_each),
            np.median(_alike(p_each, p)),
            np.median((p_each - p).std(axis=1)),
            share,
            spread * np.sqrt(share),
            np.log1p(peak),
            spread,
            (_BEFORE - onset) / FS,
        ]
    )


@lru_cache(maxsize=2048)
def _taper(length: int) -> Floats:
    """Return a Hann window; making one takes longer than using it."""
    return np.hanning(length)


def _band(low_hz: float, high_hz: float, length: int) -> slice:
    """Return the bins of a spectrum of ``length`` samples from one frequency to another."""
    return slice(int(np.ceil(low_hz * length / FS)), int(high_hz * length / FS) + 1)


def _onset(usual: Floats) -> int:
    """Return the sample where the QRS complex begins: where 24 ms before it are not steep."""
    steep = np.abs(np.diff(usual[: _BEFORE + 1])) > _STEEP
    still = ~steep[:-2] & ~steep[1:-1] & ~steep[2:]
    # The flat top of R is no onset: the search starts 24 ms before it.
    found = np.flatnonzero(still[: _BEFORE - 2 * _QUIET])
    return int(found[-1]) + _QUIET if len(found) else _BEFORE - _QRS_MOST


def _alike(parts: Floats, usual: Floats) -> Floats:
    """Return the correlation of every row with ``usual``; 0 for a flat one."""
    rows = parts - parts.mean(axis=1, keepdims=True)
    shape = usual - usual.mean()
    return np.asarray(rows @ shape / (np.linalg.norm(rows, axis=1) * np.linalg.norm(shape) + 1e-12))


def _shared(parts: Floats) -> float:
    """Return the power of the mean over the mean power, rows less their means: 1 / n to 1."""
    centred = parts - parts.mean(axis=1, keepdims=True)
    return float(np.mean(centred.mean(axis=0) ** 2) / (np.mean(centred**2) + 1e-12))


def _ventricular(each: Floats, usual: Floats) -> Floats:
    alike = _alike(each[:, _QRS], usual[_QRS])
    heights = np.ptp(each[:, _QRS], axis=1)
    t = usual[_T]
    st = usual[_ST].mean()
    slope = usual[_LATER_ST].mean() - st
    return np.array(
        [
            np.count_nonzero(np.abs(np.diff(usual[_part(-120, 120)])) > 0.05) / FS,
            alike.mean(),
            alike.min(),
            heights.std() / (heights.mean() + 1e-12),
            usual[_QRS].min(),
            st,
            slope,
            each[:, _ST].mean(axis=1).std(),
            t.max(),
            t.min(),
            t.mean(),
            (np.argmax(np.abs(t - t.mean())) + _T.start - _BEFORE) / FS,
        ]
    )
