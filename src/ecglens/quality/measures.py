"""How fit each window is to be judged, and which fault makes it unfit."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from ecglens.errors import UsageError, WindowError
from ecglens.quality.clipping import clipped_share
from ecglens.quality.silence import SILENT, SILENT_MV, SILENT_S, silent_windows
from ecglens.records import check_fs
from ecglens.signals import MAX_MISSING_SHARE, fill_gaps, still_share, unreadable_reasons

FloatArray = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
StrArray = npt.NDArray[np.str_]

REASONS = ("missing", "flat", "saturated", "mains", "muscle", "motion")
"""Why a window may be unreadable, the first counting where several are equally bad; where none
holds, :data:`ecglens.quality.SILENT` may."""

ECG_BAND_HZ = (1.0, 30.0)
"""Where the power of P-QRS-T and of ventricular fibrillation lies (Clifford et al. 2012)."""

MUSCLE_BAND_HZ = (32.0, 48.0)
"""Above most of the ECG, below the mains: there between the beats is little but muscle."""

MAINS_HZ = (50.0, 60.0)

_LINE_HZ = 0.7  # half the width of a mains line, whose frequency is kept within 0.5 Hz
_BESIDE_HZ = 3.0  # how far its neighbourhood reaches
_HEIGHT_BLOCK_S = 2.0  # holds a beat at 30 a minute
_FLOOR_BLOCK_S = 0.1  # at 180 beats a minute more than half of these hold no QRS
_SWING_BLOCK_S = 0.5  # its mean passes motion and wander, and little of fibrillation
_SWING_S = 2.0
_TINY = np.finfo(np.float32).tiny
_AT_ONCE = 256


@dataclass(frozen=True)
class QualityLimits:
    """From which measure on a window is unreadable; see docs/quality.md for how they were chosen.

    Attributes:
        saturated: share of the samples that lie on clipped tops, 0 to 1.
        mains: height (peak to peak) of the mains line over that of the ECG.
        muscle: rms of 32 to 48 Hz between the beats over that of 1 to 30 Hz.
        motion: height of the baseline's largest swing in 2 s over that of the ECG.
        silent_mv: height in mV below which four seconds of a window must not lie where no beats
            can be counted.

    Raises:
        UsageError: a limit is not above 0.
    """

    saturated: float = 0.08
    mains: float = 2.0
    muscle: float = 0.45
    motion: float = 3.0
    silent_mv: float = SILENT_MV

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise UsageError(f"quality limit {field.name} must be over 0, got {value:g}")


@dataclass(frozen=True, eq=False)
class Quality:
    """Quality of windows; every array has shape (n_windows,).

    Attributes:
        score: 1 for a clean window, 0.5 at the limit of what is readable, 0 for nothing.
        reasons: ``""`` for a readable window, else the worst of :data:`REASONS`, or
            :data:`ecglens.quality.SILENT`.
        missing: share of missing samples.
        flat: share of half-second blocks without a signal.
        saturated: and the other measures: see :class:`QualityLimits`.
        quiet: peak to peak (1 to 30 Hz) that the quietest four seconds do not exceed, in the unit
            of the windows; NaN where a window is too short to tell.
    """

    score: Floats
    reasons: StrArray
    missing: Floats
    flat: Floats
    saturated: Floats
    mains: Floats
    muscle: Floats
    motion: Floats
    quiet: Floats

    def __len__(self) -> int:
        return len(self.score)

    @property
    def readable(self) -> npt.NDArray[np.bool_]:
        """Which windows can be judged."""
        return np.asarray(self.reasons == "")


def measure_quality(
    X: npt.ArrayLike,
    fs: float,
    limits: QualityLimits | None = None,
    *,
    in_mv: bool | npt.NDArray[np.bool_] = False,
) -> Quality:
    """Measure the quality of every window by itself.

    All but ``flat`` compares the window with itself, so that offset, gain, sign and unit change
    nothing. A fault weighs its measure over its limit; the score is 1 / (1 + w ** 2) of the
    heaviest, and a window of a score under 0.5 is unreadable. What
    :func:`ecglens.signals.unreadable_reasons` refuses is unreadable too, with score 0.

    Where amplitudes are known, a window that is free of faults, for four seconds lower than
    ``limits.silent_mv`` and without beats is :data:`ecglens.quality.SILENT`, with score 0.

    Args:
        X: windows in mV (or any unit), shape (n_windows, n_samples); NaN marks missing samples.
        fs: rate in Hz. Mains are seen from 104 Hz (50 Hz) or 124 Hz (60 Hz) on, muscle from 100 Hz.
        limits: of the measures.
        in_mv: whether amplitudes are known to be in mV, for all windows or for each.

    Raises:
        UsageError: ``fs`` is out of range.
        WindowError: ``X`` is not (n_windows, n_samples), or has no samples.
    """
    check_fs(fs, "measure_quality")
    array = np.asarray(X, dtype=np.float32)
    if array.ndim != 2 or array.shape[1] == 0:
        raise WindowError(
            f"X has shape {array.shape}; it must be (n_windows, n_samples) with 1 sample or more"
        )
    limits = limits or QualityLimits()
    measures = {name: np.zeros(len(array)) for name in (*REASONS, "quiet")}
    refused = np.full(len(array), "", dtype="<U16")
    for start in range(0, len(array), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        refused[part] = unreadable_reasons(array[part], fs)
        for name, values in _measure(array[part], fs).items():
            measures[name][part] = values
    weights = np.stack([measures[name] / _limit(name, limits) for name in REASONS])
    score = 1 / (1 + np.square(weights.max(axis=0)))
    worst = np.array(REASONS)[weights.argmax(axis=0)]
    faults = np.where(score < 0.5, worst, "")
    looked_at = (refused == "") & (faults == "") & np.asarray(in_mv)
    known_mv = np.where(looked_at, measures["quiet"], np.nan)
    refused[silent_windows(array, fs, known_mv, limits.silent_mv)] = SILENT
    score[refused != ""] = 0.0
    return Quality(score=score, reasons=np.where(refused != "", refused, faults), **measures)


def _limit(name: str, limits: QualityLimits) -> float:
    fixed = {"missing": MAX_MISSING_SHARE, "flat": 0.5}
    return fixed[name] if name in fixed else float(getattr(limits, name))


def _measure(X: FloatArray, fs: float) -> dict[str, Floats]:
    """Return every measure of some windows, 0 ("quiet" NaN) where one holds too little to tell."""
    finite = np.isfinite(X)
    known = np.where(finite, X, np.nan)
    missing = 1 - finite.mean(axis=-1)
    flat = still_share(known, fs)
    signal = fill_gaps(known)
    if signal.shape[-1] < max(4, fs):
        nothing, unknown = np.zeros(len(X)), np.full(len(X), np.nan)
        names = (*REASONS, "quiet")
        return dict(zip(names, (missing, flat, *[nothing] * 4, unknown), strict=True))
    # Counts may be as large as floats can be; their squares must not overflow.
    largest = np.maximum(np.abs(signal).max(axis=-1, keepdims=True), _TINY)
    signal = signal / largest
    signal -= signal.mean(axis=-1, keepdims=True)
    spectrum, hz = _spectrum(signal, fs)
    ecg = _band(spectrum, hz, ECG_BAND_HZ, signal.shape[-1])
    height = _height(ecg, fs)
    return {
        "missing": missing,
        "flat": flat,
        "saturated": clipped_share(signal, fs),
        "mains": _mains_height(spectrum, hz, signal.shape[-1]) / height,
        "muscle": _muscle_floor(spectrum, hz, signal.shape[-1], fs) / _strength(ecg, fs),
        "motion": _swing(signal, fs) / height,
        "quiet": _quiet(ecg, fs) * largest[:, 0].astype(np.float64),
    }


def _spectrum(signal: FloatArray, fs: float) -> tuple[npt.NDArray[np.complex64], Floats]:
    """Return the spectrum about the straight line from end to end, and its frequencies in Hz."""
    from scipy.fft import rfft

    n_samples = signal.shape[-1]
    line = np.linspace(0, 1, n_samples, dtype=np.float32)
    # Without the line the spectrum would be that of a step where the end meets the start.
    level = signal - signal[:, :1] - (signal[:, -1:] - signal[:, :1]) * line
    return rfft(level, axis=-1), np.arange(n_samples // 2 + 1) * (fs / n_samples)


def _band(
    spectrum: npt.NDArray[np.complex64], hz: Floats, band_hz: tuple[float, float], n_samples: int
) -> FloatArray:
    """Return the part of a signal that lies within a band."""
    from scipy.fft import irfft

    inside = slice(*np.searchsorted(hz, band_hz))
    part = np.zeros_like(spectrum)
    part[:, inside] = spectrum[:, inside]
    return np.asarray(irfft(part, n=n_samples, axis=-1))


def _blocks(signal: FloatArray, fs: float, length_s: float) -> FloatArray:
    """Return whole blocks of a length, shape (n_windows, n_blocks, n_samples of a block)."""
    size = min(signal.shape[-1], max(1, round(length_s * fs)))
    n_blocks = signal.shape[-1] // size
    return signal[:, : n_blocks * size].reshape(len(signal), n_blocks, size)


def _height(signal: FloatArray, fs: float) -> Floats:
    """Return the usual height of the ECG: the median over blocks, so that no artefact counts."""
    blocks = _blocks(signal, fs, _HEIGHT_BLOCK_S)
    height = np.median(blocks.max(axis=-1) - blocks.min(axis=-1), axis=-1)
    return np.asarray(np.maximum(height.astype(np.float64), _TINY))


def _quiet(signal: FloatArray, fs: float) -> Floats:
    """Return the height that the quietest four seconds stay within, in blocks of two.

    NaN where the windows are shorter.
    """
    blocks = _blocks(signal, fs, _HEIGHT_BLOCK_S)
    heights = np.sort(blocks.max(axis=-1) - blocks.min(axis=-1), axis=-1)
    n_blocks = round(SILENT_S / _HEIGHT_BLOCK_S)
    if heights.shape[1] < n_blocks:
        return np.full(len(heights), np.nan)
    return np.asarray(heights[:, n_blocks - 1], dtype=np.float64)


def _strength(signal: FloatArray, fs: float) -> Floats:
    """Return the usual rms of the ECG, in which fibrillation counts as much as narrow beats."""
    power = np.median(np.square(_blocks(signal, fs, _HEIGHT_BLOCK_S)).mean(axis=-1), axis=-1)
    return np.asarray(np.maximum(np.sqrt(power.astype(np.float64)), _TINY))


def _muscle_floor(
    spectrum: npt.NDArray[np.complex64], hz: Floats, n_samples: int, fs: float
) -> Floats:
    """Return the rms of the muscle band in the median block, which no QRS makes larger."""
    low, high = MUSCLE_BAND_HZ
    if fs / 2 < high + 2:
        return np.zeros(len(spectrum))
    blocks = _blocks(_band(spectrum, hz, (low, high), n_samples), fs, _FLOOR_BLOCK_S)
    power = np.median(np.square(blocks).mean(axis=-1), axis=-1)
    return np.asarray(np.sqrt(power.astype(np.float64)))


def _mains_height(spectrum: npt.NDArray[np.complex64], hz: Floats, n_samples: int) -> Floats:
    """Return the peak to peak of the stronger mains line, as far as it stands out."""
    power = np.zeros(len(spectrum))
    for mains_hz in MAINS_HZ:
        if mains_hz + 2 > hz[-1]:
            continue
        distance = np.abs(hz - mains_hz)
        line, beside = distance <= _LINE_HZ, (distance > _LINE_HZ) & (distance <= _BESIDE_HZ)
        density = np.square(np.abs(spectrum[:, line | beside])).astype(np.float64)
        is_line = line[line | beside]
        usual = np.median(density[:, ~is_line], axis=-1) / np.log(2)
        power = np.maximum(power, density[:, is_line].sum(axis=-1) - is_line.sum() * usual)
    # A sine of amplitude a has |X|^2 of (a n / 2)^2, spread over the line.
    return np.asarray(4 * np.sqrt(np.maximum(power, 0)) / n_samples)


def _swing(signal: FloatArray, fs: float) -> Floats:
    """Return the largest peak to peak of the baseline (means of half seconds) within two seconds.

    A drift that takes the whole window hides no rhythm; a step or a bump does.
    """
    means = _blocks(signal, fs, _SWING_BLOCK_S).mean(axis=-1)
    span = min(means.shape[-1], round(_SWING_S / _SWING_BLOCK_S) + 1)
    spans = np.lib.stride_tricks.sliding_window_view(means, span, axis=-1)
    swing = (spans.max(axis=-1) - spans.min(axis=-1)).max(axis=-1)
    return np.asarray(swing, dtype=np.float64)
