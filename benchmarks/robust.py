"""Experiments on training that holds under noise and on other people (docs/research/robust.md).

    python benchmarks/robust.py noise --data rhythm4_visible.npz
    python benchmarks/robust.py noise --data rhythm4_visible.npz --people chosen \
        --train-noises muscle --train-snr 0 12 --each 1 4
    python benchmarks/robust.py people --data rhythm4_visible.npz
    python benchmarks/robust.py rates --records mitdb vfdb --data rhythm4_visible.npz

Folds are ten, subject-wise; a noisy copy is of the same person as its window, so it is in the same
fold, and only windows as they are, or every fourth with one kind of noise at one strength, are
tested. ``--people chosen`` takes the two thirds of the people on whom choices are made, ``--people
third`` trains on them and tests on the others. Features are kept in the cache.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline

from ecglens.backbones import load_backbone
from ecglens.beats import heart_rates
from ecglens.cache import FeatureStore
from ecglens.databases.synthetic.noise import add_noise
from ecglens.features import EngineSettings, Extractor, concatenate_outputs
from ecglens.files import cache_folder
from ecglens.prediction.doubts import doubts_of_rate
from ecglens.readers import find_records, read_record
from ecglens.recipes import Recipe, find_recipe
from ecglens.records import Lead, Record
from ecglens.signals import unreadable_reasons
from ecglens.windows import WindowRule, Windows, cut_record
from rhythm4 import read_rhythm4, readable
from studies import Split, scores_of, split_people

Features = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Correction = Callable[[Floats, Floats, Windows], tuple[Floats, Floats]]

TRAINING_NOISES = ("baseline", "muscle", "motion")
TRAINING_SNR_DB = (0.0, 24.0)
TEST_NOISES = ("baseline", "muscle", "motion", "recorder")
"""The last is never trained on."""

TEST_SNR_DB = (24, 18, 12, 6, 0)
TESTED_EACH = 4
TEST_SEED = 77
FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Rate that a recording is read at over its own."""


class Extraction:
    """Features of windows by a recipe, kept in the cache."""

    def __init__(self, recipe: Recipe) -> None:
        size = (recipe.image.height, recipe.image.width)
        backbone = load_backbone(recipe.backbone, image_size=size)
        store = FeatureStore(cache_folder() / "features")
        self.extractor = Extractor(
            backbone, recipe.outputs(), recipe.image, EngineSettings(precision="fp32"), store
        )

    def of(self, windows: Windows) -> Features:
        """Return the features, shape (n_windows, n_features)."""
        return concatenate_outputs(self.extractor.run(windows.X, windows.fs))


def noise(args: argparse.Namespace) -> None:
    """Print what noisy copies in training do for windows with and without noise."""
    windows = readable(read_rhythm4(args.data))
    conditions = list(product(args.noises, args.snr))
    told = " | ".join(f"{kind} {snr_db} dB" for kind, snr_db in conditions)
    print(
        "| recipe | people | seed | copies | of one window in | macro-F1 | accuracy | N AF VF ST "
        f"| fit s | vectors | {told} |"
    )
    print(f"|{'---|' * (10 + len(conditions))}", flush=True)
    for name in args.recipes:
        extraction = Extraction(find_recipe(name))
        clean = extraction.of(windows)
        copies = [
            extraction.of(
                add_noise_to_windows(
                    windows,
                    kinds=args.train_noises,
                    snr_db=(args.train_snr[0], args.train_snr[1]),
                    random_state=n,
                )
            )
            for n in range(max(args.copies))
        ]
        under = noisy_features(windows, extraction, conditions)
        for seed in args.seeds:
            folds = splits_of(windows, args.people, seed, args.folds)
            for n, each in variants(args.copies, args.each):
                classifier = find_recipe(name).classifier()
                outcome = cross_validated(
                    classifier, windows, clean, copies[:n], under, folds, each=each
                )
                print(f"| {name} | {args.people} | {seed} | {n} | {each} | {outcome}", flush=True)


def variants(copies: Sequence[int], each: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield how many copies of which share of the windows; no copies are the same of any share."""
    for n in copies:
        yield from product([n], each if n else each[:1])


def splits_of(windows: Windows, people: str, seed: int, n_folds: int) -> list[Split]:
    """Return training and test windows of all people, of the chosen ones, or of the third."""
    if people == "all":
        return list(subject_folds(windows, seed, n_folds))
    chosen, kept = split_people(windows)
    if people == "third":
        return [(chosen, kept)]
    folds = subject_folds(windows.subset(chosen), seed, n_folds)
    return [(chosen[train], chosen[test]) for train, test in folds]


def add_noise_to_windows(
    windows: Windows,
    *,
    kinds: Sequence[str] = TRAINING_NOISES,
    snr_db: tuple[float, float] = TRAINING_SNR_DB,
    random_state: int = 0,
) -> Windows:
    """Return a noisy copy of every window, of the same person and class.

    Each window gets noise of its own: one of ``kinds``, at a signal-to-noise ratio drawn evenly
    from ``snr_db`` (dB). What a window gets depends on its place and on ``random_state``.
    """
    rng = np.random.default_rng(random_state)
    chosen = rng.integers(len(kinds), size=len(windows))
    ratios = rng.uniform(*snr_db, size=len(windows))
    seeds = rng.integers(2**31, size=len(windows))
    X = np.empty_like(windows.X)
    drawn = zip(windows.X, chosen.tolist(), ratios.tolist(), seeds.tolist(), strict=True)
    for row, (x, kind, ratio, seed) in enumerate(drawn):
        X[row] = add_noise(x, kinds[kind], fs=windows.fs, snr_db=ratio, random_state=seed)
    return replace(windows, X=X)


def subject_folds(windows: Windows, seed: int, n_folds: int) -> Iterator[Split]:
    """Yield subject-wise folds."""
    folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    yield from folds.split(windows.X, windows.labels, windows.subjects)


def noisy_features(
    windows: Windows, extraction: Extraction, conditions: Sequence[tuple[str, int]]
) -> dict[tuple[str, int], Features]:
    """Return the features of every fourth window under each noise."""
    tested = windows.subset(np.arange(0, len(windows), TESTED_EACH))
    found = {}
    for kind, snr_db in conditions:
        ratios = (float(snr_db), float(snr_db))
        made = add_noise_to_windows(tested, kinds=(kind,), snr_db=ratios, random_state=TEST_SEED)
        found[kind, snr_db] = extraction.of(made)
    return found


def cross_validated(
    classifier: Any,
    windows: Windows,
    clean: Features,
    copies: Sequence[Features],
    noisy: Mapping[tuple[str, int], Features],
    folds: Sequence[Split],
    *,
    each: int = 1,
) -> str:
    """Return a row of the table: scores on windows as they are, cost, and macro-F1 under noise.

    Training has copies of one window in ``each``, of other windows in every set of copies.
    """
    labels = windows.labels
    said = labels.copy()
    tested = np.arange(0, len(windows), TESTED_EACH)
    said_noisy = {condition: np.array(labels[tested]) for condition in noisy}
    seconds, vectors = [], []
    for train, test in folds:
        start = time.process_time()
        copied = [train[train % each == n % each] for n in range(len(copies))]
        noisy_rows = [features[rows] for features, rows in zip(copies, copied, strict=True)]
        fitted = clone(classifier).fit(
            np.concatenate([clean[train], *noisy_rows]),
            np.concatenate([labels[train], *(labels[rows] for rows in copied)]),
        )
        seconds.append(time.process_time() - start)
        head = fitted[-1]
        machines = [head] if hasattr(head, "machine_") else [head.image_, head.measures_]
        vectors.append(sum(len(machine.machine_.support_) for machine in machines))
        said[test] = fitted.predict(clean[test])
        here = np.flatnonzero(np.isin(tested, test))
        for condition, features in noisy.items():
            said_noisy[condition][here] = fitted.predict(features[here])
    judged = np.concatenate([test for _, test in folds])
    f1, accuracy, *found = scores_of(labels[judged], said[judged])
    recall = " ".join(f"{value:.2f}" for value in found)
    mine = np.isin(tested, judged)
    truth = labels[tested][mine]
    cost = f"{np.mean(seconds):.1f} | {np.mean(vectors):.0f}"
    under = [f1_score(truth, told[mine], average="macro") for told in said_noisy.values()]
    rows = " | ".join(f"{value:.3f}" for value in under)
    return f"{f1:.4f} | {accuracy:.4f} | {recall} | {cost} | {rows} |"


def people(args: argparse.Namespace) -> None:
    """Print what taking the person or the database out of the components does for new people.

    Everything is fitted on the training people of a fold, on the 128 components of the recipe
    ``default``, whose head then learns from what is left.
    """
    windows = readable(read_rhythm4(args.data))
    clean = Extraction(find_recipe("default")).of(windows)
    print("| components | macro-F1, mean | seeds | accuracy | N AF VF ST |\n|---|---|---|---|---|")
    said = {name: [windows.labels.copy() for _ in args.seeds] for name in CORRECTIONS}
    for number, seed in enumerate(args.seeds):
        for train, test in subject_folds(windows, seed, args.folds):
            *steps, head = find_recipe("default").classifier()
            components = make_pipeline(*steps).fit(clean[train])
            known, new = (components.transform(clean[part]) for part in (train, test))
            for name, correction in CORRECTIONS.items():
                left, tested = correction(known, new, windows.subset(train))
                fitted = clone(head).fit(left, windows.labels[train])
                said[name][number][test] = fitted.predict(tested)
    for name, told in said.items():
        scores = np.array([scores_of(windows.labels, one) for one in told])
        f1, accuracy, *found = scores.mean(axis=0)
        each = " ".join(f"{value:.3f}" for value in scores[:, 0])
        recall = " ".join(f"{value:.2f}" for value in found)
        print(f"| {name} | {f1:.4f} | {each} | {accuracy:.4f} | {recall} |", flush=True)


def person_scatter(X: Floats, windows: Windows) -> tuple[Floats, Floats]:
    """Return the scatter of people about their class, and of classes about each other."""
    pairs = np.char.add(np.char.add(windows.labels, "|"), windows.subjects)
    means = {pair: X[pairs == pair].mean(axis=0) for pair in np.unique(pairs)}
    centres = {label: X[windows.labels == label].mean(axis=0) for label in windows.classes}
    apart = np.array([mean - centres[pair.split("|")[0]] for pair, mean in means.items()])
    between = np.array(list(centres.values())) - X.mean(axis=0)
    return apart.T @ apart / len(apart), between.T @ between / len(between)


def as_they_are(known: Floats, new: Floats, windows: Windows) -> tuple[Floats, Floats]:  # noqa: ARG001
    """Change nothing."""
    return known, new


def without_directions(n: int) -> Correction:
    """Project out the n directions in which people of one class differ most."""

    def correction(known: Floats, new: Floats, windows: Windows) -> tuple[Floats, Floats]:
        scatter, _ = person_scatter(known, windows)
        most = np.linalg.eigh(scatter)[1][:, -n:]
        return known - known @ most @ most.T, new - new @ most @ most.T

    return correction


def without_components(share: float) -> Correction:
    """Leave out the components that tell people apart most, measured by how they tell classes."""

    def correction(known: Floats, new: Floats, windows: Windows) -> tuple[Floats, Floats]:
        scatter, between = person_scatter(known, windows)
        ratio = np.diag(scatter) / (np.diag(between) + 1e-9)
        kept = ratio <= np.quantile(ratio, 1 - share)
        return known[:, kept], new[:, kept]

    return correction


def within_class(shrinkage: float) -> Correction:
    """Whiten the covariance of people about their class, shrunk towards a multiple of one."""

    def correction(known: Floats, new: Floats, windows: Windows) -> tuple[Floats, Floats]:
        scatter, _ = person_scatter(known, windows)
        level = np.trace(scatter) / len(scatter)
        shrunk = (1 - shrinkage) * scatter + shrinkage * level * np.eye(len(scatter))
        whitening = power_of(shrunk, -0.5)
        return known @ whitening, new @ whitening

    return correction


def coral(known: Floats, new: Floats, windows: Windows) -> tuple[Floats, Floats]:
    """Give each training database the mean and covariance of all (Sun et al., 2016, CORAL)."""
    aligned = known.copy()
    target = power_of(covariance(known), 0.5)
    for database in np.unique(windows.databases):
        mine = windows.databases == database
        centred = known[mine] - known[mine].mean(axis=0)
        aligned[mine] = centred @ power_of(covariance(known[mine]), -0.5) @ target
    return aligned, new


def covariance(X: Floats) -> Floats:
    """Return the covariance, shrunk so that few windows have one of full rank."""
    return np.asarray(np.cov(X.T) + 0.1 * X.var() * np.eye(X.shape[1]))


def power_of(matrix: Floats, power: float) -> Floats:
    """Return a power of a symmetric positive matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.maximum(values, 1e-9) ** power) @ vectors.T)


CORRECTIONS: dict[str, Correction] = {
    "as they are": as_they_are,
    "less 4 directions of people": without_directions(4),
    "less 16 directions of people": without_directions(16),
    "less a quarter of the components": without_components(0.25),
    "people whitened, shrunk by 0.5": within_class(0.5),
    "people whitened, shrunk by 0.1": within_class(0.1),
    "CORAL by database": coral,
}


def rates(args: argparse.Namespace) -> None:
    """Print how many recordings are doubted when they are read at a wrong sampling rate."""
    print(f"| database | recordings | {' | '.join(f'x {f:g}' for f in FACTORS)} |")
    print(f"|{'---|' * (2 + len(FACTORS))}")
    sources: dict[str, list[Record]] = {
        folder.name: [read_record(path) for path in find_records(folder)] for folder in args.records
    }
    if args.data is not None:
        windows = readable(read_rhythm4(args.data))
        for database in np.unique(windows.databases):
            joined = list(joined_records(windows.subset(windows.databases == database)))
            sources[f"rhythm4, {database}"] = joined
    for name, records in sources.items():
        shares = []
        for factor in FACTORS:
            told = [
                is_doubted(replace(record, fs=record.fs * factor, rhythms=())) for record in records
            ]
            known = [doubt for doubt in told if doubt is not None]
            shares.append(f"{np.mean(known):.2f} of {len(known)}" if known else "-")
        print(f"| {name} | {len(records)} | {' | '.join(shares)} |", flush=True)


def joined_records(windows: Windows) -> Iterator[Record]:
    """Yield the windows of each record as one, where there are three or more."""
    for name in np.unique(windows.records):
        mine = windows.subset(windows.records == name)
        if len(mine) >= 3:
            signal = mine.X[np.argsort(mine.start_s)].reshape(1, -1)
            yield Record(signal=signal, fs=mine.fs, leads=(Lead("I"),), record_id=str(name))


def is_doubted(record: Record) -> bool | None:
    """Tell whether the rate is doubted; None for a record shorter than three windows."""
    if record.duration_s < 30:
        return None
    windows = cut_record(record, WindowRule(leads="first"))
    windows = windows.subset(unreadable_reasons(windows.X, windows.fs) == "")
    if not len(windows):
        return None
    beats = heart_rates(windows.X, windows.fs)
    return bool(doubts_of_rate(record, 0, beats, len(windows)))


STUDIES: dict[str, Callable[[argparse.Namespace], None]] = {
    "noise": noise,
    "people": people,
    "rates": rates,
}


def main() -> int:
    """Run the study asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--data", type=Path, help="rhythm4 windows (.npz)")
    parser.add_argument("--records", type=Path, nargs="*", default=[], help="folders, for rates")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--recipes", nargs="+", default=["default", "fusion"])
    parser.add_argument("--copies", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--each", type=int, nargs="+", default=[1], help="copies are of one window in so many"
    )
    parser.add_argument("--people", choices=("all", "chosen", "third"), default="all")
    parser.add_argument("--train-noises", nargs="+", default=TRAINING_NOISES)
    parser.add_argument(
        "--train-snr", type=float, nargs=2, default=TRAINING_SNR_DB, metavar=("LOW", "HIGH")
    )
    parser.add_argument("--noises", nargs="+", default=TEST_NOISES)
    parser.add_argument("--snr", type=int, nargs="+", default=TEST_SNR_DB)
    parser.add_argument("--folds", type=int, default=10)
    args = parser.parse_args()
    if args.data is None and args.study != "rates":
        parser.error(f"{args.study} needs --data")
    STUDIES[args.study](args)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
