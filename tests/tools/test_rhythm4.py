"""The tool that makes the shipped model, on windows drawn for the test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.cli.collection import write_record
from tests.signals_of import beats, fibrillation, record_of
from tests.tiny_onnx import make_tiny_onnx
from tools.rhythm4 import __main__ as tool
from tools.rhythm4.card import sentences_of_others
from tools.rhythm4.data import (
    more_windows,
    open_records,
    other_windows,
    people_of,
    read_yardstick,
)
from tools.rhythm4.training import Features, refused_of_classes

from ecglens.backbones import load_backbone
from ecglens.cache import FeatureStore
from ecglens.images import IMAGE_PRESETS
from ecglens.models import load_model
from ecglens.recipes import Recipe
from ecglens.windows import Windows

FS = 100
N_PEOPLE = 12


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve people with a minute of N or VF and a minute of bigeminy behind it."""
    folder = tmp_path_factory.mktemp("records") / "made"
    for i in range(N_PEOPLE):
        rhythm = "N" if i % 2 else "VF"
        signal = np.concatenate(
            [record_of(rhythm, 60.0, FS, seed=i).signal[0], beats(60.0, FS, jitter=0.3, seed=i)]
        )
        write_record(folder, f"s{i:02d}", signal, [(0.0, rhythm), (60.0, "B")])
    return folder


@pytest.fixture(scope="module")
def yardstick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three windows of each of the same people, at 0, 10 and 25 s."""
    rows, windows = [], []
    for i in range(N_PEOPLE):
        for start in (0, 10, 25):
            signal = beats(10, FS, seed=i) if i % 2 else fibrillation(10, FS, seed=i)
            windows.append(np.round(1000 * signal).astype(np.int16))
            rows.append((f"s{i:02d}", "N" if i % 2 else "VF", start))
    path = tmp_path_factory.mktemp("yardstick") / "visible.npz"
    np.savez(
        path,
        x_milli=np.concatenate(windows),
        offset=np.concatenate([[0], np.cumsum([len(window) for window in windows])]),
        fs=np.full(len(rows), FS),
        label=np.array([label for _, label, _ in rows]),
        database=np.full(len(rows), "made"),
        subject=np.array([f"made-{record}" for record, _, _ in rows]),
        record=np.array([record for record, _, _ in rows]),
        start_s=np.array([start for _, _, start in rows]),
    )
    return path


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let the tool use a network of three layers."""
    backbone = load_backbone(make_tiny_onnx(tmp_path / "tiny.onnx"), image_size=(32, 48))
    image = IMAGE_PRESETS["default"].sized(32, 48)
    recipe = Recipe("test", image, "tiny", ("stage2",), ("meanstd",), head="svm-memory")
    made = Features(recipe, backbone, FeatureStore(tmp_path / "features"))
    monkeypatch.setattr(Features, "of", lambda *_: made)


def run(yardstick: Path, records: Path, out: Path, *more: str) -> int:
    out.mkdir()
    words = ["--data", yardstick, "--records", records, "--out", out / "m.ecglens"]
    words += ["--document", out / "m.md", "--date", "2026-01-01", *more]
    return tool.main([str(word) for word in words])


@pytest.mark.usefixtures("tiny")
class TestModel:
    def test_the_same_data_give_the_same_bytes(
        self, yardstick: Path, records: Path, tmp_path: Path
    ) -> None:
        for name in ("one", "two"):
            assert run(yardstick, records, tmp_path / name) == 0
        for name in ("m.ecglens", "m.md"):
            one, two = ((tmp_path / place / name).read_bytes() for place in ("one", "two"))
            assert one == two

    def test_the_card_and_its_page(
        self, yardstick: Path, records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        run(yardstick, records, tmp_path / "out", "--revision", "abc1234")
        model = load_model(tmp_path / "out" / "m.ecglens")
        card = model.card
        assert card["windows"] == {"N": 18, "VF": 18}
        assert card["trained"]["date"] == "2026-01-01"
        assert str(tmp_path) not in str(card)
        (row,) = card["other_rhythms"]
        assert (row["rhythm"], row["n_windows"], row["n_subjects"]) == ("B", 72, 12)
        assert sum(row["claimed"].values()) + row["not_claimed"] == pytest.approx(1)
        assert card["refused"] == {"N": {}, "VF": {}}
        page = (tmp_path / "out" / "m.md").read_text()
        assert "the same rules would refuse by class: N –; VF –." in page
        assert "| made | 18 (6) | 18 (6) | 36 (12) |" in page
        assert "pooled (leaks)" in page
        assert "Ventricular bigeminy is no class: of 72 windows of 12 people, " in page
        assert "abc1234" in page
        said = capsys.readouterr().out
        assert "subject-wise (no person is on both sides)" in said
        assert said.endswith(page)

    def test_more_windows_of_the_records_join(
        self, yardstick: Path, records: Path, tmp_path: Path
    ) -> None:
        run(yardstick, records, tmp_path / "out", "--most", "5")
        card = load_model(tmp_path / "out" / "m.ecglens").card
        assert card["windows"] == {"N": 30, "VF": 30}
        assert len(card["subjects"]) == N_PEOPLE
        assert "--most 5" in card["trained"]["command"]

    def test_what_cannot_be_is_one_line(
        self, yardstick: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(yardstick, tmp_path / "none", tmp_path / "out") == 3
        assert capsys.readouterr().err.startswith("rhythm4: error: ")


class TestMoreWindows:
    def test_no_time_counts_twice_and_nobody_gives_more_than_asked(
        self, yardstick: Path, records: Path
    ) -> None:
        held = read_yardstick(yardstick)
        more = more_windows(held, open_records([records]), 5)
        assert more is not None
        assert set(more.subjects.tolist()) == set(held.subjects.tolist())
        for person in np.unique(more.subjects):
            mine = more.subset(more.subjects == person)
            # 0, 10 and 25 s are taken, so 20 and 30 are too; 40 and 50 are free.
            assert mine.start_s.tolist() == [40.0, 50.0]
            assert len(set(mine.labels.tolist())) == 1

    def test_none_is_left_where_people_have_enough(self, yardstick: Path, records: Path) -> None:
        assert more_windows(read_yardstick(yardstick), open_records([records]), 3) is None

    def test_what_is_picked_is_spread_over_the_time(self, yardstick: Path, records: Path) -> None:
        held = read_yardstick(yardstick)
        nobody = held.subset(held.subjects == "nobody")
        more = more_windows(nobody, open_records([records]), 3)
        assert more is not None
        mine = more.subset(more.records == "s01")
        assert mine.start_s.tolist() == [0.0, 20.0, 40.0]


def test_what_is_refused_for_its_signal_is_told(yardstick: Path) -> None:
    windows = read_yardstick(yardstick)
    low = np.where(windows.labels == "VF", 0.04, 1.0).astype(np.float32)[:, None]
    quiet = replace(windows, X=windows.X * low)
    assert refused_of_classes(windows) == {"N": {}, "VF": {}}
    assert refused_of_classes(quiet) == {"N": {}, "VF": {"asystole or flat": 1.0}}
    unknown = replace(quiet, databases=np.full(len(quiet), "ptbxl"))
    assert refused_of_classes(unknown) == {"N": {}, "VF": {}}
    row = {"rhythm": "ASYS", "n_windows": 9, "n_subjects": 2, "claimed": {"N": 0.0, "VF": 0.25},
           "not_claimed": 0.75, "refused": {"asystole or flat": 0.5}}  # fmt: skip
    (sentence,) = sentences_of_others([row])
    assert sentence == (
        "Asystole is no class: of 9 windows of 2 people, 75 % are given no class, 25 % are called "
        'VF (for their signal alone: "asystole or flat" 50 %).'
    )


def test_other_rhythms_are_named_and_classes_left_out(records: Path) -> None:
    others = other_windows(open_records([records]))
    assert others is not None
    assert others.classes == ("B",)
    assert others.start_s.min() >= 60.0


def test_no_other_rhythm_is_no_window(tmp_path: Path) -> None:
    write_record(tmp_path / "made", "r", beats(60.0, FS), [(0.0, "N")])
    assert other_windows(open_records([tmp_path / "made"])) is None


def test_people_get_the_names_that_their_recordings_get() -> None:
    origins = [
        ("ltstdb", "s20271", "ltstdb-s2027"),
        ("ltstdb", "s20021", "ltstdb-s2002"),
        ("mitdb", "202", "mitdb-201"),
        ("ptbxl", "9", "ptbxl-9"),
    ]
    databases, names, subjects = (np.array(column) for column in zip(*origins, strict=True))
    text = np.full(4, "")
    windows = Windows(
        np.zeros((4, 100), np.float32), 10.0, text, subjects, databases, names, text, np.zeros(4)
    )
    assert people_of(windows) == ["edb-e0113", "ltstdb-027", "mitdb-201", "ptbxl-9"]
