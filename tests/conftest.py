"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def _folder(variable: str) -> Path:
    value = os.environ.get(variable, "")
    if not value:
        pytest.skip(
            f"{variable} is not set: real recordings and weights are not part of the project"
        )
    folder = Path(value)
    if not folder.is_dir():
        pytest.fail(f"{variable} names {folder}, which is not a folder")
    return folder


@pytest.fixture
def real_data() -> Path:
    """Folder of real recordings (mitdb, vfdb, cudb, formats), or skip."""
    return _folder("ECGLENS_TEST_DATA")


@pytest.fixture
def real_weights() -> Path:
    """Folder of real ImageNet weights, or skip."""
    return _folder("ECGLENS_TEST_WEIGHTS")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give every test a cache folder of its own."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("ECGLENS_CACHE", str(folder))
    return folder
