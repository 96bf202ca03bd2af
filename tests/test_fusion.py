"""Handmade measures on their way through extractor, cache, model file and explanation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecglens.backbones import Backbone, load_backbone
from ecglens.cache import FeatureStore
from ecglens.errors import UsageError
from ecglens.explanation import explain_window
from ecglens.features import RHYTHM, Extractor, concatenate_outputs, outputs_of
from ecglens.images import IMAGE_PRESETS
from ecglens.labels import load_label_map
from ecglens.models import RhythmModel, load_model, save_model, train_model
from ecglens.recipes import find_recipe
from ecglens.rhythm_features import RHYTHM_NAMES, measure_rhythm
from ecglens.windows import Windows, make_windows
from tests.signals_of import record_of
from tests.tiny_onnx import make_tiny_onnx

SMALL = replace(IMAGE_PRESETS["spectrogram"], height=32, width=48)
LAYERS = outputs_of("stage2", "meanstd")
RECIPE = replace(
    find_recipe("fusion"), image=SMALL, backbone="tiny", layers=("stage2",), pca=4
)  # fmt: skip


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
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
def model(windows: Windows, tiny: Backbone) -> RhythmModel:
    return train_model(windows, RECIPE, tiny)


class TestExtractor:
    def test_measures_stand_behind_the_layers(self, tiny: Backbone, windows: Windows) -> None:
        found = Extractor(tiny, (*LAYERS, RHYTHM), SMALL).run(windows.X, windows.fs)
        alone = Extractor(tiny, LAYERS, SMALL).run(windows.X, windows.fs)
        assert list(found) == [*LAYERS, RHYTHM]
        np.testing.assert_array_equal(concatenate_outputs(alone), found[LAYERS[0]])
        np.testing.assert_allclose(
            found[RHYTHM], measure_rhythm(windows.X, windows.fs), rtol=1e-4, atol=1e-5
        )

    def test_measures_alone_need_no_network(
        self, tiny: Backbone, windows: Windows, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Extractor, "_engine", lambda self: pytest.fail("network was asked"))
        found = Extractor(tiny, [RHYTHM], SMALL).run(windows.X, windows.fs)
        assert found[RHYTHM].shape == (len(windows), len(RHYTHM_NAMES))

    def test_the_store_gives_measures_back_whatever_the_network(
        self,
        tiny: Backbone,
        windows: Windows,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        store = FeatureStore(tmp_path)
        first = Extractor(tiny, (*LAYERS, RHYTHM), SMALL, store=store).run(windows.X, windows.fs)
        monkeypatch.setattr(
            "ecglens.features.extraction.measure_rhythm", lambda *_: pytest.fail("measured")
        )
        wide = replace(SMALL, max_hz=30.0)
        again = Extractor(tiny, (*LAYERS, RHYTHM), wide, store=store).run(windows.X, windows.fs)
        np.testing.assert_array_equal(again[RHYTHM], first[RHYTHM])

    def test_no_windows_have_no_measures(self, tiny: Backbone) -> None:
        found = Extractor(tiny, (*LAYERS, RHYTHM), SMALL).run(np.empty((0, 1250)), 125)
        assert found[RHYTHM].shape == (0, len(RHYTHM_NAMES))


class TestModel:
    def test_a_saved_model_says_the_same_of_windows(
        self, model: RhythmModel, windows: Windows, tmp_path: Path
    ) -> None:
        save_model(model, tmp_path / "m.ecglens")
        loaded = load_model(tmp_path / "m.ecglens")
        assert loaded.recipe == model.recipe
        ours, theirs = (m.judge(windows.X, windows.fs) for m in (model, loaded))
        np.testing.assert_allclose(theirs.probabilities, ours.probabilities, atol=1e-6)
        np.testing.assert_allclose(theirs.distances, ours.distances, rtol=1e-4)

    def test_it_tells_the_classes_apart(self, model: RhythmModel, windows: Windows) -> None:
        said = np.array(model.classes)[model.predict_proba(windows.X, windows.fs).argmax(axis=1)]
        assert np.mean(said == windows.labels) > 0.95

    def test_a_window_is_explained_by_its_image_with_its_measures_as_they_are(
        self, model: RhythmModel, windows: Windows
    ) -> None:
        told = explain_window(model, windows.X[0], windows.fs)
        assert told.method == "occlusion"
        assert told.heat.shape == (32, 48)
        assert np.isfinite(told.heat).all()

    def test_no_exact_activation_is_claimed(self, model: RhythmModel, windows: Windows) -> None:
        with pytest.raises(UsageError, match="without handmade measures"):
            explain_window(model, windows.X[0], windows.fs, method="activation")
