"""How much a figure depends on which people are tested: random thirds of them.

    python benchmarks/thirds.py --data rhythm4_visible.npz --draws 12

Each draw trains on two thirds of the people of every database and tests on the others. Ten folds
score all people at once; a set of other people, as someone else collects it, is one such draw. The
classes that few people make up, AF above all, then rest on whoever was drawn.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecglens.errors import EvaluationError
from ecglens.recipes import find_recipe
from ecglens.windows import Windows
from studies import Split, features_of_recipe, scores_of

TRIES = 100
"""Seeds looked at for each draw that is wanted; some draws lack a class on one side."""


def draw(windows: Windows, seed: int) -> Split:
    """Return the windows to train on, and those of a third of the people of each database."""
    rng = np.random.default_rng(seed)
    tested: list[str] = []
    for database in np.unique(windows.databases):
        people = np.unique(windows.subjects[windows.databases == database])
        tested += rng.permutation(people)[: round(len(people) / 3)].tolist()
    test = np.isin(windows.subjects, tested)
    return np.flatnonzero(~test), np.flatnonzero(test)


def draws(windows: Windows, wanted: int) -> list[Split]:
    """Return so many draws that have windows of all classes on both sides.

    Raises:
        EvaluationError: a class has too few people for that.
    """
    n_classes = len(windows.classes)
    found = (
        split
        for split in (draw(windows, seed) for seed in range(TRIES * wanted))
        if all(len(np.unique(windows.labels[part])) == n_classes for part in split)
    )
    splits = list(itertools.islice(found, wanted))
    if len(splits) < wanted:
        raise EvaluationError(
            f"only {len(splits)} of {wanted} draws have every class on both sides; a class has too "
            "few people"
        )
    return splits


def rows_of(name: str, data: Path, wanted: int) -> npt.NDArray[np.float64]:
    """Return the scores of each draw, (n_draws, 6)."""
    windows, features = features_of_recipe(data, name)
    rows = []
    for train, test in draws(windows, wanted):
        head = find_recipe(name).classifier().fit(features[train], windows.labels[train])
        rows.append(scores_of(windows.labels[test], head.predict(features[test])))
    return np.array(rows)


def main() -> int:
    """Print a line for each recipe."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--recipe", default="default,fast,fusion")
    parser.add_argument("--draws", type=int, default=12)
    args = parser.parse_args()
    print("| recipe | macro-F1, mean | least, middle, greatest | accuracy | N AF VF ST |")
    print("|---|---|---|---|---|")
    for name in args.recipe.split(","):
        rows = rows_of(name, args.data, args.draws)
        f1, accuracy, *found = rows.mean(axis=0)
        low, middle, high = np.quantile(rows[:, 0], [0, 0.5, 1])
        recall = " ".join(f"{value:.2f}" for value in found)
        range_ = f"{low:.3f} {middle:.3f} {high:.3f}"
        print(f"| {name} | {f1:.4f} | {range_} | {accuracy:.4f} | {recall} |", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
