"""What each verb prints and writes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from ecglens.backbones import BackboneInfo, engine
from ecglens.cli import console
from ecglens.windows import load_windows
from tests.cli.collection import FS, Program, files_in, write_collection, write_record
from tests.signals_of import beats

QUICK = ("--pca", "8", "--folds", "4", "--bootstrap", "10")


class TestWindows:
    def test_a_file_and_a_table(self, ecglens: Program, collection: Path, tmp_path: Path) -> None:
        done = ecglens("windows", collection, "--out", tmp_path / "w.npz")
        assert (done.code, done.err) == (0, "")
        assert "72 windows of 10 s at 125 Hz" in done.out
        assert done.out.splitlines()[1].split() == ["AF", "24", "4", "4", "made"]
        found = load_windows(tmp_path / "w.npz")
        assert found.X.shape == (72, 1250)
        assert found.classes == ("AF", "N", "VF")

    def test_json(self, ecglens: Program, collection: Path, tmp_path: Path) -> None:
        out = tmp_path / "w.npz"
        said = ecglens("windows", collection, "--out", out, "--per-class", 5, "--json").json
        assert said.keys() == {"out", "windows", "classes"}
        assert said["windows"] == 15
        assert said["classes"][0] == {
            "class": "AF",
            "windows": 5,
            "subjects": 4,
            "records": 4,
            "databases": "made",
        }

    def test_options_reach_the_cut(
        self, ecglens: Program, collection: Path, tmp_path: Path
    ) -> None:
        out = tmp_path / "w.npz"
        cut = ("--length-s", 5, "--hop-s", 2.5, "--fs-out", 50, "--map", "shockable")
        done = ecglens("windows", collection / "s02", collection, "--leads", "V,II", *cut,
                       "--out", out)  # fmt: skip
        assert done.code == 0
        found = load_windows(out)
        assert found.X.shape == (12 * 23, 250)
        assert set(found.leads.tolist()) == {"II"}
        assert found.classes == ("VF", "other")

    def test_excluding_a_record_leaves_out_the_person(
        self, ecglens: Program, tmp_path: Path
    ) -> None:
        # 201 and 202 of the MIT-BIH database are one man.
        people = {"200": "N", "201": "N", "202": "AFIB", "203": "AFIB"}
        folder = write_collection(tmp_path / "mitdb", people, 20.0)
        out = tmp_path / "w.npz"
        assert ecglens("windows", folder, "--exclude", "201", "--out", out).code == 0
        assert set(load_windows(out).records.tolist()) == {"200", "203"}
        both = ecglens("windows", folder, "--exclude", "201", "--exclude", "200", "--out", out)
        assert both.code == 0
        assert set(load_windows(out).records.tolist()) == {"203"}

    def test_excluding_goes_with_a_file_of_windows(
        self, ecglens: Program, windows: Path, tmp_path: Path
    ) -> None:
        out = tmp_path / "w.npz"
        assert ecglens("windows", windows, "--exclude", "s03", "--out", out).code == 0
        assert len(load_windows(out)) == 66

    def test_a_record_without_a_rate(self, ecglens: Program, tmp_path: Path) -> None:
        header = write_record(tmp_path, "r", beats(30, FS), [(0.0, "N")])
        header.write_text(header.read_text().replace(f"r 1 {FS} 3000", "r 1"))
        done = ecglens("windows", tmp_path, "--fs", FS, "--out", tmp_path / "w.npz")
        assert done.code == 0
        assert len(load_windows(tmp_path / "w.npz")) == 3


def test_features_are_a_table_of_windows(
    ecglens: Program, windows: Path, network: tuple[str, ...], tmp_path: Path
) -> None:
    out = tmp_path / "f.npz"
    asked = ("features", windows, *network, "--layers", "stage2, stage3", "--pooling", "mean")
    done = ecglens(*asked, "--out", out)
    assert (done.code, done.err) == (0, "")
    assert "72 windows x 14 features" in done.out
    said = ecglens(*asked, "--out", out, "--json").json
    assert said == {
        "out": str(out),
        "windows": 72,
        "features": 14,
        "backbone": "tiny",
        "weights": "file:tiny.onnx",
        "outputs": ["stage2:mean", "stage3:mean"],
    }
    with np.load(out, allow_pickle=False) as found:
        assert found["features"].shape == (72, 14)
        assert found["features"].dtype == np.float32
        np.testing.assert_array_equal(found["labels"], load_windows(windows).labels)
        for name in ("subjects", "databases", "records", "start_s"):
            assert len(found[name]) == 72


class TestEvaluate:
    def test_both_protocols_and_files(
        self, ecglens: Program, windows: Path, network: tuple[str, ...], tmp_path: Path
    ) -> None:
        out = tmp_path / "deep" / "evaluation"
        done = ecglens("evaluate", windows, *network, *QUICK, "--out", out)
        assert (done.code, done.err) == (0, "")
        assert "pooled (leaks: one person's windows are on both sides)" in done.out
        assert "subject-wise (no person is on both sides)" in done.out
        assert f"tables and figures are in {out}" in done.out
        assert files_in(out) == [
            "confusion.png", "evaluation.json", "evaluation.txt", "examples.png",
            "predictions.csv", "subjects.png",
        ]  # fmt: skip
        saved = json.loads((out / "evaluation.json").read_text())
        assert saved["recipe"]["pca"] == 8
        with (out / "predictions.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        right = np.mean([row["subject-wise"] == row["label"] for row in rows])
        assert right == pytest.approx(saved["results"]["subject"]["accuracy"]["value"])
        assert (out / "evaluation.txt").read_text() in done.out

    def test_json(self, ecglens: Program, windows: Path, network: tuple[str, ...]) -> None:
        done = ecglens("evaluate", windows, *network, *QUICK, "--head", "lda", "--json")
        assert done.err == ""
        said = done.json
        assert said["recipe"]["head"] == "lda"
        assert said["recipe"]["layers"]
        assert said["recipe"]["backbone"] == said["backbone"]["name"] == "tiny"
        assert said["backbone"]["weights"] == "file:tiny.onnx"
        assert said["shuffled_labels"] is False
        assert said["results"].keys() == {"pooled", "subject"}
        assert said["results"]["subject"]["accuracy"]["value"] > 0.9
        assert "leaks" in said["results"]["pooled"]["title"]
        assert said["n_windows"] == 72

    def test_shuffled_labels_score_at_chance(
        self, ecglens: Program, windows: Path, network: tuple[str, ...]
    ) -> None:
        said = ecglens(
            "evaluate", windows, *network, *QUICK, "--head", "lda", "--shuffle-labels", "--json"
        ).json
        # 72 windows of three classes of 24: four standard deviations of 72 fair guesses.
        limit = 4 * np.sqrt(1 / 3 * 2 / 3 / 72)
        for result in said["results"].values():
            assert abs(result["accuracy"]["value"] - 1 / 3) < limit

    def test_shuffled_labels_are_said(
        self, ecglens: Program, windows: Path, network: tuple[str, ...]
    ) -> None:
        done = ecglens("evaluate", windows, *network, *QUICK, "--head", "lda", "--shuffle-labels")
        assert done.out.startswith("LABELS SHUFFLED")


class TestLayers:
    def test_every_layer_and_head(
        self, ecglens: Program, windows: Path, network: tuple[str, ...], tmp_path: Path
    ) -> None:
        out = tmp_path / "layers"
        done = ecglens("layers", windows, *network, *QUICK, "--heads", "lda,knn", "--out", out)
        assert (done.code, done.err) == (0, "")
        assert f"table and figure are in {out}" in done.out
        assert "pooled (leaks" in done.out
        assert files_in(out) == ["layers.csv", "layers.json", "layers.png"]
        with (out / "layers.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [(row["layer"], row["head"]) for row in rows] == [
            (layer, head) for layer in ("stage1", "stage2", "stage3") for head in ("lda", "knn")
        ]
        said = json.loads((out / "layers.json").read_text())
        assert len(said["rows"]) == 6
        assert said["backbone"]["name"] in done.out.splitlines()[0]
        assert said["n_bootstrap"] == 10

    def test_a_head_that_needs_more_than_layers(
        self, ecglens: Program, windows: Path, network: tuple[str, ...]
    ) -> None:
        done = ecglens("layers", windows, *network, *QUICK, "--heads", "lda,experts")
        assert done.code == 2
        assert "the head experts needs handmade measures" in done.error
        assert "experts" not in ecglens("layers", windows, *network, "--heads", ",").error

    def test_named_layers_and_poolings(
        self, ecglens: Program, windows: Path, network: tuple[str, ...]
    ) -> None:
        said = ecglens(
            "layers", windows, *network, "--layers", "stage2", "--pooling", "max,std",
            "--heads", "lda", "--pca", 0, "--folds", 3, "--bootstrap", 0, "--json",
        ).json  # fmt: skip
        assert [(row["layer"], row["pooling"]) for row in said["rows"]] == [
            ("stage2", "max"),
            ("stage2", "std"),
        ]
        assert said["n_splits"] == 3
        assert said["rows"][0]["n_components"] is None
        # No draws, no limits: --bootstrap is heeded.
        assert said["rows"][0]["subject_macro_f1_low"] is None


class TestTrain:
    def test_a_model_with_its_evaluation(
        self, ecglens: Program, windows: Path, network: tuple[str, ...], tmp_path: Path
    ) -> None:
        out = tmp_path / "m.ecglens"
        done = ecglens("train", windows, *network, *QUICK, "--out", out)
        assert (done.code, done.err) == (0, "")
        assert "model of AF, N, VF in" in done.out
        assert "pooled (leaks" in done.out
        said = ecglens("train", windows, *network, *QUICK, "--out", out, "--json").json
        assert said.keys() == {"out", "bytes", "card"}
        assert said["bytes"] == out.stat().st_size
        assert said["card"]["evaluation"]["results"].keys() == {"pooled", "subject"}
        assert said["card"]["windows"] == {"AF": 24, "N": 24, "VF": 24}
        assert "Not a medical device" in said["card"]["intended_use"]

    def test_without_an_evaluation(
        self, ecglens: Program, windows: Path, network: tuple[str, ...], tmp_path: Path
    ) -> None:
        out = tmp_path / "m.ecglens"
        asked = ("train", windows, *network, "--pca", 0, "--head", "lda", "--no-evaluate")
        done = ecglens(*asked, "--out", out)
        assert done.code == 0
        assert "leaks" not in done.out
        assert "evaluation" not in ecglens(*asked, "--out", out, "--json").json["card"]


class TestBackbones:
    def test_layers_of_one(self, ecglens: Program, tiny: Path) -> None:
        done = ecglens("backbones", tiny)
        assert (done.code, done.err) == (0, "")
        assert done.out.splitlines()[0].split() == ["name", "channels", "height", "width"]
        assert done.out.splitlines()[1].split() == ["stage1", "4", "64", "64"]
        assert "tiny (file:tiny.onnx), images 128 x 128" in done.out
        said = ecglens("backbones", tiny, "--image-size", 64, "--json").json
        assert said.keys() == {"name", "weights", "sha256", "layers"}
        assert said["layers"][0] == {"name": "stage1", "channels": 4, "height": 32, "width": 32}

    def test_the_list(self, ecglens: Program, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
        (only,) = ecglens("backbones", "--json").json["backbones"]
        assert (only["name"], only["source"]) == ("ecglens-s", "bundled")
        found = [BackboneInfo("densenet121", "cached", "imagenet weights")]
        monkeypatch.setattr("ecglens.backbones.list_backbones", lambda: found)
        done = ecglens("backbones")
        assert done.err == ""
        assert done.out.splitlines()[1].split() == ["densenet121", "cached", "imagenet", "weights"]


def test_a_network_of_fixed_size_sets_the_size_of_images(
    ecglens: Program, windows: Path, tmp_path: Path
) -> None:
    from tests.tiny_onnx import make_tiny_onnx

    small = make_tiny_onnx(tmp_path / "small.onnx", image_size=(64, 64))
    done = ecglens("features", windows, "--backbone", small, "--out", tmp_path / "f.npz")
    assert done.code == 0
    assert done.err == "ecglens: small takes images of 64 x 64; the recipe's are made so\n"


def test_random_state_is_the_seed_of_random_weights(
    ecglens: Program, windows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {}

    def load(name: str, **settings: object) -> None:
        asked.update(settings)
        raise KeyboardInterrupt

    monkeypatch.setattr("ecglens.backbones.load_backbone", load)
    done = ecglens("features", windows, "--weights", "random", "--random-state", 7,
                   "--out", tmp_path / "f.npz")  # fmt: skip
    assert done.code == 130
    assert asked["random_state"] == 7
    assert asked["weights"] == "random"


class TestProgress:
    def test_a_bar_on_a_terminal(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
        monkeypatch.setenv("FORCE_COLOR", "1")
        with console.progress("folds") as step:
            step(1, 2)
            step(2, 2)
        said = capsys.readouterr()
        assert said.out == ""
        assert "folds" in said.err

    def test_silence_in_a_pipe(self, capsys: pytest.CaptureFixture[str]) -> None:
        with console.progress("folds") as step:
            step(1, 2)
        assert capsys.readouterr() == ("", "")


def test_tables_align_words_left_and_numbers_right() -> None:
    rows = [{"name": "a", "n": 1, "x": 0.5}, {"name": "long", "n": 100, "x": 12.25}]
    assert console.table(rows).splitlines() == [
        "name    n       x",
        "a       1   0.500",
        "long  100  12.250",
    ]
    assert console.table([]) == ""


def test_engine_choices_are_checked_before_any_work(
    ecglens: Program, windows: Path, network: tuple[str, ...], model: Path, collection: Path
) -> None:
    # Cached features need no engine, yet a word that names none is refused.
    assert engine.ENGINES["openvino"] == ("cpu",)
    for option, word, cure in (
        ("--engine", "openvno", "did you mean 'openvino'"),
        ("--device", "tpu", "unknown device of engine openvino 'tpu'"),
        ("--precision", "fp8", "choose auto or bf16 or fp32"),
    ):
        refused = ecglens("evaluate", windows, *network, *QUICK, option, word)
        assert refused.code == 2
        assert cure in refused.error
        refused = ecglens("predict", collection, "--model", model, option, word)
        assert refused.code == 2
        assert cure in refused.error
