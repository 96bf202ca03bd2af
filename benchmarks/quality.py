"""What signal quality refuses: shares of real windows, and of windows with noise put on them.

    python benchmarks/quality.py --records mitdb vfdb cudb --data rhythm4_visible.npz

The first table takes all leads of annotated records, by database and rhythm; the second the
yardstick of ``benchmarks/rhythm4.py``, by database and class, for two halves of its people. With
``--judge`` the default recipe is trained on half 1, each window once as it is and once with noise
of a random kind, and the third table says how much noise on the windows of half 2 makes it err
beside how much is refused.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecglens.databases.synthetic import add_noise
from ecglens.quality import REASONS, Quality, measure_quality
from ecglens.readers import find_records, open_record
from ecglens.windows import WindowRule, Windows, concatenate_windows, cut_record
from rhythm4 import read_rhythm4, readable

NOISES = ("muscle", "recorder", "mains", "motion", "baseline")
SNR_DB = (20, 10, 5, 0, -5, -10, -15, -20)
PER_CLASS = 150


def rhythm_of(windows: Windows, spans: Any) -> npt.NDArray[Any]:
    """Return the rhythm of windows that lie within one span, "" for others."""
    rhythms = np.full(len(windows), "", dtype=object)
    for span in spans:
        inside = windows.start_s >= span.start_s - 1e-6
        inside &= windows.start_s + windows.length_s <= span.end_s + 1e-6
        rhythms[inside] = span.rhythm
    return rhythms


def said(quality: Quality, rows: npt.NDArray[np.bool_]) -> str:
    """Return number, share refused and reasons of some windows as cells of a table."""
    reasons = quality.reasons[rows]
    if not len(reasons):
        return "0 | - | -"
    named = {name: int((reasons == name).sum()) for name in REASONS}
    words = ", ".join(f"{name} {n}" for name, n in named.items() if n) or "-"
    return f"{len(reasons)} | {(reasons != '').mean():.3f} | {words}"


def of_records(folder: Path) -> Iterator[str]:
    """Yield the rows of one folder of records, by rhythm."""
    parts: list[Windows] = []
    rhythms: list[npt.NDArray[Any]] = []
    for path in find_records(folder):
        record = open_record(path)
        windows = cut_record(record, WindowRule(leads="all"))
        parts.append(windows)
        rhythms.append(rhythm_of(windows, record.rhythms))
    whole, rhythm = concatenate_windows(parts), np.concatenate(rhythms)
    quality = measure_quality(whole.X, whole.fs)
    for name in sorted(set(rhythm) - {""}):
        yield f"| {folder.name} | {name} | {said(quality, rhythm == name)} |"


def half_of(windows: Windows) -> npt.NDArray[np.bool_]:
    """Return which windows are of the people of half 1, whatever the order of the windows."""
    people = np.unique(windows.subjects)
    chosen = np.random.default_rng(0).permutation(people)[: len(people) // 2]
    return np.isin(windows.subjects, chosen)


def of_yardstick(windows: Windows, first: npt.NDArray[np.bool_]) -> Iterator[str]:
    """Yield the rows of the yardstick, by database, class and half."""
    quality = measure_quality(windows.X, windows.fs)
    for database in np.unique(windows.databases):
        for label in windows.classes:
            rows = (windows.databases == database) & (windows.labels == label)
            if rows.any():
                one, two = said(quality, rows & first), said(quality, rows & ~first)
                yield f"| {database} | {label} | {one} | {two} |"


def with_noise(X: npt.NDArray[np.float32], fs: float, kind: str, snr_db: float) -> Any:
    """Return the windows with noise, each of its own seed."""
    return np.stack(
        [add_noise(x, kind, fs=fs, snr_db=snr_db, random_state=i) for i, x in enumerate(X)]
    )


def train(windows: Windows) -> Any:
    """Train the default recipe on windows as they are and with noise."""
    from ecglens.backbones import load_backbone
    from ecglens.models import train_model
    from ecglens.recipes import find_recipe

    rng = np.random.default_rng(1)
    noisy = [
        add_noise(
            x,
            NOISES[i % len(NOISES)],
            fs=windows.fs,
            snr_db=float(rng.uniform(-10, 25)),
            random_state=10_000 + i,
        )
        for i, x in enumerate(windows.X)
    ]
    both = concatenate_windows([windows, replace(windows, X=np.stack(noisy))])
    recipe = find_recipe("default")
    size = (recipe.image.height, recipe.image.width)
    return train_model(both, recipe, load_backbone(recipe.backbone, image_size=size))


def of_noise(model: Any, windows: Windows) -> Iterator[str]:
    """Yield what noise makes of the model's decisions and how much of it is refused."""
    rng = np.random.default_rng(2)
    picked = np.concatenate(
        [
            rng.permutation(np.flatnonzero(windows.labels == name))[:PER_CLASS]
            for name in windows.classes
        ]
    )
    windows = windows.subset(np.sort(picked))
    for kind in ("none", *NOISES):
        for snr_db in SNR_DB if kind != "none" else (99,):
            X = windows.X if kind == "none" else with_noise(windows.X, windows.fs, kind, snr_db)
            quality = measure_quality(X, windows.fs)
            decided = np.array(model.classes)[model.predict_proba(X, windows.fs).argmax(axis=1)]
            right = decided == windows.labels
            found = " ".join(f"{right[windows.labels == c].mean():.2f}" for c in windows.classes)
            kept = f"{right[quality.readable].mean():.2f}" if quality.readable.any() else "-"
            head = f"| {kind} | {snr_db if kind != 'none' else '-'} | {right.mean():.2f} | {found}"
            yield f"{head} | {said(quality, np.ones(len(X), dtype=bool))} | {kept} |"


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--records", type=Path, nargs="*", default=[])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--judge", action="store_true", help="train, and judge windows with noise")
    args = parser.parse_args()
    if args.records:
        print("| database | rhythm | windows | refused | reasons |\n|---|---|---|---|---|")
    for folder in args.records:
        print(*of_records(folder), sep="\n", flush=True)
    if args.data is not None:
        windows = readable(read_rhythm4(args.data))
        first = half_of(windows)
        print("\n| database | class | half 1: windows | refused | reasons ", end="")
        print("| half 2: windows | refused | reasons |\n|---|---|---|---|---|---|---|---|")
        print(*of_yardstick(windows, first), sep="\n", flush=True)
        if args.judge:
            model = train(windows.subset(first))
            print(f"\n| noise | dB | accuracy | sensitivity {' '.join(windows.classes)} ", end="")
            print("| windows | refused | reasons | accuracy of the rest |")
            print("|---|---|---|---|---|---|---|---|")
            for row in of_noise(model, windows.subset(~first)):
                print(row, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
