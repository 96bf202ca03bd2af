"""Pure functions on sampled signals; time is the last axis and ``fs`` is always in Hz."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ecglens.errors import UsageError, WindowError
from ecglens.records import check_fs

FloatArray = npt.NDArray[np.float32]

MAX_MISSING_SHARE = 0.02
"""A window with a larger share of missing samples is unreadable; a smaller one is bridged."""

STILL_MV = 0.002
"""Peak to peak below this is no signal: less than one step (2.5 to 5 uV) of usual recorders."""

STILL_BLOCK_S = 0.5
"""Length of the blocks that are checked for a signal: shorter than any R-R interval."""

_MAX_DENOMINATOR = 10_000
"""Of a ratio of rates; the filter is 20 times as long."""

_SAME_RATE = 1e-10
"""Rates closer than this, 10 us a day, are the same."""

_MAX_UP, _MAX_DOWN = 512, 2000
"""Ratios of rates with larger numbers would need large blocks of the polyphase filter."""

_MIN_BLOCK = 32
"""Output samples per block of the polyphase filter, at least."""

_BLOCKS = 256
"""Blocks of the polyphase filter that are computed at once."""


def resample(x: npt.ArrayLike, fs: float, fs_out: float) -> FloatArray:
    """Change the sampling rate by a polyphase filter that keeps the band below both Nyquist rates.

    The filter is that of ``scipy.signal.resample_poly``: a sinc under a Kaiser window (beta 5),
    ten zero crossings to each side.

    Args:
        x: finite samples, shape (..., n_samples).
        fs: rate of ``x`` in Hz.
        fs_out: rate asked for in Hz.

    Returns:
        float32, shape (..., ceil(n_samples * ratio)), by the ratio of :func:`ratio_of_rates`.

    Raises:
        UsageError: a rate is out of range.
    """
    ratio = ratio_of_rates(fs, fs_out)
    array = np.asarray(x, dtype=np.float32)
    if ratio == 1:
        return array
    rows = array.reshape(-1, array.shape[-1])
    # A constant is taken off and put back so that the ends do not ring towards zero.
    level = np.median(rows, axis=-1, keepdims=True)
    moved = _polyphase(rows, level, ratio.numerator, ratio.denominator)
    moved += level
    return moved.reshape(*array.shape[:-1], moved.shape[-1])


def ratio_of_rates(fs: float, fs_out: float) -> Fraction:
    """Return output samples of :func:`resample` for each input sample.

    It is the nearest fraction whose denominator is 10,000 or less: exact for whole rates up to
    10 kHz and off by 1 in 10,000 at most for others; :func:`resampled_fs` tells.

    Raises:
        UsageError: a rate is out of range.
    """
    check_fs(fs, "resample")
    return Fraction(check_fs(fs_out, "resample") / fs).limit_denominator(_MAX_DENOMINATOR)


def resampled_fs(fs: float, fs_out: float) -> float:
    """Return the rate in Hz that :func:`resample` gives where ``fs_out`` is asked for."""
    ratio = ratio_of_rates(fs, fs_out)
    given = fs * ratio.numerator / ratio.denominator
    return fs_out if math.isclose(given, fs_out, rel_tol=_SAME_RATE) else given


def _polyphase(rows: FloatArray, level: FloatArray, up: int, down: int) -> FloatArray:
    """Resample (n_rows, n_samples) less a level by ``up / down``, by matrix products.

    Output samples come in blocks. Block b lies over the input samples b step - halo up to
    (b + 1) step + halo and weighs them by the same matrix as every other block. Most weights are
    zero, and it is still several times as fast as a sum for each sample.
    """
    if up > _MAX_UP or down > _MAX_DOWN:
        from scipy.signal import resample_poly

        return np.asarray(resample_poly(rows - level, up, down, axis=-1), dtype=np.float32)
    weights, step, halo = _polyphase_weights(up, down)
    n_rows, n_samples = rows.shape
    width, block = weights.shape
    n_out = -(-n_samples * up // down)
    n_blocks = -(-n_out // block)
    padded = np.zeros((n_rows, n_blocks * step + 2 * halo), dtype=np.float32)
    np.subtract(rows, level, out=padded[:, halo : halo + n_samples])
    under = np.lib.stride_tricks.sliding_window_view(padded, width, axis=-1)[:, ::step]
    moved = np.empty((n_rows, n_blocks, block), dtype=np.float32)
    # Row by row and few blocks at a time: rows are independent to the last bit, copies are small.
    for row in range(n_rows):
        for first in range(0, n_blocks, _BLOCKS):
            part = np.ascontiguousarray(under[row, first : first + _BLOCKS])
            np.matmul(part, weights, out=moved[row, first : first + _BLOCKS])
    return moved.reshape(n_rows, n_blocks * block)[:, :n_out]


@lru_cache(maxsize=16)
def _polyphase_weights(up: int, down: int) -> tuple[FloatArray, int, int]:
    """Return (weights, step, halo) of :func:`_polyphase`; weights are (step + 2 halo, block)."""
    from scipy.signal import firwin

    half = 10 * max(up, down)
    taps = up * firwin(2 * half + 1, 1 / max(up, down), window=("kaiser", 5.0))
    block = up * -(-_MIN_BLOCK // up)
    step = block * down // up
    halo = -(-half // up)
    sample = np.arange(-halo, step + halo)[:, None]
    tap = half + np.arange(block)[None, :] * down - sample * up
    inside = (tap >= 0) & (tap <= 2 * half)
    weights = np.where(inside, taps[np.clip(tap, 0, 2 * half)], 0.0)
    return read_only(weights), step, halo


def band_pass(
    x: npt.ArrayLike, fs: float, low_hz: float, high_hz: float, *, order: int = 2
) -> FloatArray:
    """Filter with a Butterworth band-pass run forwards and backwards (no phase shift).

    Args:
        x: finite samples, shape (..., n_samples).
        fs: rate in Hz.
        low_hz: lower -6 dB edge in Hz, above 0.
        high_hz: upper -6 dB edge in Hz, below fs / 2.
        order: order of one pass.

    Returns:
        float32, the shape of ``x``.

    Raises:
        UsageError: the edges do not fit the rate.
        WindowError: fewer than 2 samples.
    """
    from scipy.signal import sosfilt

    check_fs(fs, "band_pass")
    if not 0 < low_hz < high_hz < fs / 2:
        raise UsageError(
            f"band of {low_hz:g} to {high_hz:g} Hz does not fit fs {fs:g} Hz; "
            f"it needs 0 < low < high < {fs / 2:g} Hz"
        )
    array = np.asarray(x, dtype=np.float64)
    n_samples = array.shape[-1]
    if n_samples < 2:
        raise WindowError(f"a signal of {n_samples} samples cannot be filtered; it needs 2")
    sections, settled = _band_pass_sections(fs, low_hz, high_hz, order)
    # Odd reflection over one period of the lower edge settles the slow part of the filter.
    padding = min(n_samples - 1, int(np.ceil(fs / low_hz)))
    first, last = array[..., :1], array[..., -1:]
    before = 2 * first - array[..., padding:0:-1]
    after = 2 * last - array[..., -2 : -padding - 2 : -1]
    passed = np.concatenate([before, array, after], axis=-1)
    for _ in range(2):  # forwards, then backwards
        start = settled.reshape(-1, *(1,) * (array.ndim - 1), 2) * passed[..., :1]
        passed = sosfilt(sections, passed, axis=-1, zi=start)[0][..., ::-1]
    return np.asarray(passed[..., padding : padding + n_samples], dtype=np.float32)


@lru_cache(maxsize=16)
def _band_pass_sections(
    fs: float, low_hz: float, high_hz: float, order: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the filter's sections and their state, (n_sections, 2), after a long run of ones.

    Both take longer to find than a window takes to filter.
    """
    from scipy.signal import butter, sosfilt_zi

    sections = butter(order, (low_hz, high_hz), btype="bandpass", fs=fs, output="sos")
    return sections, sosfilt_zi(sections)


def read_only(values: npt.NDArray[Any]) -> FloatArray:
    """Return a float32 copy that nobody can write to, for arrays that calls share."""
    constant = values.astype(np.float32)
    constant.flags.writeable = False
    return constant


def fill_gaps(x: npt.ArrayLike) -> FloatArray:
    """Bridge missing samples (NaN) by straight lines, flat beyond the first and last sample.

    Args:
        x: shape (n_samples,) or (n_rows, n_samples); a row without any sample becomes zeros.

    Returns:
        float32 copy without NaN, or ``x`` itself as float32 where nothing is missing.
    """
    array = np.asarray(x, dtype=np.float32)
    missing = np.isnan(array)
    if not missing.any():
        return array
    filled = np.atleast_2d(array).copy()
    index = np.arange(filled.shape[-1])
    for row in np.flatnonzero(np.atleast_2d(missing).any(axis=-1)):
        there = ~np.isnan(filled[row])
        known = filled[row, there] if there.any() else np.zeros(1, np.float32)
        at = index[there] if there.any() else index[:1]
        filled[row] = np.interp(index, at, known)
    return filled.reshape(array.shape)


def unreadable_reasons(X: npt.ArrayLike, fs: float) -> npt.NDArray[np.str_]:
    """Say of every window why it cannot be judged.

    Args:
        X: windows in mV, shape (n_windows, n_samples); NaN marks missing samples.
        fs: rate in Hz.

    Returns:
        str, shape (n_windows,): ``""`` for a readable window, ``"missing"`` (more than 2 % of the
        samples are NaN or infinite) or ``"flat"`` (less than 2 uV of signal in over half of its
        half-second blocks, as with a lead that is off).
    """
    array = np.atleast_2d(np.asarray(X, dtype=np.float32))
    check_fs(fs, "unreadable_reasons")
    reasons = np.full(array.shape[0], "", dtype="<U8")
    finite = np.isfinite(array)
    still = still_share(np.where(finite, array, np.nan), fs) > 0.5
    reasons[still] = "flat"
    reasons[(~finite).mean(axis=-1) > MAX_MISSING_SHARE] = "missing"
    return reasons


def still_share(X: FloatArray, fs: float) -> npt.NDArray[np.float64]:
    """Return the share of half-second blocks of every window that hold no signal.

    Args:
        X: windows in mV, shape (n_windows, n_samples); missing samples (NaN) are not still.
        fs: rate in Hz.
    """
    n_samples = X.shape[-1]
    block = min(n_samples, max(2, round(STILL_BLOCK_S * fs)))
    n_blocks = n_samples // block
    blocks = X[:, : n_blocks * block].reshape(X.shape[0], n_blocks, block)
    # fmax and fmin pass over NaN; a block of nothing but NaN compares False and is not "still".
    with np.errstate(invalid="ignore", over="ignore"):
        height = np.fmax.reduce(blocks, axis=-1) - np.fmin.reduce(blocks, axis=-1)
        still: npt.NDArray[np.bool_] = height < STILL_MV
    return np.asarray(still.mean(axis=-1), dtype=np.float64)
