"""From a name to a backbone."""

from __future__ import annotations

import hashlib
import importlib.util
import re
from pathlib import Path
from typing import Any

from ecglens.backbones import store
from ecglens.backbones.backbone import Backbone, BackboneInfo
from ecglens.backbones.bundled import BUNDLED, bundled_card, load_bundled
from ecglens.backbones.engine import NETWORK_MB
from ecglens.errors import BackboneError, UsageError, suggest
from ecglens.guarded import is_regular, kind_of
from ecglens.memory import need_memory

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*")
_KEYWORDS = ("imagenet", "random")


def load_backbone(
    name: str | Path,
    *,
    weights: str | Path = "imagenet",
    image_size: tuple[int, int] = (128, 128),
    random_state: int = 0,
    cache_dir: Path | None = None,
) -> Backbone:
    """Load a frozen image network whose layers can be read.

    A timm network is converted to ONNX once (this needs ``ecglens[timm]``) and kept under the
    hash of its name, weights, image size and converter; from then on neither torch nor timm is
    imported. ``"imagenet"`` stands for timm's default pretrained weights of that name at the
    time of conversion; a tag as in ``"resnet50.a1_in1k"`` names them for good.

    Args:
        name: ``"ecglens-s"``, which comes with the package; a timm network such as
            ``"densenet121"``; or the path of an ONNX file (ending in ``.onnx``), which brings its
            own weights.
        weights: ``"imagenet"`` (downloaded by timm; a bundled network has its own, distilled from
            an ImageNet network), ``"random"`` or, for timm, a ``.safetensors`` file under timm's
            parameter names.
        image_size: (height, width) in pixels; an ONNX file of fixed size overrules it.
        random_state: seed of random weights.
        cache_dir: folder for converted networks; None is ``backbones`` in the cache folder.

    Returns:
        The backbone.

    Raises:
        UsageError: the image size or the seed breaks a rule, or weights were given for an ONNX file
            or a bundled network.
        BackboneError: the network, its weights or the ONNX file cannot be used.
        EcglensError: the process may not take the memory that a network needs.
    """
    size = _checked_size(image_size)
    need_memory(NETWORK_MB, "a network")
    if isinstance(name, Path) or name.lower().endswith(".onnx"):
        if str(weights) != "imagenet":
            raise UsageError(f"an ONNX file brings its own weights; leave out weights={weights!s}")
        from ecglens.backbones.onnx_file import load_onnx_file

        return load_onnx_file(Path(name), size)
    if name in BUNDLED:
        return _bundled(name, str(weights), size, random_state)
    if not _NAME.fullmatch(name):
        raise BackboneError(
            f"unknown backbone '{name}'; give ecglens-s, a timm network such as densenet121, or "
            "the path of an ONNX file ending in .onnx"
        )
    chosen, label, content = _weights(weights, random_state)
    key = store.key_of({"name": name, "weights": label, "content": content, "image_size": size})
    folder = store.folder_of(cache_dir)
    backbone = store.load(folder, name, key)
    if backbone is None:
        from ecglens.backbones.timm_convert import convert

        backbone = convert(name, chosen, size, random_state, label)
        store.save(folder, key, backbone)
    return backbone


def _bundled(name: str, weights: str, size: tuple[int, int], random_state: int) -> Backbone:
    if weights == "random":
        return load_bundled(name, size, random_state=_checked_seed(random_state))
    if weights not in ("imagenet", "distilled"):
        raise UsageError(
            f"{name} has weights of its own, got weights={weights}; leave them out, or name the "
            "network that they are for (--backbone densenet121)"
        )
    return load_bundled(name, size)


def _checked_size(image_size: tuple[int, int]) -> tuple[int, int]:
    sizes = tuple(image_size)
    if len(sizes) != 2 or any(int(size) != size or not 8 <= size <= 4096 for size in sizes):
        raise UsageError(
            f"image_size must be (height, width), each from 8 to 4096 pixels, got {image_size}"
        )
    return int(sizes[0]), int(sizes[1])


def _weights(weights: str | Path, random_state: int) -> tuple[str | Path, str, str]:
    """Return (weights, label, content): what to load, what to call it, what identifies it."""
    if weights == "imagenet":
        return "imagenet", "imagenet", "imagenet"
    if weights == "random":
        label = f"random-{_checked_seed(random_state)}"
        return "random", label, label
    path = Path(weights)
    if path.suffix.lower() != ".safetensors":
        raise BackboneError(
            f"weights '{weights}' are unknown{suggest(str(weights), _KEYWORDS) or ';'} give "
            "imagenet, random or a .safetensors file (other formats can run code when opened)"
        )
    try:
        if kind_of(path) and not is_regular(path):
            raise BackboneError(f"weights {path} are not a regular file; give a .safetensors file")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        reason = error.strerror or str(error)
        raise BackboneError(f"cannot read weights {path}: {reason}; check the path") from error
    return path, f"file:{path.name}", digest


def _checked_seed(random_state: int) -> int:
    if int(random_state) != random_state or not 0 <= random_state < 2**63:
        raise UsageError(f"random_state must be a whole number from 0, got {random_state}")
    return int(random_state)


def list_backbones(*, cache_dir: Path | None = None) -> list[BackboneInfo]:
    """List what ``load_backbone`` can load by name: bundled and converted networks, then timm's.

    Without timm the list holds the first two alone. Any ONNX file can be loaded besides.
    """
    here = [BackboneInfo(name, "bundled", str(bundled_card(name)["summary"])) for name in BUNDLED]
    here += [_cached_info(sidecar) for sidecar in store.sidecars(store.folder_of(cache_dir))]
    if importlib.util.find_spec("timm") is None or importlib.util.find_spec("torch") is None:
        return here
    import timm

    pretrained = {name.partition(".")[0] for name in timm.list_models(pretrained=True)}
    return here + [
        BackboneInfo(
            name,
            "timm",
            "ImageNet weights by download" if name in pretrained else "no pretrained weights",
        )
        for name in timm.list_models()
    ]


def _cached_info(sidecar: Any) -> BackboneInfo:
    height, width = sidecar["image_size"]
    return BackboneInfo(
        str(sidecar["name"]),
        "cached",
        f"{sidecar['weights']} weights, {height}x{width}, {len(sidecar['layers'])} layers",
    )
