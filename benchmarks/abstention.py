"""What abstention costs and saves on new people, and what becomes of rhythms never trained on.

    python benchmarks/abstention.py --data rhythm4_visible.npz --records mitdb --records vfdb

Subject-wise folds of the data: in each one the default recipe is trained on the other people, with
calibration, reject rule and distance, and judges the people left out, and those of the records who
are in no training part. For every level it prints the share of windows that are claimed and the
accuracy and macro-F1 of those, and the share of the records' windows of other rhythms, and of
noise, that are not claimed. A second table does so for the default level and several shares of
windows that may be called unlike training, a third by rhythm at the defaults. ``--people chosen``
takes the two thirds of the people on whom choices are made (``benchmarks/studies.py``), ``--people
third`` trains on them and judges the others. Features are kept in the cache.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedGroupKFold

from ecglens.backbones import load_backbone
from ecglens.cache import FeatureStore
from ecglens.classifiers import calibrate, feature_space
from ecglens.decisions import DEFAULT_ALPHA, FeatureDistance, HeldOut, RejectRule
from ecglens.decisions.rejecting import DEFAULT_UNLIKE
from ecglens.errors import EcglensError
from ecglens.features import EngineSettings, Extractor, concatenate_outputs
from ecglens.files import cache_folder, write_atomically
from ecglens.labels import LabelMap, load_label_map
from ecglens.models.fitting import hold_out
from ecglens.readers import find_records, read_record
from ecglens.recipes import find_recipe
from ecglens.windows import WindowRule, Windows, concatenate_windows, cut_record
from rhythm4 import read_rhythm4, readable
from studies import Split, split_people

ALPHAS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4)
NOISE = "NOISE"
UNLIKE = (0.01, 0.05, 0.1, 0.15, 0.2, 0.3)
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Fold:
    """What one fold fitted, and what it says of the people left out and of other rhythms."""

    test: npt.NDArray[np.intp]
    strange: npt.NDArray[np.intp]
    held_out: HeldOut
    judged: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
    judged_strange: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


def other_rhythms(folders: Iterable[Path], label_map: LabelMap) -> Windows | None:
    """Return windows of records that lie in one rhythm that is none of the classes."""
    parts = []
    for folder in folders:
        for path in find_records(folder):
            record = read_record(path)
            windows = cut_record(record, WindowRule())
            rhythm = np.full(len(windows), "", dtype="U8")
            for span in record.rhythms:
                inside = (windows.start_s >= span.start_s) & (windows.start_s + 10 <= span.end_s)
                rhythm[inside] = "" if label_map.class_of(span.rhythm) else span.rhythm
            if (rhythm != "").any():
                parts.append(replace(windows, labels=rhythm).subset(rhythm != ""))
    return readable(concatenate_windows(parts)) if parts else None


def splits_of(windows: Windows, people: str, n_splits: int) -> list[Split]:
    """Return training and test windows: of all people, of the chosen ones, or of the third."""
    if people == "third":
        return [split_people(windows)]
    index = split_people(windows)[0] if people == "chosen" else np.arange(len(windows))
    splitter = StratifiedGroupKFold(n_splits, shuffle=True, random_state=0)
    labels, subjects = windows.labels[index], windows.subjects[index]
    return [(index[train], index[test]) for train, test in splitter.split(labels, labels, subjects)]


def folds(
    windows: Windows,
    features: Floats,
    strange: Windows | None,
    other: Floats,
    splits: Sequence[Split],
) -> list[Fold]:
    """Train in every fold and judge whom it left out."""
    recipe, done = find_recipe("default"), []
    people = np.empty(0, dtype=str) if strange is None else strange.subjects
    for train, test in splits:
        mine = windows.subset(train)
        head = calibrate(recipe.classifier(), features[train], mine.labels, mine.subjects)
        distance = FeatureDistance.fit(feature_space(head, features[train]), mine.labels)

        def judge(X: Floats, head: Any = head, distance: FeatureDistance = distance) -> Any:
            return head.predict_proba(X), distance.of(feature_space(head, X))

        # Of the people left out alone, so that nobody is judged twice.
        away = np.flatnonzero(np.isin(people, windows.subjects[test]))
        done.append(
            Fold(
                test=test,
                strange=away,
                held_out=hold_out(head, features[train], mine),
                judged=judge(features[test]),
                judged_strange=judge(other[away]) if len(away) else (np.empty(0), np.empty(0)),
            )
        )
        print(f"fold {len(done)} of {len(splits)}", file=sys.stderr)
    return done


def rule_of(held_out: HeldOut, alpha: float, unlike: float) -> RejectRule:
    """Return the rule of a fold at a level."""
    return RejectRule.fit(
        held_out.probabilities,
        held_out.labels,
        held_out.subjects,
        held_out.classes,
        distances=held_out.distances,
        alpha=alpha,
        unlike=unlike,
    )


def row(
    windows: Windows,
    strange: Windows | None,
    done: list[Fold],
    alpha: float,
    unlike: float = DEFAULT_UNLIKE,
) -> dict[str, Any]:
    """Return the figures of one level."""
    claimed = np.zeros(len(windows), dtype=bool)
    judged = np.concatenate([fold.test for fold in done])
    said = windows.labels.copy()
    of_strange = np.full(0 if strange is None else len(strange), "-", dtype="U16")
    for fold in done:
        rule = rule_of(fold.held_out, alpha, unlike)
        claimed[fold.test] = rule.judge(*fold.judged) == ""
        said[fold.test] = np.array(rule.classes)[rule.claimed(fold.judged[0])]
        if len(fold.strange):
            of_strange[fold.strange] = rule.judge(*fold.judged_strange)
    truth, names = windows.labels[judged], list(windows.classes)
    claimed, said = claimed[judged], said[judged]
    out = {
        "alpha": alpha,
        "unlike": unlike,
        "coverage": float(claimed.mean()),
        "accuracy": float((said == truth)[claimed].mean()),
        "macro_f1": float(
            f1_score(truth[claimed], said[claimed], labels=names, average="macro", zero_division=0)
        ),
        "coverage_by_class": {name: float(claimed[truth == name].mean()) for name in names},
    }
    if strange is not None:
        rejected, known = of_strange != "", of_strange != "-"
        out["not_claimed"] = {
            name: [float(rejected[mine].mean()), int(mine.sum())]
            for name in np.unique(strange.labels[known]).tolist()
            if (mine := known & (strange.labels == name)).any()
        } | {"all": [float(rejected[known].mean()), int(known.sum())]}
    return out


def format_report(levels: Sequence[dict[str, Any]], shares: Sequence[dict[str, Any]]) -> str:
    """Return as Markdown what was found at each level, at each share, and by rhythm."""
    tables = [_claims("alpha", levels), _claims("unlike", shares)]
    tables += [_rhythms(line) for line in levels if line["alpha"] == DEFAULT_ALPHA]
    return "\n\n".join(table for table in tables if table)


def _claims(changed: str, rows: Sequence[dict[str, Any]]) -> str:
    classes = list(rows[0]["coverage_by_class"])
    lines = [
        f"| {changed} | claimed | accuracy of claimed | macro-F1 of claimed "
        f"| claimed {', '.join(classes)} | other rhythms not claimed | noise not claimed |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        found = " ".join(f"{share:.2f}" for share in row["coverage_by_class"].values())
        strange = row.get("not_claimed", {})
        others = [strange[name] for name in strange if name not in ("all", NOISE)]
        lines.append(
            f"| {row[changed]:.2f} | {row['coverage']:.2f} | {row['accuracy']:.3f} "
            f"| {row['macro_f1']:.3f} | {found} | {_share(others)} "
            f"| {_share([strange[NOISE]] if NOISE in strange else [])} |"
        )
    return "\n".join(lines)


def _rhythms(row: dict[str, Any]) -> str:
    lines = [
        f"| {name} | {count} | {_share([(share, count)])} |"
        for name, (share, count) in row.get("not_claimed", {}).items()
    ]
    return (
        "\n".join(["| rhythm | windows | not claimed |", "|---|---|---|", *lines]) if lines else ""
    )


def _share(parts: Sequence[tuple[float, int]]) -> str:
    """Return the share of windows over parts of a share and a number each."""
    count = sum(number for _, number in parts)
    return f"{sum(share * number for share, number in parts) / count:.2f}" if count else "-"


def main() -> int:
    """Print the figures and write them where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="windows (.npz)")
    parser.add_argument("--records", type=Path, action="append", default=[], help="folder")
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--people", choices=("all", "chosen", "third"), default="all")
    parser.add_argument("--json", type=Path, help="file for the figures")
    args = parser.parse_args()
    recipe = find_recipe("default")
    try:
        backbone = load_backbone(
            recipe.backbone, image_size=(recipe.image.height, recipe.image.width)
        )
        store = FeatureStore(cache_folder() / "features")
        engine = EngineSettings(precision="fp32")
        extractor = Extractor(backbone, recipe.outputs(), recipe.image, engine, store)
        windows = readable(read_rhythm4(args.data))
        strange = other_rhythms(args.records, load_label_map("rhythm4"))
        features = concatenate_outputs(extractor.run(windows.X, windows.fs))
        other = features[:0]
        if strange is not None:
            other = concatenate_outputs(extractor.run(strange.X, strange.fs))
        splits = splits_of(windows, args.people, args.folds)
        done = folds(windows, features, strange, other, splits)
        levels = [row(windows, strange, done, alpha) for alpha in ALPHAS]
        shares = [row(windows, strange, done, DEFAULT_ALPHA, unlike) for unlike in UNLIKE]
    except EcglensError as error:
        print(f"abstention: error: {error}", file=sys.stderr)
        return error.exit_code
    print(format_report(levels, shares))
    if args.json is not None:
        text = json.dumps(levels + shares, indent=1, allow_nan=False) + "\n"
        write_atomically(args.json, lambda file: file.write(text.encode()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
