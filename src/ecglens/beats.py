"""Heart beats: where R peaks are, and how fast they follow each other.

The detector is that of Pan and Tompkins (IEEE Trans Biomed Eng 1985, doi:10.1109/TBME.1985.325532)
as the package sleepecg has it, compiled. Around it stand what windows of any origin need: one
rate, no polarity, no error where there is no beat, and no beat where only noise is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from ecglens.errors import UsageError
from ecglens.groups import Groups, lengths
from ecglens.records import check_fs
from ecglens.signals import band_pass, fill_gaps, resample

FloatArray = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Beats = npt.NDArray[np.intp]

DETECTION_FS = 125.0
"""Rate in Hz at which beats are sought. At 250 Hz no more are found (mitdb), in twice the time."""

QRS_BAND_HZ = (5.0, 30.0)
"""Where QRS complexes have their energy (Pan and Tompkins; the detector's own band)."""

SHORTEST_S = 2.5
"""No beats are sought in less: the detector learns its thresholds from the first 2 s."""

MIN_BEATS = 3
"""A rate needs two R-R intervals."""

MIN_CONTRAST = 4.0
"""Power at beats over power between them. Of 4,511 windows of five databases, 0.7 % of those with
beats have less, and 92 % of those with ventricular fibrillation."""

_QRS_HALF_S = 0.064
_MIN_SIZE = 0.15
_NEIGHBOURS = 31
_ALIKE = 0.8
_FIVE_POINTS = np.array([-1.0, -2.0, 0.0, 2.0, 1.0])


def find_beats(signal: npt.ArrayLike, fs: float) -> Beats:
    """Find R peaks, whichever way they point.

    On ten-second windows of 34 records of mitdb (first lead, 2,034 windows without flutter) 98.8 %
    of the annotated beats are found within 150 ms and 99.2 % of those found are annotated. Where
    there is no QRS complex (ventricular fibrillation, noise) the detector still finds peaks;
    :meth:`WindowBeats.contrast` tells whether they stand out.

    Args:
        signal: one lead in any unit, shape (n_samples,); NaN and infinity mark missing samples.
        fs: its rate in Hz.

    Returns:
        Sample indices, ascending, shape (n_beats,); empty where the signal is flat, missing or
        shorter than 2.5 s.

    Raises:
        UsageError: the signal has two dimensions, or ``fs`` is out of range.
    """
    array = np.asarray(signal, dtype=np.float32)
    if array.ndim != 1:
        raise UsageError(
            f"find_beats takes one lead, shape (n_samples,), got shape {array.shape}; "
            "call it for each lead"
        )
    check_fs(fs, "find_beats")
    known = np.isfinite(array)
    if array.size < SHORTEST_S * fs or not known.any():
        return np.empty(0, np.intp)
    beats = find_window_beats(array[None], fs).beats[0]
    at = np.minimum(np.round(beats * (fs / DETECTION_FS)).astype(np.intp), array.size - 1)
    return at[known[at]]


def heart_rates(X: npt.ArrayLike, fs: float) -> Floats:
    """Return the heart rate of every window: 60 over its median R-R interval.

    Args:
        X: windows, shape (n_windows, n_samples), in any unit; NaN marks missing samples.
        fs: their rate in Hz.

    Returns:
        Beats per minute, shape (n_windows,); NaN where fewer than 3 beats are found or they do not
        stand out from what is between them, as in ventricular fibrillation and noise.

    Raises:
        UsageError: ``X`` has not two dimensions, or ``fs`` is out of range.
    """
    found = find_window_beats(X, fs)
    intervals, first = found.groups.neighbours()
    known = (found.groups.sizes >= MIN_BEATS) & (found.contrast() >= MIN_CONTRAST)
    usual = intervals.median((found.at[first + 1] - found.at[first]).astype(np.float64))
    return np.where(known, 60 * DETECTION_FS / np.where(known, usual, 1.0), np.nan)


@dataclass(frozen=True)
class WindowBeats:
    """Windows at :data:`DETECTION_FS` and their beats.

    Attributes:
        X: the windows, gaps bridged, shape (n_windows, m).
        qrs: the same in the band of QRS complexes.
        beats: of each window, as indices into its row.
    """

    X: FloatArray
    qrs: FloatArray
    beats: Sequence[Beats]

    @cached_property
    def groups(self) -> Groups:
        """Which of the beats of all windows are of one."""
        return Groups.of_lists(self.beats)

    @cached_property
    def at(self) -> Beats:
        """The beats of all windows behind each other, shape (n_beats,)."""
        return np.concatenate([np.empty(0, np.intp), *self.beats])

    def contrast(self) -> Floats:
        """Return the power within 64 ms of beats over the power between them, (n_windows,).

        Returns:
            About 60 for a clean sinus rhythm and 2 for ventricular fibrillation; 0 without a beat
            or without anything else.
        """
        power = np.square(self.qrs, dtype=np.float64)
        at_beat = np.zeros(power.shape, dtype=bool)
        at_beat[self.groups.member[:, None], _around(self.at, power.shape[1])] = True
        n_at, n_between = at_beat.sum(axis=1), (~at_beat).sum(axis=1)
        inside = np.where(at_beat, power, 0.0).sum(axis=1) / np.maximum(n_at, 1)
        between = np.where(at_beat, 0.0, power).sum(axis=1) / np.maximum(n_between, 1)
        largest = power.max(axis=1, initial=0.0)
        known = (n_at > 0) & (n_between > 0) & (largest > 0)
        return np.where(known, inside / np.where(known, between + 1e-9 * largest, 1.0), 0.0)

    def usual(self) -> npt.NDArray[np.bool_]:
        """Tell the beats that look like most of their window from ectopic ones and artefacts.

        Returns:
            Whether a QRS complex correlates by 0.8 or more with the median one and is half to twice
            as high, shape (n_beats,), in the order of :attr:`at`.
        """
        groups = self.groups
        around = _around(self.at, self.qrs.shape[1])
        each: Floats = self.qrs[groups.member[:, None], around].astype(np.float64)
        shape = groups.median(each)
        shape -= shape.mean(axis=1, keepdims=True)
        each -= each.mean(axis=1, keepdims=True)
        norm = lengths(each) * lengths(shape)[groups.member]
        alike = (each * shape[groups.member]).sum(axis=1) >= _ALIKE * norm
        size = np.ptp(each, axis=1)
        height = size / np.maximum(groups.median(size), 1e-12)[groups.member]
        usual: npt.NDArray[np.bool_] = alike & (height >= 0.5) & (height <= 2.0)
        return usual


def find_window_beats(X: npt.ArrayLike, fs: float) -> WindowBeats:
    """Bring windows to :data:`DETECTION_FS` and find the beats of each.

    Args:
        X: windows, shape (n_windows, n_samples), in any unit; NaN marks missing samples.
        fs: their rate in Hz.

    Raises:
        UsageError: ``X`` has not two dimensions, or ``fs`` is out of range.
    """
    array = np.asarray(X, dtype=np.float32)
    if array.ndim != 2:
        raise UsageError(
            f"windows must have shape (n_windows, n_samples), got {array.shape}; "
            "one window is X[None]"
        )
    check_fs(fs, "find_window_beats")
    if array.shape[1] < SHORTEST_S * fs:
        nothing = np.zeros((len(array), int(np.ceil(array.shape[1] * DETECTION_FS / fs))), "f4")
        return WindowBeats(nothing, nothing, [np.empty(0, np.intp) for _ in array])
    whole = resample(fill_gaps(np.where(np.isfinite(array), array, np.nan)), fs, DETECTION_FS)
    qrs = band_pass(whole, DETECTION_FS, *QRS_BAND_HZ)
    return WindowBeats(whole, qrs, _without_small(_detected(whole, qrs), qrs))


def _detected(whole: FloatArray, qrs: FloatArray) -> list[Beats]:
    """Return what the detector takes for beats; ``qrs`` is ``whole`` in the band of QRS."""
    changes = whole[:, 1:] != whole[:, :-1]
    first = np.where(changes.any(axis=1), changes.argmax(axis=1), whole.shape[1])
    wide = qrs.astype(np.float64)
    # The detector looks for peaks that point upwards; QRS complexes are the skewed part.
    sign = np.where((wide * wide * wide).sum(axis=1) < 0, -1.0, 1.0)
    upright: Floats = sign[:, None] * whole.astype(np.float64)
    beats = [np.empty(0, np.intp)] * len(whole)
    at_once = np.flatnonzero(first == 0)
    for row, found in zip(at_once, _detector()(upright[at_once]), strict=True):
        beats[row] = found
    # sleepecg reads two seconds without asking whether the signal is that long.
    longest = whole.shape[1] - SHORTEST_S * DETECTION_FS
    for row in np.flatnonzero((first > 0) & (first <= longest)):
        beats[row] = _one_by_one(upright[row : row + 1, first[row] :])[0] + first[row]
    return beats


@lru_cache(maxsize=1)
def _detector() -> Callable[[Floats], list[Beats]]:
    """Return the detector for many windows of which none begins with a flat line.

    Its own function designs filters and settles them anew for every window, which takes ten times
    as long as finding the beats. The compiled parts are no promise of the package, so its function
    stands in where they are not.
    """
    try:
        from sleepecg._heartbeat_detection import _squared_moving_integration, _thresholding
    except ImportError:
        return _one_by_one
    from scipy.signal import butter, sosfiltfilt

    sections = butter(2, QRS_BAND_HZ, btype="bandpass", output="sos", fs=DETECTION_FS)

    def together(upright: Floats) -> list[Beats]:
        beats = []
        for row in np.ascontiguousarray(sosfiltfilt(sections, upright, axis=-1)):
            slope = np.correlate(row, _FIVE_POINTS, mode="same")
            energy = _squared_moving_integration(slope, int(0.15 * DETECTION_FS))
            beats.append(np.flatnonzero(_thresholding(row, energy, DETECTION_FS)))
        return beats

    return together


def _one_by_one(upright: Floats) -> list[Beats]:
    from sleepecg.heartbeats import detect_heartbeats

    return [np.asarray(detect_heartbeats(row, DETECTION_FS), dtype=np.intp) for row in upright]


def _without_small(beats: list[Beats], qrs: FloatArray) -> list[Beats]:
    """Leave out P and T waves that the detector took for beats in a pause."""
    groups = Groups.of_lists(beats)
    at = np.concatenate([np.empty(0, np.intp), *beats])
    size = np.ptp(qrs[groups.member[:, None], _around(at, qrs.shape[1])], axis=1)
    size = size.astype(np.float64)
    usual = groups.median(size)[groups.member]
    for row in np.flatnonzero(groups.sizes > _NEIGHBOURS):
        from scipy.ndimage import median_filter

        mine = slice(groups.starts[row], groups.starts[row] + groups.sizes[row])
        usual[mine] = median_filter(size[mine], _NEIGHBOURS, mode="nearest")
    large = (size >= _MIN_SIZE * usual) | (groups.sizes < MIN_BEATS)[groups.member]
    kept, left = at[large], groups.where(large)
    return [kept[start : start + n] for start, n in zip(left.starts, left.sizes, strict=True)]


def _around(beats: Beats, n_samples: int) -> Beats:
    """Return the indices around every beat, shape (n_beats, 17), held inside the signal."""
    half = round(_QRS_HALF_S * DETECTION_FS)
    around = beats[:, None] + np.arange(-half, half + 1)
    return np.asarray(np.clip(around, 0, n_samples - 1), dtype=np.intp)
