"""The model that comes with the package: found by its name, whole, and as its page says."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from tools.rhythm4.document import document

from ecglens.cli.options import DEFAULT_MODEL
from ecglens.databases.synthetic import make_records
from ecglens.demo.words import SHIPPED
from ecglens.errors import ModelFileError
from ecglens.models import RhythmModel, bundled_models, find_model, load_model
from ecglens.prediction import predict_record
from ecglens.readers import read_record

PAGES = Path(__file__).parents[1] / "docs"
MODELS = ("rhythm4", "rhythm4-fast")


@pytest.fixture(scope="module")
def model() -> RhythmModel:
    return load_model("rhythm4")


class TestNames:
    def test_a_name_means_the_file_of_the_package(self) -> None:
        assert find_model("rhythm4") == bundled_models()["rhythm4"]
        assert find_model(Path("rhythm4")).name == "rhythm4.ecglens"
        assert str(DEFAULT_MODEL) == SHIPPED == "rhythm4"

    def test_a_file_of_that_very_name_goes_before_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        Path("rhythm4").write_text("mine")
        assert find_model("rhythm4") == Path("rhythm4")
        with pytest.raises(ModelFileError, match="rhythm4 is not an ecglens model"):
            load_model("rhythm4")

    def test_a_folder_of_that_name_does_not(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        Path("rhythm4").mkdir()
        assert find_model("rhythm4").is_file()

    @pytest.mark.parametrize("source", ["./rhythm4", "other/rhythm4", "rhythm4.ecglens", "rhythm5"])
    def test_anything_else_is_a_path(
        self, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert find_model(source) == Path(source)

    def test_a_wrong_name_is_answered_with_the_right_one(self) -> None:
        named = "or name one that comes with ecglens: rhythm4, rhythm4-fast$"
        with pytest.raises(ModelFileError, match=named):
            load_model("rhythm5")


class TestFile:
    @pytest.mark.parametrize("name", MODELS)
    def test_it_is_small_and_holds_all_that_a_model_holds(self, name: str) -> None:
        model = load_model(name)
        assert find_model(name).stat().st_size < 7e6
        assert model.classes == ("AF", "N", "ST", "VF")
        assert model.reject_rule.rejects
        assert not model.rhythm_change.does_nothing
        assert model.distance is not None

    def test_all_are_known(self) -> None:
        assert tuple(bundled_models()) == MODELS

    @pytest.mark.parametrize("name", MODELS)
    def test_the_page_is_the_card_of_this_very_file(self, name: str) -> None:
        path = find_model(name)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        page = (PAGES / f"{name}.md").read_text(encoding="utf-8")
        assert page == document(load_model(name), path, sha256)

    def test_the_card_names_people_sources_and_failures(self, model: RhythmModel) -> None:
        card = model.card
        assert {"mitdb-201", "vfdb-422", "cudb-cu01", "ltstdb-001"} <= model.training_subjects
        assert sum(row["n_windows"] for row in card["sources"]) == sum(card["windows"].values())
        for row in card["sources"]:
            assert row["licence"]
            assert row["citation"]
        assert "Not a medical device" in card["intended_use"]
        assert len(card["known_failures"]) > 3
        assert set(card["evaluation"]["results"]) == {"pooled", "subject"}


def test_virtual_patients_fibrillation_and_normal_rhythm_are_not_confused(
    model: RhythmModel,
) -> None:
    """No evidence, and whether it claims a class at all for a drawing is another matter."""
    normal, fibrillating = False, False
    for record in make_records(3, random_state=0, minutes=2.0):
        timeline = predict_record(model, record)
        for span in record.rhythms:
            ends = timeline.start_s + timeline.length_s
            said = timeline.labels[(timeline.start_s >= span.start_s) & (ends <= span.end_s)]
            if span.rhythm == "N":
                assert "VF" not in said
                normal |= "N" in said
            elif span.rhythm == "VFIB":
                assert "N" not in said
                fibrillating = True
    assert normal
    assert fibrillating


@pytest.mark.slow
def test_a_person_of_training_is_named_and_well_known(model: RhythmModel, real_data: Path) -> None:
    record = read_record(real_data / "vfdb" / "422")
    timeline = predict_record(model, record)
    assert any("vfdb-422 was in training" in note for note in timeline.notes)
    ends = timeline.start_s + timeline.length_s
    said: dict[str, list[str]] = {"VF": [], "N": []}
    for span in record.rhythms:
        inside = (timeline.start_s >= span.start_s) & (ends <= span.end_s)
        label = "VF" if span.rhythm in ("VF", "VFIB", "VFL") else span.rhythm
        said.get(label, []).extend(timeline.labels[inside].tolist())
    assert len(said["VF"]) > 20
    assert said["VF"].count("VF") / len(said["VF"]) > 0.9
    assert len(said["N"]) > 20
    assert said["N"].count("VF") / len(said["N"]) < 0.05
