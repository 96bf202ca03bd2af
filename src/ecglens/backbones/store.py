"""Converted backbones on disk: an ONNX file and a JSON sidecar, both replaceable."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from ecglens.backbones.backbone import Backbone, Layer, sha256_of
from ecglens.errors import OutputError
from ecglens.files import cache_folder, make_folder, write_atomically

_LOG = logging.getLogger(__name__)

CONVERTER = 1
"""Raise it with every change of the layer rule or the graph: old files are then made again."""


def folder_of(cache_dir: Path | None) -> Path:
    """Return the folder of converted backbones (not created here)."""
    return cache_folder() / "backbones" if cache_dir is None else Path(cache_dir)


def key_of(settings: Mapping[str, Any]) -> str:
    """Return the SHA-256 of what decides a conversion, and of the converter's version.

    It holds no version of torch or timm, so that a warm cache needs neither.
    """
    text = json.dumps({**settings, "converter": CONVERTER}, sort_keys=True)
    return sha256_of(text.encode())


def load(folder: Path, name: str, key: str) -> Backbone | None:
    """Return the backbone of that key, or None if it is absent or damaged."""
    path = _path(folder, name, key)
    try:
        sidecar = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        data = path.read_bytes()
        if sidecar["key"] != key or sidecar["sha256"] != sha256_of(data):
            raise ValueError("the hash differs")
        return _backbone(sidecar, data)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        _LOG.warning("%s is damaged (%s) and is made again", path, error)
        return None


def save(folder: Path, key: str, backbone: Backbone) -> None:
    """Keep a backbone; a folder that cannot be written is noted in the log, no more."""
    path = _path(folder, backbone.name, key)
    text = json.dumps(_sidecar(backbone, key), indent=1).encode()
    try:
        make_folder(folder)
        write_atomically(path, _writer(backbone.onnx))
        write_atomically(path.with_suffix(".json"), _writer(text))
    except OutputError as error:
        _LOG.warning("%s is converted again each time: %s", backbone.name, error)


def sidecars(folder: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the readable sidecars of a folder, sorted by file name."""
    for path in sorted(folder.glob("*.json")):
        try:
            sidecar = json.loads(path.read_text(encoding="utf-8"))
            _backbone(sidecar, b"")
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if path.with_suffix(".onnx").is_file():
            yield sidecar


def _path(folder: Path, name: str, key: str) -> Path:
    return folder / f"{name}-{key[:16]}.onnx"


def _writer(data: bytes) -> Callable[[BinaryIO], object]:
    return lambda file: file.write(data)


def _sidecar(backbone: Backbone, key: str) -> dict[str, Any]:
    return {
        "key": key,
        "sha256": backbone.sha256,
        "name": backbone.name,
        "weights": backbone.weights,
        "image_size": backbone.image_size,
        "mean": backbone.mean,
        "std": backbone.std,
        "layers": [
            [layer.name, layer.channels, layer.height, layer.width] for layer in backbone.layers
        ],
    }


def _backbone(sidecar: Mapping[str, Any], data: bytes) -> Backbone:
    height, width = sidecar["image_size"]
    mean, std = (tuple(float(value) for value in sidecar[key]) for key in ("mean", "std"))
    return Backbone(
        name=str(sidecar["name"]),
        onnx=data,
        layers=tuple(
            Layer(str(name), int(channels), int(rows), int(columns))
            for name, channels, rows, columns in sidecar["layers"]
        ),
        image_size=(int(height), int(width)),
        mean=(mean[0], mean[1], mean[2]),
        std=(std[0], std[1], std[2]),
        weights=str(sidecar["weights"]),
        sha256=str(sidecar["sha256"]),
    )
