from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ecglens.backbones import load_backbone
from ecglens.errors import UsageError
from ecglens.recipes import RECIPES, Recipe, find_recipe
from tests.tiny_onnx import make_tiny_onnx


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_recipes_survive_a_dictionary(name: str) -> None:
    assert Recipe.from_dict(find_recipe(name).to_dict()) == find_recipe(name)


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_recipes_make_their_classifier(name: str) -> None:
    recipe = find_recipe(name)
    steps = recipe.classifier().named_steps
    assert list(steps) == ["scale", "pca", "head"]
    assert steps["pca"].n_components == recipe.pca


def test_an_unknown_recipe_gets_a_suggestion() -> None:
    with pytest.raises(UsageError, match="unknown recipe 'salem2017'; did you mean 'salem2018'"):
        find_recipe("salem2017")


def test_a_network_of_another_make_gets_its_layers_at_strides_8_and_16(tmp_path: Path) -> None:
    backbone = load_backbone(make_tiny_onnx(tmp_path / "tiny.onnx"), image_size=(64, 64))
    fitted = find_recipe("default").fit_to(backbone)
    assert fitted.layers == ("stage3",)
    assert fitted.pooling == ("bands6", "bandstd6")
    assert fitted.backbone == "tiny"


def test_a_network_of_small_maps_gets_as_many_bands_as_they_have_rows(tmp_path: Path) -> None:
    backbone = load_backbone(make_tiny_onnx(tmp_path / "tiny.onnx"), image_size=(32, 64))
    recipe = replace(find_recipe("default"), pooling=("mean", "bands6", "bands5", "time6"))
    assert recipe.fit_to(backbone).pooling == ("mean", "bands4", "time6")


def test_layers_that_the_network_has_are_kept(tmp_path: Path) -> None:
    backbone = load_backbone(make_tiny_onnx(tmp_path / "tiny.onnx"), image_size=(64, 64))
    mine = Recipe("mine", find_recipe("default").image, "other", ("stage1",), ("mean",))
    assert mine.fit_to(backbone) == replace(mine, backbone="tiny")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layer": []}, "unknown recipe setting 'layer'; did you mean 'layers'"),
        ({"layers": None}, "a recipe setting is missing or wrong"),
        ({"image": {"hight": 3}}, "unknown image setting 'hight'; did you mean 'height'"),
    ],
)
def test_a_damaged_table_names_the_fault(change: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Recipe.from_dict({**find_recipe("default").to_dict(), **change})
