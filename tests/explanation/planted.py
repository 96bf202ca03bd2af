"""Windows of virtual patients with a known stretch of another rhythm, and models that know both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt

from ecglens.backbones import load_backbone
from ecglens.databases.synthetic import VirtualPatient, make_patients, make_record
from ecglens.labels import load_label_map
from ecglens.models import RhythmModel, train_model
from ecglens.recipes import RECIPES, Recipe
from ecglens.windows import Windows, make_windows

FS = 125.0
AT_S, LASTS_S = 3.0, 3.0
RECIPE = replace(RECIPES["default"], pca=32)
LINEAR = replace(RECIPE, pooling=("mean", "bands4", "time2"), head="logistic")


@cache
def training_windows() -> Windows:
    """Return windows of eight people, each with some of every rhythm; every caller has the same."""
    plan = [(rhythm, 40.0) for rhythm in ("N", "AFIB", "VFIB")]
    people = make_patients(8, random_state=1)
    records = [make_record(one, plan, fs=FS) for one in people]
    return make_windows(records, load_label_map("rhythm4"))


def train(windows: Windows, recipe: Recipe = RECIPE) -> RhythmModel:
    """Return a model on the bundled network."""
    return train_model(
        windows,
        recipe,
        load_backbone("ecglens-s", image_size=(recipe.image.height, recipe.image.width)),
    )


@cache
def shared_model() -> RhythmModel:
    """Return a model of these windows; every caller has the same."""
    return train(training_windows())


def planted(
    patient: VirtualPatient, rhythm: str, *, at_s: float = AT_S, lasts_s: float = LASTS_S
) -> npt.NDArray[np.float32]:
    """Return ten seconds of sinus rhythm with a stretch of another rhythm in it."""
    plan = [("N", 20.0), (rhythm, lasts_s), ("N", 20.0)]
    signal = make_record(patient, plan, fs=FS, random_state=5).signal[0]
    first = round((20 - at_s) * FS)
    return signal[first : first + round(10 * FS)]


def strangers(n: int) -> Sequence[VirtualPatient]:
    """Return people who are in no training."""
    return make_patients(n, random_state=99)
