"""What signal quality refuses: shares of real windows, and of windows with noise put on them.

    python benchmarks/quality.py --records mitdb vfdb cudb --data rhythm4_visible.npz

The first table takes all leads of annotated records, by database and rhythm; the second the
yardstick of ``benchmarks/rhythm4.py``, by database and class, for two halves of its people. The
third says how many of all these windows would be "asystole or flat" at several limits. With
``--judge`` the default recipe is trained on half 1, each window once as it is and once with noise
of a random kind, and the last table says how much noise on the windows of half 2 makes it err
beside how much is refused.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecglens.databases.synthetic import add_noise
from ecglens.quality import REASONS, SILENT, Quality, QualityLimits, measure_quality
from ecglens.readers import find_records, open_record
from ecglens.windows import WindowRule, Windows, concatenate_windows, cut_record
from rhythm4 import read_rhythm4, readable

NOISES = ("muscle", "recorder", "mains", "motion", "baseline")
SNR_DB = (20, 10, 5, 0, -5, -10, -15, -20)
PER_CLASS = 150
SILENT_MV = (0.1, 0.15, 0.2, 0.25, 0.3)
NO_AMPLITUDES = ("ptbxl",)
"""Databases of the yardstick whose windows are z-scored and not in mV."""


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
    named = {name: int((reasons == name).sum()) for name in (*REASONS, SILENT)}
    words = ", ".join(f"{name} {n}" for name, n in named.items() if n) or "-"
    return f"{len(reasons)} | {(reasons != '').mean():.3f} | {words}"


@dataclass(frozen=True, eq=False)
class Measured:
    """Windows, what each is called, and whether it is in mV."""

    source: str
    windows: Windows
    names: npt.NDArray[Any]
    in_mv: npt.NDArray[np.bool_]

    def quality(self, limits: QualityLimits | None = None) -> Quality:
        """Return the quality of the windows."""
        return measure_quality(self.windows.X, self.windows.fs, limits, in_mv=self.in_mv)


def read_records(folder: Path) -> Measured:
    """Return the windows of all leads of the records of a folder, named by their rhythm."""
    parts: list[Windows] = []
    rhythms: list[npt.NDArray[Any]] = []
    in_mv: list[npt.NDArray[np.bool_]] = []
    for path in find_records(folder):
        record = open_record(path)
        windows = cut_record(record, WindowRule(leads="all"))
        parts.append(windows)
        rhythms.append(rhythm_of(windows, record.rhythms))
        in_mv.append(np.isin(windows.leads, [lead.name for lead in record.leads if lead.in_mv]))
    return Measured(
        folder.name, concatenate_windows(parts), np.concatenate(rhythms), np.concatenate(in_mv)
    )


def of_records(measured: Measured) -> Iterator[str]:
    """Yield the rows of one folder of records, by rhythm."""
    quality = measured.quality()
    for name in sorted(set(measured.names) - {""}):
        yield f"| {measured.source} | {name} | {said(quality, measured.names == name)} |"


def of_silence(sources: Iterable[Measured]) -> Iterator[str]:
    """Yield how many windows of each rhythm are silent at each limit, and the least height."""
    for measured in sources:
        silent = {
            limit: measured.quality(QualityLimits(silent_mv=limit)).reasons == SILENT
            for limit in SILENT_MV
        }
        quiet = measured.quality().quiet
        for name in sorted(set(measured.names) - {""}):
            mine = (measured.names == name) & measured.in_mv
            counts = [int(silent[limit][mine].sum()) for limit in SILENT_MV]
            if mine.any():
                cells = " | ".join(map(str, counts))
                row = f"| {measured.source} | {name} | {mine.sum()} | {quiet[mine].min():.2f} | "
                yield f"{row}{cells} |"


def half_of(windows: Windows) -> npt.NDArray[np.bool_]:
    """Return which windows are of the people of half 1, whatever the order of the windows."""
    people = np.unique(windows.subjects)
    chosen = np.random.default_rng(0).permutation(people)[: len(people) // 2]
    return np.isin(windows.subjects, chosen)


def of_yardstick_windows(windows: Windows) -> Measured:
    """Return the yardstick's windows, named by database and class."""
    in_mv = ~np.isin(windows.databases, NO_AMPLITUDES)
    names = np.array([f"{d} {c}" for d, c in zip(windows.databases, windows.labels, strict=True)])
    return Measured("rhythm4", windows, names.astype(object), in_mv)


def of_yardstick(windows: Windows, first: npt.NDArray[np.bool_]) -> Iterator[str]:
    """Yield the rows of the yardstick, by database, class and half."""
    quality = of_yardstick_windows(windows).quality()
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


def print_judged(windows: Windows, first: npt.NDArray[np.bool_]) -> None:
    """Train on half 1 and print what becomes of half 2 under noise."""
    model = train(windows.subset(first))
    print(f"\n| noise | dB | accuracy | sensitivity {' '.join(windows.classes)} ", end="")
    print("| windows | refused | reasons | accuracy of the rest |")
    print("|---|---|---|---|---|---|---|---|")
    for row in of_noise(model, windows.subset(~first)):
        print(row, flush=True)


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--records", type=Path, nargs="*", default=[])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--judge", action="store_true", help="train, and judge windows with noise")
    args = parser.parse_args()
    if args.records:
        print("| database | rhythm | windows | refused | reasons |\n|---|---|---|---|---|")
    sources = [read_records(folder) for folder in args.records]
    for source in sources:
        print(*of_records(source), sep="\n", flush=True)
    if args.data is not None:
        windows = readable(read_rhythm4(args.data))
        first = half_of(windows)
        print("\n| database | class | half 1: windows | refused | reasons ", end="")
        print("| half 2: windows | refused | reasons |\n|---|---|---|---|---|---|---|---|")
        print(*of_yardstick(windows, first), sep="\n", flush=True)
        sources.append(of_yardstick_windows(windows))
    print(f"\n| database | rhythm | windows | least mV | {' | '.join(map(str, SILENT_MV))} |")
    print(f"|{'---|' * (4 + len(SILENT_MV))}")
    print(*of_silence(sources), sep="\n", flush=True)
    if args.data is not None and args.judge:
        print_judged(windows, first)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
