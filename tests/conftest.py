"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

# Matrices of tests are small: threads of BLAS take a core each to wait for one another, and on a
# loaded machine five times as long. Before NumPy is loaded, and for processes that tests start.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
if "PYTEST_XDIST_WORKER" in os.environ:  # the same of OpenMP, where each core has tests of its own
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long an example takes depends on what else a machine does. The same examples each time: what
# fails, fails for everyone. `--hypothesis-profile=default` looks for new ones.
hypothesis.settings.register_profile(
    "steady",
    deadline=None,
    derandomize=True,
    suppress_health_check=[
        hypothesis.HealthCheck.too_slow,
        hypothesis.HealthCheck.function_scoped_fixture,
    ],
)
hypothesis.settings.load_profile("steady")


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


@pytest.fixture(scope="session")
def real_folders() -> tuple[Path, Path]:
    """Folders of real recordings and of real weights, or skip."""
    return _folder("ECGLENS_TEST_DATA"), _folder("ECGLENS_TEST_WEIGHTS")


@pytest.fixture
def real_data() -> Path:
    """Folder of real recordings (mitdb, vfdb, cudb, formats), or skip."""
    return _folder("ECGLENS_TEST_DATA")


@pytest.fixture
def real_weights() -> Path:
    """Folder of real ImageNet weights, or skip."""
    return _folder("ECGLENS_TEST_WEIGHTS")


@pytest.fixture(scope="session", autouse=True)
def _no_cache_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep fixtures that many tests share out of the user's cache folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGLENS_CACHE", str(tmp_path_factory.mktemp("shared-cache")))
        yield


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give every test a cache folder of its own."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("ECGLENS_CACHE", str(folder))
    return folder
