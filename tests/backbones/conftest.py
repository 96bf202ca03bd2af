"""A small backbone that needs neither torch nor a download."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from tests.tiny_onnx import make_tiny_onnx

from ecglens.backbones import Backbone, load_backbone


@pytest.fixture
def tiny_path(tmp_path: Path) -> Path:
    return make_tiny_onnx(tmp_path / "tiny.onnx")


@pytest.fixture
def tiny(tiny_path: Path) -> Backbone:
    """The tiny network for images of 32 rows and 48 columns."""
    return load_backbone(tiny_path, image_size=(32, 48))


@pytest.fixture
def images() -> npt.NDArray[np.float32]:
    """Eleven random images (3, 32, 48) in [0, 1]."""
    return np.random.default_rng(5).random((11, 3, 32, 48), dtype=np.float32)
