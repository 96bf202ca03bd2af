"""What a recording may suffer: pure functions on windows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from ecglens.databases.synthetic.noise import add_noise
from ecglens.errors import UsageError, suggest
from ecglens.signals import resample

FloatArray = npt.NDArray[np.float32]
Change = Callable[[FloatArray, float, int], FloatArray]

NOISES = {
    "baseline": "baseline wander",
    "muscle": "muscle noise",
    "motion": "electrode motion",
}
SNR_DB = (24.0, 18.0, 12.0, 6.0, 0.0, -6.0)
MAINS_HZ = (50.0, 60.0)
MAINS_TIMES = (0.1, 0.3, 1.0, 3.0)
RATES_HZ = (1000.0, 500.0, 250.0, 100.0, 75.0, 50.0)
GAINS = (0.1, 0.3, 3.0, 10.0)
FULL_SCALE_MV, BITS = 5.0, 8
MISSING_PERCENT = (1, 2, 5, 10, 20, 30)
STRETCH_S = 0.5
BANDS_HZ = {"0.05–150": (0.05, 150.0), "0.5–40": (0.5, 40.0), "1–25": (1.0, 25.0)}


@dataclass(frozen=True)
class Stress:
    """One thing that happens to a recording, at one strength.

    Attributes:
        kind: what happens.
        unit: of the level, for the axis.
        level: how much, in words.
        change: takes windows (n_windows, n_samples) in mV, their rate in Hz and a seed, and
            returns windows of the same shape; NaN marks samples that went missing.
        above_hz: windows must have a higher rate than this to be able to suffer it.
    """

    kind: str
    unit: str
    level: str
    change: Change
    above_hz: float = 0.0


CLEAN = Stress("clean", "", "clean", lambda X, _fs, _seed: X)


def all_stresses(families: Sequence[str] | None = None) -> tuple[Stress, ...]:
    """Return the stresses of the study, each kind from mild to harsh.

    Args:
        families: of :data:`FAMILIES`; None for all.

    Raises:
        UsageError: there is no such family.
    """
    asked = FAMILIES if families is None else families
    for name in asked:
        if name not in FAMILIES:
            raise UsageError(
                f"no stress called {name!r}{suggest(name, FAMILIES)}; known are "
                f"{', '.join(FAMILIES)}"
            )
    return tuple(stress for name in FAMILIES if name in asked for stress in FAMILIES[name]())


def _noise(kind: str) -> Iterator[Stress]:
    for snr_db in SNR_DB:

        def change(X: FloatArray, fs: float, seed: int, snr_db: float = snr_db) -> FloatArray:
            return add_noise(X, kind, fs=fs, snr_db=snr_db, random_state=seed)

        yield Stress(NOISES[kind], "signal to noise, dB", f"{snr_db:g}", change)


def _mains() -> Iterator[Stress]:
    for hz in MAINS_HZ:
        for times in MAINS_TIMES:

            def change(
                X: FloatArray, fs: float, seed: int, hz: float = hz, times: float = times
            ) -> FloatArray:
                snr_db = -20 * math.log10(times)
                return add_noise(X, "mains", fs=fs, snr_db=snr_db, mains_hz=hz, random_state=seed)

            yield Stress(
                f"mains, {hz:g} Hz", "times the signal's rms", f"{times:g}", change, 2 * hz
            )


def _rates() -> Iterator[Stress]:
    for rate in RATES_HZ:

        def change(X: FloatArray, fs: float, _seed: int, rate: float = rate) -> FloatArray:
            return through_rate(X, fs, rate)

        yield Stress("sampling rate", "Hz", f"{rate:g}", change)


def _gains() -> Iterator[Stress]:
    yield Stress("gain", "times", "-1", lambda X, _fs, _seed: -X)
    for gain in GAINS:

        def scale(X: FloatArray, _fs: float, _seed: int, gain: float = gain) -> FloatArray:
            return X * np.float32(gain)

        yield Stress("gain", "times", f"{gain:g}", scale)


def _bits() -> Iterator[Stress]:
    for gain in sorted((1.0, *GAINS)):

        def convert(X: FloatArray, _fs: float, _seed: int, gain: float = gain) -> FloatArray:
            return quantise(X * np.float32(gain), BITS, FULL_SCALE_MV)

        kind = f"gain, then {BITS} bits of ±{FULL_SCALE_MV:g} mV"
        yield Stress(kind, "times", f"{gain:g}", convert)


def _missing() -> Iterator[Stress]:
    for percent in MISSING_PERCENT:

        def change(X: FloatArray, fs: float, seed: int, percent: int = percent) -> FloatArray:
            return with_gaps(X, fs, percent / 100, seed)

        yield Stress("missing samples", "per cent, in stretches", f"{percent}", change)


def _bands() -> Iterator[Stress]:
    for name, (low_hz, high_hz) in BANDS_HZ.items():

        def change(
            X: FloatArray, fs: float, _seed: int, low: float = low_hz, high: float = high_hz
        ) -> FloatArray:
            return front_end(X, fs, low, high)

        yield Stress("front end", "Hz, one-way filter", name, change)


FAMILIES: Mapping[str, Callable[[], Iterator[Stress]]] = MappingProxyType(
    {
        **{kind: partial(_noise, kind) for kind in NOISES},
        "mains": _mains,
        "rate": _rates,
        "gain": _gains,
        "bits": _bits,
        "missing": _missing,
        "band": _bands,
    }
)
"""What may happen, by a short name."""


def through_rate(X: FloatArray, fs: float, rate: float) -> FloatArray:
    """Return windows as a recorder of another rate gives them, back at their own.

    Args:
        X: shape (n_windows, n_samples), without missing samples.
        fs: their rate in Hz.
        rate: of the recorder in Hz.
    """
    return resample(resample(X, fs, rate), rate, fs)[:, : X.shape[1]]


def quantise(X: FloatArray, bits: int, full_scale_mv: float) -> FloatArray:
    """Return windows in the steps of a converter; what is beyond its range is clipped.

    Args:
        X: in mV, shape (n_windows, n_samples).
        bits: of the converter.
        full_scale_mv: it reaches from minus to plus this.
    """
    step = 2 * full_scale_mv / 2**bits
    half = 2 ** (bits - 1)
    counts = np.clip(np.round(X / step), -half, half - 1)
    return np.asarray(counts * step, dtype=np.float32)


def with_gaps(X: FloatArray, fs: float, share: float, seed: int) -> FloatArray:
    """Return windows of which a share is missing (NaN), in stretches of half a second or less.

    Of large shares two stretches may touch.

    Args:
        X: shape (n_windows, n_samples).
        fs: their rate in Hz.
        share: of the samples, 0 to 1.
        seed: of their places.
    """
    n_samples = X.shape[1]
    n_missing = round(share * n_samples)
    n_gaps = max(1, math.ceil(n_missing / (STRETCH_S * fs)))
    lengths = np.diff(np.linspace(0, n_missing, n_gaps + 1).round().astype(int))
    rng = np.random.default_rng(seed)
    changed = np.array(X, dtype=np.float32)
    for row in changed:
        before = np.sort(rng.integers(0, n_samples - n_missing + 1, size=n_gaps))
        starts = before + np.concatenate([[0], np.cumsum(lengths)[:-1]])
        for start, length in zip(starts, lengths, strict=True):
            row[start : start + length] = np.nan
    return changed


def front_end(X: FloatArray, fs: float, low_hz: float, high_hz: float) -> FloatArray:
    """Return windows through a recorder's filter: Butterworth of order 2, run one way, as it must.

    It moves ST segments, as monitors do, which the two-way filter of images does not. An upper
    edge beyond half the rate is left out.

    Args:
        X: shape (n_windows, n_samples), without missing samples.
        fs: their rate in Hz.
        low_hz: lower edge in Hz.
        high_hz: upper edge in Hz.
    """
    from scipy.signal import butter, sosfilt, sosfilt_zi

    passed = np.asarray(X, dtype=np.float64)
    filters = [butter(2, low_hz, btype="highpass", fs=fs, output="sos")]
    if high_hz < fs / 2:
        filters.append(butter(2, high_hz, btype="lowpass", fs=fs, output="sos"))
    for sections in filters:
        start = sosfilt_zi(sections)[:, None, :] * passed[None, :, :1]
        passed = sosfilt(sections, passed, axis=-1, zi=start)[0]
    return np.asarray(passed, dtype=np.float32)
