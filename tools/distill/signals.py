"""Spectrograms of generated signals: trains of waves, oscillations, noise, and virtual patients."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from ecglens.databases.synthetic import make_patients, make_record
from ecglens.images import IMAGE_PRESETS, ImageSettings, make_images
from ecglens.signals import unreadable_reasons

FloatArray = npt.NDArray[np.float32]
Rng = np.random.Generator

FS = 125.0
LENGTH_S = 10.0
N_SAMPLES = round(FS * LENGTH_S)
RHYTHMS = ("N", "AFIB", "VFIB", "ST")


def draw_spectrograms(rng: Rng, size: int, windows: FloatArray) -> FloatArray:
    """Return spectrogram images (n, 3, size, size) of n windows, in one random way to draw them.

    A flat window has no image; a readable one stands in twice.
    """
    readable = windows[unreadable_reasons(windows, FS) == ""]
    images = make_images(readable, FS, draw_settings(rng, size))
    return images[np.arange(len(windows)) % len(images)]


def draw_settings(rng: Rng, size: int) -> ImageSettings:
    """Return image settings: a preset half of the time, else drawn around them."""
    if rng.random() < 0.5:
        preset = IMAGE_PRESETS["spectrogram" if rng.random() < 0.7 else "salem2018"]
        return ImageSettings(**{**vars_of(preset), "height": size, "width": size})
    lengths = np.round(np.exp(rng.uniform(np.log(0.2), np.log(1.1), 3)), 3)
    return ImageSettings(
        band_hz=(float(rng.choice([0.1, 0.5])), 40.0),
        stft_s=tuple(sorted(lengths.tolist())) if rng.random() < 0.3 else (float(lengths[0]),),
        hop_s=float(rng.choice([0.048, 0.064, 0.08])),
        max_hz=float(rng.choice([25.0, 40.0, 60.0])),
        bend_hz=None if rng.random() < 0.3 else float(rng.uniform(3, 20)),
        dynamic_range_db=float(rng.uniform(35, 70)),
        height=size,
        width=size,
    )


def vars_of(settings: ImageSettings) -> dict[str, Any]:
    """Return the settings as keyword arguments."""
    table = settings.to_dict()
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}


def virtual_windows(rng: Rng, n: int) -> FloatArray:
    """Return ten-second windows (n, n_samples) of one new virtual patient in random rhythms."""
    seed = int(rng.integers(2**32))
    (patient,) = make_patients(1, random_state=seed)
    plan = [(str(rng.choice(RHYTHMS)), LENGTH_S * 4) for _ in range(-(-n // 4))]
    noise = float(rng.choice([0.3, 1.0, 2.0]))
    record = make_record(patient, plan, fs=FS, noise=noise, random_state=seed)
    windows = record.signal[0][: n * N_SAMPLES].reshape(n, N_SAMPLES)
    return np.asarray(windows, dtype=np.float32)


def drawn_windows(rng: Rng, n: int) -> FloatArray:
    """Return n ten-second windows, each a signal of its own."""
    return np.stack([draw_signal(rng) for _ in range(n)])


def draw_signal(rng: Rng) -> FloatArray:
    """Return a ten-second signal: a train of waves, an oscillation, or both, in noise."""
    kind = rng.random()
    signal = np.zeros(N_SAMPLES)
    if kind < 0.75:
        signal += wave_train(rng)
    if kind > 0.6:
        signal += oscillation(rng) * (1 if kind > 0.75 else rng.uniform(0.02, 0.5))
    for slope in (0.0, 1.0, 2.0):
        signal += coloured(rng, slope) * 10 ** rng.uniform(-3, -0.6)
    if rng.random() < 0.15:
        signal += 10 ** rng.uniform(-2, -0.5) * burst(rng) * coloured(rng, 0.0)
    return np.asarray(signal, dtype=np.float32)


def wave_train(rng: Rng) -> npt.NDArray[Any]:
    """Repeat a drawn wave form with regular, drifting, alternating or irregular intervals."""
    mean_s = np.exp(rng.uniform(np.log(0.3), np.log(1.8)))
    n_waves = int(2 * LENGTH_S / mean_s) + 4
    spread = rng.choice([0.01, 0.03, 0.1, 0.25])
    intervals = mean_s * (1 + spread * rng.normal(size=n_waves))
    if rng.random() < 0.3:
        intervals *= 1 + 0.2 * np.sin(np.arange(n_waves) * rng.uniform(0.2, 2))
    if rng.random() < 0.15:
        intervals[:: int(rng.integers(2, 5))] *= rng.uniform(0.5, 0.8)
    onset = np.cumsum(np.clip(intervals, 0.2, None)) - rng.uniform(0, 2)
    shapes = [_wave_form(rng, mean_s) for _ in range(1 + int(rng.random() < 0.25))]
    train = np.zeros(N_SAMPLES + 2 * len(shapes[0]))
    for at in onset[(onset > -1) & (onset < LENGTH_S + 1)]:
        shape = shapes[0] if rng.random() < 0.8 else shapes[-1]
        start = round(at * FS) + len(shape) // 2
        piece = train[max(start, 0) : start + len(shape)]
        piece += shape[: len(piece)] * (1 + 0.05 * rng.normal())
    return train[len(shapes[0]) : len(shapes[0]) + N_SAMPLES]


def _wave_form(rng: Rng, mean_s: float) -> npt.NDArray[Any]:
    """Return a few bumps, the sharp ones high, over one second."""
    t = np.arange(round(FS)) / FS - 0.4
    shape = np.zeros(len(t))
    for _ in range(int(rng.integers(2, 8))):
        width = np.exp(rng.uniform(np.log(0.006), np.log(0.12)))
        centre = rng.normal() * (0.02 if width < 0.025 else 0.18 * min(mean_s, 1))
        height = rng.normal() * (1 if width < 0.025 else 0.3)
        shape += height * np.exp(-0.5 * ((t - centre) / width) ** 2)
    return shape


def oscillation(rng: Rng) -> npt.NDArray[Any]:
    """Return a wave whose frequency and height wander, with overtones."""
    hz = np.exp(rng.uniform(np.log(1.5), np.log(12)))
    wander = gaussian_filter1d(rng.normal(size=N_SAMPLES), FS * rng.uniform(0.2, 2))
    wander *= rng.uniform(0, 0.3) / (wander.std() + 1e-9)
    phase = 2 * np.pi * np.cumsum(hz * (1 + wander)) / FS
    height = gaussian_filter1d(rng.normal(size=N_SAMPLES), FS * rng.uniform(0.3, 2))
    height = 1 + rng.uniform(0, 1) * height / (np.abs(height).max() + 1e-9)
    order = np.arange(1, 5)
    tones = rng.normal(size=4) / order ** rng.uniform(1, 3)
    tones[0] = 1
    turned = rng.uniform(0, 2 * np.pi, 4)
    waves = tones[:, None] * np.sin(order[:, None] * phase + turned[:, None])
    return np.asarray(height * waves.sum(axis=0))


def burst(rng: Rng) -> npt.NDArray[Any]:
    """Return an envelope that is 1 for a stretch and 0 elsewhere, with soft edges."""
    t = np.arange(N_SAMPLES) / FS
    middle, half = rng.uniform(0, LENGTH_S), rng.uniform(0.2, 3)
    return np.asarray(1 / (1 + np.exp((np.abs(t - middle) - half) / 0.1)))


def coloured(rng: Rng, slope: float) -> npt.NDArray[Any]:
    """Return noise of deviation 1 whose power falls with frequency as f ** -slope."""
    f = np.fft.rfftfreq(N_SAMPLES)
    f[0] = np.inf
    spectrum = (rng.normal(size=len(f)) + 1j * rng.normal(size=len(f))) * f ** (-slope / 2)
    noise = np.fft.irfft(spectrum, n=N_SAMPLES)
    return np.asarray(noise / (noise.std() + 1e-12))
