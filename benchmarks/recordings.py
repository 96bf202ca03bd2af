"""Whole recordings of people left out of training: EC57, AHA, and what rhythms were called.

    python benchmarks/recordings.py mitdb vfdb --data rhythm4_visible.npz --json recordings.json

The people of the records are dealt into folds. For each fold the recipe is trained on the windows
of the others (with ``--data`` also on windows of other databases) and judges the records of the
fold as ``ecglens predict`` does, with everything that it has fitted in training. The last table
holds what was said while each rhythm was annotated, noise and rhythms of no class too.

``--work`` keeps what was predicted, a file per record, and an interrupted run goes on there; its
folders are named by the settings, so take a new place after changing the program.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from ecglens import __version__
from ecglens.backbones import Backbone, load_backbone
from ecglens.cache import FeatureStore
from ecglens.databases import open_record, subject_of
from ecglens.decisions import INCONCLUSIVE, UNREADABLE
from ecglens.errors import EcglensError, EvaluationError, LeakError
from ecglens.evaluation import check_no_leak
from ecglens.evaluation.recordings import Comparison, Span, read_predictions
from ecglens.evaluation.recordings.spans import shared_s
from ecglens.evaluation.tables import align, number
from ecglens.features import Extractor, concatenate_outputs
from ecglens.files import cache_folder, make_folder, write_json
from ecglens.labels import LabelMap, load_label_map
from ecglens.models import RhythmModel, fit_model
from ecglens.prediction import predict_record
from ecglens.readers import find_records
from ecglens.recipes import Recipe, find_recipe
from ecglens.records import Recording
from ecglens.windows import WindowRule, Windows, concatenate_windows, make_windows
from rhythm4 import read_rhythm4, readable


@dataclass(frozen=True)
class Settings:
    """What decides the figures, beside the records."""

    recipe: Recipe
    backbone: Backbone
    label_map: LabelMap
    data: Path | None
    leads: str
    hop_s: float | None
    folds: int
    seed: int

    def name(self, records: Iterable[Recording]) -> str:
        """Return a name that is another one for other settings or records."""
        said = {
            "data": None
            if self.data is None
            else hashlib.sha256(self.data.read_bytes()).hexdigest(),
            "ecglens": __version__,
            "recipe": self.recipe.to_dict(),
            "backbone": self.backbone.sha256,
            "classes": {label: list(names) for label, names in self.label_map.classes.items()},
            "run": [self.leads, self.hop_s, self.folds, self.seed],
            "records": [[record.database, record.record_id] for record in records],
        }
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:12]


def find_all(folders: Sequence[Path]) -> list[Recording]:
    """Return the annotated records of folders, opened and not read.

    Raises:
        EvaluationError: two have one name, since predictions are matched by name.
    """
    records: list[Recording] = [
        open_record(path) for folder in folders for path in find_records(folder)
    ]
    annotated = [record for record in records if record.rhythms]
    names = [record.record_id for record in annotated]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise EvaluationError(
            f"records {', '.join(sorted(twice))} are in two folders; give folders without them"
        )
    return annotated


def training_windows(records: Sequence[Recording], settings: Settings) -> Windows:
    """Return labelled windows of the records, and those of other databases."""
    windows = make_windows(records, settings.label_map, WindowRule(leads=settings.leads))
    if settings.data is None:
        return windows
    other = readable(read_rhythm4(settings.data))
    return concatenate_windows(
        [windows, other.subset(~np.isin(other.databases, np.unique(windows.databases)))]
    )


def fold_of(windows: Windows, people: Iterable[str], settings: Settings) -> dict[str, int]:
    """Return the fold in which each person is left out.

    People without a window of a class are in no training part; they fall to the first fold.
    """
    splitter = StratifiedGroupKFold(settings.folds, shuffle=True, random_state=settings.seed)
    found = dict.fromkeys(people, 0)
    splits = splitter.split(windows.X, windows.labels, windows.subjects)
    for fold, (train, test) in enumerate(splits):
        check_no_leak(windows.subjects, train, test, fold + 1)
        found |= dict.fromkeys(windows.subjects[test].tolist(), fold)
    return found


def train(
    windows: Windows, features: Any, away: Iterable[str], fold: int, settings: Settings
) -> RhythmModel:
    """Return a model of all people but those who are away.

    Raises:
        EvaluationError: a class has no other people.
    """
    kept = ~np.isin(windows.subjects, list(away))
    lacking = sorted(set(windows.classes) - set(windows.labels[kept].tolist()))
    if lacking:
        raise EvaluationError(
            f"fold {fold + 1}: nobody else has {', '.join(lacking)}; use fewer folds or add records"
        )
    return fit_model(
        windows.subset(kept),
        features[kept],
        settings.recipe,
        settings.backbone,
        random_state=settings.seed,
    )


def judge(
    model: RhythmModel,
    records: Iterable[Recording],
    tables: Mapping[str, Path],
    settings: Settings,
) -> None:
    """Write the predicted episodes of records of people whom the model has not seen.

    Raises:
        LeakError: it has.
    """
    seen = model.training_subjects
    for record in records:
        person = subject_of(record)
        if person in seen:
            raise LeakError(f"{person} was in training; a model is tested on other people")
        timeline = predict_record(model, record, leads=settings.leads, hop_s=settings.hop_s)
        timeline.save_episodes_csv(tables[record.record_id])


def predict_all(
    records: Sequence[Recording], settings: Settings, work: Path, cache: Path
) -> dict[str, list[Span]]:
    """Return the predicted episodes of every record, by a model without its person."""
    done = make_folder(work / settings.name(records))
    tables = {record.record_id: done / f"{record.record_id}.csv" for record in records}
    if not all(table.exists() for table in tables.values()):
        windows = training_windows(records, settings)
        recipe = settings.recipe
        store = FeatureStore(cache)
        extractor = Extractor(settings.backbone, recipe.outputs(), recipe.image, store=store)
        features = concatenate_outputs(extractor.run(windows.X, windows.fs))
        folds = fold_of(windows, map(subject_of, records), settings)
        for fold in range(settings.folds):
            away = {person for person, out in folds.items() if out == fold}
            left = [record for record in records if subject_of(record) in away]
            todo = [record for record in left if not tables[record.record_id].exists()]
            if todo:
                model = train(windows, features, away, fold, settings)
                judge(model, todo, tables, settings)
            print(f"fold {fold + 1} of {settings.folds}: {len(left)} records", file=sys.stderr)
    return read_predictions(tables.values())


def said_of_rhythms(
    records: Sequence[Recording], predicted: Mapping[str, list[Span]], labels: Sequence[str]
) -> list[dict[str, Any]]:
    """Return hours and share of each label while each rhythm of each database was annotated."""
    seconds: dict[tuple[str, str], dict[str, float]] = {}
    for record in records:
        spans = predicted[record.record_id]
        of_label = {label: [span for span in spans if span[2] == label] for label in labels}
        for rhythm in record.rhythms:
            key = (record.database, rhythm.rhythm)
            row = seconds.setdefault(key, dict.fromkeys(labels, 0.0))
            for label, mine in of_label.items():
                row[label] += shared_s((rhythm.start_s, rhythm.end_s), mine)
    return [
        {
            "database": database,
            "rhythm": rhythm,
            "hours": sum(row.values()) / 3600,
            **{label: value / sum(row.values()) for label, value in row.items()},
        }
        for (database, rhythm), row in sorted(seconds.items())
        if sum(row.values()) > 0
    ]


def format_rhythms(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the table of rhythms as text."""
    cells = [list(rows[0])] if rows else []
    cells += [[v if isinstance(v, str) else number(v) for v in row.values()] for row in rows]
    return "\n".join(align(cells, left=2))


def run(args: argparse.Namespace, work: Path) -> None:
    """Predict, score and print."""
    recipe = find_recipe(args.recipe)
    size = (recipe.image.height, recipe.image.width)
    backbone = load_backbone(args.backbone, weights=args.weights, image_size=size)
    recipe = recipe.fit_to(backbone)
    if args.pca is not None:
        recipe = replace(recipe, pca=args.pca or None)
    label_map = load_label_map(args.map)
    settings = Settings(
        recipe, backbone, label_map, args.data, args.leads, args.hop_s, args.folds, args.seed
    )
    records = find_all(args.records)
    cache = args.cache or cache_folder() / "features"
    predicted = predict_all(records, settings, work, cache)
    comparison = Comparison(label_map, least_s=args.least_s)
    for record in records:
        comparison.add(record, predicted[record.record_id])
    scores = comparison.scores(random_state=args.seed)
    rhythms = said_of_rhythms(records, predicted, [*label_map.classes, INCONCLUSIVE, UNREADABLE])
    if args.json is not None:
        write_json(args.json, {**scores.to_dict(), "rhythms": rhythms})
    print(scores.format_table(per_record=True))
    print("\nwhat was said while a rhythm was annotated, share of its time")
    print(format_rhythms(rhythms))


def parse() -> argparse.Namespace:
    """Return the command's arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("records", type=Path, nargs="+", help="folders of annotated records")
    parser.add_argument("--data", type=Path, help="more windows to train on (rhythm4 or a file)")
    parser.add_argument("--map", default="rhythm4", help="rhythms to classes")
    parser.add_argument("--backbone", default="ecglens-s")
    parser.add_argument("--weights", default="imagenet", help="imagenet, random or safetensors")
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--pca", type=int, help="instead of the recipe's; 0 for none")
    parser.add_argument("--leads", default="first", help="first, best or all")
    parser.add_argument("--hop-s", type=float, help="seconds between predicted windows")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--least-s", type=float, default=0.0, help="shortest episode that counts")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, help="folder of computed features")
    parser.add_argument("--work", type=Path, help="folder that keeps what was predicted")
    parser.add_argument("--json", type=Path, help="file for the figures")
    return parser.parse_args()


def main() -> int:
    """Print the tables and write them where asked."""
    args = parse()
    try:
        if args.work is not None:
            run(args, make_folder(args.work))
        else:
            with TemporaryDirectory() as name:
                run(args, Path(name))
    except EcglensError as error:
        print(f"recordings: error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
