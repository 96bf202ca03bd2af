"""What to mind: a sampling rate that is low or looks wrong, and stretches that show no heart."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ecglens.quality import SILENT, SILENT_MV
from ecglens.records import Recording
from ecglens.rhythm_features import RHYTHM_NAMES, measure_rhythm
from ecglens.signals import unreadable_reasons

PLAUSIBLE_RATE = (40.0, 130.0)
"""Median heart rate of a record in beats/min outside of which its sampling rate is doubted: hearts
at rest beat 50 to 100 times, and a rate wrong by two makes 35 or 140 of 70."""

WIDE_QRS_S = 0.12
"""QRS complexes are wider than this in a bundle branch block (Surawicz et al., AHA/ACCF/HRS 2009,
doi:10.1161/CIRCULATIONAHA.108.191095), and in a recording that is read too slowly."""

LEAST_SHARE = 0.02
"""Share of the power over 12 Hz below which wide QRS complexes are doubted: blocks leave more."""

_ENOUGH = 3

_FEW_RATES = 0.1
"""Share of the readable windows with a heart rate, below which beats are said to be missing."""

_LOOKS = 24
_LOOK_S = 10.0
_HIGH_BANDS = [
    RHYTHM_NAMES.index(f"band_{band}hz") for band in ("12_16", "16_22", "22_30", "30_40")
]


def doubts_of_rate(
    record: Recording, row: int, heart_rate: npt.NDArray[np.float64], n_readable: int
) -> list[str]:
    """Say what speaks against the sampling rate of a recording: heart rate, or width of beats.

    Of 34 recordings of mitdb none, and of 15 of vfdb one, is doubted at its own rate;
    docs/research/robust.md tells how many are at a wrong one.

    Args:
        record: the recording.
        row: the lead that was judged.
        heart_rate: of each window, NaN where it is not known.
        n_readable: windows that could be judged.

    Returns:
        No sentence, or one.
    """
    return _of_heart_rate(heart_rate, n_readable) or _of_width(record, row)


def doubts_of_band(fs: float, highest_hz: float) -> list[str]:
    """Say that a recording holds less than a model looks at; docs/studies.md tells what it costs.

    Args:
        fs: sampling rate of the recording in Hz.
        highest_hz: highest frequency that the model looks at.

    Returns:
        No sentence, or one.
    """
    if fs >= 2 * highest_hz:
        return []
    return [
        f"sampled at {fs:g} Hz, which holds nothing over {fs / 2:g} Hz, and the model looks at up "
        f"to {highest_hz:g} Hz: its figures do not hold here"
    ]


def doubts_of_silence(
    reasons: npt.NDArray[np.str_], stretch_s: npt.NDArray[np.float64]
) -> list[str]:
    """Say that windows show no heart at work, which a person has to look at.

    Args:
        reasons: why each window has no class, ``""`` where it has one.
        stretch_s: seconds that each speaks for.

    Returns:
        No sentence, or one.
    """
    silent = reasons == SILENT
    if not silent.any():
        return []
    return [
        f'{float(stretch_s[silent].sum()):.0f} s are called "{SILENT}": no beats and less than '
        f"{SILENT_MV:g} mV; asystole, fine fibrillation or a lead that shows no heart: look at them"
    ]


def _of_heart_rate(heart_rate: npt.NDArray[np.float64], n_readable: int) -> list[str]:
    """Say that a heart rate is one that hardly anyone keeps for a whole record, or is none."""
    n_known = int(np.isfinite(heart_rate).sum())
    if n_readable >= _ENOUGH and n_known < _FEW_RATES * n_readable:
        return [
            f"beats can be counted in {n_known} of {n_readable} readable windows; "
            "if there are beats, is the sampling rate right (--fs)?"
        ]
    if n_known < _ENOUGH:
        return []
    usual = float(np.nanmedian(heart_rate))
    slowest, fastest = PLAUSIBLE_RATE
    if slowest <= usual <= fastest:
        return []
    return [
        f"the median heart rate is {usual:.0f}/min, which is doubtful; "
        "is the sampling rate right (--fs)?"
    ]


def _of_width(record: Recording, row: int) -> list[str]:
    """Say that beats are wide and smooth, as in a recording that is read too slowly.

    Read four times too slowly, T waves are as high and as far apart as beats, and what is counted
    makes a heart rate that is none.
    """
    size = round(_LOOK_S * record.fs)
    n_looks = min(_LOOKS, record.n_samples // size)
    if n_looks < _ENOUGH:
        return []
    # In the middle of equal parts, so that putting on and taking off the electrodes count little.
    middle = (np.arange(n_looks) + 0.5) * (record.n_samples / n_looks)
    starts = (middle - size / 2).astype(int).tolist()
    looks = np.concatenate([record.read(start, start + size, [row]) for start in starts])
    readable = unreadable_reasons(looks, record.fs) == ""
    measures = measure_rhythm(looks[readable], record.fs)
    with_waves = measures[measures[:, RHYTHM_NAMES.index("has_waves")] > 0]
    if len(with_waves) < _ENOUGH:
        return []
    width_s = float(np.median(with_waves[:, RHYTHM_NAMES.index("qrs_width_s")]))
    share = float(np.median(measures[:, _HIGH_BANDS].sum(axis=1)))
    if width_s <= WIDE_QRS_S or share >= LEAST_SHARE:
        return []
    return [
        f"beats are {1000 * width_s:.0f} ms wide and have {share:.1%} of their power over 12 Hz, "
        "as if read too slowly; is the sampling rate right (--fs)?"
    ]
