"""Experiments of the lab notebook (docs/research), each under a name.

    python benchmarks/studies.py fusion --data rhythm4_visible.npz
    python benchmarks/studies.py whole --data rhythm4_visible.npz
    python benchmarks/studies.py ltstdb --data rhythm4_visible.npz
    python benchmarks/studies.py beats --records mitdb/

A third of the people is kept apart for confirmation (:func:`split_people`): choices are made on
the others by three subject-wise ten-fold runs, and the chosen is scored once on the third.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.metrics import accuracy_score, f1_score, recall_score, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, QuantileTransformer

from ecglens.backbones import load_backbone
from ecglens.beats import find_beats
from ecglens.cache import FeatureStore
from ecglens.classifiers import make_classifier
from ecglens.features import EngineSettings, Extractor, concatenate_outputs
from ecglens.files import cache_folder
from ecglens.heads import MemorySVC
from ecglens.readers import find_records
from ecglens.recipes import find_recipe
from ecglens.rhythm_features import RHYTHM_NAMES
from ecglens.windows import Windows
from rhythm4 import read_rhythm4, readable

Index = npt.NDArray[np.intp]
Split = tuple[Index, Index]

SEEDS = (0, 1, 2)
CONFIRMATION_SEED = 2026
BEAT_SYMBOLS = frozenset("NLRBAaJSVrFejnE/fQ?")
TOLERANCE_S = 0.15
"""Of ANSI/AAMI EC57 for matching a beat."""


def split_people(windows: Windows) -> Split:
    """Return the windows of people for choices, and of the third that confirms them."""
    folds = StratifiedGroupKFold(3, shuffle=True, random_state=CONFIRMATION_SEED)
    chosen, kept = next(iter(folds.split(windows.X, windows.labels, windows.subjects)))
    return chosen, kept


def subject_folds(windows: Windows, index: Index, seed: int) -> Iterable[Split]:
    """Yield ten subject-wise folds of some windows, as indices into all."""
    folds = StratifiedGroupKFold(10, shuffle=True, random_state=seed)
    labels, subjects = windows.labels[index], windows.subjects[index]
    for train, test in folds.split(labels, labels, subjects):
        yield index[train], index[test]


def scores_of(true: npt.NDArray[np.str_], said: npt.NDArray[np.str_]) -> list[float]:
    """Return macro-F1, accuracy and the sensitivities of N, AF, VF and ST."""
    found = recall_score(true, said, labels=["N", "AF", "VF", "ST"], average=None)
    return [f1_score(true, said, average="macro"), accuracy_score(true, said), *found]


def row(name: str, people: str, scores: npt.NDArray[np.float64]) -> str:
    """Return one line of the table."""
    f1, accuracy, *found = scores
    recall = " ".join(f"{value:.2f}" for value in found)
    return f"| {name} | {people} | {f1:.4f} | {accuracy:.4f} | {recall} |"


def fusion(args: argparse.Namespace) -> None:
    """Print heads on image features, on measures and on both, and each expert left out."""
    windows, features = features_of_recipe(args.data)
    n = len(RHYTHM_NAMES)
    recipe = find_recipe("fusion")
    ranks = make_pipeline(
        QuantileTransformer(n_quantiles=200, output_distribution="normal", random_state=0),
        FunctionTransformer(np.clip, kw_args={"a_min": -2.5, "a_max": 2.5}),
    )
    image, measures = features[:, :-n], features[:, -n:]
    variants = {
        "image features, svm-memory": (
            image,
            make_classifier("svm-memory", pca=128, pairwise=False),
        ),
        "measures, svm-memory": (
            measures,
            make_classifier("svm-memory", C=4.0, gamma=0.15, pairwise=False),
        ),
        "measures by rank, svm-memory": (
            measures,
            make_pipeline(
                *[step for _, step in ranks.steps], MemorySVC(C=4.0, gamma=0.15, pairwise=False)
            ),
        ),
        "both side by side, svm-memory": (
            features,
            make_classifier("svm-memory", pca=128, pairwise=False),
        ),
        "fusion": (features, recipe.classifier()),
    }
    print("| head | people | macro-F1 | accuracy | sensitivity N AF VF ST |")
    print("|---|---|---|---|---|")
    chosen, kept = split_people(windows)
    for name, (X, classifier) in variants.items():
        rows = []
        for seed in SEEDS:
            said = windows.labels.copy()
            for train, test in subject_folds(windows, chosen, seed):
                fitted = clone(classifier).fit(X[train], windows.labels[train])
                said[test] = fitted.predict(X[test])
            rows.append(scores_of(windows.labels[chosen], said[chosen]))
        print(row(name, "two thirds, mean of 3", np.mean(rows, axis=0)), flush=True)
        fitted = clone(classifier).fit(X[chosen], windows.labels[chosen])
        confirmed = scores_of(windows.labels[kept], fitted.predict(X[kept]))
        print(row(name, "the third", np.array(confirmed)), flush=True)


def whole(args: argparse.Namespace) -> None:
    """Print recipes on all people: as they are, with context, and abstaining."""
    print("| recipe | macro-F1, mean of 3 | seeds 0 1 2 | accuracy | N AF VF ST | specificity N |")
    print("|---|---|---|---|---|---|")
    by_recipe = {name: _scores(args.data, name, args.pairs_won) for name in args.recipe.split(",")}
    for name, (windows, scores) in by_recipe.items():
        rows = np.array([scores_of(windows.labels, CLASSES[one.argmax(axis=1)]) for one in scores])
        f1, accuracy, *found = rows.mean(axis=0)
        ill = windows.labels != "N"
        spared = np.mean([CLASSES[one[ill].argmax(axis=1)] != "N" for one in scores])
        seeds = " ".join(f"{value:.3f}" for value in rows[:, 0])
        recall = " ".join(f"{value:.2f}" for value in found)
        print(f"| {name} | {f1:.4f} | {seeds} | {accuracy:.4f} | {recall} | {spared:.2f} |")
    _print_means("windows that begin within", by_recipe, _with_context, (0, 10, 20, 30, 60), "{} s")
    _print_means("windows judged", by_recipe, _surest, (100, 90, 80, 60), "{} %")


CLASSES = np.array(["AF", "N", "ST", "VF"])
Scores = npt.NDArray[np.float64]


def _scores(data: Path, name: str, pairs_won: bool) -> tuple[Windows, Scores]:
    """Return the windows and their log-probabilities for each seed, (3, n_windows, 4)."""
    windows, features = features_of_recipe(data, name)
    recipe = find_recipe(name)
    if pairs_won and recipe.head == "svm-memory":
        recipe = replace(recipe, head_params={**recipe.head_params, "pairwise": False})
    # The scores of a machine, unlike those of the experts, are no log-probabilities yet.
    temperature = 1.0 if recipe.head == "experts" else 0.3
    scores = np.empty((len(SEEDS), len(windows), len(CLASSES)))
    for seed in SEEDS:
        for train, test in subject_folds(windows, np.arange(len(windows)), seed):
            fitted = recipe.classifier().fit(features[train], windows.labels[train])
            told = fitted.decision_function(features[test]) / temperature
            scores[seed, test] = log_softmax(told, axis=1)
    return windows, scores


def _print_means(
    title: str,
    by_recipe: dict[str, tuple[Windows, Scores]],
    score: Callable[[Windows, Scores, int], float],
    steps: tuple[int, ...],
    unit: str,
) -> None:
    """Print the mean macro-F1 of the seeds, a row for each recipe, a column for each step."""
    print(f"\n| {title} | {' | '.join(unit.format(step) for step in steps)} |")
    print("|---" * (len(steps) + 1) + "|")
    for name, (windows, scores) in by_recipe.items():
        means = [np.mean([score(windows, one, step) for one in scores]) for step in steps]
        print(f"| {name} | {' | '.join(f'{mean:.4f}' for mean in means)} |", flush=True)


def _with_context(windows: Windows, scores: Scores, seconds: int) -> float:
    """Return macro-F1 where log-probabilities are averaged over neighbours in the record."""
    near = scores.copy()
    for record in np.unique(windows.records):
        mine = np.flatnonzero(windows.records == record)
        start_s = windows.start_s[mine]
        beside = np.abs(start_s[:, None] - start_s) <= seconds
        near[mine] = beside @ scores[mine] / beside.sum(axis=1, keepdims=True)
    return float(f1_score(windows.labels, CLASSES[near.argmax(axis=1)], average="macro"))


def _surest(windows: Windows, scores: Scores, per_cent: int) -> float:
    """Return macro-F1 of the windows whose best two classes are farthest apart."""
    best = np.sort(scores, axis=1)
    kept = np.argsort(best[:, -2] - best[:, -1], kind="stable")[: len(scores) * per_cent // 100]
    said = CLASSES[scores[kept].argmax(axis=1)]
    return float(f1_score(windows.labels[kept], said, average="macro"))


def ltstdb(args: argparse.Namespace) -> None:
    """Print how well normal and ST windows of ltstdb are told apart on new people.

    Trained within the database, so that no other recorder gets in the way; once as they are, and
    once less the median of the record, for records that hold both.
    """
    windows, features = features_of_recipe(args.data)
    measures = features[:, -len(RHYTHM_NAMES) :].astype(np.float64)
    here = np.flatnonzero(windows.databases == "ltstdb")
    centred = measures.copy()
    for record in np.unique(windows.records[here]):
        part = here[windows.records[here] == record]
        centred[part] -= np.median(measures[part], axis=0)
    both = here[_has_both(windows.records[here], windows.labels[here])]
    image = features[:, : -len(RHYTHM_NAMES)]
    head = make_classifier("logistic", C=0.01)
    print("| features | windows | area under the ROC curve, seeds 0 1 2 |\n|---|---|---|")
    for name, X, index in (
        ("measures", measures, here),
        ("image features", image, here),
        ("measures, records with both classes", measures, both),
        ("measures less the record's median", centred, both),
    ):
        areas = []
        for seed in SEEDS:
            score = np.zeros(len(windows))
            for train, test in subject_folds(windows, index, seed):
                fitted = clone(head).fit(X[train], windows.labels[train])
                score[test] = fitted.decision_function(X[test])
            areas.append(roc_auc_score(windows.labels[index] == "ST", score[index]))
        print(f"| {name} | {len(index)} | {' '.join(f'{area:.3f}' for area in areas)} |")


def _has_both(records: npt.NDArray[np.str_], labels: npt.NDArray[np.str_]) -> npt.NDArray[np.bool_]:
    """Tell windows of records with more than one class."""
    several = [r for r in np.unique(records) if len(set(labels[records == r])) > 1]
    found: npt.NDArray[np.bool_] = np.isin(records, several)
    return found


def beats(args: argparse.Namespace) -> None:
    """Print sensitivity and positive predictivity of beats in ten-second windows of records."""
    import wfdb

    found = true = hits = correct = n_windows = 0
    for path in find_records(args.records):
        stem = str(path.with_suffix(""))
        record, annotation = wfdb.rdrecord(stem), wfdb.rdann(stem, "atr")
        symbols = np.array(annotation.symbol)
        at = annotation.sample[np.isin(symbols, list(BEAT_SYMBOLS))] / record.fs
        flutter = annotation.sample[np.isin(symbols, ["[", "]"])] / record.fs
        for start in range(0, int(record.sig_len / record.fs) - 9, args.step):
            spans = flutter.reshape(-1, 2) if len(flutter) % 2 == 0 else np.empty((0, 2))
            if any(low < start + 10 and high > start for low, high in spans):
                continue
            part = slice(round(start * record.fs), round((start + 10) * record.fs))
            said = find_beats(record.p_signal[part, 0], record.fs) / record.fs
            here = at[(at >= start) & (at < start + 10)] - start
            # A beat at the very edge may be cut in half.
            inner, told = (x[(x > 0.2) & (x < 9.8)] for x in (here, said))
            hits += _near(inner, said)
            correct += _near(told, here)
            true, found, n_windows = true + len(inner), found + len(told), n_windows + 1
    print(f"{n_windows} windows, {true} beats: sensitivity {hits / true:.4f}, ", end="")
    print(f"positive predictivity {correct / found:.4f}")


def _near(times: npt.NDArray[np.float64], others: npt.NDArray[np.float64]) -> int:
    """Count the times that have another within the tolerance."""
    apart = np.abs(times[:, None] - others[None, :])
    return int(np.count_nonzero(np.min(apart, axis=1, initial=np.inf) < TOLERANCE_S))


def features_of_recipe(data: Path, name: str = "fusion") -> tuple[Windows, npt.NDArray[np.float32]]:
    """Return the windows and their features by a recipe, measures last if it has them."""
    windows = readable(read_rhythm4(data))
    recipe = find_recipe(name)
    size = (recipe.image.height, recipe.image.width)
    backbone = load_backbone(recipe.backbone, image_size=size)
    store = FeatureStore(cache_folder() / "features")
    engine = EngineSettings(precision="fp32")
    extractor = Extractor(backbone, recipe.outputs(), recipe.image, engine, store)
    found = extractor.run(windows.X, windows.fs)
    return windows, concatenate_outputs(found)


STUDIES: dict[str, Callable[[argparse.Namespace], None]] = {
    "fusion": fusion,
    "whole": whole,
    "ltstdb": ltstdb,
    "beats": beats,
}


def main() -> int:
    """Run the study asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--data", type=Path, help="rhythm4 windows (.npz)")
    parser.add_argument("--records", type=Path, help="folder of annotated WFDB records, for beats")
    parser.add_argument("--recipe", default="default,fusion", help="recipes, for whole")
    parser.add_argument(
        "--pairs-won", action="store_true", help="svm-memory scores by pairs won, for whole"
    )
    parser.add_argument("--step", type=int, default=30, help="seconds between windows, for beats")
    args = parser.parse_args()
    needed = "records" if args.study == "beats" else "data"
    if getattr(args, needed) is None:
        parser.error(f"{args.study} needs --{needed}")
    STUDIES[args.study](args)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
