"""Reversed leads: a rhythm stays what it is when its signal is turned upside down."""

from __future__ import annotations

import numpy as np
import pytest

from ecglens.backbones import load_backbone
from ecglens.databases.synthetic import RHYTHMS, make_patients, make_record
from ecglens.features import Extractor
from ecglens.images import IMAGE_PRESETS, make_images
from ecglens.quality import measure_quality
from ecglens.recipes import find_recipe


def windows_of(fs: float, missing: float = 0.0) -> np.ndarray:
    """Return a window of every rhythm, some with samples missing."""
    patient = make_patients(1, random_state=2)[0]
    X = np.concatenate([make_record(patient, [(rhythm, 10.0)], fs=fs).signal for rhythm in RHYTHMS])
    X[::2, 100 : 100 + int(missing * X.shape[1])] = np.nan
    return X


# Differences, products and sums of floats are symmetric, so this holds to the last bit.
@pytest.mark.parametrize("fs", [50.0, 125.0, 250.0, 360.0, 333.3])
@pytest.mark.parametrize("preset", sorted(IMAGE_PRESETS))
def test_an_image_is_blind_to_the_sign(fs: float, preset: str) -> None:
    X = windows_of(fs, missing=0.015)
    image = IMAGE_PRESETS[preset]
    np.testing.assert_array_equal(make_images(-X, fs, image), make_images(X, fs, image))


def test_so_are_the_features_of_the_default_recipe() -> None:
    recipe = find_recipe("default")
    size = (recipe.image.height, recipe.image.width)
    backbone = load_backbone(recipe.backbone, image_size=size)
    extractor = Extractor(backbone, recipe.outputs(), recipe.image)
    X = windows_of(250.0)
    upright, reversed_ = extractor.run(X, 250.0), extractor.run(-X, 250.0)
    for output, features in upright.items():
        np.testing.assert_array_equal(reversed_[output], features)


def test_so_is_quality() -> None:
    X = windows_of(250.0)
    X[0] = np.clip(X[0], -0.05, 0.2)
    upright, reversed_ = measure_quality(X, 250.0), measure_quality(-X, 250.0)
    np.testing.assert_array_equal(reversed_.reasons, upright.reasons)
    np.testing.assert_allclose(reversed_.score, upright.score)
