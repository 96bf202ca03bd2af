"""Accuracy on the rhythm4 yardstick: pooled folds, new people, and people kept apart.

    python benchmarks/rhythm4.py --data rhythm4_visible.npz --backbone densenet121 \
        --weights densenet121.safetensors --json out.json

The data file is one of ``ecglens windows``, or a table of windows of several rates
(``ecglens.windows.load_windows_table``).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from ecglens.backbones import load_backbone
from ecglens.errors import EcglensError
from ecglens.evaluation import ProtocolResult, evaluate, evaluate_holdout, shuffle_labels
from ecglens.features import EngineSettings, Extractor, concatenate_outputs
from ecglens.files import write_atomically
from ecglens.images import ImageSettings
from ecglens.recipes import Recipe, find_recipe
from ecglens.signals import unreadable_reasons
from ecglens.windows import Windows, is_windows_table, load_windows, load_windows_table


def read_rhythm4(path: Path) -> Windows:
    """Return the yardstick's windows at one rate, or those of a windows file as they are."""
    return load_windows_table(path) if is_windows_table(path) else load_windows(path)


def readable(windows: Windows) -> Windows:
    """Leave out windows that have no image, and say how many."""
    kept = unreadable_reasons(windows.X, windows.fs) == ""
    if not kept.all():
        print(f"left out {int((~kept).sum())} unreadable windows", file=sys.stderr)
    return windows.subset(kept)


def figures(result: ProtocolResult) -> dict[str, Any]:
    """Return the keys that the yardstick asks for, with the 95 % limits beside them."""
    return {
        "accuracy": result.accuracy.value,
        "accuracy_limits": [result.accuracy.low, result.accuracy.high],
        "macro_f1": result.macro_f1.value,
        "macro_f1_limits": [result.macro_f1.low, result.macro_f1.high],
        "recall": {row.name: row.sensitivity.value for row in result.per_class},
        "specificity": {row.name: row.specificity.value for row in result.per_class},
    }


def settings_of(args: argparse.Namespace) -> Recipe:
    """Return the recipe with the command's changes."""
    recipe = find_recipe(args.recipe)
    changes: dict[str, Any] = {}
    if args.image:
        table = {**recipe.image.to_dict(), **tomllib.loads("\n".join(args.image))}
        changes["image"] = ImageSettings.from_dict(table)
    if args.layers:
        changes["layers"] = tuple(args.layers.split(","))
    if args.pooling:
        changes["pooling"] = tuple(args.pooling.split(","))
    if args.head:
        changes |= {"head": args.head, "head_params": {}}
    if args.pca is not None:
        changes["pca"] = args.pca or None
    return replace(recipe, **changes)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Compute all figures."""
    recipe = settings_of(args)
    size = (recipe.image.height, recipe.image.width)
    backbone = load_backbone(args.backbone, weights=args.weights, image_size=size)
    if not args.layers:
        recipe = recipe.fit_to(backbone)
    engine = EngineSettings(precision=args.precision)
    extractor = Extractor(backbone, recipe.outputs(), recipe.image, engine)
    windows = readable(read_rhythm4(args.data))
    extractor.run(windows.X[:64], windows.fs)  # compiles the network before the clock starts
    start = time.perf_counter()
    features = concatenate_outputs(extractor.run(windows.X, windows.fs))
    seconds = time.perf_counter() - start
    labels = shuffle_labels(windows.labels, 0) if args.shuffle_labels else windows.labels
    classifier = recipe.classifier(random_state=0)
    evaluation = evaluate(
        features,
        labels,
        windows.subjects,
        databases=windows.databases,
        classifier=classifier,
        n_splits=10,
        random_state=0,
    )
    print(evaluation.format_table())
    out: dict[str, Any] = {
        "pooled": figures(evaluation.results["pooled"]),
        "subject": figures(evaluation.results["subject"]),
        "windows_per_s": len(windows) / seconds,
        "settings": {
            "recipe": recipe.to_dict(),
            "backbone": backbone.name,
            "weights": backbone.weights,
            "n_features": int(features.shape[1]),
            "n_windows": len(windows),
            "shuffled_labels": bool(args.shuffle_labels),
        },
    }
    if args.holdout is not None:
        test = readable(read_rhythm4(args.holdout))
        result = evaluate_holdout(
            features,
            labels,
            windows.subjects,
            concatenate_outputs(extractor.run(test.X, test.fs)),
            test.labels,
            test.subjects,
            classifier=classifier,
        )
        out["holdout"] = figures(result)
    return out


def parse() -> argparse.Namespace:
    """Return the command's arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True, help="rhythm4 windows (.npz)")
    parser.add_argument("--holdout", type=Path, help="windows of other people, to test on once")
    parser.add_argument("--backbone", default="densenet121")
    parser.add_argument("--weights", default="imagenet", help="imagenet, random or safetensors")
    parser.add_argument("--recipe", default="default")
    parser.add_argument(
        "--image", action="append", help="an image setting, as --image 'stft_s = [0.512]'"
    )
    parser.add_argument("--layers", help="instead of the recipe's, separated by commas")
    parser.add_argument("--pooling", help="instead of the recipe's, separated by commas")
    parser.add_argument("--head", help="instead of the recipe's")
    parser.add_argument("--pca", type=int, help="instead of the recipe's; 0 for none")
    parser.add_argument("--precision", default="auto", choices=("auto", "bf16", "fp32"))
    parser.add_argument("--shuffle-labels", action="store_true", help="control: at chance")
    parser.add_argument("--json", type=Path, help="file for the figures")
    return parser.parse_args()


def main() -> int:
    """Print the figures and write them where asked."""
    args = parse()
    try:
        out = run(args)
        text = json.dumps(out, indent=1, allow_nan=False) + "\n"
        if args.json is not None:
            write_atomically(args.json, lambda file: file.write(text.encode()))
    except EcglensError as error:
        print(f"rhythm4: error: {error}", file=sys.stderr)
        return error.exit_code
    for name in ("pooled", "subject", "holdout"):
        if name in out:
            said = out[name]
            print(f"{name}: accuracy {said['accuracy']:.4f}, macro-F1 {said['macro_f1']:.4f}")
    print(f"{out['windows_per_s']:.0f} windows/s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
