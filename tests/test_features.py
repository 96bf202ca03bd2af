from __future__ import annotations

import copy
import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from ecglens.backbones import Backbone, load_backbone, make_engine, pool
from ecglens.cache import FeatureStore
from ecglens.errors import BackboneError, UnreadableWindowError, UsageError, WindowError
from ecglens.features import CNNFeatures, EngineSettings, Extractor, outputs_of
from ecglens.images import IMAGE_PRESETS, ImageSettings, make_images
from tests.signals_of import beats, fibrillation
from tests.tiny_onnx import make_broken, make_tiny_onnx

SMALL = replace(IMAGE_PRESETS["spectrogram"], height=32, width=48)
OUTPUTS = outputs_of(("stage1", "stage3"), ("mean", "bands2"))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    path = make_tiny_onnx(tmp_path_factory.mktemp("tiny") / "tiny.onnx")
    return load_backbone(path, image_size=(32, 48))


@pytest.fixture(scope="module")
def X() -> np.ndarray:
    windows = [beats(10, 125, seed=i) for i in range(10)]
    return np.stack(windows + [fibrillation(10, 125, seed=i) for i in range(10)])


def _run(tiny: Backbone, X: np.ndarray, **more: Any) -> np.ndarray:
    found = Extractor(tiny, OUTPUTS, SMALL, **more).run(X, 125)
    return np.concatenate([found[output] for output in OUTPUTS], axis=1)


class TestExtractor:
    def test_shapes_follow_layers_and_poolings(self, tiny: Backbone, X: np.ndarray) -> None:
        found = Extractor(tiny, OUTPUTS, SMALL).run(X, 125)
        assert {output: block.shape for output, block in found.items()} == {
            ("stage1", "mean"): (20, 4),
            ("stage1", "bands2"): (20, 8),
            ("stage3", "mean"): (20, 8),
            ("stage3", "bands2"): (20, 16),
        }
        assert all(block.dtype == np.float32 for block in found.values())

    def test_a_window_s_features_do_not_depend_on_its_neighbours(
        self, tiny: Backbone, X: np.ndarray
    ) -> None:
        alone = np.concatenate([_run(tiny, X[i : i + 1]) for i in (0, 7, 19)])
        np.testing.assert_array_equal(_run(tiny, X)[[0, 7, 19]], alone)

    @pytest.mark.parametrize(("block", "batch"), [(7, 64), (7, 3), (256, 1), (20, 6)])
    def test_blocks_and_batches_change_no_feature(
        self,
        tiny: Backbone,
        X: np.ndarray,
        monkeypatch: pytest.MonkeyPatch,
        block: int,
        batch: int,
    ) -> None:
        whole = _run(tiny, X)
        monkeypatch.setattr("ecglens.features.extraction.BLOCK", block)
        monkeypatch.setattr("ecglens.features.extraction.BATCH", batch)
        np.testing.assert_array_equal(_run(tiny, X), whole)

    @pytest.mark.parametrize("threads", [1, 2, 5])
    def test_threads_change_no_feature(self, tiny: Backbone, X: np.ndarray, threads: int) -> None:
        found = _run(tiny, X, engine=EngineSettings(precision="fp32", threads=threads))
        expected = _run(tiny, X, engine=EngineSettings(precision="fp32"))
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)

    def test_features_are_the_pooled_maps_of_the_public_images(
        self, tiny: Backbone, X: np.ndarray
    ) -> None:
        """Gray images, helpers and batches are a detail of how."""
        for image in (SMALL, replace(SMALL, stft_s=(0.256, 0.448, 1.024))):
            maps = make_engine(tiny, ["stage1", "stage3"]).run(make_images(X, 125, image))
            expected = [pool(maps[layer], pooling) for layer, pooling in OUTPUTS]
            found = Extractor(tiny, OUTPUTS, image).run(X, 125)
            for output, values in zip(OUTPUTS, expected, strict=True):
                np.testing.assert_allclose(found[output], values, rtol=1e-4, atol=1e-5)

    def test_no_window_gives_no_features(self, tiny: Backbone, X: np.ndarray) -> None:
        assert _run(tiny, X[:0]).shape == (0, 36)

    def test_progress_counts_windows(
        self, tiny: Backbone, X: np.ndarray, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ecglens.features.extraction.BLOCK", 8)
        seen: list[tuple[int, int]] = []
        Extractor(tiny, OUTPUTS, SMALL).run(X, 125, progress=lambda *n: seen.append(n))
        assert seen == [(8, 20), (16, 20), (20, 20)]

    def test_precisions_agree_within_half_a_per_cent(self, tiny: Backbone, X: np.ndarray) -> None:
        exact = _run(tiny, X, engine=EngineSettings(precision="fp32"))
        fast = _run(tiny, X, engine=EngineSettings(precision="auto"))
        assert np.abs(fast - exact).max() < 0.02 * np.abs(exact).max()

    def test_images_and_network_must_agree_in_size(self, tiny: Backbone) -> None:
        with pytest.raises(UsageError, match="images are 64 x 48 but backbone 'tiny' was prepared"):
            Extractor(tiny, OUTPUTS, replace(SMALL, height=64))

    def test_unknown_layers_and_poolings_are_found_before_any_work(self, tiny: Backbone) -> None:
        with pytest.raises(BackboneError, match="tiny has no layer 'stage9'; did you mean 'stage"):
            Extractor(tiny, [("stage9", "mean")], SMALL)
        with pytest.raises(UsageError, match="unknown pooling 'meen'; did you mean 'mean'"):
            Extractor(tiny, [("stage1", "meen")], SMALL)
        with pytest.raises(UsageError, match="no layer to extract"):
            Extractor(tiny, [], SMALL)

    def test_an_unreadable_window_is_refused_by_its_number(
        self, tiny: Backbone, X: np.ndarray, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ecglens.features.extraction.BATCH", 2)
        flat = np.concatenate([X[:4], np.zeros((1, 1250), np.float32)])
        with pytest.raises(UnreadableWindowError, match=r"1 of 5 windows.*4 \(flat\)"):
            _run(tiny, flat)
        with pytest.raises(WindowError, match=r"X has shape \(1250,\)"):
            _run(tiny, X[0])

    def test_a_broken_network_is_refused(self, tiny: Backbone, X: np.ndarray) -> None:
        extractor = Extractor(make_broken(tiny, "stage1"), OUTPUTS, SMALL)
        message = "layer 'stage1' of backbone 'tiny' gives features that are not finite for 3 of 3"
        with pytest.raises(BackboneError, match=message):
            extractor.run(X[:3], 125)
        with pytest.raises(BackboneError, match=message):
            extractor.run_images(extractor.draw(X[:3], 125))

    def test_weights_beyond_numbers_give_no_warning(self, tiny: Backbone, X: np.ndarray) -> None:
        broken = make_broken(tiny, "stage1", "weight", 3e38)
        Extractor(broken, outputs_of("stage1", "mean"), SMALL).run(X[:3], 125)

    def test_an_error_of_a_helper_surfaces(self, tiny: Backbone, X: np.ndarray) -> None:
        with pytest.raises(WindowError, match=r"windows of 0\.32 s are shorter than the longest"):
            _run(tiny, X[:, :40])

    def test_ctrl_c_ends_it_and_leaves_nothing_behind(
        self, tiny: Backbone, X: np.ndarray, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ecglens.features.extraction.BATCH", 2)
        monkeypatch.setattr("ecglens.features.extraction.BLOCK", 4)

        class Interrupted:
            def run(self, images: np.ndarray) -> dict[str, np.ndarray]:
                raise KeyboardInterrupt

        monkeypatch.setattr(
            "ecglens.features.extraction.make_engine", lambda *_, **__: Interrupted()
        )
        with pytest.raises(KeyboardInterrupt):
            _run(tiny, X)
        assert not [t for t in threading.enumerate() if t.name.startswith("ecglens")]

    def test_one_core_and_a_cache_that_cannot_be_written_will_do(
        self, X: np.ndarray, tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_text("in the way")
        make_tiny_onnx(tmp_path / "tiny.onnx")
        np.save(tmp_path / "X.npy", X)
        code = (
            "import os, numpy as np, ecglens\n"
            "if hasattr(os, 'sched_setaffinity'):\n"
            "    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
            "features = ecglens.CNNFeatures(125, 'tiny.onnx', layers='stage1', image='default',\n"
            "    cache_dir='file/cache').fit_transform(np.load('X.npy'))\n"
            "print(features.shape)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env={**os.environ, "ECGLENS_CACHE": "file"},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.stdout == "(20, 4)\n", done.stderr
        assert "features are not kept: cannot make folder" in done.stderr

    def test_where_there_is_no_bf16_auto_is_fp32(
        self, tiny: Backbone, X: np.ndarray, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        exact = _run(tiny, X, engine=EngineSettings(precision="fp32"))
        monkeypatch.setattr("ecglens.backbones.openvino_engine.has_bf16", lambda _core: False)
        np.testing.assert_array_equal(_run(tiny, X), exact)


class TestCache:
    def test_a_second_run_computes_nothing(
        self, tiny: Backbone, X: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = _run(tiny, X, store=FeatureStore(tmp_path))

        def no_engine(*_: object, **__: object) -> None:
            pytest.fail("the network ran again")

        monkeypatch.setattr("ecglens.features.extraction.make_engine", no_engine)
        np.testing.assert_array_equal(_run(tiny, X, store=FeatureStore(tmp_path)), first)

    def test_a_killed_run_goes_on_where_it_stopped(
        self, tiny: Backbone, X: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = _run(tiny, X)
        monkeypatch.setattr("ecglens.features.extraction.BLOCK", 5)

        class Killed(BaseException):
            pass

        def kill(done: int, _: int) -> None:
            if done == 10:
                raise Killed

        extractor = Extractor(tiny, OUTPUTS, SMALL, store=FeatureStore(tmp_path))
        with pytest.raises(Killed):
            extractor.run(X, 125, progress=kill)
        computed: list[int] = []

        class Counting:
            def __init__(self, *args: Any, **settings: Any) -> None:
                self.engine = make_engine(*args, **settings)

            def run(self, images: np.ndarray) -> dict[str, np.ndarray]:
                computed.append(len(images))
                return self.engine.run(images)

        monkeypatch.setattr("ecglens.features.extraction.make_engine", Counting)
        again = _run(tiny, X, store=FeatureStore(tmp_path))
        assert computed == [5, 5]
        np.testing.assert_array_equal(again, whole)

    def test_other_versions_do_not_find_old_features(
        self, tiny: Backbone, X: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = FeatureStore(tmp_path)
        for name, value in (("version", lambda _: "9.9"), ("__version__", "9.9")):
            _run(tiny, X, store=store)
            known = set(tmp_path.rglob("*.npy"))
            with monkeypatch.context() as patched:
                patched.setattr(f"ecglens.features.extraction.{name}", value)
                _run(tiny, X, store=store)
            assert len(set(tmp_path.rglob("*.npy"))) > len(known)

    @pytest.mark.parametrize(
        "change",
        [
            {"image": replace(SMALL, dynamic_range_db=30.0)},
            {"engine": EngineSettings(precision="fp32")},
            {"half": True},
        ],
    )
    def test_other_settings_do_not_find_old_features(
        self, tiny: Backbone, X: np.ndarray, tmp_path: Path, change: dict
    ) -> None:
        settings = {"image": SMALL, "engine": EngineSettings(precision="auto")}
        keys = [
            Extractor(tiny, OUTPUTS, **{**settings, **choice})._identity(OUTPUTS[0], 125)
            for choice in ({}, change)
        ]
        if "engine" in change and keys[0]["precision"] == "fp32":
            pytest.skip("this processor has no bf16")
        assert keys[0] != keys[1]

    def test_half_the_space_for_the_same_features_cold_and_warm(
        self, tiny: Backbone, X: np.ndarray, tmp_path: Path
    ) -> None:
        exact = _run(tiny, X, store=FeatureStore(tmp_path / "whole"))
        cold = _run(tiny, X, half=True, store=FeatureStore(tmp_path / "half"))
        warm = _run(tiny, X, half=True, store=FeatureStore(tmp_path / "half"))
        np.testing.assert_array_equal(warm, cold)
        assert not np.array_equal(cold, exact)
        np.testing.assert_allclose(cold, exact, rtol=2**-11, atol=2**-25)
        sizes = [
            sum(path.stat().st_size - 128 for path in (tmp_path / name).rglob("*.npy"))
            for name in ("half", "whole")
        ]
        assert sizes[0] * 2 == sizes[1]

    def test_what_float16_cannot_hold_stays_as_it_is(
        self, tiny: Backbone, X: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def huge(maps: np.ndarray, pooling: str) -> np.ndarray:
            rows = pool(maps, pooling)
            rows[3] *= np.float32(1e8)
            return rows

        monkeypatch.setattr("ecglens.features.extraction.pool", huge)
        exact = _run(tiny, X)
        for _ in ("cold", "warm"):
            rounded = _run(tiny, X, half=True, store=FeatureStore(tmp_path))
            beyond = np.abs(exact) > 65520
            assert 0 < beyond.sum() < beyond.size / 10
            np.testing.assert_array_equal(rounded[beyond], exact[beyond])
            np.testing.assert_allclose(rounded, exact, rtol=2**-11, atol=2**-25)

    def test_other_weights_do_not_find_old_features(
        self, tiny: Backbone, X: np.ndarray, tmp_path: Path
    ) -> None:
        other = load_backbone(make_tiny_onnx(tmp_path / "o.onnx", seed=1), image_size=(32, 48))
        store = FeatureStore(tmp_path / "store")
        assert not np.allclose(_run(tiny, X, store=store), _run(other, X, store=store))


def _features(path: Path, **more: Any) -> CNNFeatures:
    return CNNFeatures(125, path, layers=("stage1", "stage3"), image=SMALL, **more)


@pytest.fixture(scope="module")
def tiny_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_onnx(tmp_path_factory.mktemp("tiny") / "tiny.onnx")


class TestCNNFeatures:
    def test_it_works_in_a_pipeline(self, tiny_path: Path, X: np.ndarray) -> None:
        features = make_pipeline(_features(tiny_path), StandardScaler()).fit_transform(X)
        assert features.shape == (20, 12)
        np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-4)

    def test_names_tell_layer_pooling_and_channel(self, tiny_path: Path, X: np.ndarray) -> None:
        fitted = _features(tiny_path, pooling=("mean", "max")).fit(X)
        names = fitted.get_feature_names_out()
        assert len(names) == fitted.transform(X[:1]).shape[1] == 24
        assert names[0] == "stage1:mean:0"
        assert names[-1] == "stage3:max:7"

    def test_nothing_is_learnt_from_the_windows(self, tiny_path: Path, X: np.ndarray) -> None:
        one = _features(tiny_path).fit(X[:5]).transform(X)
        other = _features(tiny_path).fit(X[5:]).transform(X)
        np.testing.assert_array_equal(one, other)

    def test_unreadable_windows_are_refused_or_marked(self, tiny_path: Path, X: np.ndarray) -> None:
        spoilt = X.copy()
        spoilt[3] = np.nan
        with pytest.raises(UnreadableWindowError, match=r"3 \(missing\)"):
            _features(tiny_path).fit(X).transform(spoilt)
        marked = _features(tiny_path, unreadable="nan").fit(X).transform(spoilt)
        assert np.isnan(marked).all(axis=1).nonzero()[0].tolist() == [3]

    def test_float16_features_take_half_the_memory(self, tiny_path: Path, X: np.ndarray) -> None:
        exact = _features(tiny_path).fit(X).transform(X)
        half = _features(tiny_path, dtype="float16").fit(X).transform(X)
        assert half.dtype == np.float16
        np.testing.assert_array_equal(half, exact.astype(np.float16))

    def test_float16_refuses_what_it_cannot_hold(
        self, tiny_path: Path, X: np.ndarray, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            "ecglens.features.extraction.pool", lambda *a: pool(*a) * np.float32(1e8)
        )
        fitted = _features(tiny_path, dtype="float16").fit(X)
        with pytest.raises(UsageError, match="beyond the 65504 of float16; take dtype='float32'"):
            fitted.transform(X)

    def test_parameters_survive_clone_and_copy(self, tiny_path: Path, X: np.ndarray) -> None:
        fitted = _features(tiny_path, pooling="max").fit(X)
        assert clone(fitted).get_params() == fitted.get_params()
        copied = copy.deepcopy(fitted)
        np.testing.assert_array_equal(copied.transform(X[:3]), fitted.transform(X[:3]))

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"image": "salem2019"}, "unknown image preset 'salem2019'; did you mean 'salem2018'"),
            ({"dtype": "float64"}, "dtype must be 'float32' or 'float16', got 'float64'"),
            ({"unreadable": "drop"}, "unreadable must be 'error' or 'nan', got 'drop'"),
            ({"pooling": "avg"}, "unknown pooling 'avg'"),
            ({"engine": "openvine"}, "unknown engine 'openvine'; did you mean 'openvino'"),
        ],
    )
    def test_bad_parameters_name_the_rule(
        self, tiny_path: Path, X: np.ndarray, change: dict, message: str
    ) -> None:
        features = CNNFeatures(125, tiny_path, **{"layers": "stage1", "image": SMALL, **change})
        with pytest.raises(UsageError, match=message):
            features.fit(X).transform(X)


# scikit-learn's checks bring rows of two samples and more; at 10 Hz those last long enough for an
# image with short frames.
_SHORT = ImageSettings(
    fs=100, band_hz=(1.0, 49.0), stft_s=(0.04,), hop_s=0.01, max_hz=50, height=16, width=16
)


def _for_checks() -> CNNFeatures:
    with tempfile.TemporaryDirectory() as folder:
        path = make_tiny_onnx(Path(folder) / "tiny.onnx")
        backbone = load_backbone(path, image_size=(16, 16))
    return CNNFeatures(
        10, backbone, layers="stage1", image=_SHORT, precision="fp32", unreadable="nan"
    )


@parametrize_with_checks([_for_checks()])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_it_is_a_scikit_learn_transformer(estimator: CNNFeatures, check: Any) -> None:
    check(estimator)
