"""What was tried on the way to the spectrogram of the default recipe, as a Markdown table.

    python benchmarks/tried.py --data rhythm4_visible.npz --weights densenet121.safetensors

Each row changes in one place the recipe that was the default while the picture was a spectrogram
alone; what came after is in ``pictures.py``. It was chosen by the mean macro-F1 of
three subject-wise ten-fold runs (seeds 0 to 2), the column that says "mean of 3"; the pooled
accuracy stands beside it and leaks. Features are kept in the cache, so a second run is quick.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ecglens.backbones import load_backbone
from ecglens.cache import FeatureStore
from ecglens.evaluation import evaluate
from ecglens.features import Extractor, concatenate_outputs
from ecglens.files import cache_folder
from ecglens.images import IMAGE_PRESETS
from ecglens.recipes import Recipe, find_recipe
from ecglens.windows import Windows
from rhythm4 import read_rhythm4, readable

SEEDS = (0, 1, 2)
SPECTROGRAM = replace(
    find_recipe("default"),
    image=IMAGE_PRESETS["spectrogram"],
    pooling=("meanstd", "bands4"),
    pca=128,
    head_params={"pairwise": False},
)


@dataclass(frozen=True)
class Variant:
    """One change of the recipe."""

    name: str
    image: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    weights: str | None = None


VARIANTS = (
    Variant("spectrogram recipe"),
    Variant("random weights", weights="random"),
    Variant("salem2018 on DenseNet-121", recipe={"preset": "salem2018"}),
    Variant(
        "head svm-memory without votes", recipe={"head_params": {"votes": 0.0, "pairwise": False}}
    ),
    Variant("head svm-rbf", recipe={"head": "svm-rbf"}),
    Variant("head lda", recipe={"head": "lda"}),
    Variant("head knn", recipe={"head": "knn"}),
    Variant("256 components", recipe={"pca": 256}),
    Variant("transition1 alone", recipe={"layers": ("transition1",)}),
    Variant("transition2 alone", recipe={"layers": ("transition2",)}),
    Variant("norm5 alone", recipe={"layers": ("norm5",)}),
    Variant("pooling mean alone", recipe={"pooling": ("mean",)}),
    Variant("pooling meanstd alone", recipe={"pooling": ("meanstd",)}),
    Variant("pooling meanstd, time4", recipe={"pooling": ("meanstd", "time4")}),
    Variant("frames of 0.320 s", {"stft_s": (0.32,)}),
    Variant("frames of 0.512 s", {"stft_s": (0.512,)}),
    Variant("frames of 0.256, 0.4, 0.64 s in three channels", {"stft_s": (0.256, 0.4, 0.64)}),
    Variant("range 40 dB", {"dynamic_range_db": 40.0}),
    Variant("range 60 dB", {"dynamic_range_db": 60.0}),
    Variant("rows even in Hz", {"bend_hz": None}),
    Variant("band 0.5 to 40 Hz", {"band_hz": (0.5, 40.0)}),
    Variant("rows up to 25 Hz", {"max_hz": 25.0}),
    Variant("128 x 192 pixels", {"width": 192}),
)


def recipe_of(variant: Variant) -> Recipe:
    """Return the recipe of the spectrogram alone with one change."""
    changes = dict(variant.recipe)
    if "head" in changes:
        changes["head_params"] = {}
    preset = changes.pop("preset", None)
    recipe = replace(find_recipe(preset) if preset else SPECTROGRAM, backbone="densenet121")
    return replace(recipe, image=replace(recipe.image, **variant.image), **changes)


def row(variant: Variant, windows: Windows, weights: Path) -> str:
    """Return one line of the table."""
    recipe = recipe_of(variant)
    backbone = load_backbone(
        "densenet121",
        weights=variant.weights or weights,
        image_size=(recipe.image.height, recipe.image.width),
    )
    store = FeatureStore(cache_folder() / "features")
    extractor = Extractor(backbone, recipe.outputs(), recipe.image, store=store)
    features = concatenate_outputs(extractor.run(windows.X, windows.fs))
    scores: list[float] = []
    said = ""
    for seed in SEEDS:
        evaluation = evaluate(
            features,
            windows.labels,
            windows.subjects,
            classifier=recipe.classifier(),
            protocols=("pooled", "subject") if seed == 0 else ("subject",),
            random_state=seed,
            n_bootstrap=0,
        )
        subject = evaluation.results["subject"]
        scores.append(subject.macro_f1.value)
        if seed == 0:
            recall = {score.name: score.sensitivity.value for score in subject.per_class}
            found = " ".join(f"{recall[name]:.2f}" for name in ("N", "AF", "VF", "ST"))
            pooled = evaluation.results["pooled"]
            said = (
                f"{pooled.accuracy.value:.4f} | {pooled.macro_f1.value:.4f} | "
                f"{subject.accuracy.value:.4f} | {subject.macro_f1.value:.4f} | {found}"
            )
    return f"| {variant.name} | {sum(scores) / len(scores):.4f} | {said} |"


def main() -> int:
    """Print the table, a line at a time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--only", help="rows whose name holds this text")
    args = parser.parse_args()
    windows = readable(read_rhythm4(args.data))
    print(
        "| change | subject-wise macro-F1, mean of 3 | pooled accuracy | pooled macro-F1 ", end=""
    )
    print("| subject-wise accuracy | subject-wise macro-F1 | sensitivity N AF VF ST |")
    print("|---|---|---|---|---|---|---|")
    for variant in VARIANTS:
        if args.only is None or args.only in variant.name:
            print(row(variant, windows, args.weights), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
