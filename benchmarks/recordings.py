"""Whole recordings of people left out of training: EC57 and AHA tables.

    python benchmarks/recordings.py mitdb vfdb --data rhythm4_visible.npz --json recordings.json

The people of the records are dealt into folds. For each fold the recipe is trained on the windows
of the others (with ``--data`` also on windows of other databases) and judges the records of the
fold as ``ecglens predict`` does, with everything that it has fitted in training.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from ecglens.backbones import load_backbone
from ecglens.cache import FeatureStore
from ecglens.databases import subject_of
from ecglens.errors import EcglensError
from ecglens.evaluation.recordings import Comparison, RecordingScores
from ecglens.features import EngineSettings, Extractor, concatenate_outputs
from ecglens.files import cache_folder, write_json
from ecglens.labels import LabelMap, load_label_map
from ecglens.models import RhythmModel, fit_model
from ecglens.prediction import predict_record
from ecglens.readers import find_records, open_record
from ecglens.recipes import find_recipe
from ecglens.windows import WindowRule, Windows, concatenate_windows, make_windows
from rhythm4 import read_rhythm4, readable


def training_windows(
    paths: Sequence[Path], data: Path | None, label_map: LabelMap, leads: str
) -> Windows:
    """Return labelled windows of the records, and those of other databases."""
    windows = make_windows(
        (open_record(path).to_record() for path in paths), label_map, WindowRule(leads=leads)
    )
    if data is None:
        return windows
    other = readable(read_rhythm4(data))
    return concatenate_windows(
        [windows, other.subset(~np.isin(other.databases, np.unique(windows.databases)))]
    )


def folds(windows: Windows, n_folds: int, seed: int) -> Iterator[tuple[Any, set[str]]]:
    """Yield the windows to train on and the people to test on."""
    split = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    for train, test in split.split(windows.X, windows.labels, windows.subjects):
        yield train, set(windows.subjects[test].tolist())


def judge(
    model: RhythmModel, paths: Sequence[Path], people: set[str], leads: str, into: Comparison
) -> None:
    """Predict the records of some people and add them to the comparison."""
    for path in paths:
        record = open_record(path)
        if subject_of(record) in people:
            timeline = predict_record(model, record, leads=leads)
            into.add(record, [(e.start_s, e.end_s, e.label) for e in timeline.episodes])


def run(args: argparse.Namespace) -> RecordingScores:
    """Train and judge fold by fold."""
    label_map = load_label_map(args.map)
    paths = [path for folder in args.records for path in find_records(folder)]
    recipe = find_recipe(args.recipe)
    backbone = load_backbone(
        args.backbone, weights=args.weights, image_size=(recipe.image.height, recipe.image.width)
    )
    recipe = recipe.fit_to(backbone)
    windows = training_windows(paths, args.data, label_map, args.leads)
    store = FeatureStore(args.cache or cache_folder() / "features")
    extractor = Extractor(backbone, recipe.outputs(), recipe.image, EngineSettings(), store)
    features = concatenate_outputs(extractor.run(windows.X, windows.fs))
    comparison = Comparison(label_map, least_s=args.least_s)
    for number, (train, people) in enumerate(folds(windows, args.folds, args.seed), 1):
        model = fit_model(windows.subset(train), features[train], recipe, backbone)
        judge(model, paths, people, args.leads, comparison)
        print(f"fold {number} of {args.folds}", file=sys.stderr)
    return comparison.scores(random_state=args.seed)


def parse() -> argparse.Namespace:
    """Return the command's arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("records", type=Path, nargs="+", help="folders of annotated records")
    parser.add_argument("--data", type=Path, help="more windows to train on (rhythm4 or a file)")
    parser.add_argument("--map", default="rhythm4", help="rhythms to classes")
    parser.add_argument("--backbone", default="ecglens-s")
    parser.add_argument("--weights", default="imagenet", help="imagenet, random or safetensors")
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--leads", default="first", help="first, best or all")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--least-s", type=float, default=0.0, help="shortest episode that counts")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, help="folder of computed features")
    parser.add_argument("--json", type=Path, help="file for the figures")
    return parser.parse_args()


def main() -> int:
    """Print the tables and write them where asked."""
    args = parse()
    try:
        scores = run(args)
        if args.json is not None:
            write_json(args.json, scores.to_dict())
    except EcglensError as error:
        print(f"recordings: error: {error}", file=sys.stderr)
        return error.exit_code
    print(scores.format_table(per_record=True))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
