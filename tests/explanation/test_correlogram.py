"""Explanations of images with a correlogram."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from ecglens.explanation import Explanation
from ecglens.explanation.occlusion import occlusion
from ecglens.images import ImageSettings

UPPER, LOWER = slice(0, 24), slice(24, 40)
IMAGE = ImageSettings(height=40, width=32, correlogram_rows=16)


class Brightness:
    """Stands in for the network and the head: the score is the mean of some rows."""

    def __init__(self, rows: slice, image: ImageSettings = IMAGE) -> None:
        self.rows, self.image = rows, image
        self.seen: list[npt.NDArray[np.float32]] = []

    def run_images(
        self, images: npt.NDArray[np.float32], measures: object = None
    ) -> npt.NDArray[np.float32]:
        self.seen.append(images)
        return images[:, 0, self.rows].mean(axis=(1, 2))[:, None]

    def predict_proba(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        share = np.clip(features[:, 0].astype(np.float64), 0.01, 0.99)
        return np.column_stack([1 - share, share])


def heat_of(rows: slice, bright: slice) -> tuple[npt.NDArray[np.float64], Brightness]:
    image = np.zeros((1, 1, 40, 32), np.float32)
    image[:, :, bright, 8:16] = 1.0
    network = Brightness(rows)
    return occlusion(network, network, image, 1), network  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rows", "others"), [(slice(0, 24), slice(24, 40)), (slice(24, 40), slice(0, 24))]
)
def test_heat_stays_in_the_part_that_the_score_is_of(rows: slice, others: slice) -> None:
    heat, _ = heat_of(rows, slice(None))
    assert heat.shape == (40, 32)
    assert heat[rows].max() > 0
    np.testing.assert_allclose(heat[others], 0, atol=1e-12)
    assert 8 <= heat[rows].sum(axis=0).argmax() < 16


def test_no_tile_lies_across_spectrogram_and_correlogram() -> None:
    _, network = heat_of(slice(None), slice(None))
    (images,) = network.seen
    changed = (images[1:] != images[0]).any(axis=(1, 3))
    assert changed.any(axis=1).sum() > 100
    assert not (changed[:, :24].any(axis=1) & changed[:, 24:].any(axis=1)).any()


def explanation(heat: npt.NDArray[np.float64]) -> Explanation:
    return Explanation(
        label="AF", probability=0.9, score=2.0, baseline=None, heat=heat,
        image=np.zeros((40, 32), np.float32), frequencies_hz=IMAGE.row_hz(),
        times_s=(np.arange(32) + 0.5) / 3.2, method="occlusion",
        signal=np.zeros(1250, np.float32), fs=125.0, lags_s=IMAGE.row_lag_s(),
    )  # fmt: skip


def test_what_lies_in_the_correlogram_is_told_as_a_share_and_not_as_hz() -> None:
    heat = np.zeros((40, 32))
    heat[2:4, 8:16] = 1.0
    heat[30:36, 8:16] = 1.0
    found = explanation(heat)
    evidence = found.evidence()
    assert evidence is not None
    assert evidence.repetition_share == pytest.approx(0.75)
    hz = IMAGE.row_hz()
    assert (evidence.low_hz, evidence.high_hz) == (hz[3], hz[2])
    assert found.sentence().endswith("; 75% of it in how QRS complexes repeat")


def test_what_lies_in_the_correlogram_alone_has_no_band() -> None:
    heat = np.zeros((40, 32))
    heat[30:36, 8:16] = 1.0
    found = explanation(heat)
    evidence = found.evidence()
    assert evidence is not None
    assert (evidence.low_hz, evidence.high_hz) == (None, None)
    assert evidence.repetition_share == 1
    assert "Hz" not in found.sentence()
    assert " s; 100% of it in how" in found.sentence()


def test_an_image_without_one_says_nothing_of_repeating() -> None:
    heat = np.zeros((40, 32))
    heat[2:4, 8:16] = 1.0
    plain = replace(explanation(heat), lags_s=np.empty(0), frequencies_hz=np.linspace(40, 0, 40))
    evidence = plain.evidence()
    assert evidence is not None
    assert evidence.repetition_share == 0
    assert "repeat" not in plain.sentence()
