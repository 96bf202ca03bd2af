"""Measures of one window at a time, written down plainly: what the fast ones are compared with."""

from __future__ import annotations

import numpy as np
from scipy import fft

FS = 125.0
BEFORE, AFTER = 35, 60


def around(beats: np.ndarray, n_samples: int) -> np.ndarray:
    return np.clip(beats[:, None] + np.arange(-8, 9), 0, n_samples - 1)


def contrast(qrs: np.ndarray, beats: np.ndarray) -> float:
    power = qrs.astype(np.float64) ** 2
    at_beat = np.zeros(len(power), dtype=bool)
    at_beat[around(beats, len(power))] = True
    if not at_beat.any() or at_beat.all() or not power.any():
        return 0.0
    return power[at_beat].mean() / (power[~at_beat].mean() + 1e-9 * power.max())


def usual(qrs: np.ndarray, beats: np.ndarray) -> np.ndarray:
    each = qrs[around(beats, len(qrs))].astype(np.float64)
    if not len(beats):
        return np.zeros(0, dtype=bool)
    shape = np.median(each, axis=0)
    height = np.ptp(each, axis=1) / np.median(np.ptp(each, axis=1))
    return (alike(each, shape) >= 0.8) & (height >= 0.5) & (height <= 2)


def alike(rows: np.ndarray, shape: np.ndarray) -> np.ndarray:
    rows = rows - rows.mean(axis=1, keepdims=True)
    shape = shape - shape.mean()
    return rows @ shape / (np.linalg.norm(rows, axis=1) * np.linalg.norm(shape) + 1e-12)


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def cosen(rr: np.ndarray) -> float:
    apart = np.abs(rr[:, None] - rr[None, :])
    one, two = apart[:-1, :-1], apart[1:, 1:]
    pairs = np.triu_indices(len(one), 1)
    distances = np.sort(np.maximum(one, two)[pairs])
    r = max(0.03, distances[min(5, len(distances)) - 1] + 1e-6)
    longer = max(np.count_nonzero(distances < r), 1)
    shorter = max(np.count_nonzero(one[pairs] < r), 1)
    return float(np.log(shorter / longer) + np.log(2 * r) - np.log(rr.mean()))


def intervals(beats: np.ndarray, is_usual: np.ndarray) -> list[float]:
    rr = np.diff(beats) / FS
    if len(rr) < 3:
        return [0.0] * 22
    mean, median = rr.mean(), np.median(rr)
    step, second = np.diff(rr) / mean, (rr[2:] - rr[:-2]) / mean
    power = np.sum((rr - mean) ** 2)
    return [
        median, rr.std() / mean, rms(step), np.median(np.abs(step)), np.mean(np.abs(step) > 0.1),
        np.median(np.abs(second)), rms(second), cosen(rr), np.mean(step[1:] * step[:-1] < 0),
        rms(step) / max(rms(rr[1:] + rr[:-1] - 2 * mean) / mean, 0.01),
        np.sum((rr - mean)[1:] * (rr - mean)[:-1]) / power if power > 1e-9 else 0.0,
        rr.min() / median, rr.max() / median, np.mean(rr < 0.85 * median),
        np.mean(rr > 1.15 * median), np.ptp(np.quantile(rr, [0.25, 0.75])) / median,
        *usual_intervals(rr, is_usual[:-1] & is_usual[1:]),
    ]  # fmt: skip


def usual_intervals(rr: np.ndarray, kept: np.ndarray) -> list[float]:
    close = kept[:-1] & kept[1:]
    if kept.sum() < 3 or close.sum() < 2:
        return [kept.mean(), 0.0, 0.0, 0.0, 0.0, 0.0]
    change = np.diff(rr)
    step = change[close] / rr[kept].mean()
    turning = (change[:-1] * change[1:] < 0)[close[:-1] & close[1:]]
    return [
        kept.mean(), np.median(np.abs(step)), rms(step), np.mean(np.abs(step) > 0.1),
        cosen(rr[kept]), turning.mean() if len(turning) else 0.0,
    ]  # fmt: skip


def waves(x: np.ndarray, beats: np.ndarray) -> list[float]:
    beats = beats[(beats >= BEFORE) & (beats < len(x) - AFTER)]
    if len(beats) < 3:
        return [0.0] * 45
    each = x[beats[:, None] + np.arange(-BEFORE, AFTER + 1)].astype(np.float64)
    each -= each[:, 24:29].mean(axis=1, keepdims=True)
    beat = np.median(each, axis=0)
    qrs = beat[27:44]
    size = np.ptp(qrs) * (-1 if -qrs.min() > qrs.max() else 1)
    each, beat = each / size, beat / size
    profile = [beat[BEFORE + round(ms * 0.125) + np.arange(-1, 2)].mean() for ms in PROFILE_MS]
    return [*profile, *atrial(each, beat, residue(x / size, beats, beat)), *ventricular(each, beat)]


PROFILE_MS = range(-272, 465, 32)


def residue(x: np.ndarray, beats: np.ndarray, beat: np.ndarray) -> np.ndarray:
    model = np.zeros(len(x))
    for at in beats:
        model[at - BEFORE : at + AFTER + 1] = beat
    left = x - model
    for at in beats:
        left[at - 8 : at + 9] = np.linspace(left[at - 8], left[at + 8], 17)
    part = left[beats[0] - BEFORE : beats[-1] + AFTER + 1]
    return part - part.mean()


def onset_of(beat: np.ndarray) -> int:
    steep = np.abs(np.diff(beat)) > 0.03
    for at in range(BEFORE - 7, -1, -1):
        if not steep[at : at + 3].any():
            return at + 3
    return BEFORE - 15


def atrial(each: np.ndarray, beat: np.ndarray, left: np.ndarray) -> list[float]:
    onset = onset_of(beat)
    before = slice(max(0, onset - 22), max(3, onset - 2))
    p, p_each = beat[before], each[:, before]
    bump = p - np.linspace(p[:3].mean(), p[-3:].mean(), len(p))
    centred = p_each - p_each.mean(axis=1, keepdims=True)
    size = fft.next_fast_len(len(left), real=True)
    power = np.abs(fft.rfft(left * np.hanning(len(left)), size)) ** 2
    hz = np.arange(len(power)) * FS / size
    slow = power[(hz >= 4) & (hz <= 9)]
    share = slow.sum() / (power[(hz >= 0.7) & (hz <= 40)].sum() + 1e-12)
    return [
        bump[np.argmax(np.abs(bump))],
        np.mean(centred.mean(axis=0) ** 2) / (np.mean(centred**2) + 1e-12),
        np.median(alike(p_each, p)), np.median((p_each - p).std(axis=1)), share,
        left.std() * np.sqrt(share), np.log1p(slow.max() / (slow.mean() + 1e-12)), left.std(),
        (BEFORE - onset) / FS,
    ]  # fmt: skip


def ventricular(each: np.ndarray, beat: np.ndarray) -> list[float]:
    qrs_each, qrs, t = each[:, 27:44], beat[27:44], beat[53:88]
    likeness, heights = alike(qrs_each, qrs), np.ptp(qrs_each, axis=1)
    st = beat[43:48].mean()
    return [
        np.count_nonzero(np.abs(np.diff(beat[20:51])) > 0.05) / FS, likeness.mean(),
        likeness.min(), heights.std() / (heights.mean() + 1e-12), qrs.min(), st,
        beat[53:58].mean() - st, each[:, 43:48].mean(axis=1).std(), t.max(), t.min(), t.mean(),
        (np.argmax(np.abs(t - t.mean())) + 18) / FS,
    ]  # fmt: skip


def disorder(x: np.ndarray) -> dict[str, float]:
    x = x / x.std()
    power = np.abs(fft.rfft(x * np.hanning(len(x)))) ** 2
    hz = fft.rfftfreq(len(x), 1 / FS)
    power[(hz < 0.7) | (hz > 40)] = 0
    power /= power.sum()
    period = np.pi * np.abs(x).mean() / np.abs(np.diff(x)).mean()
    now, before = x[round(period / 2 + 0.5) :], x[: -round(period / 2 + 0.5)]
    return {
        "band_3_4hz": power[(hz >= 3) & (hz < 4)].sum(),
        "band_30_40hz": power[hz >= 30].sum(),
        "peak_hz": hz[power.argmax()],
        "mean_hz": (power * hz).sum(),
        "leakage": np.abs(now + before).sum() / (np.abs(now).sum() + np.abs(before).sum()),
        "skewness": abs(np.mean((x - x.mean()) ** 3) / x.std() ** 3),
        "kurtosis": np.log(np.mean((x - x.mean()) ** 4) / x.std() ** 4 + 1),
        "mobility": np.diff(x).std() / x.std(),
    }
