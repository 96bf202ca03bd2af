"""Stress: judged by models that know neither the people nor the noise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecglens.backbones import load_backbone
from ecglens.errors import EvaluationError, LeakError
from ecglens.features import EngineSettings
from ecglens.models import find_model, fit_model, save_model
from ecglens.recipes import Recipe, find_recipe
from ecglens.studies import (
    Describing,
    FoldModels,
    SavedModel,
    StressSettings,
    study_stress,
    thin_out,
    usable_windows,
)
from ecglens.studies.stresses import Stress
from ecglens.windows import Windows
from tests.tiny_onnx import make_tiny_onnx

SETTINGS = StressSettings(folds=3, n_bootstrap=30)
FLAT = Stress("flat", "", "0", lambda X, _fs, _seed: np.zeros_like(X))
LOUD = Stress("gain", "times", "3", lambda X, _fs, _seed: 3 * X)
GAPS = Stress(
    "gaps", "", "5", lambda X, _fs, _seed: np.where(np.arange(X.shape[1]) < 30, np.nan, X)
)
STRESSES = (FLAT, LOUD, GAPS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stress")


@pytest.fixture(scope="module")
def tiny(folder: Path):
    image = find_recipe("default").image
    size = (image.height, image.width)
    return load_backbone(make_tiny_onnx(folder / "tiny.onnx"), image_size=size)


@pytest.fixture(scope="module")
def recipe(tiny) -> Recipe:
    return replace(find_recipe("default").fit_to(tiny), pca=8)


@pytest.fixture(scope="module")
def models(windows: Windows, recipe: Recipe, tiny) -> FoldModels:
    return FoldModels(windows, recipe, tiny, Describing(), SETTINGS)


@pytest.fixture(scope="module")
def study(windows: Windows, models: FoldModels, folder: Path):
    return study_stress(windows, models, folder / "out", SETTINGS, stresses=STRESSES)


def value(study, kind: str, score: str, label: str = "") -> float:
    (found,) = (
        row["value"]
        for row in study.rows
        if (row["stress"], row["score"], row["class"]) == (kind, score, label)
    )
    return found


class TestStudy:
    def test_models_know_nobody_they_judge(self, windows: Windows, models: FoldModels) -> None:
        tested = []
        for model, test in models.judges():
            assert not model.training_subjects & set(windows.subjects[test].tolist())
            tested += test.tolist()
        assert sorted(tested) == list(range(len(windows)))

    def test_clean_windows_are_told_apart(self, study) -> None:
        assert value(study, "clean", "macro_f1") > 0.9
        assert value(study, "clean", "readable") == 1.0

    def test_gain_changes_nothing(self, study) -> None:
        for score in ("macro_f1", "claimed", "right"):
            assert value(study, "gain", score) == value(study, "clean", score)

    def test_what_has_no_image_is_wrong_and_never_claimed(self, study) -> None:
        assert value(study, "flat", "macro_f1") == 0.0
        assert value(study, "flat", "readable") == value(study, "flat", "claimed") == 0.0
        assert value(study, "flat", "right") is None

    def test_what_the_rate_cannot_hold_is_left_out_and_said(
        self, windows: Windows, models: FoldModels, folder: Path
    ) -> None:
        wanted = (*STRESSES, replace(FLAT, kind="mains, 70 Hz", above_hz=2 * 70.0))
        assert windows.fs < 140
        study = study_stress(windows, models, folder / "out", SETTINGS, stresses=wanted)
        assert "mains, 70 Hz" not in {row["stress"] for row in study.rows}
        assert any(note.startswith("Left out: mains, 70 Hz; windows at") for note in study.notes)

    def test_gaps_are_bridged_for_the_class_but_not_claimed(self, study) -> None:
        assert value(study, "gaps", "readable") == value(study, "gaps", "claimed") == 0.0
        assert value(study, "gaps", "macro_f1") > 0.7

    def test_the_answer_names_what_costs(self, study) -> None:
        assert "5 points or more are lost to flat, first at 0 (0.00)" in study.said
        assert "Less than that, at any level tried, to gain" in study.said

    def test_the_table_of_kinds_tells_what_breaks_first(self, study) -> None:
        first = {row[0].text: row[1:] for row in study.tables[0].rows}
        assert list(first) == ["flat", "gain", "gaps"]
        assert first["flat"][0] == first["flat"][2] == "0"
        assert first["flat"][4].detail.endswith(" to 0.00 at 0")
        assert first["gain"][:2] == ("–", "–")
        assert first["gain"][4].text == "–"

    def test_a_second_run_trains_and_judges_nothing(
        self, windows: Windows, recipe: Recipe, tiny, study, folder: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        def refuse(*_: object, **__: object) -> object:
            raise AssertionError("this was done already")

        models = FoldModels(windows, recipe, tiny, Describing(), SETTINGS)
        monkeypatch.setattr("ecglens.studies.examined.fit_model", refuse)
        monkeypatch.setattr(FoldModels, "extractor", refuse)
        again = study_stress(windows, models, folder / "out", SETTINGS, stresses=STRESSES)
        assert again.to_dict() == study.to_dict()


@pytest.fixture(scope="module")
def parts(windows: Windows) -> tuple[Windows, Windows]:
    """Windows of the first eight people, and of the others."""
    first = windows.subjects < "p08"
    return windows.subset(first), windows.subset(~first)


@pytest.fixture(scope="module")
def path(parts, models: FoldModels, recipe: Recipe, tiny, folder: Path) -> Path:
    known, _ = parts
    features = Describing().features(known, recipe, tiny)
    save_model(fit_model(known, features, recipe, tiny), folder / "m.ecglens")
    return folder / "m.ecglens"


class TestSavedModel:
    def test_judges_other_people(self, parts, path: Path, tmp_path: Path) -> None:
        _, others = parts
        study = study_stress(others, SavedModel(path, others), tmp_path, stresses=STRESSES)
        assert value(study, "clean", "macro_f1") > 0.9
        assert value(study, "flat", "macro_f1") == 0.0
        assert study.settings["model"] == "m.ecglens"

    def test_refuses_people_it_knows(self, parts, path: Path, windows: Windows) -> None:
        """Planted: one person of training among those to be judged."""
        mixed = windows.subset(windows.subjects >= "p07")
        with pytest.raises(LeakError, match=r"trained on 1 of the people of the windows \(p07\)"):
            SavedModel(path, mixed)
        renamed = replace(mixed, subjects=np.char.add("other-", mixed.subjects))
        with pytest.raises(LeakError, match=r"trained on 1 of .* \(other-p07\)"):
            SavedModel(path, renamed)  # the record is the same, whoever it is said to be
        with pytest.raises(LeakError, match=r"8 of .* \(p00, p01, p02, p03, p04 and 3 more\)"):
            SavedModel(path, windows)

    def test_refuses_classes_it_does_not_know(self, parts, path: Path) -> None:
        _, others = parts
        strange = replace(others, labels=np.where(others.labels == "N", "AF", others.labels))
        with pytest.raises(EvaluationError, match=r"m.ecglens does not know: AF; it knows N, VF"):
            SavedModel(path, strange)

    def test_refuses_windows_of_another_length(self, parts, path: Path) -> None:
        _, others = parts
        short = replace(others, X=others.X[:, :-1])
        with pytest.raises(EvaluationError, match=r"windows last 3.99 s and m.ecglens takes 4 s"):
            SavedModel(path, short)

    def test_its_network_runs_as_asked(self, parts, path: Path) -> None:
        _, others = parts
        asked = EngineSettings(precision="fp32")
        exact, rounded = (
            SavedModel(path, others, engine) for engine in (asked, EngineSettings(precision="bf16"))
        )
        assert exact.extractor().engine == asked
        assert exact.identity != rounded.identity
        assert exact.identity == SavedModel(path, others, asked).identity

    def test_a_model_of_the_package_by_its_name(self, windows: Windows) -> None:
        ten_s = replace(windows, X=np.tile(windows.X, 3)[:, :1000])
        named = SavedModel(Path("rhythm4"), ten_s)
        assert named.title == "rhythm4"
        assert named.identity == SavedModel(find_model("rhythm4"), ten_s).identity


class TestMaterial:
    def test_windows_of_a_person_and_class_are_thinned_out(self, windows: Windows) -> None:
        few = thin_out(windows, 2, 0)
        assert len(few) == 12 * 2 * 2
        assert np.array_equal(few.X, thin_out(windows, 2, 0).X)
        assert not np.array_equal(few.start_s, thin_out(windows, 2, 1).start_s)
        assert len(thin_out(windows, 99, 0)) == len(windows)

    def test_windows_that_cannot_be_judged_are_counted(self, windows: Windows) -> None:
        X, labels = windows.X.copy(), windows.labels.copy()
        X[0], labels[1] = 0.0, ""
        kept, notes = usable_windows(replace(windows, X=X, labels=labels))
        assert len(kept) == len(windows) - 2
        assert notes == (
            "1 of 72 windows are left out: they have no label",
            "1 of 72 windows are left out: they cannot be read",
        )
        same, nothing = usable_windows(windows)
        assert len(same) == len(windows)
        assert nothing == ()
