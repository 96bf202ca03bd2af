"""Beats as voltage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import detrend, find_peaks

from ecglens.databases.synthetic import VirtualPatient, make_beats, make_record, wave_times
from ecglens.databases.synthetic.waves import beat_voltage


def test_r_peaks_are_at_the_same_times_at_every_rate(regular: VirtualPatient) -> None:
    r_s = make_beats(regular, [("N", 60)]).time_s
    r_s = r_s[(r_s > 0.1) & (r_s < 59.9)]
    for fs in (125.0, 360.0, 500.0):
        signal = make_record(regular, [("N", 60)], fs=fs, noise=0).signal[0]
        found, _ = find_peaks(signal, height=0.5 * signal.max(), distance=int(0.3 * fs))
        found = found[(found > 0.1 * fs) & (found < 59.9 * fs)]
        assert len(found) == len(r_s)
        # Q and S pull the peak of the sum by a few milliseconds.
        assert np.abs(found / fs - r_s).max() < 0.5 / fs + 0.004


def test_a_lower_rate_is_the_higher_one_thinned_out(patients: tuple[VirtualPatient, ...]) -> None:
    plan = [("N", 20), ("AFIB", 20), ("VFIB", 20), ("ST", 20)]
    fast = make_record(patients[1], plan, fs=500, noise=0).signal
    slow = make_record(patients[1], plan, fs=125, noise=0).signal
    np.testing.assert_allclose(fast[:, ::4], slow, atol=1e-6)


def test_the_t_wave_follows_the_root_of_the_rr_interval(regular: VirtualPatient) -> None:
    def qt(bpm: float) -> float:
        patient = replace(regular, rate=replace(regular.rate, mean_bpm=bpm))
        beats = make_beats(patient, [("N", 120)])
        return float(np.median(wave_times(patient, beats)["T"] - beats.time_s))

    assert qt(100) / qt(50) == pytest.approx(np.sqrt(0.5), rel=0.03)


def before_r(patient: VirtualPatient, rhythm: str, *, after_s: float) -> np.ndarray:
    """Return the mean beat from 0.22 to 0.05 s before R, less its straight line, at 500 Hz.

    Only beats that follow the one before after a time count, so that its T wave is over.
    """
    time = make_beats(patient, [(rhythm, 240)]).time_s
    at = time[1:-1][np.diff(time)[:-1] > after_s]
    signal = make_record(patient, [(rhythm, 240)], fs=500, noise=0).signal[0]
    index = np.round(at * 500).astype(int)[:, None] + np.arange(-110, -25)
    return detrend(signal[index].mean(axis=0))


def test_sinus_rhythm_has_p_waves_and_af_has_none(patients: tuple[VirtualPatient, ...]) -> None:
    for patient in patients[:6]:
        sinus = before_r(patient, "N", after_s=0.0)
        af = before_r(patient, "AFIB", after_s=0.7)
        p_mv = np.dot(patient.waves[0].vector, (0.235, 1.066, -0.132))
        assert np.ptp(sinus) > 0.7 * p_mv
        assert np.square(af).sum() < 0.2 * np.square(sinus).sum()


def test_waves_are_where_the_times_say(regular: VirtualPatient) -> None:
    beats = make_beats(regular, [("N", 60), ("AFIB", 60)])
    times = wave_times(regular, beats)
    signal = make_record(regular, [("N", 60), ("AFIB", 60)], fs=500, noise=0).signal[0]
    whole = (times["R"] > 1) & (times["R"] < 59)
    for name in ("P", "T"):
        at = np.round(times[name][whole] * 500).astype(int)
        nearby = signal[at[:, None] + np.arange(-20, 21)]
        assert np.abs(nearby.argmax(axis=1) - 20).max() <= 2
    assert np.isnan(times["P"][beats.kind == "conducted"]).all()
    assert (times["J"] > times["R"]).all()


def test_ventricular_beats_are_broad_and_have_no_p(patients: tuple[VirtualPatient, ...]) -> None:
    for patient in patients:
        often = replace(patient, rate=replace(patient.rate, pvc_per_min=8.0))
        plan = [("N", 120)]
        beats, signal = make_beats(often, plan), make_record(often, plan, fs=500, noise=0).signal[0]
        assert np.isnan(wave_times(often, beats)["P"][beats.kind == "ventricular"]).all()

        def width(kind: str) -> float:
            at = beats.time_s[beats.kind == kind]  # noqa: B023
            at = np.round(at[(at > 1) & (at < 119)] * 500).astype(int)
            around = np.abs(signal[at[:, None] + np.arange(-40, 60)])  # noqa: B023
            return float((around > around.max(axis=1, keepdims=True) / 2).mean())

        assert width("ventricular") > 1.8 * width("sinus")


def test_a_stretch_is_the_same_alone_and_within_the_whole(regular: VirtualPatient) -> None:
    beats = make_beats(regular, [("ST", 40)])
    vector = np.array([0.1, 1.0, 0.2])
    whole = beat_voltage(regular, beats, vector, 250, 0, 10_000)
    part = beat_voltage(regular, beats, vector, 250, 3001, 3005)
    np.testing.assert_array_equal(part, whole[:, 3001:3005])
