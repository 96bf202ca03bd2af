"""Windows that show no heart at work: no beats, and hardly any amplitude."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ecglens.beats import heart_rates

SILENT = "asystole or flat"
"""Why such a window is unreadable. One lead cannot tell a heart that stands still from very fine
fibrillation, nor from a lead that lies badly or is off."""

SILENT_MV = 0.2
"""Peak to peak below which fibrillation is fine and no shock is asked of a defibrillator; asystole
lies lower still (Kerber et al. 1997, Circulation 95:1677, doi 10.1161/01.CIR.95.6.1677)."""

SILENT_S = 4.0
"""Without a QRS complex for so long a heart stands still in the eyes of a monitor (Clifford et al.
2015, Computing in Cardiology 42:273, doi 10.1109/CIC.2015.7408639)."""


def silent_windows(
    X: npt.NDArray[np.float32], fs: float, quiet_mv: npt.NDArray[np.float64], limit_mv: float
) -> npt.NDArray[np.bool_]:
    """Tell windows that are low and hold no beats that could be counted.

    Beats are sought in low windows alone, whatever their size, so that a low lead of a heart that
    beats is not silent.

    Args:
        X: windows, shape (n_windows, n_samples); NaN marks missing samples.
        fs: rate in Hz.
        quiet_mv: peak to peak of the quietest four seconds of each in mV, shape (n_windows,); NaN
            where it is not known, and such a window is never silent.
        limit_mv: below which a window is low.
    """
    silent = np.asarray(quiet_mv < limit_mv)
    if silent.any():
        silent[silent] = np.isnan(heart_rates(X[silent], fs))
    return silent
