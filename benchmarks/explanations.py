"""How much of an explanation lies within a planted cause, against the sizes of occlusion's tiles.

    python benchmarks/explanations.py [--windows 50]

trains the default recipe on virtual patients, plants 3 s of VF (or 5 s of AF) in the sinus rhythm
of others, and prints as Markdown the share of what speaks for the class within the stretch (mean
over windows) and how often its strongest moment lies there.
"""

from __future__ import annotations

import argparse

import numpy as np
import numpy.typing as npt

from ecglens.backbones import load_backbone
from ecglens.databases.synthetic import make_patients, make_record, make_records
from ecglens.explanation.occlusion import TILES, occlusion
from ecglens.labels import load_label_map
from ecglens.models import RhythmModel, train_model
from ecglens.recipes import find_recipe
from ecglens.windows import make_windows

FS, LENGTH_S = 125.0, 10.0
PLANTED = (("VFIB", "VF", 3.0, 3.0), ("AFIB", "AF", 5.0, 5.0))
"""Rhythm, class, start in the window and length in seconds."""
SIZES = (((1, 8),), ((2, 8),), ((4, 8),), ((8, 8),), ((4, 4),), ((2, 4), (4, 8)), TILES)


def trained() -> RhythmModel:
    """Return the default recipe's model of 24 virtual patients."""
    records = make_records(24, minutes=3.0, fs=FS)
    windows = make_windows(records, load_label_map("rhythm4"))
    recipe = find_recipe("default")
    size = (recipe.image.height, recipe.image.width)
    return train_model(windows, recipe, load_backbone("ecglens-s", image_size=size))


def planted_windows(
    n: int, rhythm: str, start_s: float, length_s: float
) -> npt.NDArray[np.float32]:
    """Return ten seconds of each of ``n`` other people, sinus rhythm but for the stretch."""
    rows = []
    for patient in make_patients(n, random_state=99):
        plan = [("N", 20.0), (rhythm, length_s), ("N", 20.0)]
        signal = make_record(patient, plan, fs=FS, random_state=5).signal[0]
        first = round((20.0 - start_s) * FS)
        rows.append(signal[first : first + round(LENGTH_S * FS)])
    return np.stack(rows)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--windows", type=int, default=50)
    n = parser.parse_args().windows
    model = trained()
    print(
        "| planted | tiles in height x width | share within | by chance | strongest moment within |"
    )
    print("|---|---|---|---|---|")
    for rhythm, label, start_s, length_s in PLANTED:
        images = model.extractor.draw(planted_windows(n, rhythm, start_s, length_s), FS)
        times_s = (np.arange(images.shape[-1]) + 0.5) / images.shape[-1] * LENGTH_S
        within = (times_s >= start_s) & (times_s < start_s + length_s)
        column = model.classes.index(label)
        for tiles in SIZES:
            shares, hits = [], []
            for image in images:
                heat = occlusion(model.extractor, model.head, image[None], column, tiles)
                spoke_for = np.maximum(heat, 0.0).sum(axis=0)
                shares.append(spoke_for[within].sum() / max(spoke_for.sum(), 1e-12))
                hits.append(within[heat.sum(axis=0).argmax()])
            name = " and ".join(f"{high} x {wide}" for high, wide in tiles)
            print(
                f"| {length_s:g} s of {label} | {name} | {np.mean(shares):.2f} | "
                f"{length_s / LENGTH_S:.2f} | {np.mean(hits):.2f} |"
            )


if __name__ == "__main__":
    main()
