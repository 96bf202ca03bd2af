"""Stages on disk, the common band, the estimate, and figures that come back as they went."""

from __future__ import annotations

import json
import re
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt

from ecglens.classifiers import make_classifier
from ecglens.errors import OutputError
from ecglens.evaluation import Score, evaluate
from ecglens.images import IMAGE_PRESETS
from ecglens.reproduction import ReproductionSettings
from ecglens.reproduction import estimate as estimate_module
from ecglens.reproduction.band import common_image, upper_edges
from ecglens.reproduction.bench import open_network
from ecglens.reproduction.estimate import Estimate, estimate, refuse_full_disk
from ecglens.reproduction.figures import Figures, Row
from ecglens.reproduction.stages import Stages
from ecglens.reproduction.words import ASSUMPTIONS
from ecglens.windows import Windows

Usage = namedtuple("Usage", "total used free")


def windows_of(X: np.ndarray, databases: np.ndarray) -> Windows:
    n = len(X)
    text = np.full(n, "x")
    return Windows(X.astype(np.float32), 125.0, text, text, databases, text, text, np.zeros(n))


class TestStages:
    def test_a_stage_is_computed_once(self, tmp_path: Path) -> None:
        calls: list[int] = []

        def compute() -> dict[str, Any]:
            calls.append(1)
            return {"value": len(calls)}

        for _ in range(2):
            assert Stages(tmp_path / "s").once("one", {"a": 1}, compute) == {"value": 1}
        assert Stages(tmp_path / "s").once("one", {"a": 2}, compute) == {"value": 2}
        assert Stages(tmp_path / "s").load("one", {"a": 1}) is None

    @pytest.mark.parametrize("text", ["", "{", "[]", "\udcff", '{"inputs": "x", "result": {}}'])
    def test_a_damaged_file_is_done_anew(self, tmp_path: Path, text: str) -> None:
        stages = Stages(tmp_path)
        (tmp_path / "one.json").write_bytes(text.encode("utf-8", "surrogateescape"))
        assert stages.load("one", {}) is None
        assert stages.once("one", {}, lambda: {"b": 1}) == {"b": 1}
        assert stages.load("one", {}) == {"b": 1}


class TestBand:
    def test_the_wall_of_a_recorder_is_found(self) -> None:
        rng = np.random.default_rng(0)
        X = rng.normal(size=(40, 1250))
        X[20:] = sosfiltfilt(butter(10, 25, fs=125, output="sos"), X[20:])
        databases = np.array(["wide"] * 20 + ["narrow"] * 20)
        edges = upper_edges(windows_of(X, databases), 60.0)
        assert edges["wide"] == 62.5
        assert 25 < edges["narrow"] < 40

    @pytest.mark.parametrize("seconds", [2.5, 3.4, 6.5])
    def test_a_step_is_a_hertz_whatever_the_length(self, seconds: float) -> None:
        X = np.random.default_rng(0).normal(size=(40, 3000))
        X = sosfiltfilt(butter(10, 25, fs=125, output="sos"), X)
        whole = upper_edges(windows_of(X[:, 500:1750], np.full(40, "a")), 60.0)["a"]
        some = X[:, 500 : 500 + round(seconds * 125)]
        assert abs(upper_edges(windows_of(some, np.full(40, "a")), 60.0)["a"] - whole) <= 3

    def test_the_common_band_is_what_all_hold_and_no_more_than_20_hz(self) -> None:
        preset = IMAGE_PRESETS["salem2018"]
        rng = np.random.default_rng(0)
        X = rng.normal(size=(10, 1250))
        image, _ = common_image(preset, windows_of(X, np.full(10, "a")))
        assert (image.band_hz, image.max_hz, image.fs) == ((1.0, 20.0), 20.0, 62.5)
        assert image.height == preset.height
        low = sosfiltfilt(butter(10, 8, fs=125, output="sos"), X)
        both = windows_of(np.concatenate([X, low]), np.array(["a"] * 10 + ["b"] * 10))
        image, edges = common_image(preset, both)
        assert image.max_hz == pytest.approx(0.9 * edges["b"])
        assert image.max_hz < 15


class TestEstimate:
    def test_it_grows_with_windows_and_folds(self, tiny: Path) -> None:
        settings = ReproductionSettings(backbone=str(tiny), n_windows=400)
        recipe, backbone = open_network(settings)
        small = estimate(settings, recipe, backbone, 12.0)
        assert small.n_windows == 400 + 14 * 20
        assert small.windows_mb == pytest.approx(680 * 1250 * 4 / 1e6)
        assert small.fetch_mb == 12
        assert small.features_s > 0
        given = estimate(settings, recipe, backbone, 0.0, n_windows=1000)
        assert given.n_windows == 400  # of the file's thousand
        assert "nothing to fetch" in given.in_words()
        assert "12 MB to fetch" in small.in_words()

    def test_a_full_disk_is_refused_before_anything_is_begun(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(estimate_module.shutil, "disk_usage", lambda _: Usage(2e9, 1e9, 500e6))
        fits = Estimate(10, 300.0, 100.0, 50.0, 1.0, 1.0, 1.0)
        refuse_full_disk(fits, tmp_path / "to", tmp_path / "new" / "out", tmp_path)
        with pytest.raises(
            OutputError,
            match=r"550 MB are needed and 500 MB are free on the disk of .*begin with --quick",
        ):
            refuse_full_disk(
                Estimate(10, 350.0, 100.0, 50.0, 1.0, 1.0, 1.0), tmp_path, tmp_path, tmp_path
            )


def test_figures_come_back_as_they_went() -> None:
    rng = np.random.default_rng(0)
    kinds = np.arange(60) % 2
    X = rng.normal(size=(60, 2)) + kinds[:, None]
    evaluation = evaluate(
        X, np.array(["a", "b"])[kinds], np.array([f"p{i // 5}" for i in range(60)]),
        classifier=make_classifier("lda"), n_splits=3, n_bootstrap=20,
    )  # fmt: skip
    figures = Figures.of(evaluation.results["subject"], ["a note"])
    row = Row("one/subject", "subject-wise", figures)
    assert Row.from_dict(json.loads(json.dumps(row.to_dict()))) == row
    none = Row("two", "left out", None, "too few")
    assert Row.from_dict(none.to_dict()) == none
    undefined = Figures(("a",), 0, 0, Score(0.0), Score(0.0), {}, [[0]])
    back = Figures.from_dict(json.loads(json.dumps(undefined.to_dict(), allow_nan=False)))
    assert back.accuracy.value == 0
    assert np.isnan(back.accuracy.low)


def test_the_document_has_every_assumption() -> None:
    text = (Path(__file__).parents[2] / "docs" / "salem2018.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", text, flags=re.MULTILINE)
    said = {tuple(cell.strip() for cell in row) for row in rows}
    assert set(ASSUMPTIONS) <= said
