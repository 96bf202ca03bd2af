import json

import numpy as np
import pytest

from ecglens.backbones import bundled, list_backbones, load_backbone, make_engine
from ecglens.errors import BackboneError, UsageError

LAYERS = ["transition1", "transition2", "transition3", "norm5"]
CHANNELS = [128, 256, 512, 1024]


def maps_of(backbone, layers=LAYERS, n=2):
    images = np.random.default_rng(0).random((n, 3, *backbone.image_size), dtype=np.float32)
    return make_engine(backbone, layers, precision="fp32").run(images)


@pytest.mark.parametrize("size", [(128, 128), (64, 160), (224, 224), (32, 32)])
def test_layers_are_shaped_as_the_teachers_at_every_image_size(size):
    backbone = load_backbone("ecglens-s", image_size=size)
    assert backbone.image_size == size
    assert [layer.name for layer in backbone.layers] == LAYERS
    assert [layer.channels for layer in backbone.layers] == CHANNELS
    strides = [8, 16, 32, 32]
    shapes = [(layer.height, layer.width) for layer in backbone.layers]
    assert shapes == [(size[0] // s, size[1] // s) for s in strides]
    for layer in backbone.layers:
        assert maps_of(backbone)[layer.name].shape == (2, layer.channels, layer.height, layer.width)


def test_the_file_is_small_and_is_the_one_the_code_names():
    data = bundled._file("ecglens-s.onnx")
    card = bundled.bundled_card("ecglens-s")
    assert 2e6 < len(data) < 8e6
    assert card["sha256"] == bundled.BUNDLED["ecglens-s"]
    assert card["bytes"] == len(data)


def test_the_card_tells_data_teacher_and_licence():
    card = bundled.bundled_card("ecglens-s")
    assert card["teacher"]["name"] == "densenet121"
    assert card["licence"] == "Apache-2.0"
    assert sum(card["data"]["shares"].values()) == pytest.approx(1)
    assert "machine" in card["made_with"]


def test_it_is_loaded_the_same_each_time_without_torch_or_a_cache(tmp_path):
    cache = tmp_path / "cache"
    first, again = (load_backbone("ecglens-s", cache_dir=cache) for _ in range(2))
    assert first.onnx == again.onnx
    assert first.weights == "distilled"
    assert not cache.exists()


def test_random_weights_are_seeded_and_other_than_the_trained():
    trained = load_backbone("ecglens-s")
    first, again, other = (
        load_backbone("ecglens-s", weights="random", random_state=seed) for seed in (1, 1, 2)
    )
    assert first.sha256 == again.sha256
    assert len({trained.sha256, first.sha256, other.sha256}) == 3
    assert first.weights == "random-1"


def test_random_maps_neither_vanish_nor_explode():
    spreads = [
        maps.std() for maps in maps_of(load_backbone("ecglens-s", weights="random")).values()
    ]
    assert all(0.1 < spread < 100 for spread in spreads)


def test_it_is_listed_first():
    assert list_backbones()[0].name == "ecglens-s"
    assert list_backbones()[0].source == "bundled"


def test_weights_of_another_network_are_refused():
    with pytest.raises(UsageError, match="ecglens-s has weights of its own, got weights=w"):
        load_backbone("ecglens-s", weights="w.safetensors")


def test_images_that_are_too_small_are_refused():
    with pytest.raises(BackboneError, match="ecglens-s takes images from 32 x 32 pixels, got 16"):
        load_backbone("ecglens-s", image_size=(16, 64))


def test_a_damaged_file_is_refused(monkeypatch):
    whole = bundled._file
    monkeypatch.setattr(bundled, "_file", lambda name: whole(name)[:-1] + b"x")
    with pytest.raises(BackboneError, match="bundled backbone ecglens-s is damaged"):
        load_backbone("ecglens-s")


def test_a_missing_file_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(bundled.resources, "files", lambda _: tmp_path)
    with pytest.raises(BackboneError, match="comes with ecglens, cannot be read"):
        load_backbone("ecglens-s")


def test_a_damaged_card_is_refused(monkeypatch):
    monkeypatch.setattr(bundled, "_file", lambda _: b"{")
    with pytest.raises(BackboneError, match="the card of ecglens-s is damaged"):
        bundled.bundled_card("ecglens-s")


def test_the_card_is_plain_json():
    assert json.loads(json.dumps(bundled.bundled_card("ecglens-s")))["name"] == "ecglens-s"
