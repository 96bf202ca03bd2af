"""Beats to voltage: sums of Gaussian events on the three axes of the heart's dipole.

The closed form of McSharry, Clifford, Tarassenko and Smith 2003 (IEEE TBME 50(3), 289-294): their
differential equations make each beat a sum of Gaussian events; given the R peaks the sum can be
written down, which is exact, fast and the same at every sampling rate. Three axes instead of one
lead as in Sameni, Clifford, Jutten and Shamsollahi 2007 (EURASIP J Adv Signal Process, 43407).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ecglens.databases.synthetic.beats import ATRIAL, SINUS, VENTRICULAR, Beats
from ecglens.databases.synthetic.patients import VirtualPatient, Wave
from ecglens.databases.synthetic.slow import Floats

REACH_S = 1.2
"""No wave reaches farther from its R peak than this."""

_REACH = 5.0  # in standard deviations: 4e-6 of the peak is left
_J_POINT_S = 0.045


def beat_voltage(
    patient: VirtualPatient, beats: Beats, st_vector: Floats, fs: float, start: int, stop: int
) -> Floats:
    """Return the voltage of all beats on the axes left, feet and back.

    Args:
        patient: the person.
        beats: of the whole record.
        st_vector: what an ST deviation of 1 mV is on the axes.
        fs: sampling rate in Hz.
        start: first sample.
        stop: behind the last sample.

    Returns:
        mV, shape (3, stop - start).
    """
    near = slice(*np.searchsorted(beats.time_s, (start / fs - REACH_S, stop / fs + REACH_S)))
    time, rr, size = beats.time_s[near], beats.rr_s[near], beats.size[near]
    kind, st_mv = beats.kind[near], beats.st_mv[near]
    voltage = np.zeros((3, stop - start))
    p, *qrs, t = patient.waves
    t_size = size * (1 + patient.st.t_share * st_mv / patient.st.peak_mv)
    usual = kind != VENTRICULAR
    turns: list[tuple[Wave, npt.NDArray[np.bool_], Floats]] = [
        (p, kind == SINUS, size),
        (patient.premature_p, kind == ATRIAL, size),
        *((wave, usual, size) for wave in qrs),
        (t, usual, t_size),
        *((wave, ~usual, size) for wave in patient.premature_waves),
    ]
    for wave, of, height in turns:
        _add_wave(voltage, wave, time[of], rr[of], height[of], fs, start)
    shifted = usual & (st_mv != 0)
    _add_st(voltage, st_vector, t, time[shifted], rr[shifted], st_mv[shifted], fs, start)
    return voltage


def _add_wave(
    voltage: Floats, wave: Wave, time: Floats, rr: Floats, height: Floats, fs: float, start: int
) -> None:
    if not len(time):
        return
    scale = rr**wave.rate_power
    peak = time + wave.offset_s * scale
    reach_s = _REACH * max(wave.rise_s, wave.fall_s) * 1.5**wave.rate_power
    index, away = _around(peak, reach_s, fs)
    width = np.where(away < 0, wave.rise_s, wave.fall_s) * scale[:, None]
    ratio = away / width
    shape = np.where(np.abs(ratio) < _REACH, np.exp(-0.5 * ratio**2), 0.0) * height[:, None]
    _scatter(voltage, index - start, shape, np.array(wave.vector))


def _add_st(
    voltage: Floats, vector: Floats, t: Wave, time: Floats, rr: Floats, st_mv: Floats, fs: float,
    start: int,
) -> None:  # fmt: skip
    """Add a plateau from the J point into the T wave, whose ends are error functions."""
    from scipy.special import erf

    if not len(time):
        return
    begin, end = _J_POINT_S, (t.offset_s + 0.01) * np.sqrt(rr)[:, None]
    index, away = _around(time + 0.2, 0.4, fs)
    since_r = away + 0.2
    shape = 0.5 * (erf((since_r - begin) / 0.018) - erf((since_r - end) / 0.05))
    _scatter(voltage, index - start, shape * st_mv[:, None], vector)


def _around(peak: Floats, reach_s: float, fs: float) -> tuple[npt.NDArray[np.intp], Floats]:
    """Return the samples around each peak and their time from it, both (n_peaks, n_near)."""
    half = int(np.ceil(reach_s * fs)) + 1
    middle = np.round(peak * fs).astype(np.intp)
    index = middle[:, None] + np.arange(-half, half + 1)
    return index, index / fs - peak[:, None]


def _scatter(voltage: Floats, index: npt.NDArray[np.intp], shape: Floats, vector: Floats) -> None:
    """Add shapes at their samples, leaving out what lies beyond the ends."""
    n = voltage.shape[1]
    inside = (index >= 0) & (index < n)
    voltage += vector[:, None] * np.bincount(index[inside], weights=shape[inside], minlength=n)
