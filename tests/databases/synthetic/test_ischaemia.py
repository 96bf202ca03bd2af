"""ST deviation, planned and measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ecglens.databases.synthetic import VirtualPatient, make_beats, make_record, wave_times
from ecglens.databases.synthetic.ischaemia import LIMIT_MV, st_deviation
from ecglens.databases.synthetic.plans import make_spans

PLAN = [("N", 90.0), ("ST", 120.0), ("N", 90.0)]


def measured(patient: VirtualPatient, lead: str) -> tuple[np.ndarray, np.ndarray]:
    """Return times and deviations 60 to 80 ms behind the J point from the PR segment, in mV.

    As in the ST databases, the deviation is what has changed from the patient's usual beat.
    """
    fs = 500.0
    record = make_record(patient, PLAN, fs=fs, leads=(lead,), noise=0)
    beats = make_beats(patient, PLAN)
    usual = beats.subset((beats.kind == "sinus") & (beats.time_s < 299))
    j_s, signal = wave_times(patient, usual)["J"], record.signal[0]

    def level(at_s: np.ndarray) -> np.ndarray:
        return np.mean([signal[np.round((at_s + d) * fs).astype(int)] for d in (-0.01, 0, 0.01)], 0)

    height = level(j_s + 0.07) - level(usual.time_s - 0.08)
    return usual.time_s, height - np.median(height[usual.time_s < 30])


@pytest.mark.parametrize("lead", ["II", "V5", "aVR"])
def test_the_deviation_is_over_the_limit_inside_and_under_it_outside(
    patients: tuple[VirtualPatient, ...], lead: str
) -> None:
    for patient in patients[:6]:
        # Alone: no change of the T wave, which reaches into the ST segment of a fast heart.
        time, deviation = measured(replace(patient, st=replace(patient.st, t_share=0.0)), lead)
        inside = (time >= 90) & (time < 210)
        size = np.abs(deviation)
        assert size[inside].min() > LIMIT_MV - 0.005
        assert size[~inside].max() < LIMIT_MV
        assert size.max() == pytest.approx(patient.st.peak_mv, rel=0.15)
        assert len(np.unique(np.sign(deviation[inside]))) == 1


def test_both_directions_occur(patients: tuple[VirtualPatient, ...]) -> None:
    signs = set()
    for patient in patients[:6]:
        time, deviation = measured(patient, "II")
        signs.add(float(np.sign(deviation[(time > 120) & (time < 180)].mean())))
    assert signs == {-1.0, 1.0}


def test_it_comes_and_goes_by_ramps(regular: VirtualPatient) -> None:
    beats = make_beats(regular, PLAN)
    height = beats.st_mv
    peak = int(height.argmax())
    assert (np.diff(height[:peak]) >= 0).all()
    assert np.abs(np.diff(height)).max() < 0.05
    assert (height[(beats.time_s < 30) | (beats.time_s > 270)] == 0).all()
    assert ((height > 0) & (height < LIMIT_MV)).any(), "a ramp outside the episode"
    assert height.max() == pytest.approx(regular.st.peak_mv)


def test_a_ramp_keeps_to_half_of_its_neighbour(regular: VirtualPatient) -> None:
    spans = make_spans([("N", 10), ("ST", 200), ("VFIB", 1), ("ST", 100), ("ST", 50)])
    time = np.arange(0.05, spans[-1].end_s, 0.5)
    height = st_deviation(regular.st, spans, time)
    assert (height[time < 5] == 0).all()
    for span in spans:
        if span.rhythm == "ST":
            inside = (time >= span.start_s) & (time < span.end_s)
            assert height[inside].min() > LIMIT_MV


def test_no_episode_no_deviation(regular: VirtualPatient) -> None:
    assert not make_beats(regular, [("N", 60), ("AFIB", 60)]).st_mv.any()
