"""The modules of the matrix of bad input, and one small model for all its tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

BENCHMARKS = str(Path(__file__).parents[2] / "benchmarks")
if BENCHMARKS not in sys.path:
    sys.path.append(BENCHMARKS)


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file of a small network; workers of the matrix use it too."""
    import robust_files

    path = tmp_path_factory.mktemp("model") / "m.ecglens"
    path.write_bytes(robust_files.model_file())
    return path


@pytest.fixture
def worker_model(small_model: Path) -> Iterator[Path]:
    """Let workers of the matrix use the small model."""
    import robust_files

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(robust_files.MODEL_VARIABLE, str(small_model))
        yield small_model


@pytest.fixture(scope="session")
def materials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good inputs of commands; workers of the matrix find them by the environment."""
    import robust_materials

    folder = tmp_path_factory.mktemp("materials")
    robust_materials.make_materials(folder)
    return folder


@pytest.fixture
def worker_materials(materials: Path) -> Iterator[Path]:
    """Let workers of the matrix use the good inputs."""
    import robust_materials

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(robust_materials.VARIABLE, str(materials))
        yield materials
