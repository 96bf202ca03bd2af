"""The main job on real recordings with real ImageNet weights; skipped where these are not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecglens.backbones import Backbone, load_backbone
from ecglens.features import EngineSettings
from ecglens.labels import load_label_map
from ecglens.models import RhythmModel, load_model, save_model, train_model
from ecglens.prediction import Timeline, predict_record
from ecglens.readers import find_records, read_record
from ecglens.recipes import find_recipe
from ecglens.records import Record
from ecglens.windows import Windows, balance_windows, make_windows

pytestmark = pytest.mark.slow
LEFT_OUT = ("201", "202", "422")


@pytest.fixture(scope="module")
def windows(real_folders: tuple[Path, Path]) -> Windows:
    data, _ = real_folders
    paths = [*find_records(data / "mitdb"), *find_records(data / "vfdb")]
    label_map = load_label_map("rhythm4")
    return balance_windows(make_windows(map(read_record, paths), label_map), 250)


@pytest.fixture(scope="module")
def backbone(real_folders: tuple[Path, Path]) -> Backbone:
    pytest.importorskip("timm", reason="needs ecglens[timm]")
    _, weights = real_folders
    file = next((weights / "densenet121").glob("*.safetensors"))
    image = find_recipe("default").image
    return load_backbone("densenet121", weights=file, image_size=(image.height, image.width))


@pytest.fixture(scope="module")
def model(windows: Windows, backbone: Backbone) -> RhythmModel:
    others = windows.subset(~np.isin(windows.records, LEFT_OUT))
    return train_model(others, find_recipe("default"), backbone)


def _share(timeline: Timeline, record: Record, rhythms: set[str], label: str) -> float:
    """Return the share of the annotated time of some rhythms that was given ``label``."""
    found = wanted = 0.0
    for span in record.rhythms:
        if span.rhythm in rhythms:
            wanted += span.end_s - span.start_s
            for episode in timeline.episodes:
                if episode.label == label:
                    shared = min(span.end_s, episode.end_s) - max(span.start_s, episode.start_s)
                    found += max(0.0, shared)
    return found / wanted


def test_episodes_of_people_left_out_are_found(
    model: RhythmModel, real_folders: tuple[Path, Path]
) -> None:
    data, _ = real_folders
    fibrillation = read_record(data / "vfdb" / "422")
    timeline = predict_record(model, fibrillation)
    assert _share(timeline, fibrillation, {"VF", "VFIB", "VFL"}, "VF") > 0.8
    assert _share(timeline, fibrillation, {"N"}, "VF") < 0.1
    atrial = read_record(data / "mitdb" / "201")
    assert _share(predict_record(model, atrial), atrial, {"AFIB"}, "AF") > 0.5


def test_the_file_gives_the_same_episodes(
    model: RhythmModel, real_folders: tuple[Path, Path], tmp_path: Path
) -> None:
    save_model(model, tmp_path / "m.ecglens")
    record = read_record(real_folders[0] / "vfdb" / "422")
    here, there = (predict_record(m, record) for m in (model, load_model(tmp_path / "m.ecglens")))
    assert here.labels.tolist() == there.labels.tolist()


def test_bf16_and_fp32_decide_alike(model: RhythmModel, windows: Windows) -> None:
    mine = windows.subset(np.isin(windows.records, LEFT_OUT))
    decisions = [
        replace(model, engine=EngineSettings(precision=precision))
        .predict_proba(mine.X, mine.fs)
        .argmax(axis=1)
        for precision in ("auto", "fp32")
    ]
    assert (decisions[0] == decisions[1]).mean() >= 0.95
