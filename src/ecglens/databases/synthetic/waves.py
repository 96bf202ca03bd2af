"""Beats to voltage: sums of Gaussian events on the three axes of the heart's dipole.

The closed form of McSharry, Clifford, Tarassenko and Smith 2003 (IEEE TBME 50(3), 289-294): their
differential equations make each beat a sum of Gaussian events; given the R peaks the sum can be
written down, which is exact, fast and the same at every sampling rate. Three axes instead of one
lead as in Sameni, Clifford, Jutten and Shamsollahi 2007 (EURASIP J Adv Signal Process, 43407).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ecglens.databases.synthetic.beats import ATRIAL, LONGEST_RR_S, SINUS, VENTRICULAR, Beats
from ecglens.databases.synthetic.patients import VirtualPatient, Wave
from ecglens.databases.synthetic.slow import Floats

REACH_S = 1.2
"""No wave reaches farther from its R peak than this."""

J_POINT_S = 0.045
"""From the R peak to the end of the QRS complex of a beat that is not ventricular."""

_REACH = 5.0  # in standard deviations: 4e-6 of the peak is left


def wave_times(patient: VirtualPatient, beats: Beats) -> dict[str, Floats]:
    """Return when the waves of every beat are, in seconds; NaN where a beat lacks one.

    Returns:
        Peaks of ``"P"``, ``"R"`` and ``"T"`` and the ``"J"`` point (the end of the QRS complex, of
        beats that are not ventricular), each of shape (n_beats,).
    """
    p, *_, t = patient.waves
    ventricular = beats.kind == VENTRICULAR
    times = {
        "P": np.full(len(beats.time_s), np.nan),
        "R": beats.time_s,
        "J": np.where(ventricular, np.nan, beats.time_s + J_POINT_S),
        "T": np.where(ventricular, _peaks(patient.premature_waves[-1], beats), _peaks(t, beats)),
    }
    for kind, wave in ((SINUS, p), (ATRIAL, patient.premature_p)):
        of = beats.kind == kind
        times["P"][of] = _peaks(wave, beats)[of]
    return times


def _peaks(wave: Wave, beats: Beats) -> Floats:
    return np.asarray(beats.time_s + wave.offset_s * beats.rr_s**wave.rate_power)


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
    bounds = (start / fs - REACH_S, stop / fs + REACH_S)
    near = beats.subset(slice(*np.searchsorted(beats.time_s, bounds)))
    usual = near.subset(near.kind != VENTRICULAR)
    sheet = _Sheet(fs, start, np.zeros((3, stop - start)))
    p, *qrs, t = patient.waves
    _draw(sheet, p, near.subset(near.kind == SINUS))
    _draw(sheet, patient.premature_p, near.subset(near.kind == ATRIAL))
    for wave in qrs:
        _draw(sheet, wave, usual)
    _draw(sheet, t, usual, 1 + patient.st.t_share * usual.st_mv / patient.st.peak_mv)
    for wave in patient.premature_waves:
        _draw(sheet, wave, near.subset(near.kind == VENTRICULAR))
    _draw_st(sheet, patient, st_vector, usual.subset(usual.st_mv > 0))
    return sheet.voltage


@dataclass(frozen=True, eq=False)
class _Sheet:
    """A stretch of voltage (3, n_samples) that starts at a sample."""

    fs: float
    start: int
    voltage: Floats

    def around(self, time_s: Floats, reach_s: float) -> tuple[npt.NDArray[np.intp], Floats]:
        """Return the samples around times and how far behind them these are in seconds.

        Both have shape (n_times, n_samples).
        """
        half = int(np.ceil(reach_s * self.fs)) + 1
        middle = np.round(time_s * self.fs).astype(np.intp)
        index = middle[:, None] + np.arange(-half, half + 1)
        return index, index / self.fs - time_s[:, None]

    def add(self, index: npt.NDArray[np.intp], shape: Floats, vector: Floats) -> None:
        """Add shapes at their samples, leaving out what lies beyond the ends."""
        index, n = index - self.start, self.voltage.shape[1]
        inside = (index >= 0) & (index < n)
        total = np.bincount(index[inside], weights=shape[inside], minlength=n)
        np.add(self.voltage, vector[:, None] * total, out=self.voltage)


def _draw(sheet: _Sheet, wave: Wave, beats: Beats, growth: Floats | float = 1.0) -> None:
    """Add one wave of some beats."""
    scale = beats.rr_s**wave.rate_power
    reach_s = _REACH * max(wave.rise_s, wave.fall_s) * LONGEST_RR_S**wave.rate_power
    index, away = sheet.around(_peaks(wave, beats), reach_s)
    ratio = away / (np.where(away < 0, wave.rise_s, wave.fall_s) * scale[:, None])
    shape = np.where(np.abs(ratio) < _REACH, np.exp(-0.5 * ratio**2), 0.0)
    sheet.add(index, shape * (beats.size * growth)[:, None], np.array(wave.vector))


def _draw_st(sheet: _Sheet, patient: VirtualPatient, vector: Floats, beats: Beats) -> None:
    """Add a plateau from the J point into the T wave, whose ends are error functions."""
    from scipy.special import erf

    index, away = sheet.around(beats.time_s + 0.25, 0.55)
    since_j = away + 0.25 - J_POINT_S
    t = patient.waves[-1]
    length = (t.offset_s + 0.01) * beats.rr_s**t.rate_power - J_POINT_S
    shape = 0.5 * (erf(since_j / 0.018) - erf((since_j - length[:, None]) / 0.05))
    shape *= 1 + patient.st.slope_per_s * np.maximum(since_j - 0.065, 0)
    sheet.add(index, shape * beats.st_mv[:, None], vector)
