"""A stand-in for a model, so that what is tested here needs no network."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.test_prediction import MODEL


@pytest.fixture
def model_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that stands for the model that tells VF from N by how peaked a window is."""
    monkeypatch.setattr("ecglens.batch.work.load_model", lambda _path, **_: MODEL)
    path = tmp_path / "model"
    path.write_bytes(b"peaked")
    return path
