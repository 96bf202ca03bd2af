"""A stand-in for a model, so that what is tested here needs no network."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ecglens.models import RhythmModel
from ecglens.reports.model_facts import ModelFacts
from tests.test_prediction import MODEL


def _facts(_: RhythmModel, path: Path) -> ModelFacts:
    return ModelFacts(path.name, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.fixture
def model_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that stands for the model that tells VF from N by how peaked a window is."""
    monkeypatch.setattr("ecglens.batch.work.load_model", lambda _path, **_: MODEL)
    monkeypatch.setattr("ecglens.batch.work.ModelFacts.of", _facts)
    # It has no image that could be explained.
    monkeypatch.setattr("ecglens.batch.work.explain_episode", lambda *_, **__: None)
    monkeypatch.setattr("ecglens.batch.work.plot_explanation", lambda _, **__: None)
    path = tmp_path / "model"
    path.write_bytes(b"peaked")
    return path
