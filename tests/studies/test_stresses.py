"""What happens to windows under stress is what is said of it."""

from __future__ import annotations

import numpy as np
import pytest

from ecglens.errors import UsageError
from ecglens.studies.stresses import (
    CLEAN,
    all_stresses,
    front_end,
    quantise,
    through_rate,
    with_gaps,
)
from tests.signals_of import beats

FS = 125.0
X = np.stack([beats(10, FS, seed=seed) for seed in range(3)])
STRESSES = all_stresses()


def find(kind: str, level: str):
    (found,) = (one for one in STRESSES if (one.kind, one.level) == (kind, level))
    return found


@pytest.mark.parametrize("stress", STRESSES, ids=lambda one: f"{one.kind} {one.level}")
def test_every_stress_keeps_the_shape_and_repeats_itself(stress) -> None:
    before = X.copy()
    changed = stress.change(X, FS, 3)
    assert changed.shape == X.shape
    assert changed.dtype == np.float32
    assert np.array_equal(X, before)
    assert np.array_equal(changed, stress.change(X, FS, 3), equal_nan=True)


def test_some_of_them() -> None:
    assert [one.kind for one in all_stresses(["band", "gain"])] == ["gain"] * 5 + ["front end"] * 3
    assert sorted({one.kind for one in all_stresses(["bits"])}) == ["gain, then 8 bits of ±5 mV"]
    with pytest.raises(UsageError, match="no stress called 'mussle'; did you mean 'muscle'"):
        all_stresses(["mussle"])


def test_clean_is_clean() -> None:
    assert CLEAN.change(X, FS, 0) is X


@pytest.mark.parametrize("kind", ["baseline wander", "muscle noise", "electrode motion"])
@pytest.mark.parametrize("level", ["24", "0", "-6"])
def test_signal_to_noise(kind: str, level: str) -> None:
    noise = find(kind, level).change(X, FS, 0) - X
    ratio = 10 * np.log10(X.var(axis=1) / noise.var(axis=1))
    assert ratio == pytest.approx(np.full(3, float(level)), abs=0.05)


def test_mains_are_mains() -> None:
    noise = find("mains, 50 Hz", "3").change(X, FS, 0) - X
    assert noise.std(axis=1) == pytest.approx(3 * X.std(axis=1), rel=1e-3)
    spectrum = np.abs(np.fft.rfft(noise[0]))
    assert np.fft.rfftfreq(len(noise[0]), 1 / FS)[spectrum.argmax()] == pytest.approx(50, abs=0.15)


def test_inversion_twice_is_nothing() -> None:
    turn = find("gain", "-1").change
    assert np.array_equal(turn(turn(X, FS, 0), FS, 0), X)


def test_a_higher_rate_changes_little_and_a_lower_one_takes_what_is_above_it() -> None:
    time = np.arange(1250) / FS
    slow, fast = np.sin(2 * np.pi * 5 * time), np.sin(2 * np.pi * 40 * time)
    both = np.stack([slow, fast]).astype(np.float32)
    inner = slice(125, -125)
    assert through_rate(both, FS, 1000.0)[:, inner] == pytest.approx(both[:, inner], abs=0.01)
    lower = through_rate(both, FS, 50.0)[:, inner]
    assert lower[0] == pytest.approx(both[0, inner], abs=0.01)
    assert np.abs(lower[1]).max() < 0.05


def test_steps_of_a_converter() -> None:
    stepped = quantise(10 * X, 8, 5.0)
    steps = stepped / (10 / 256)
    assert steps == pytest.approx(np.round(steps), abs=1e-4)
    assert stepped.min() >= -5.0
    assert stepped.max() < 5.0
    inside = np.abs(10 * X) < 4.9
    assert np.abs(stepped - 10 * X)[inside].max() <= 0.5 * 10 / 256 + 1e-5


@pytest.mark.parametrize("share", [0.01, 0.1, 0.3, 1.0])
def test_the_share_that_is_missing_is_the_share_asked_for(share: float) -> None:
    gaps = np.isnan(with_gaps(X, FS, share, seed=1))
    assert gaps.mean(axis=1) == pytest.approx(np.full(3, share), abs=1e-3)
    if share < 1:
        assert len({row.tobytes() for row in gaps}) == 3
    # In stretches: far fewer beginnings than samples.
    begins = (np.diff(gaps.astype(int), axis=1) == 1).sum(axis=1) + gaps[:, 0]
    assert (begins <= np.ceil(share * 10 / 0.5)).all()


def test_a_front_end_takes_what_is_outside_its_band_and_keeps_the_start() -> None:
    time = np.arange(5000) / FS
    for hz, kept in ((0.05, 0.0), (5.0, 1.0), (60.0, 0.0)):
        wave = np.sin(2 * np.pi * hz * time, dtype=np.float32)[None]
        passed = front_end(wave, FS, 0.5, 40.0)[0, 2500:]
        assert np.sqrt(2) * passed.std() == pytest.approx(kept, abs=0.1)
    level = np.full((1, 100), 3.0, np.float32)
    assert np.abs(front_end(level, FS, 0.5, 40.0)).max() < 1e-5
    assert np.isfinite(front_end(X, 100.0, 0.05, 150.0)).all()
