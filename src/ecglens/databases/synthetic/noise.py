"""Noise of a wanted strength, for tests of how much a model stands."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ecglens.databases.synthetic.noise_sources import BLOCK, NOISES, make_source
from ecglens.databases.synthetic.seeds import check_seed, stream
from ecglens.databases.synthetic.slow import grid_size, integrate
from ecglens.errors import UsageError, suggest
from ecglens.records import FloatArray, check_fs


def make_noise(
    kind: str,
    n_samples: int,
    *,
    fs: float,
    rms_mv: float = 1.0,
    mains_hz: float = 50.0,
    random_state: int = 0,
) -> FloatArray:
    """Make noise of one kind and exactly the wanted strength.

    Args:
        kind: ``"baseline"`` (respiration and drift), ``"muscle"`` (20 to 150 Hz or less, in
            bursts), ``"mains"`` (with harmonics), ``"recorder"`` (white) or ``"motion"`` (steps
            and bumps of an electrode).
        n_samples: length, 2 or more.
        fs: sampling rate in Hz.
        rms_mv: root mean square about the mean, in mV.
        mains_hz: frequency of the mains.
        random_state: seed.

    Returns:
        float32, shape (n_samples,), of mean 0.

    Raises:
        UsageError: unknown kind, or a number that is out of range.
    """
    if not (math.isfinite(rms_mv) and rms_mv >= 0):
        raise UsageError(f"rms_mv must be 0 or more, got {rms_mv:g}")
    return _make_rows(kind, [rms_mv], n_samples, fs, mains_hz, random_state).reshape(-1)


def add_noise(
    x: npt.ArrayLike,
    kind: str,
    *,
    fs: float,
    snr_db: float,
    mains_hz: float = 50.0,
    random_state: int = 0,
) -> FloatArray:
    """Add noise of one kind to leads at a signal-to-noise ratio.

    Args:
        x: clean signal in mV, shape (n_samples,) or (n_leads, n_samples); missing samples (NaN)
            stay missing.
        kind: see :func:`make_noise`; every lead gets noise of its own.
        fs: sampling rate in Hz.
        snr_db: 10 log10 of the variance of a lead over that of its noise.
        mains_hz: frequency of the mains.
        random_state: seed.

    Returns:
        float32, the shape of ``x``; a flat lead stays flat.

    Raises:
        UsageError: unknown kind, or a number that is out of range.
    """
    if not math.isfinite(snr_db):
        raise UsageError(f"snr_db must be a number of dB, got {snr_db}")
    array = np.asarray(x, dtype=np.float32)
    rows = np.atleast_2d(array)
    rms = np.ma.masked_invalid(rows).std(axis=-1, dtype=np.float64).filled(0.0)
    wanted = (rms * 10 ** (-snr_db / 20)).tolist()
    noisy = rows + _make_rows(kind, wanted, rows.shape[1], fs, mains_hz, random_state)
    return noisy.reshape(array.shape)


def _make_rows(
    kind: str, rms_mv: list[float], n_samples: int, fs: float, mains_hz: float, random_state: int
) -> FloatArray:
    """Return one row of noise per wanted strength."""
    if kind not in NOISES:
        raise UsageError(
            f"no noise called {kind!r}{suggest(kind, NOISES)}; known are {', '.join(NOISES)}"
        )
    check_fs(fs, "noise")
    if n_samples < 2:
        raise UsageError(f"noise needs 2 samples or more, got {n_samples}")
    if kind == "mains" and not 0 < mains_hz < fs / 2:
        raise UsageError(
            f"mains of {mains_hz:g} Hz cannot be sampled at {fs:g} Hz; fs must be over twice "
            "mains_hz"
        )
    seed = check_seed(random_state)
    noise = np.empty((len(rms_mv), n_samples), dtype=np.float32)
    for number, (row, rms) in enumerate(zip(noise, rms_mv, strict=True)):
        _fill(row, kind, stream(seed, kind, number), fs, mains_hz)
        row -= row.mean(dtype=np.float64)
        row *= rms / float(np.sqrt(np.square(row).mean(dtype=np.float64)))
    return noise


def _fill(row: FloatArray, kind: str, rng: np.random.Generator, fs: float, mains_hz: float) -> None:
    seconds = len(row) / fs
    breath = 2 * np.pi * (integrate(np.full(grid_size(seconds), 0.25)) + rng.random())
    source = make_source(kind, rng, seconds, fs, breath, mains_hz)
    for start in range(0, len(row), BLOCK):
        stop = min(start + BLOCK, len(row))
        row[start:stop] = source.read(np.arange(start, stop) / fs)
