from __future__ import annotations

import builtins
import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ecglens.backbones import Backbone, list_backbones, load_backbone, store
from ecglens.errors import BackboneError, UsageError

KEY = store.key_of({"name": "tiny"})


@pytest.fixture
def without_timm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every import of torch and timm fail, as in the base install."""
    original = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] in ("torch", "timm"):
            raise ImportError(f"No module named '{name}'")
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)


def test_importing_is_light() -> None:
    code = (
        "import sys, ecglens.backbones; "
        "print([m for m in ('torch', 'timm', 'openvino', 'onnx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.usefixtures("without_timm")
def test_a_timm_network_needs_the_extra() -> None:
    with pytest.raises(BackboneError, match=r"pip install 'ecglens\[timm\]'"):
        load_backbone("densenet121", weights="random")


@pytest.mark.usefixtures("without_timm")
def test_a_warm_cache_needs_no_torch(tiny: Backbone, tmp_path: Path) -> None:
    settings = {
        "name": "resnet18",
        "weights": "random-3",
        "content": "random-3",
        "image_size": (32, 48),
    }
    kept = dataclasses.replace(tiny, name="resnet18", weights="random-3")
    store.save(tmp_path, store.key_of(settings), kept)
    options: dict[str, Any] = {"image_size": (32, 48), "random_state": 3, "cache_dir": tmp_path}
    assert load_backbone("resnet18", weights="random", **options) == kept
    with pytest.raises(BackboneError, match="pip install"):
        load_backbone("resnet18", weights="random", **{**options, "random_state": 4})


def test_store_gives_back_what_it_was_given(tiny: Backbone, tmp_path: Path) -> None:
    assert store.load(tmp_path, "tiny", KEY) is None
    store.save(tmp_path / "new", KEY, tiny)
    again = store.load(tmp_path / "new", "tiny", KEY)
    assert again == tiny
    assert again is not None
    assert again.onnx == tiny.onnx


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def _forget_layers(path: Path) -> None:
    sidecar = path.with_suffix(".json")
    content = json.loads(sidecar.read_text())
    del content["layers"]
    sidecar.write_text(json.dumps(content))


@pytest.mark.parametrize(
    "damage",
    [
        _flip,
        _forget_layers,
        lambda path: path.write_bytes(b""),
        lambda path: path.with_suffix(".json").write_text("{"),
        lambda path: path.with_suffix(".json").write_text("[]"),
    ],
)
def test_a_damaged_cache_file_is_noticed(
    tiny: Backbone,
    tmp_path: Path,
    damage: Callable[[Path], object],
    caplog: pytest.LogCaptureFixture,
) -> None:
    store.save(tmp_path, KEY, tiny)
    (path,) = tmp_path.glob("tiny-*.onnx")
    damage(path)
    assert store.load(tmp_path, "tiny", KEY) is None
    assert "is damaged" in caplog.text
    store.save(tmp_path, KEY, tiny)
    assert store.load(tmp_path, "tiny", KEY) == tiny


def test_an_unwritable_cache_is_only_noted(
    tiny: Backbone, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert store.load(tmp_path / "file" / "cache", "tiny", KEY) is None
    store.save(tmp_path / "file" / "cache", KEY, tiny)
    assert "damaged" not in caplog.text
    assert "tiny is converted again each time: cannot make folder" in caplog.text


def test_cached_backbones_are_listed(tiny: Backbone, tmp_path: Path) -> None:
    store.save(tmp_path, KEY, tiny)
    (tmp_path / "foreign.json").write_text("{}")
    cached = [info for info in list_backbones(cache_dir=tmp_path) if info.source == "cached"]
    assert [(info.name, info.description) for info in cached] == [
        ("tiny", "file:tiny.onnx weights, 32x48, 3 layers")
    ]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("imagenett", r"weights 'imagenett' are unknown; did you mean 'imagenet'\?"),
        ("model.pth", r"give imagenet, random or a .safetensors file \(other formats can run code"),
        ("absent.safetensors", r"cannot read weights absent.safetensors: No such file"),
    ],
)
def test_unknown_weights(weights: str, message: str) -> None:
    with pytest.raises(BackboneError, match=message):
        load_backbone("densenet121", weights=weights)


@pytest.mark.parametrize("name", ["", "../densenet121", "hf-hub:someone/network", "a b", ".."])
def test_names_that_no_network_has(name: str) -> None:
    with pytest.raises(BackboneError, match=r"unknown backbone '.*'; give ecglens-s, a timm"):
        load_backbone(name, weights="random")


@pytest.mark.parametrize("size", [(128,), (0, 128), (128, 5000), (12.5, 128)])
def test_image_sizes(size: Any) -> None:
    with pytest.raises(UsageError, match=r"image_size must be \(height, width\), each from 8"):
        load_backbone("densenet121", weights="random", image_size=size)


@pytest.mark.parametrize("seed", [-1, 0.5])
def test_seeds(seed: Any) -> None:
    with pytest.raises(UsageError, match="random_state must be a whole number from 0"):
        load_backbone("densenet121", weights="random", random_state=seed)
