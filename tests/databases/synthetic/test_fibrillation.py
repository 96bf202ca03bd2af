"""Fibrillating atria and ventricles."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import periodogram

from ecglens.databases.synthetic import VirtualPatient, make_patients, make_record
from ecglens.databases.synthetic.fibrillation import FWaves
from ecglens.records import FloatArray, RhythmSpan


def spectra(record_of: FloatArray, fs: float) -> tuple[np.ndarray, np.ndarray]:
    """Return frequencies and power of windows of 10 s."""
    n = int(10 * fs)
    windows = record_of[: len(record_of) // n * n].reshape(-1, n)
    return periodogram(windows, fs, window="hann")


def test_vf_beats_within_3_to_7_hz_and_drifts(patients: tuple[VirtualPatient, ...]) -> None:
    drifts = []
    for patient in patients:
        signal = make_record(patient, [("VFIB", 300)], fs=100, noise=0).signal[0]
        hz, power = spectra(signal, 100)
        dominant = hz[power.argmax(axis=1)]
        assert ((dominant >= 3) & (dominant <= 7)).mean() > 0.95
        assert power[:, (hz >= 2) & (hz <= 10)].sum() > 0.85 * power.sum()
        drifts.append(dominant.std())
    assert np.median(drifts) > 0.25


def test_vf_waxes_and_wanes_and_becomes_fine(patients: tuple[VirtualPatient, ...]) -> None:
    for patient in patients:
        signal = make_record(patient, [("VFIB", 600)], fs=100, noise=0).signal[0]
        size = signal.reshape(-1, 100).std(axis=1)
        assert size[:60].std() > 0.15 * size[:60].mean()
        assert size[-120:].mean() < 0.75 * size[2:32].mean()
        assert size[5:-5].min() > 0.01, "VF is not asystole"


def test_flutter_is_regular_where_vf_is_not(patients: tuple[VirtualPatient, ...]) -> None:
    def width(rhythm: str) -> float:
        signals = [make_record(p, [(rhythm, 200)], fs=100, noise=0).signal[0] for p in patients]
        shares = []
        for signal in signals:
            hz, power = spectra(signal, 100)
            peak = hz[power.argmax(axis=1)][:, None]
            shares.append((power * (np.abs(hz - peak) < 0.35)).sum() / power.sum())
        return float(np.mean(shares))

    assert width("VFL") > 0.75 > 0.6 > width("VFIB")


def test_f_waves_have_the_patients_frequency() -> None:
    fs = 100.0
    for patient in make_patients(10):
        waves = FWaves(patient.af, RhythmSpan(0, 60, "AFIB"), np.random.default_rng(1))
        voltage = waves.voltage(np.arange(6000) / fs)
        hz, power = spectra(voltage[2], fs)
        dominant = hz[power.mean(axis=0).argmax()]
        assert 4 <= dominant <= 9.5
        assert dominant == pytest.approx(patient.af.f_wave_hz, rel=0.12)
        # Largest in V1, up to a quarter of a millivolt.
        v1 = np.array([-0.515, 0.157, -0.917]) @ voltage
        assert 0.02 < np.abs(v1).max() < 0.5


def test_fibrillation_swells_from_nothing(patients: tuple[VirtualPatient, ...]) -> None:
    span = RhythmSpan(7.0, 27.0, "AFIB")
    waves = FWaves(patients[0].af, span, np.random.default_rng(1))
    ends = waves.voltage(np.array([7.0, 27.0]))
    np.testing.assert_allclose(ends, 0, atol=1e-12)
    signal = make_record(patients[0], [("VFIB", 20)], fs=250, noise=0).signal[0]
    assert np.abs(signal[:5]).max() < 0.02
    assert np.abs(signal[-5:]).max() < 0.02


def test_two_episodes_are_not_the_same(regular: VirtualPatient) -> None:
    signal = make_record(regular, [("VFIB", 20), ("N", 20), ("VFIB", 20)], fs=100, noise=0).signal
    first, second = signal[0, :2000], signal[0, 4000:]
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.3
