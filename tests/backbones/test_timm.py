"""timm networks: conversion, weights and the torch engine."""

from __future__ import annotations

import subprocess
import sys
import urllib.error
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecglens.backbones import Backbone, list_backbones, load_backbone, make_engine, pool
from ecglens.backbones.timm_layers import ModuleLayer, find_layers
from ecglens.backbones.timm_network import random_network
from ecglens.errors import BackboneError

pytest.importorskip("timm", reason="needs ecglens[timm]")
pytestmark = pytest.mark.slow

SIZE = (64, 64)
NETWORKS = {
    # network: (first, last layer, tolerance of bf16 relative to fp32 over whole maps)
    "densenet121": ("pool0", "norm5", 0.01),
    "densenet161": ("pool0", "norm5", 0.01),
    "resnet18": ("maxpool", "layer4", 0.01),
    "resnet50": ("maxpool", "layer4", 0.01),
    "mobilenetv2_100": ("bn1", "bn2", 0.1),
    "mobilenetv3_large_100": ("bn1", "blocks.6", 0.05),
    "efficientnet_b0": ("bn1", "bn2", 0.03),
    "convnext_tiny": ("stem", "stages.3", 0.015),
}


def random_images(n: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.random.default_rng(0).random((n, 3, *size), dtype=np.float32)


def distance(maps: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(maps - expected) / np.linalg.norm(expected))


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    folder = tmp_path_factory.mktemp("converted")
    return load_backbone("resnet18", weights="random", image_size=SIZE, cache_dir=folder)


@pytest.fixture
def resnet_file(tmp_path: Path) -> Path:
    """Weights of ResNet-18 without the classifier."""
    import timm
    from safetensors.torch import save_file

    state = timm.create_model("resnet18").state_dict()
    path = tmp_path / "resnet18.safetensors"
    save_file({name: value for name, value in state.items() if not name.startswith("fc.")}, path)
    return path


@pytest.mark.parametrize("name", NETWORKS)
def test_engines_agree_layer_by_layer(name: str) -> None:
    """fp32: within 1e-5 of torch, everywhere; bf16: within the network's tolerance."""
    first, last, tolerance = NETWORKS[name]
    backbone = load_backbone(name, weights="random", image_size=SIZE)
    names = [layer.name for layer in backbone.layers]
    assert (names[0], names[-1]) == (first, last)
    images = random_images(2)
    expected = make_engine(backbone, names, engine="torch", batch_size=2).run(images)
    exact = make_engine(backbone, names, precision="fp32").run(images)
    for layer in backbone.layers:
        assert expected[layer.name].shape == (2, layer.channels, layer.height, layer.width)
        assert distance(exact[layer.name], expected[layer.name]) < 1e-5, layer.name
    quick = make_engine(backbone, names)
    for layer, maps in quick.run(images).items():
        assert distance(maps, expected[layer]) < tolerance, layer


def test_layers_of_densenet() -> None:
    layers = find_layers(random_network("densenet121", 0), (128, 96))
    assert [layer.name for layer in layers] == [
        "pool0", "denseblock1", "transition1", "denseblock2", "transition2", "denseblock3",
        "transition3", "denseblock4", "norm5",
    ]  # fmt: skip
    assert layers[5] == ModuleLayer("denseblock3", "features.denseblock3", (1024, 8, 6))


@pytest.mark.parametrize(
    ("name", "present", "absent"),
    [
        ("convnext_tiny", ["stem", "stages.0.blocks.0", "stages.3"], ["stages", "stages.0.blocks"]),
        ("efficientnet_b0", ["blocks.1.0", "blocks.1", "bn2"], ["blocks", "blocks.6.0"]),
        ("vgg11", ["features.5", "features.7"], ["features.0", "features.4"]),
        ("nfnet_l0", ["stem", "final_act"], ["final_conv"]),
    ],
)
def test_the_rule_of_layers(name: str, present: list[str], absent: list[str]) -> None:
    names = {layer.name for layer in find_layers(random_network(name, 0), (128, 128))}
    assert names.issuperset(present)
    assert names.isdisjoint(absent)


def test_layers_of_resnet(resnet: Backbone) -> None:
    """A stage and its last block are one output and have one name, the stage's."""
    names = [layer.name for layer in resnet.layers]
    assert names[:4] == ["maxpool", "layer1.0", "layer1", "layer2.0"]
    assert resnet.weights == "random-0"


def test_the_torch_engine_stops_and_cuts_too(resnet: Backbone) -> None:
    engine = make_engine(resnet, ["layer2", "maxpool"], engine="torch", threads=1, batch_size=4)
    images = random_images(6)
    together = engine.run(images)
    assert {name: maps.shape for name, maps in together.items()} == {
        "layer2": (6, 128, 8, 8),
        "maxpool": (6, 64, 16, 16),
    }
    np.testing.assert_array_equal(engine.run(images[5:])["layer2"], together["layer2"][5:])
    assert engine.run(images[:0])["layer2"].shape == (0, 128, 8, 8)


def test_torch_autocast(resnet: Backbone) -> None:
    images = random_images(2)
    quick = make_engine(resnet, ["layer4"], engine="torch", precision="bf16")
    exact = make_engine(resnet, ["layer4"], engine="torch")
    assert (quick.precision, exact.precision) == ("bf16", "fp32")
    assert distance(quick.run(images)["layer4"], exact.run(images)["layer4"]) < 0.02


def test_torch_is_left_as_it_was(tmp_path: Path) -> None:
    import torch

    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    threads = torch.get_num_threads()
    backbone = load_backbone("resnet18", weights="random", image_size=SIZE, cache_dir=tmp_path)
    make_engine(backbone, ["layer1"], engine="torch", threads=1).run(random_images(1))
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads


def test_no_cuda_device(resnet: Backbone) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(BackboneError, match=r"no CUDA device is visible to torch"):
        make_engine(resnet, ["layer1"], engine="torch", device="cuda")


def test_seeds_give_weights(resnet: Backbone, tmp_path: Path) -> None:
    """The same seed gives the same bytes in another process; another seed gives others."""
    code = (
        "from ecglens.backbones import load_backbone; from pathlib import Path; import sys;"
        "print(load_backbone('resnet18', weights='random', image_size=(64, 64),"
        " cache_dir=Path(sys.argv[1])).sha256)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    assert done.stdout.strip() == resnet.sha256
    other = load_backbone("resnet18", weights="random", image_size=SIZE, random_state=1)
    assert other.sha256 != resnet.sha256


def test_a_converted_file_keeps_what_it_is(resnet: Backbone, tmp_path: Path) -> None:
    path = tmp_path / "renamed.onnx"
    path.write_bytes(resnet.onnx)
    again = load_backbone(path)
    assert again == resnet
    images = random_images(1)
    torch_maps = make_engine(again, ["layer3"], engine="torch").run(images)["layer3"]
    maps = make_engine(again, ["layer3"], precision="fp32").run(images)["layer3"]
    assert distance(maps, torch_maps) < 1e-5


def test_weights_without_classifier(resnet_file: Path, tmp_path: Path) -> None:
    backbone = load_backbone("resnet18", weights=resnet_file, image_size=SIZE, cache_dir=tmp_path)
    assert backbone.weights == "file:resnet18.safetensors"
    assert len(list(tmp_path.glob("resnet18-*.onnx"))) == 1
    again = load_backbone("resnet18", weights=resnet_file, image_size=SIZE, cache_dir=tmp_path)
    assert again == backbone


def _edit_missing(state: dict[str, Any]) -> None:
    for name in ("bn1.weight", "bn1.bias", "bn1.running_var", "layer1.0.conv1.weight"):
        del state[name]


def _edit_unexpected(state: dict[str, Any]) -> None:
    state["module.extra"] = state["bn1.weight"].clone()


def _edit_shape(state: dict[str, Any]) -> None:
    state["conv1.weight"] = state["conv1.weight"][:, :1].contiguous()


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (_edit_missing, r"4 missing \(bn1.weight, bn1.bias, bn1.running_var, ...\)"),
        (_edit_unexpected, r"parameters 1 unexpected \(module.extra\); give weights of this"),
        (_edit_shape, r"1 of another shape \(conv1.weight \(64, 1, 7, 7\) for \(64, 3, 7, 7\)\)"),
    ],
)
def test_weights_that_do_not_fit(resnet_file: Path, edit: Any, message: str) -> None:
    from safetensors.torch import load_file, save_file

    state = load_file(resnet_file)
    edit(state)
    save_file(state, resnet_file)
    with pytest.raises(BackboneError, match=r"weights resnet18.safetensors does not fit resnet18"):
        load_backbone("resnet18", weights=resnet_file, image_size=SIZE)
    with pytest.raises(BackboneError, match=message):
        load_backbone("resnet18", weights=resnet_file, image_size=SIZE)


def test_damaged_weights(resnet_file: Path) -> None:
    resnet_file.write_bytes(resnet_file.read_bytes()[:1000])
    with pytest.raises(BackboneError, match=r"cannot read weights .*resnet18.safetensors"):
        load_backbone("resnet18", weights=resnet_file, image_size=SIZE)


def test_unknown_network() -> None:
    message = r"timm has no network 'densenet12'; did you mean 'densenet121'\?"
    with pytest.raises(BackboneError, match=message):
        load_backbone("densenet12", weights="random")


def test_networks_without_maps() -> None:
    with pytest.raises(BackboneError, match="SwinTransformer has no layer with maps"):
        load_backbone("swin_tiny_patch4_window7_224", weights="random", image_size=(224, 224))
    with pytest.raises(BackboneError, match="VisionTransformer does not take images of 64x64"):
        load_backbone("vit_tiny_patch16_224", weights="random", image_size=SIZE)


def test_no_network_fails_quickly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub
    from huggingface_hub import constants

    from ecglens.backbones import timm_network

    asked: list[str] = []

    def unreachable(request: Any, **_kwargs: Any) -> None:
        asked.append(request.full_url)
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(timm_network.urllib.request, "urlopen", unreachable)
    # Its own client would try again for a minute.
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *_: pytest.fail("was asked"))
    with pytest.raises(BackboneError, match=r"cannot download .* of resnet18 .*--weights FILE"):
        load_backbone("resnet18", image_size=SIZE)
    assert asked == [constants.ENDPOINT]


def test_networks_without_pretrained_weights() -> None:
    with pytest.raises(BackboneError, match=r"timm has no pretrained weights of densenet264d"):
        load_backbone("densenet264d")


def test_downloaded_weights_are_used(
    resnet_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the download replaced by a file, the network is that of the file."""
    import timm
    from safetensors.torch import save_file

    from ecglens.backbones import timm_network

    state = timm.create_model("resnet18").state_dict()
    save_file(state, resnet_file)
    monkeypatch.setattr(timm_network, "_downloaded", lambda *_: resnet_file)
    downloaded = load_backbone("resnet18", image_size=SIZE, cache_dir=tmp_path)
    given = load_backbone("resnet18", weights=resnet_file, image_size=SIZE)
    assert downloaded.weights == "imagenet"
    images = random_images(1)
    maps = [
        make_engine(backbone, ["layer2"], precision="fp32").run(images)["layer2"]
        for backbone in (downloaded, given)
    ]
    np.testing.assert_array_equal(*maps)
    monkeypatch.setattr(timm_network, "imagenet_network", None)
    assert load_backbone("resnet18", image_size=SIZE, cache_dir=tmp_path) == downloaded


def test_list_names_every_network() -> None:
    listed = {info.name: info for info in list_backbones() if info.source == "timm"}
    assert listed["densenet121"].description == "ImageNet weights by download"
    assert listed["densenet264d"].description == "no pretrained weights"
    assert len(listed) > 500


def test_real_weights(real_weights: Path) -> None:
    """fp32 agrees to 1e-5; on smooth pictures bf16 moves the last maps by about 6 % of their norm.

    torch's own bf16 moves them further.
    """
    weights = real_weights / "densenet121" / "densenet121_imagenet_torchvision.safetensors"
    backbone = load_backbone("densenet121", weights=weights)
    names = ["denseblock3", "norm5"]
    rows, columns = np.mgrid[0:128, 0:128] / 128
    images = np.empty((7, 3, 128, 128), dtype=np.float32)
    for i in range(7):
        images[i] = np.exp(-(((rows - 0.3 - 0.02 * i) * 8) ** 2)) * np.cos(i * columns) ** 2
    expected = make_engine(backbone, names, engine="torch", batch_size=7).run(images)
    for precision in ("fp32", "auto"):
        engine = make_engine(backbone, names, precision=precision)
        maps = engine.run(images)
        tolerance = 1e-5 if engine.precision == "fp32" else 0.1
        for name in names:
            assert distance(maps[name], expected[name]) < tolerance
            pooled = distance(pool(maps[name], "mean"), pool(expected[name], "mean"))
            assert pooled < tolerance
        reversed_maps = engine.run(images[::-1])
        np.testing.assert_array_equal(reversed_maps["norm5"][::-1], maps["norm5"])
