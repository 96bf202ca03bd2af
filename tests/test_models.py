from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from ecglens.backbones import Backbone, load_backbone
from ecglens.errors import BackboneError, EvaluationError, ModelFileError, OutputError, WindowError
from ecglens.evaluation import evaluate
from ecglens.features import EngineSettings
from ecglens.heads import MemorySVC
from ecglens.images import IMAGE_PRESETS
from ecglens.labels import load_label_map
from ecglens.models import RhythmModel, load_model, save_model, train_model
from ecglens.prediction import predict_record
from ecglens.recipes import Recipe
from ecglens.windows import Windows, make_windows
from tests.signals_of import record_of
from tests.tiny_onnx import make_broken, make_tiny_onnx

RECIPE = Recipe(
    name="test",
    image=replace(IMAGE_PRESETS["spectrogram"], height=32, width=48),
    backbone="tiny",
    layers=("stage2",),
    pooling=("meanstd",),
    head="svm-memory",
)


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    path = make_tiny_onnx(tmp_path_factory.mktemp("tiny") / "tiny.onnx")
    return load_backbone(path, image_size=(32, 48))


@pytest.fixture(scope="module")
def windows() -> Windows:
    records = [
        record_of(rhythm, 40.0, seed=seed, name=f"{rhythm}{seed}")
        for rhythm in ("N", "VF")
        for seed in range(4)
    ]
    return make_windows(records, load_label_map("rhythm4"))


@pytest.fixture(scope="module")
def model(windows: Windows, backbone: Backbone) -> RhythmModel:
    return train_model(windows, RECIPE, backbone)


@pytest.fixture
def saved(model: RhythmModel, tmp_path: Path) -> Path:
    path = tmp_path / "m.ecglens"
    save_model(model, path)
    return path


def _rewrite(path: Path, **members: bytes | None) -> None:
    """Replace members of a model file (None leaves one out); the manifest's hashes follow."""
    with zipfile.ZipFile(path) as archive:
        held: dict[str, bytes | None] = {n: archive.read(n) for n in archive.namelist()}
    held |= {name.replace("__", "."): data for name, data in members.items()}
    if "manifest__json" not in members:
        manifest = json.loads(held["manifest.json"] or b"{}")
        manifest["sha256"] = {
            name: hashlib.sha256(data).hexdigest()
            for name, data in held.items()
            if data is not None and name != "manifest.json"
        }
        held["manifest.json"] = json.dumps(manifest).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in held.items():
            if data is not None:
                archive.writestr(name, data)


def _manifest(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        return dict(json.loads(archive.read("manifest.json")))


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


class TestTraining:
    def test_it_tells_new_people_apart(self, model: RhythmModel) -> None:
        for rhythm, label in (("N", "N"), ("VF", "VF")):
            timeline = predict_record(model, record_of(rhythm, 60.0, seed=99))
            assert (timeline.labels == label).mean() > 0.8

    def test_probabilities_are_probabilities(self, model: RhythmModel, windows: Windows) -> None:
        p = model.predict_proba(windows.X, windows.fs)
        assert p.shape == (len(windows), 2)
        np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-6)
        assert model.classes == ("N", "VF")

    def test_what_is_said_of_a_window_depends_on_no_other(
        self, model: RhythmModel, windows: Windows
    ) -> None:
        X = np.concatenate([windows.X] * 5)
        together = model.judge(X, windows.fs)
        for rows in (slice(0, 1), slice(3, 20), slice(60, 150)):
            apart = model.judge(X[rows], windows.fs)
            np.testing.assert_array_equal(apart.probabilities, together.probabilities[rows])
            np.testing.assert_array_equal(apart.distances, together.distances[rows])

    def test_blas_takes_one_core_while_it_learns(
        self, windows: Windows, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[int] = []

        def fit(self: MemorySVC, X: Any, y: Any) -> MemorySVC:
            pools = threadpool_info()
            seen.extend(pool["num_threads"] for pool in pools if pool["user_api"] == "blas")
            return learn(self, X, y)

        learn = MemorySVC.fit
        monkeypatch.setattr(MemorySVC, "fit", fit)
        with threadpool_limits(2, user_api="blas"):
            train_model(windows, RECIPE, backbone)
            evaluate(
                windows.X, windows.labels, windows.subjects,
                classifier=MemorySVC(), n_splits=2, n_bootstrap=0,
            )  # fmt: skip
        assert set(seen) == {1}

    def test_the_card_says_who_and_what(self, model: RhythmModel, windows: Windows) -> None:
        assert model.card["windows"] == {"N": 16, "VF": 16}
        assert model.card["subjects"] == sorted(set(windows.subjects.tolist()))
        assert model.training_subjects == set(windows.subjects.tolist())
        assert model.training_records == {f"{windows.databases[0]}/{r}" for r in windows.records}
        assert "Not a medical device" in model.card["intended_use"]
        assert model.card["calibration_folds"] == 4
        assert model.card["abstention"]["subjects"] == 8

    def test_abstention_and_smoothing_can_be_left_out(
        self, windows: Windows, backbone: Backbone
    ) -> None:
        model = train_model(windows, RECIPE, backbone, alpha=None, smooth=False)
        assert not model.reject_rule.rejects
        assert model.rhythm_change.does_nothing
        assert "abstention" not in model.card

    def test_another_rate_gives_the_same_answer(self, model: RhythmModel) -> None:
        slow, fast = (record_of("VF", 60.0, fs, seed=5) for fs in (125.0, 500.0))
        assert predict_record(model, slow).labels.tolist() == (
            predict_record(model, fast).labels.tolist()
        )

    def test_every_window_needs_a_label(self, windows: Windows, backbone: Backbone) -> None:
        labels = windows.labels.copy()
        labels[3] = ""
        with pytest.raises(WindowError, match="1 of 32 windows have no label"):
            train_model(replace(windows, labels=labels), RECIPE, backbone)

    def test_one_class_or_one_person_is_not_enough(
        self, windows: Windows, backbone: Backbone
    ) -> None:
        with pytest.raises(EvaluationError, match="two classes or more, got 1"):
            train_model(windows.subset(windows.labels == "N"), RECIPE, backbone)
        lonely = (windows.labels == "N") | (windows.subjects == "made-VF0")
        with pytest.raises(EvaluationError, match="class 'VF' has 1 subject"):
            train_model(windows.subset(lonely), RECIPE, backbone)


def test_a_network_that_breaks_is_an_error_of_its_own(model: RhythmModel, windows: Windows) -> None:
    broken = replace(model, backbone=make_broken(model.backbone, "stage2"))
    with pytest.raises(BackboneError, match=r"'stage2' .* gives features that are not finite"):
        broken.judge(windows.X[:2], windows.fs)


class TestFile:
    def test_a_model_comes_back_as_it_was(
        self, model: RhythmModel, saved: Path, windows: Windows
    ) -> None:
        again = load_model(saved)
        np.testing.assert_allclose(
            again.predict_proba(windows.X, windows.fs),
            model.predict_proba(windows.X, windows.fs),
            atol=1e-6,
        )
        assert again.recipe == model.recipe
        assert again.card == model.card
        assert (again.classes, again.fs, again.length_s) == (model.classes, 125.0, 10.0)

    def test_training_again_gives_the_same_bytes(
        self, windows: Windows, backbone: Backbone, saved: Path, tmp_path: Path
    ) -> None:
        save_model(train_model(windows, RECIPE, backbone), tmp_path / "again")
        assert (tmp_path / "again").read_bytes() == saved.read_bytes()

    def test_the_network_is_cut_behind_the_last_layer_used(
        self, saved: Path, backbone: Backbone
    ) -> None:
        again = load_model(saved)
        assert [layer.name for layer in again.backbone.layers] == ["stage2"]
        assert len(again.backbone.onnx) < len(backbone.onnx)

    def test_the_manifest_can_be_read_by_a_person(self, saved: Path) -> None:
        manifest = _manifest(saved)
        assert manifest["format"] == "ecglens-model"
        assert manifest["schema"] == 2
        assert manifest["backbone"] == {"name": "tiny", "weights": "file:tiny.onnx"}
        assert set(manifest["sha256"]) == {
            "backbone.onnx",
            "head.skops",
            "distance_axes.npy",
            "distance_centres.npy",
        }
        assert "numpy" in manifest["versions"]

    def test_the_rules_and_the_distance_are_kept(
        self, model: RhythmModel, saved: Path, windows: Windows
    ) -> None:
        again = load_model(saved)
        assert again.reject_rule == model.reject_rule
        assert again.rhythm_change == model.rhythm_change
        there, here = (m.judge(windows.X, windows.fs).distances for m in (again, model))
        np.testing.assert_allclose(there, here, rtol=1e-4)

    def test_a_loaded_model_can_run_on_another_engine(self, saved: Path, windows: Windows) -> None:
        model = load_model(saved)
        exact = replace(model, engine=EngineSettings(precision="fp32"))
        here, there = (m.predict_proba(windows.X, windows.fs) for m in (model, exact))
        assert np.abs(here - there).max() < 0.1

    def test_a_folder_that_is_not_there(self, model: RhythmModel, tmp_path: Path) -> None:
        with pytest.raises(OutputError, match="cannot write"):
            save_model(model, tmp_path / "no" / "m")


def _as_schema_1(path: Path, min_probability: float) -> None:
    """Turn a model file into one of the first schema: one threshold, no rules, no distance."""
    manifest = _manifest(path)
    for key in ("reject_rule", "rhythm_change"):
        del manifest[key]
    arrays = {"distance_axes.npy", "distance_centres.npy"}
    hashes = {name: h for name, h in manifest["sha256"].items() if name not in arrays}
    manifest |= {"schema": 1, "min_probability": min_probability, "sha256": hashes}
    _rewrite(
        path,
        manifest__json=json.dumps(manifest).encode(),
        distance_axes__npy=None,
        distance_centres__npy=None,
    )


class TestFirstSchema:
    def test_it_still_loads_and_judges_window_by_window(
        self, model: RhythmModel, saved: Path, windows: Windows
    ) -> None:
        _as_schema_1(saved, 0.0)
        old = load_model(saved)
        assert not old.reject_rule.rejects
        assert old.rhythm_change.does_nothing
        judged, now = old.judge(windows.X, windows.fs), model.judge(windows.X, windows.fs)
        np.testing.assert_allclose(judged.probabilities, now.probabilities, atol=1e-6)
        assert not judged.distances.any()

    def test_its_threshold_becomes_that_of_every_class(self, saved: Path) -> None:
        _as_schema_1(saved, 0.9)
        rule = load_model(saved).reject_rule
        p = np.array([[0.95, 0.05], [0.85, 0.15]])
        assert rule.judge(p, np.zeros(2)).tolist() == ["", "no class"]


class TestHostileFiles:
    def test_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(ModelFileError, match="no such model file"):
            load_model(tmp_path / "none")

    def test_every_truncation_is_refused(self, saved: Path) -> None:
        whole = saved.read_bytes()
        for size in range(0, len(whole), max(1, len(whole) // 60)):
            saved.write_bytes(whole[:size])
            with pytest.raises(ModelFileError, match="not an ecglens model"):
                load_model(saved)

    def test_every_flipped_byte_is_refused_or_harmless(
        self, saved: Path, model: RhythmModel
    ) -> None:
        whole = bytearray(saved.read_bytes())
        for place in range(0, len(whole), max(1, len(whole) // 80)):
            changed = whole.copy()
            changed[place] ^= 0x5A
            saved.write_bytes(changed)
            try:
                assert load_model(saved).classes
            except ModelFileError:
                continue

    def test_a_member_that_was_exchanged_is_refused(self, saved: Path) -> None:
        manifest = json.dumps(_manifest(saved)).encode()
        _rewrite(saved, backbone__onnx=b"other", manifest__json=manifest)
        with pytest.raises(ModelFileError, match=r"damaged: backbone\.onnx does not have the hash"):
            load_model(saved)

    def test_a_newer_schema_asks_for_an_upgrade(self, saved: Path) -> None:
        manifest = {**_manifest(saved), "schema": 3}
        manifest["versions"]["ecglens"] = "9.0"
        _rewrite(saved, manifest__json=json.dumps(manifest).encode())
        with pytest.raises(ModelFileError, match=r"ecglens 9\.0 with schema 3.*upgrade ecglens"):
            load_model(saved)

    @pytest.mark.parametrize(
        ("member", "message"),
        [
            ({"backbone__onnx": None}, "not an ecglens model"),
            ({"extra__txt": b"x"}, "not an ecglens model"),
            ({"head__skops": b"not a zip"}, "head is damaged"),
            ({"backbone__onnx": b"not onnx"}, "is damaged: .*not a usable ONNX"),
            ({"distance_axes__npy": None}, "not an ecglens model"),
            ({"distance_axes__npy": b"x"}, r"damaged: distance_axes\.npy is not a whole NumPy"),
            ({"distance_centres__npy": _npy(np.ones((2, 1)))}, "damaged: .*make no distance"),
            ({"distance_axes__npy": _npy(np.full((3, 3), np.nan))}, "damaged: .*make no distance"),
            ({"distance_axes__npy": _npy(np.array(["a"]))}, "damaged: distance_axes.*<U1 values"),
        ],
    )
    def test_strange_members_are_refused(self, saved: Path, member: dict, message: str) -> None:
        _rewrite(saved, **member)
        with pytest.raises(ModelFileError, match=message):
            load_model(saved)

    @pytest.mark.parametrize(
        "key", ["classes", "recipe", "fs", "card", "reject_rule", "rhythm_change"]
    )
    def test_a_manifest_without_a_key_is_refused(self, saved: Path, key: str) -> None:
        manifest = _manifest(saved)
        del manifest[key]
        _rewrite(saved, manifest__json=json.dumps(manifest).encode())
        with pytest.raises(ModelFileError, match="is damaged"):
            load_model(saved)

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("reject_rule", None),
            ("reject_rule", {"alpha": 0.1}),
            ("rhythm_change", {"weight": "heavy"}),
            ("rhythm_change", [1, 2]),
            ("classes", ["N", "AF"]),
        ],
    )
    def test_rules_that_are_nonsense_are_refused(self, saved: Path, key: str, value: Any) -> None:
        _rewrite(saved, manifest__json=json.dumps({**_manifest(saved), key: value}).encode())
        with pytest.raises(ModelFileError, match="is damaged"):
            load_model(saved)

    @pytest.mark.parametrize("text", [b"[]", b"{}", b"{", b"\xff", b"[" * 100_000])
    def test_a_manifest_of_another_kind_is_refused(self, saved: Path, text: bytes) -> None:
        _rewrite(saved, manifest__json=text)
        with pytest.raises(ModelFileError, match="not an ecglens model"):
            load_model(saved)

    def test_compressed_members_are_refused(self, saved: Path) -> None:
        with zipfile.ZipFile(saved) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        with zipfile.ZipFile(saved, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        with pytest.raises(ModelFileError, match="members are compressed"):
            load_model(saved)

    def test_types_outside_the_list_are_refused_and_nothing_runs(
        self, saved: Path, tmp_path: Path
    ) -> None:
        import skops.io

        trap = tmp_path / "ran"
        head = skops.io.dumps(Path(trap))
        _rewrite(saved, head__skops=head)
        with pytest.raises(ModelFileError, match=r"types that ecglens does not trust|head"):
            load_model(saved)
        assert not trap.exists()

    def test_a_head_that_is_no_classifier_is_refused(self, saved: Path) -> None:
        import skops.io

        _rewrite(saved, head__skops=skops.io.dumps({"a": 1}))
        with pytest.raises(ModelFileError, match="its head is a dict, not a classifier"):
            load_model(saved)

    def test_a_head_that_could_not_be_loaded_is_not_saved(
        self, model: RhythmModel, tmp_path: Path
    ) -> None:
        class Homemade:
            pass

        with pytest.raises(ModelFileError, match="types that ecglens does not trust"):
            save_model(replace(model, head=Homemade()), tmp_path / "m")
        assert not (tmp_path / "m").exists()
