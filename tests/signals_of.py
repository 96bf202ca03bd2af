"""Small signals for tests: no more than shapes that can be told apart."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ecglens.records import Lead, Record, RhythmSpan

FloatArray = npt.NDArray[np.float32]


def beats(
    seconds: float, fs: float, *, rate_hz: float = 1.2, jitter: float = 0.0, seed: int = 0
) -> FloatArray:
    """Return narrow bumps of 1 mV at a rate, with irregular intervals where jitter is over 0."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * fs)) / fs
    steps = 1 / rate_hz * (1 + jitter * rng.uniform(-1, 1, size=int(seconds * rate_hz * 3) + 3))
    at = np.cumsum(steps)
    signal = sum(np.exp(-0.5 * ((time - t) / 0.02) ** 2) for t in at if t < seconds + 1)
    return np.asarray(signal + 0.01 * rng.normal(size=time.size), dtype=np.float32)


def fibrillation(seconds: float, fs: float, *, hz: float = 5.0, seed: int = 0) -> FloatArray:
    """Return a drifting sine of about ``hz``."""
    rng = np.random.default_rng(seed)
    n = round(seconds * fs)
    drift = np.cumsum(rng.normal(scale=0.02, size=n)) / np.sqrt(fs)
    phase = 2 * np.pi * np.cumsum(hz + drift) / fs
    return np.asarray(np.sin(phase) + 0.02 * rng.normal(size=n), dtype=np.float32)


def record_of(
    rhythm: str, seconds: float = 60.0, fs: float = 100.0, *, seed: int = 0, name: str = "r1"
) -> Record:
    """Return a record of one rhythm (N, AFIB or VF) throughout."""
    make = {
        "N": lambda: beats(seconds, fs, seed=seed),
        "AFIB": lambda: beats(seconds, fs, jitter=0.5, rate_hz=1.6, seed=seed),
        "VF": lambda: fibrillation(seconds, fs, seed=seed),
    }
    return Record(
        signal=make[rhythm]()[None],
        fs=fs,
        leads=(Lead("II"),),
        record_id=name,
        database="made",
        rhythms=(RhythmSpan(0.0, seconds, rhythm),),
    )
