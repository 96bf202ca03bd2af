"""When virtual hearts beat."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import welch
from scipy.stats import ks_2samp

from ecglens.databases.synthetic import VirtualPatient, make_beats
from ecglens.databases.synthetic.beats import SHORTEST_S


def intervals(patient: VirtualPatient, rhythm: str, seconds: float = 300.0) -> np.ndarray:
    return np.diff(make_beats(patient, [(rhythm, seconds)]).time_s)


def test_sinus_rhythm_has_a_mayer_wave_and_a_breath(regular: VirtualPatient) -> None:
    rate = replace(regular.rate, lf_share=0.03, rsa_share=0.03, slow_share=0.0)
    time = make_beats(replace(regular, rate=rate), [("N", 1800)]).time_s
    even = np.arange(1, 1790, 0.25)
    hz, power = welch(np.interp(even, time[1:], np.diff(time)), 4.0, nperseg=1024)

    def strongest(low: float, high: float) -> tuple[float, float]:
        band = (hz >= low) & (hz <= high)
        return float(hz[band][power[band].argmax()]), float(power[band].max())

    lf_hz, lf_power = strongest(0.05, 0.15)
    hf_hz, hf_power = strongest(0.15, 0.4)
    assert 0.07 <= lf_hz <= 0.13
    assert abs(hf_hz - rate.respiration_hz) < 0.05
    valley = power[(hz > 0.14) & (hz < rate.respiration_hz - 0.06)].min()
    assert min(lf_power, hf_power) > 5 * valley


def test_the_mean_rate_is_the_patients(patients: tuple[VirtualPatient, ...]) -> None:
    for patient in patients:
        bpm = 60 / intervals(patient, "N").mean()
        assert bpm == pytest.approx(patient.rate.mean_bpm, rel=0.06)


def test_af_is_irregular_and_forgets(patients: tuple[VirtualPatient, ...]) -> None:
    for patient in patients:
        quiet = replace(patient, rate=replace(patient.rate, pvc_per_min=0.0, pac_per_min=0.0))
        sinus, af = intervals(quiet, "N"), intervals(patient, "AFIB")
        assert af.std() / af.mean() > 0.13
        assert af.std() / af.mean() > 1.2 * sinus.std() / sinus.mean()
        # Successive intervals are independent; sinus rhythm drifts.
        assert abs(np.corrcoef(af[1:], af[:-1])[0, 1]) < 4 / np.sqrt(len(af))
        assert np.abs(np.diff(af)).mean() > 2 * np.abs(np.diff(sinus)).mean()


def test_af_follows_the_av_node_impulse_by_impulse(regular: VirtualPatient) -> None:
    """The closed form gives what a simulation of single impulses gives."""
    af, rng = regular.af, np.random.default_rng(0)
    simulated = []
    for _ in range(2000):
        slow = rng.random() < af.slow_share
        refractory, since = af.slow_path_s if slow else af.fast_path_s, 0.0
        while True:
            since += rng.exponential(1 / af.impulses_hz)
            if rng.random() < np.clip((since - refractory) / af.spread_s, 0, 1):
                break
        simulated.append(since)
    drawn = intervals(regular, "AFIB", 1500)
    assert drawn.min() >= af.slow_path_s
    assert ks_2samp(drawn, simulated).pvalue > 0.01


def test_no_two_beats_collide(patients: tuple[VirtualPatient, ...]) -> None:
    plan = [("N", 20), ("AFIB", 20), ("N", 15), ("VFIB", 10), ("ST", 30)] * 4
    for patient in patients:
        rate = replace(patient.rate, pvc_per_min=8.0, pac_per_min=8.0)
        beats = make_beats(replace(patient, rate=rate), plan)
        assert np.diff(beats.time_s).min() >= SHORTEST_S
        assert set(beats.kind.tolist()) == {"sinus", "conducted", "atrial", "ventricular"}


def test_each_rhythm_has_its_beats(regular: VirtualPatient) -> None:
    beats = make_beats(regular, [("N", 30), ("AFIB", 30), ("VFIB", 30), ("VFL", 10), ("N", 30)])
    of = np.digitize(beats.time_s, [30, 60, 90, 100])
    assert [set(beats.kind[of == k].tolist()) for k in range(5)] == [
        {"sinus"}, {"conducted"}, set(), set(), {"sinus"},
    ]  # fmt: skip


def test_a_ventricular_beat_is_early_and_its_pause_compensates(regular: VirtualPatient) -> None:
    steady = replace(regular.rate, slow_share=0.0, lf_share=0.0, rsa_share=0.0, pvc_per_min=6.0)
    beats = make_beats(replace(regular, rate=steady), [("N", 600)])
    at = np.flatnonzero(beats.kind == "ventricular")
    assert 20 < len(at) < 100
    usual = 60 / steady.mean_bpm
    before, behind = np.diff(beats.time_s)[at - 1], np.diff(beats.time_s)[at]
    assert (before < 0.8 * usual).all()
    np.testing.assert_allclose(before + behind, 2 * usual, rtol=0.02)


def test_an_atrial_beat_resets_the_node(regular: VirtualPatient) -> None:
    steady = replace(regular.rate, slow_share=0.0, lf_share=0.0, rsa_share=0.0, pac_per_min=6.0)
    beats = make_beats(replace(regular, rate=steady), [("N", 600)])
    at = np.flatnonzero(beats.kind == "atrial")
    assert 20 < len(at) < 100
    usual = 60 / steady.mean_bpm
    before, behind = np.diff(beats.time_s)[at - 1], np.diff(beats.time_s)[at]
    assert (before < 0.8 * usual).all()
    assert (before + behind < 1.95 * usual).all()


def test_the_heart_is_slower_at_night(regular: VirtualPatient) -> None:
    time = make_beats(regular, [("N", 86_400)]).time_s
    per_hour, _ = np.histogram(time, bins=np.arange(0, 86_401, 3600))
    night = 1 - per_hour[11:13].mean() / per_hour[[0, 23]].mean()
    assert night == pytest.approx(regular.rate.night_share, abs=0.03)


def test_the_same_seed_gives_the_same_beats(regular: VirtualPatient) -> None:
    plan = [("N", 60), ("AFIB", 60)]
    first = make_beats(regular, plan, random_state=5)
    again = make_beats(regular, plan, random_state=5)
    np.testing.assert_array_equal(first.time_s, again.time_s)
    np.testing.assert_array_equal(first.size, again.size)
    other = make_beats(regular, plan, random_state=6)
    assert not np.isin(other.time_s, first.time_s).any()


def test_breathing_changes_the_size_of_beats(regular: VirtualPatient) -> None:
    deep = make_beats(replace(regular, breath_share=0.1), [("N", 300)])
    flat = make_beats(replace(regular, breath_share=0.0), [("N", 300)])
    assert deep.size.std() > 2.5 * flat.size.std() > 0
