"""Learning curves: who is drawn, that nobody leaks, and what comes out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecglens.errors import BackboneError, UsageError
from ecglens.evaluation import subject_folds
from ecglens.recipes import find_recipe
from ecglens.rhythm_features import RHYTHM_NAMES
from ecglens.studies import CurveSettings, Learner, make_learners, study_learning_curve
from ecglens.studies.curves import Point
from ecglens.studies.entrants import NAMES, Entry, images_alone
from ecglens.studies.learners import handmade_classifier, recipe_classifier
from ecglens.studies.learning_needed import needed_clause, needed_rows, needed_table
from ecglens.studies.learning_plan import draw_training
from ecglens.windows import Windows

SETTINGS = CurveSettings(levels=(1, 3, 50), draws=3, network_draws=1, folds=3, n_bootstrap=60)


class TestDrawing:
    def test_so_many_people_of_each_class(self, windows: Windows) -> None:
        for train, _ in subject_folds(windows.labels, windows.subjects, n_splits=3):
            for level in (1, 2, 5):
                drawn = draw_training(windows.labels, windows.subjects, train, level, (0, 0, 0))
                for label in windows.classes:
                    mine = drawn[windows.labels[drawn] == label]
                    people = np.unique(windows.subjects[mine])
                    assert len(people) == level
                    # All windows that they have of the class, and nobody else's.
                    whole = train[
                        (windows.labels[train] == label) & np.isin(windows.subjects[train], people)
                    ]
                    assert np.array_equal(mine, whole)
                assert np.isin(drawn, train).all()

    def test_fewer_people_are_among_more(self, windows: Windows) -> None:
        train = np.arange(len(windows))
        drawn = [
            set(draw_training(windows.labels, windows.subjects, train, n, (0, 1, 2)).tolist())
            for n in (1, 2, 5, 100)
        ]
        assert drawn[0] < drawn[1] < drawn[2] < drawn[3] == set(train.tolist())

    def test_draws_differ(self, windows: Windows) -> None:
        train = np.arange(len(windows))
        found = {
            tuple(draw_training(windows.labels, windows.subjects, train, 2, (0, draw, 0)).tolist())
            for draw in range(5)
        }
        assert len(found) == 5

    def test_everybody(self, windows: Windows) -> None:
        train = np.arange(7)
        assert draw_training(windows.labels, windows.subjects, train, None, (0,)) is train


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("curve")


class TestStudy:
    def test_seeing_beats_blind(
        self, windows: Windows, learner: Learner, blind: Learner, folder: Path
    ) -> None:
        study = study_learning_curve(windows, [learner, blind], folder, SETTINGS)
        last = {
            row["learner"]: row["value"]
            for row in study.rows
            if row["score"] == "macro_f1" and row["people_per_class"] == "all"
        }
        assert last["backbone"] > 0.7
        assert 0.25 < last["random"] < 0.75
        assert study.said.startswith("With 8 people of each class seeing has macro-F1 0.")
        assert "blind does not come to that with all 8 there are" in study.said
        assert " With all people seeing is best, with macro-F1 0." in study.said

    def test_levels_beyond_all_people_are_all_people(
        self, windows: Windows, learner: Learner, folder: Path
    ) -> None:
        study = study_learning_curve(windows, [learner], folder, SETTINGS)
        assert list(dict.fromkeys(row["people_per_class"] for row in study.rows)) == [1, 3, "all"]
        assert {(row["people_per_class"], row["draws"]) for row in study.rows} == {
            (1, 3),
            (3, 3),
            ("all", 1),
        }
        assert len({tuple(row) for row in study.rows}) == 1
        for row in study.rows:
            assert row["low"] <= row["value"] <= row["high"]

    def test_the_network_may_be_drawn_more_often_than_others(
        self, windows: Windows, learner: Learner, tmp_path: Path
    ) -> None:
        settings = CurveSettings(levels=(1,), draws=1, network_draws=3, folds=2, n_bootstrap=5)
        study = study_learning_curve(windows, [replace(learner, name="cnn1d")], tmp_path, settings)
        assert {row["draws"] for row in study.rows if row["people_per_class"] == 1} == {3}
        # A fit for each draw and fold, and those of all people.
        assert len((tmp_path / "cells.jsonl").read_text().splitlines()) == 3 * 2 + 2

    def test_without_draws_there_are_no_limits(
        self, windows: Windows, learner: Learner, blind: Learner, tmp_path: Path
    ) -> None:
        settings = CurveSettings(levels=(1,), draws=1, folds=2, n_bootstrap=0)
        study = study_learning_curve(windows, [learner, blind], tmp_path, settings)
        assert study.more["people_needed"]
        assert not any(row["limits"] for row in study.more["people_needed"])
        page = study.format_text()
        assert "–" not in page.split("'never'")[1]

    def test_a_second_run_learns_nothing(
        self, windows: Windows, learner: Learner, tmp_path: Path
    ) -> None:
        first = study_learning_curve(windows, [learner], tmp_path, SETTINGS)

        def refuse(_n: int, _seed: int) -> object:
            raise AssertionError("this was learnt already")

        again = study_learning_curve(
            windows, [replace(learner, classifier=refuse)], tmp_path, SETTINGS
        )
        assert json.dumps(again.to_dict()) == json.dumps(first.to_dict())

    def test_other_features_are_learnt_anew(
        self, windows: Windows, learner: Learner, blind: Learner, tmp_path: Path
    ) -> None:
        study_learning_curve(windows, [learner], tmp_path, SETTINGS)
        mixed = study_learning_curve(
            windows, [replace(learner, features=blind.features)], tmp_path, SETTINGS
        )
        alone = study_learning_curve(
            windows, [replace(learner, features=blind.features)], tmp_path / "other", SETTINGS
        )
        assert mixed.rows == alone.rows

    def test_nothing_of_test_people_is_learnt(self, windows: Windows, tmp_path: Path) -> None:
        """A feature that names the person tells a leak: it is worth nothing on new people."""
        who = np.unique(windows.subjects, return_inverse=True)[1]
        person = np.eye(who.max() + 1, dtype=np.float32)[who]
        labels = np.where(who % 2 == 0, "N", "VF")
        told = replace(windows, labels=labels)
        learner = Learner(
            "backbone", "named", person, {}, recipe_classifier(find_recipe("default"), 12)
        )
        study = study_learning_curve(told, [learner], tmp_path, SETTINGS)
        accuracy = [r["value"] for r in study.rows if r["score"] == "accuracy"]
        assert max(accuracy) < 0.75

    def test_settings_out_of_range(self) -> None:
        for levels in ((), (0, 1), (5, 2), (1, 1)):
            with pytest.raises(UsageError, match="levels must be numbers of people that rise"):
                CurveSettings(levels=levels)
        with pytest.raises(UsageError, match="network_draws must be 1 or more, got 0"):
            CurveSettings(network_draws=0)

    def test_nobody_learns(self, windows: Windows, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="needs a learner or more"):
            study_learning_curve(windows, [], tmp_path)


def test_fewer_people_than_the_fewest_tried_are_no_number() -> None:
    scores = [Point(np.full(3, f1), np.full(3, f1), np.full((3, 1), f1)) for f1 in (0.7, 0.9)]
    rows = needed_rows((5, 10), {"imagenet": scores[:1], "random": scores})
    assert needed_clause(rows[0], {"random": "chance"}).startswith(
        "with chance it takes 5 or fewer"
    )
    assert "5 or fewer" in str(needed_table(rows, {"imagenet": "it", "random": "chance"}))


class TestLearners:
    def test_components_are_as_many_as_windows_allow(self) -> None:
        for name, n_features in (("default", 300), ("fusion", 300)):
            recipe = find_recipe(name)
            make = recipe_classifier(recipe, n_features)
            assert make(4, 0).named_steps["pca"].n_components == 3
            assert make(4000, 0).named_steps["pca"].n_components == recipe.pca
        kept = recipe_classifier(find_recipe("fusion"), 110)(4000, 0).named_steps["pca"].kept
        found = recipe_classifier(find_recipe("fusion"), 110)(4000, 0).named_steps["pca"]
        assert found.n_components == 110 - kept

    def test_four_windows_are_enough(self) -> None:
        rng = np.random.default_rng(0)
        y = np.array(["AF", "N", "ST", "VF"])
        X = rng.normal(size=(4, 300))
        X[np.arange(4), np.arange(4)] += 50
        for make in (
            recipe_classifier(find_recipe("default"), 300),
            recipe_classifier(find_recipe("fusion"), 300),
            handmade_classifier,
        ):
            assert np.array_equal(make(4, 0).fit(X, y).predict(X), y)

    def test_images_alone(self) -> None:
        assert images_alone(find_recipe("default")) is find_recipe("default")
        alone = images_alone(find_recipe("fusion"))
        assert not alone.rhythm
        assert alone.classifier().named_steps["head"].get_params()["votes"] == 6.0

    def test_unknown_names(self, windows: Windows) -> None:
        with pytest.raises(UsageError, match="unknown learner 'handmde'; did you mean 'handmade'"):
            make_learners(windows, ["handmde"])
        with pytest.raises(UsageError, match="'imagenet' needs a network; name one"):
            make_learners(windows, ["imagenet"])

    def test_without_torch(self, windows: Windows, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("ecglens.studies.entrants.torch_is_here", lambda: False)
        with pytest.raises(BackboneError, match=r"'cnn1d' needs torch; pip install"):
            make_learners(windows, ["cnn1d"])

    def test_all_that_can_be_had(self, windows: Windows, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("ecglens.studies.entrants.torch_is_here", lambda: False)
        few = windows.subset(np.arange(8))
        entrants = make_learners(few, entry=Entry())
        names = [one.name for one in entrants.learners]
        assert names == ["backbone", "random", "handmade", "fusion"]
        assert len(entrants.notes) == 2
        sizes = {one.name: one.features.shape[1] for one in entrants.learners}
        assert sizes["fusion"] > sizes["handmade"] == len(RHYTHM_NAMES)
        assert sizes["random"] == sizes["backbone"]
        assert set(NAMES) > set(sizes)
        assert len({one.identity for one in entrants.learners}) == 4
