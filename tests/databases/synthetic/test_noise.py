"""Noise of a wanted kind and strength."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.signal import welch

from ecglens.databases.synthetic import NOISES, VirtualPatient, add_noise, make_noise, make_record
from ecglens.databases.synthetic import noise as noise_module
from ecglens.databases.synthetic.noise_sources import make_source
from ecglens.databases.synthetic.seeds import stream
from ecglens.databases.synthetic.slow import grid_size, integrate
from ecglens.errors import UsageError


def share(kind: str, low: float, high: float, fs: float = 500.0) -> float:
    """Return the share of a noise's power within a band."""
    hz, power = welch(make_noise(kind, 60_000, fs=fs), fs, nperseg=int(16 * fs))
    return float(power[(hz >= low) & (hz <= high)].sum() / power.sum())


def test_every_kind_has_its_band() -> None:
    assert share("baseline", 0, 0.7) > 0.95
    assert share("muscle", 15, 170) > 0.9
    assert share("muscle", 0, 8) < 0.03
    assert sum(share("mains", hz - 1, hz + 1) for hz in (50, 100, 150)) > 0.97
    assert share("mains", 49, 51) > 0.7
    assert share("recorder", 0, 125) == pytest.approx(0.5, abs=0.03)
    assert share("motion", 0, 5) > 0.9


@pytest.mark.parametrize("kind", NOISES)
@pytest.mark.parametrize("n_samples", [2, 400, 40_000])
def test_the_strength_is_exact(kind: str, n_samples: int) -> None:
    noise = make_noise(kind, n_samples, fs=250, rms_mv=0.3)
    assert noise.dtype == np.float32
    assert noise.std(dtype=np.float64) == pytest.approx(0.3, rel=1e-3)
    assert abs(noise.mean(dtype=np.float64)) < 1e-3


@pytest.mark.parametrize("kind", NOISES)
@pytest.mark.parametrize("snr_db", [-6.0, 0.0, 24.0])
def test_the_ratio_is_exact_for_every_lead(
    kind: str, snr_db: float, regular: VirtualPatient
) -> None:
    clean = make_record(regular, [("N", 60)], leads=("II", "V1"), noise=0).signal
    noise = add_noise(clean, kind, fs=250, snr_db=snr_db).astype(np.float64) - clean
    ratio = 10 * np.log10(clean.var(axis=1, dtype=np.float64) / noise.var(axis=1))
    np.testing.assert_allclose(ratio, snr_db, atol=0.01)
    if kind != "mains":
        assert abs(np.corrcoef(noise)[0, 1]) < 0.9, "each lead has noise of its own"


def test_missing_samples_stay_missing_and_flat_leads_flat() -> None:
    clean = np.zeros((2, 1000), np.float32)
    clean[0] = np.sin(np.arange(1000) / 9)
    clean[0, 100:120] = np.nan
    noisy = add_noise(clean, "muscle", fs=250, snr_db=0)
    np.testing.assert_array_equal(np.isnan(noisy), np.isnan(clean))
    assert not noisy[1].any()
    assert add_noise(clean[0], "muscle", fs=250, snr_db=0).shape == (1000,)


@pytest.mark.parametrize("kind", NOISES)
def test_blocks_change_nothing(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = make_noise(kind, 20_000, fs=200, random_state=3)
    monkeypatch.setattr(noise_module, "BLOCK", 333)
    np.testing.assert_array_equal(make_noise(kind, 20_000, fs=200, random_state=3), whole)
    assert not np.array_equal(make_noise(kind, 20_000, fs=200, random_state=4), whole)


@pytest.mark.parametrize("kind", NOISES)
def test_a_source_has_about_1_mv_before_it_is_scaled(kind: str) -> None:
    seconds, fs = 7200.0, 110.0
    breath = 2 * np.pi * integrate(np.full(grid_size(seconds), 0.25))
    source = make_source(kind, stream(1, kind), seconds, fs, breath, 50.0)
    rms = source.read(np.arange(int(seconds * fs)) / fs).std()
    assert rms == pytest.approx(1.0, rel=0.15)


def test_mains_too_fast_for_the_rate_is_silent_in_a_record() -> None:
    breath = np.zeros(grid_size(10))
    source = make_source("mains", stream(0), 10, 100, breath, 50.0)
    assert not source.read(np.arange(1000) / 100).any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: make_noise("muscles", 100, fs=250), "no noise called 'muscles'; did you mean 'mu"),
        (lambda: make_noise("mains", 100, fs=100), "mains of 50 Hz cannot be sampled at 100 Hz"),
        (lambda: make_noise("muscle", 1, fs=250), "noise needs 2 samples or more, got 1"),
        (lambda: make_noise("muscle", 9, fs=250, rms_mv=-1), "rms_mv must be 0 or more, got -1"),
        (lambda: make_noise("muscle", 9, fs=0), "noise: fs must be from 10"),
        (lambda: make_noise("muscle", 9, fs=250, random_state=-3), "random_state must be a whole"),
        (
            lambda: add_noise(np.ones(9), "muscle", fs=250, snr_db=float("nan")),
            "snr_db must be a number of dB, got nan",
        ),
    ],
)
def test_refused(call, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        call()
