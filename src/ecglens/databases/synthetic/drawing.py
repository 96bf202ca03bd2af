"""Drawing virtual patients: the ranges in which people differ."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ecglens.databases.synthetic.leads import Vector
from ecglens.databases.synthetic.patients import (
    AtrialFibrillation,
    HeartRate,
    Ischaemia,
    NoiseLevels,
    VentricularFibrillation,
    VirtualPatient,
    Wave,
)
from ecglens.databases.synthetic.seeds import check_seed, stream
from ecglens.databases.synthetic.slow import Floats
from ecglens.errors import UsageError

MAX_PATIENTS = 100_000


def make_patients(n: int, *, random_state: int = 0) -> tuple[VirtualPatient, ...]:
    """Draw ``n`` virtual patients; patient k is the same whatever ``n`` is.

    Raises:
        UsageError: ``n`` is not from 1 to 100,000, or the seed is negative.
    """
    if not 1 <= n <= MAX_PATIENTS:
        raise UsageError(f"n must be from 1 to {MAX_PATIENTS} patients, got {n}")
    seed = check_seed(random_state)
    return tuple(_draw(seed, number) for number in range(n))


def _draw(random_state: int, number: int) -> VirtualPatient:
    rng = stream(random_state, "patient", number)
    seed = int(rng.integers(2**63))
    size = _around(rng, 1.0, 0.2)
    waves = _waves(rng, size)
    return VirtualPatient(
        subject=f"virtual-{number:04d}",
        number=number,
        seed=seed,
        waves=waves,
        premature_p=_premature_p(rng, waves[0]),
        premature_waves=_premature_waves(rng, size),
        breath_share=rng.uniform(0.02, 0.1),
        rate=_heart_rate(rng),
        af=_atrial_fibrillation(rng),
        vf=VentricularFibrillation(
            hz=rng.uniform(4.0, 6.4),
            coarse_mv=size * rng.uniform(0.35, 0.8),
            fine_mv=size * rng.uniform(0.1, 0.25),
            decay_s=rng.uniform(40.0, 200.0),
        ),
        st=_ischaemia(rng),
        noise=_noise(rng),
    )


def _waves(rng: np.random.Generator, size: float) -> tuple[Wave, ...]:
    """Draw P, Q, R, S and T of a beat.

    Five events as in McSharry et al. 2003 (Table I), narrowed to a P wave of 0.1 s and a QRS
    complex of 0.09 s, with a T wave that falls faster than it rises. Directions follow the usual
    sequence of activation: septum, free walls, base, then repolarisation.
    """
    turn = _rotation(rng)
    low_p = rng.random() < 0.15
    p = _sized(rng, (0.085, 0.10, 0.01), size**0.5 * (0.45 if low_p else 1.0), 0.2)
    q = _sized(rng, (-0.11, -0.05, -0.26), size, 0.4)
    r = _sized(rng, (0.95, 0.90, 0.45), size, 0.1)
    s = _sized(rng, (-0.20, -0.16, 0.35), size, 0.4)
    t = _sized(rng, (0.28, 0.20, -0.14), size, 0.3)
    pr_s, qt_s, width = rng.uniform(0.13, 0.19), rng.normal(0.30, 0.012), rng.uniform(0.85, 1.2)
    return (
        Wave(_vector(p), -pr_s, 0.020 * width, 0.018 * width, 0.15),
        Wave(_vector(turn @ q), -0.026 * width, 0.0075 * width, 0.0075 * width),
        Wave(_vector(turn @ r), 0.0, 0.0095 * width, 0.0095 * width),
        Wave(_vector(turn @ s), 0.027 * width, 0.0085 * width, 0.0085 * width),
        Wave(_vector(turn @ t), qt_s, rng.uniform(0.045, 0.06), rng.uniform(0.027, 0.036), 0.5),
    )


def _premature_p(rng: np.random.Generator, p: Wave) -> Wave:
    """Draw the P wave of an ectopic atrial focus: often flat or upside down."""
    x, y, z = p.vector
    vector = (x * rng.uniform(-0.5, 1), y * rng.uniform(-1, 0.7), z)
    return replace(p, vector=vector, offset_s=0.85 * p.offset_s)


def _premature_waves(rng: np.random.Generator, size: float) -> tuple[Wave, ...]:
    """Draw the waves of a ventricular focus: broad, without P, its T opposite to its QRS."""
    main = rng.normal((0.2, 0.5, 0.2), 0.8)
    while np.linalg.norm(main) < 0.6 or abs(main[1]) < 0.35:
        main = rng.normal((0.2, 0.5, 0.2), 0.8)
    main *= size * rng.uniform(1.1, 1.7) / np.linalg.norm(main)
    late = -0.5 * main + size * rng.normal(0, 0.15, size=3)
    back = -0.38 * main + size * rng.normal(0, 0.08, size=3)
    return (
        Wave(_vector(main), 0.015, 0.026, 0.034),
        Wave(_vector(late), 0.095, 0.028, 0.034),
        Wave(_vector(back), 0.33, 0.075, 0.055, 0.5),
    )


def _heart_rate(rng: np.random.Generator) -> HeartRate:
    breathes_visibly = rng.random() < 0.2
    ectopic = rng.random() < 0.4
    return HeartRate(
        mean_bpm=rng.uniform(50, 110),
        slow_share=rng.uniform(0.015, 0.04),
        lf_share=rng.uniform(0.012, 0.03),
        rsa_share=rng.uniform(0.06, 0.13) if breathes_visibly else rng.uniform(0.012, 0.045),
        night_share=rng.uniform(0.1, 0.25),
        respiration_hz=rng.uniform(0.18, 0.32),
        pvc_per_min=rng.uniform(0.5, 5.0) if ectopic else rng.uniform(0.0, 0.2),
        pac_per_min=rng.uniform(0.3, 3.0) if rng.random() < 0.4 else rng.uniform(0.0, 0.2),
    )


def _atrial_fibrillation(rng: np.random.Generator) -> AtrialFibrillation:
    slow_path_s = rng.uniform(0.28, 0.5)
    height = _around(rng, 0.1, 0.4)
    return AtrialFibrillation(
        impulses_hz=rng.uniform(5.0, 8.0),
        slow_path_s=slow_path_s,
        fast_path_s=slow_path_s + rng.uniform(0.12, 0.3),
        spread_s=rng.uniform(0.1, 0.3),
        slow_share=rng.uniform(0.3, 0.8),
        f_wave_hz=rng.uniform(4.5, 8.5),
        f_wave=_vector(height * rng.normal((-0.3, 0.65, -0.7), 0.12)),
    )


def _ischaemia(rng: np.random.Generator) -> Ischaemia:
    """Draw a depression (endocardial, away from the apex) or an elevation (inferior)."""
    depression = rng.random() < 0.6
    direction = (-0.7, -0.6, 0.25) if depression else (0.15, 0.9, -0.15)
    return Ischaemia(
        vector=_vector(rng.normal(direction, 0.1)),
        peak_mv=rng.uniform(0.16, 0.4),
        slope_per_s=rng.uniform(-2.5, 2.5),
        t_share=rng.uniform(-0.4, 0.0) if depression else rng.uniform(0.0, 0.4),
    )


def _noise(rng: np.random.Generator) -> NoiseLevels:
    """Draw levels of recordings that are worn quietly: most are clean, some are not."""
    return NoiseLevels(
        baseline=_around(rng, 0.05, 0.5),
        muscle=_around(rng, 0.012, 0.5),
        mains=_around(rng, 0.004, 0.7),
        recorder=_around(rng, 0.009, 0.5),
        motion=_around(rng, 0.02, 0.5),
        mains_hz=float(rng.choice((50.0, 60.0))),
    )


def _around(rng: np.random.Generator, usual: float, spread: float) -> float:
    """Draw a size that is often near the usual one, lognormal without its far tails."""
    return float(usual * np.exp(spread * np.clip(rng.standard_normal(), -2, 2)))


def _rotation(rng: np.random.Generator) -> Floats:
    """Turn the heart in the frontal plane and then in the horizontal plane."""
    frontal, horizontal = np.deg2rad(np.clip(rng.normal(0.0, (10.0, 12.0)), -18, 25))
    c, s = np.cos(frontal), np.sin(frontal)
    first = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    c, s = np.cos(horizontal), np.sin(horizontal)
    return np.asarray(np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]]) @ first)


def _sized(rng: np.random.Generator, usual: Vector, size: float, spread: float) -> Floats:
    """Draw a vector around the usual one, longer or shorter and slightly turned."""
    scale = _around(rng, size, spread)
    aside = rng.normal(0.0, 0.08, size=3) * np.linalg.norm(usual)
    return np.asarray(scale * (np.array(usual) + aside))


def _vector(values: npt.ArrayLike) -> Vector:
    x, y, z = np.asarray(values, dtype=np.float64).tolist()
    return (x, y, z)
