"""Noisy copies of windows, to train on and to test with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ecglens.databases.synthetic.noise import add_noise
from ecglens.errors import UsageError
from ecglens.windows.data import Windows

TRAINING_NOISES = ("baseline", "muscle", "motion")
"""Noise of body and electrode (:func:`ecglens.databases.synthetic.noise.make_noise`)."""

TRAINING_SNR_DB = (0.0, 24.0)
"""From noise as strong as the signal to noise that is hardly seen."""


def add_noise_to_windows(
    windows: Windows,
    *,
    kinds: Sequence[str] = TRAINING_NOISES,
    snr_db: tuple[float, float] = TRAINING_SNR_DB,
    random_state: int = 0,
) -> Windows:
    """Return a noisy copy of every window, of the same person and class.

    Each window gets noise of its own: one of ``kinds``, at a signal-to-noise ratio drawn evenly
    from ``snr_db``. What a window gets depends on its place and on ``random_state``.

    Args:
        windows: the windows; missing samples stay missing.
        kinds: of noise, see :func:`ecglens.databases.synthetic.noise.make_noise`.
        snr_db: least and greatest ratio in dB.
        random_state: seed.

    Raises:
        UsageError: no kind, an unknown one, or ratios out of order.
    """
    low, high = snr_db
    if not kinds or not low <= high:
        raise UsageError(
            f"noisy windows need a kind of noise and ratios in order, got {list(kinds)} and "
            f"{low:g} to {high:g} dB"
        )
    rng = np.random.default_rng(random_state)
    chosen = rng.integers(len(kinds), size=len(windows))
    ratios = rng.uniform(low, high, size=len(windows))
    seeds = rng.integers(2**31, size=len(windows))
    X = np.empty_like(windows.X)
    drawn = zip(windows.X, chosen.tolist(), ratios.tolist(), seeds.tolist(), strict=True)
    for row, (x, kind, ratio, seed) in enumerate(drawn):
        X[row] = add_noise(x, kinds[kind], fs=windows.fs, snr_db=ratio, random_state=seed)
    return replace(windows, X=X)
