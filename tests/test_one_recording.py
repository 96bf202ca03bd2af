"""The same recording in every format gives the same windows and the same episodes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ecglens.databases.synthetic import make_record
from ecglens.models import RhythmModel
from ecglens.prediction import Timeline, predict_record
from ecglens.readers import open_record
from ecglens.records import Record
from ecglens.windows import WindowRule, cut_record
from tests.explanation.planted import shared_model, strangers
from tests.readers import test_one_signal as formats

PLAN = [("N", 60.0), ("AFIB", 60.0), ("N", 60.0), ("VFIB", 40.0), ("N", 60.0)]


@pytest.fixture(scope="module")
def model() -> RhythmModel:
    return shared_model()


@pytest.fixture(scope="module")
def recording() -> Record:
    return make_record(strangers(1)[0], PLAN, leads=formats.LEADS, fs=formats.FS)


@pytest.fixture(scope="module")
def in_memory(model: RhythmModel, recording: Record) -> Timeline:
    return predict_record(model, recording, leads="first")


def _episodes(timeline: Timeline) -> list[tuple[float, float, str]]:
    return [(e.start_s, e.end_s, e.label) for e in timeline.episodes]


def test_the_recording_is_told_rightly_at_all(in_memory: Timeline) -> None:
    found = [e.label for e in in_memory.episodes if e.label in ("AF", "VF")]
    assert found == ["AF", "VF"]


@pytest.mark.parametrize("name", formats.WRITERS)
def test_windows_and_episodes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    model: RhythmModel,
    recording: Record,
    in_memory: Timeline,
    name: str,
) -> None:
    signal = recording.signal.astype(np.float64)
    monkeypatch.setattr(formats, "SIGNAL", signal)
    monkeypatch.setattr(formats, "COUNTS", np.rint(signal * 1000).astype(np.int16))
    write, resolution = formats.WRITERS[name]
    write(tmp_path / name)
    record = open_record(tmp_path / name, fs=formats.FS if name.endswith(".npy") else None)
    rule = WindowRule(leads="all")
    # The filter that resamples may double what rounding to the format's steps has done.
    np.testing.assert_allclose(
        cut_record(record, rule).X, cut_record(recording, rule).X, atol=2 * resolution
    )
    assert _episodes(predict_record(model, record, leads="first")) == _episodes(in_memory)
