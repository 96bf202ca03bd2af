"""Normal windows whose beats are put at the times of AF, as training windows of more people.

    python benchmarks/retimed.py --data rhythm4_visible.npz

Most AF windows are of five people. Beats of a normal window are cut out behind their P wave and
laid down at intervals that are drawn anew and independent of each other, with or without waves of
fibrillation between them: AF of a person who has none. So that the cutting itself tells nothing,
as many are laid down with their P wave at nearly even intervals, and stay normal. Only people of
the training windows lend beats. Figures are those of ``pictures.py``: without votes, the two thirds
on whom choices are made, then the third.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecglens.beats import find_beats
from ecglens.signals import band_pass
from ecglens.windows import Windows
from pictures import Variant, features_of, recipe_of
from rhythm4 import read_rhythm4, readable
from studies import SEEDS, Index, row, scores_of, split_people, subject_folds

Floats = npt.NDArray[np.float64]
Features = npt.NDArray[np.float32]

CHANGES: dict[str, tuple[str, ...]] = {
    "default recipe": (),
    "retimed windows, AF and normal": ("AF", "N"),
    "retimed windows, AF alone": ("AF",),
}
MOST_OF_A_PERSON = 6
EVEN = 0.15
"""Deviation of the intervals over their mean, above which a window lends no beats."""


@dataclass(frozen=True)
class Beats:
    """Beats of a window, and how they are cut.

    Attributes:
        signal: finite, shape (n_samples,).
        at: samples of the R peaks.
        interval: the middle R-R interval in samples.
        fs: rate in Hz.
    """

    signal: Floats
    at: npt.NDArray[np.intp]
    interval: float
    fs: float

    def cut(self, number: int, before_s: float, samples: int) -> Floats:
        """Return one beat on a level base line, faded at both ends."""
        start = int(self.at[number] - before_s * self.fs)
        beat = self.signal[max(start, 0) : start + samples].copy()
        beat -= np.linspace(beat[:4].mean(), beat[-4:].mean(), len(beat))
        fade = np.minimum(np.arange(len(beat)), np.arange(len(beat))[::-1])
        return np.asarray(beat * np.clip(fade / (0.03 * self.fs), 0, 1))


def beats_of(signal: Features, fs: float) -> Beats | None:
    """Return the beats of a window of even rhythm, None for any other."""
    at = find_beats(signal, fs)
    if len(at) < 6:
        return None
    intervals = np.diff(at)
    middle = float(np.median(intervals))
    if intervals.std() > EVEN * middle or not 0.45 < middle / fs < 1.6:
        return None
    return Beats(np.nan_to_num(signal).astype(np.float64), at, middle, fs)


def retime(beats: Beats, fibrillating: bool, rng: np.random.Generator) -> Features:
    """Lay beats of a window down at new times, with a little noise and wander."""
    fs, n = beats.fs, len(beats.signal)
    before_s = 0.07 if fibrillating else 0.22
    intervals = _intervals(beats, fibrillating, rng)
    times = fs * rng.uniform(-0.5, 0.3) + np.cumsum(intervals)
    whole = int(min(0.42 * fs, 0.62 * beats.interval) + before_s * fs)
    laid = np.zeros(n)
    for time, following in zip(times, intervals[1:], strict=False):
        samples = int(min(whole, max(following, 0.35 * fs)))
        beat = beats.cut(int(rng.integers(1, len(beats.at) - 1)), before_s, samples)
        start = round(time - before_s * fs)
        low, high = max(start, 0), min(start + len(beat), n)
        if low < high:
            laid[low:high] += beat[low - start : high - start]
    size = float(np.ptp(np.quantile(beats.signal, [0.02, 0.98])))
    laid += size * _between(n, fs, fibrillating, rng)
    return laid.astype(np.float32)


def _intervals(beats: Beats, fibrillating: bool, rng: np.random.Generator) -> Floats:
    """Return R-R intervals in samples; those of AF are drawn from a gamma distribution."""
    fs, wanted = beats.fs, 60
    if not fibrillating:
        usual = beats.interval * rng.uniform(0.75, 1.1)
        return np.clip(usual * rng.normal(1, 0.02, wanted), 0.33 * fs, 2 * fs)
    shape = rng.uniform(0.14, 0.28) ** -2
    usual = max(beats.interval * rng.uniform(0.6, 1.0), 0.42 * fs)
    return np.clip(usual * rng.gamma(shape, 1 / shape, wanted), 0.3 * fs, 2.2 * fs)


def _between(n: int, fs: float, fibrillating: bool, rng: np.random.Generator) -> Floats:
    """Return noise, wander and, for half of the fibrillating, f waves of 4.5 to 8.5 Hz."""
    noise = band_pass(rng.normal(size=(1, n)).astype(np.float32), fs, 0.3, 35.0)[0]
    seconds = np.arange(0, n + fs, fs)
    wander = np.interp(np.arange(n), seconds, np.cumsum(rng.normal(size=len(seconds))))
    found = 0.012 * noise / noise.std() + 0.04 * wander
    if fibrillating and rng.random() < 0.5:
        hz = np.interp(np.arange(n), seconds, rng.normal(1, 0.05, len(seconds)))
        phase = 2 * np.pi * np.cumsum(rng.uniform(4.5, 8.5) * hz) / fs
        found += 0.035 * (np.sin(phase) + 0.4 * np.sin(2 * phase + 1))
    return np.asarray(found)


def retimed_windows(windows: Windows, seed: int = 0) -> Windows:
    """Return windows of AF and of normal rhythm in equal number, made of normal ones."""
    rng = np.random.default_rng(seed)
    made: list[tuple[int, str, Features]] = []
    normal = np.flatnonzero(windows.labels == "N")
    for person in np.unique(windows.subjects[normal]):
        mine = rng.permutation(normal[windows.subjects[normal] == person])
        for index in mine[:MOST_OF_A_PERSON]:
            beats = beats_of(windows.X[index], windows.fs)
            if beats is not None:
                made += [(index, "AF", retime(beats, True, rng))]
                made += [(index, "N", retime(beats, False, rng))]
    source = windows.subset(np.array([index for index, _, _ in made]))
    labels = np.array([label for _, label, _ in made])
    return replace(source, X=np.stack([X for _, _, X in made]), labels=labels)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True)
    args = parser.parse_args()
    windows = readable(read_rhythm4(args.data))
    recipe = recipe_of(Variant("default recipe"))
    more = retimed_windows(windows)
    X, retimed = features_of(recipe, windows, None), features_of(recipe, more, None)

    def said(train: Index, test: Index, labels: tuple[str, ...]) -> npt.NDArray[np.str_]:
        lent = np.isin(more.subjects, windows.subjects[train]) & np.isin(more.labels, labels)
        head = recipe.classifier().fit(
            np.concatenate([X[train], retimed[lent]]),
            np.concatenate([windows.labels[train], more.labels[lent]]),
        )
        return np.asarray(head.predict(X[test]))

    print("| change | people | macro-F1 | accuracy | sensitivity N AF VF ST |")
    print("|---|---|---|---|---|")
    chosen, kept = split_people(windows)
    for name, labels in CHANGES.items():
        rows = []
        for seed in SEEDS:
            told = windows.labels.copy()
            for train, test in subject_folds(windows, chosen, seed):
                told[test] = said(train, test, labels)
            rows.append(scores_of(windows.labels[chosen], told[chosen]))
        print(row(name, "two thirds, mean of 3", np.mean(rows, axis=0)), flush=True)
        confirmed = scores_of(windows.labels[kept], said(chosen, kept, labels))
        print(row(name, "the third", np.array(confirmed)), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
