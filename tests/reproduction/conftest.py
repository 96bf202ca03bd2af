"""The small world on disk, and the plan that fits it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglens.reproduction import sources
from tests.reproduction.world import SMALL_SOURCES, write_world
from tests.tiny_onnx import make_tiny_onnx


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_onnx(tmp_path_factory.mktemp("network") / "tiny.onnx", image_size=(32, 48))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``--quick`` take four records of each of five databases."""
    monkeypatch.setattr(sources, "QUICK_SOURCES", SMALL_SOURCES)
