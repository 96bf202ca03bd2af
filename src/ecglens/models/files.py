"""One file on disk for a model, that runs no code when opened."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import zipfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ecglens.backbones import NETWORK_MB, Backbone, backbone_from_onnx
from ecglens.backbones.cutting import cut_backbone
from ecglens.classifiers import feature_space
from ecglens.decisions import FeatureDistance, RejectRule, RhythmChange
from ecglens.decisions.tables import check_classes, check_number
from ecglens.decisions.words import FloatArray
from ecglens.errors import ModelFileError
from ecglens.features import EngineSettings, Extractor
from ecglens.files import write_atomically
from ecglens.guarded import is_regular
from ecglens.lean_skops import import_skops
from ecglens.memory import need_memory
from ecglens.models.bundled import bundled_models, find_model
from ecglens.models.cards import check_card
from ecglens.models.head_files import load_head, refuse_untrusted
from ecglens.models.model import RhythmModel
from ecglens.npy import read_array
from ecglens.recipes import Recipe
from ecglens.records import MAX_FS_HZ, MIN_FS_HZ

FORMAT = "ecglens-model"
SCHEMA = 2
"""Raised whenever an older program could misread a newer file."""

_MANIFEST, _BACKBONE, _HEAD = "manifest.json", "backbone.onnx", "head.skops"
_AXES, _CENTRES = "distance_axes.npy", "distance_centres.npy"
_MAX_MANIFEST = 16 << 20
MAX_MODEL_BYTES = 2 << 30
"""Of a model file: it is hashed and read as a whole."""

_LENGTHS_S = (0.1, 3600.0)
_FIXED_DATE = (1980, 1, 1, 0, 0, 0)

_MEMBERS = (
    sorted((_MANIFEST, _BACKBONE, _HEAD)),
    sorted((_MANIFEST, _BACKBONE, _HEAD, _AXES, _CENTRES)),
)


def save_model(model: RhythmModel, path: str | Path) -> None:
    """Write a model to one file; the same training gives the same bytes.

    The file is a zip with ``manifest.json``, the network as ONNX cut behind the last layer used,
    the head in the skops format and, as two NPY arrays, the distance from training.

    Raises:
        ModelFileError: the head holds types that could not be loaded safely, or all is over 2 GB.
        OutputError: the file cannot be written.
    """
    head = _canonical(import_skops().dumps(model.head))
    refuse_untrusted(head, f"the head of this model ({type(model.head).__name__})")
    backbone = cut_backbone(model.backbone, model.recipe.layers)
    members = {_BACKBONE: backbone.onnx, _HEAD: head}
    if model.distance is not None:
        members |= {
            _AXES: _npy(model.distance.axes),
            _CENTRES: _npy(model.distance.centres),
        }
    refuse_larger(Path(path), sum(map(len, members.values())))
    manifest = json.dumps(_manifest(model, backbone, members), indent=1, sort_keys=True)

    def write(file: BinaryIO) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, data in {_MANIFEST: manifest.encode(), **members}.items():
                archive.writestr(zipfile.ZipInfo(name, _FIXED_DATE), data)

    write_atomically(Path(path), write)


def _manifest(
    model: RhythmModel, backbone: Backbone, members: Mapping[str, bytes]
) -> dict[str, Any]:
    packages = ("ecglens", "numpy", "scikit-learn", "skops", "openvino")
    return {
        "format": FORMAT,
        "schema": SCHEMA,
        "classes": list(model.classes),
        "fs": model.fs,
        "length_s": model.length_s,
        "reject_rule": model.reject_rule.to_dict(),
        "rhythm_change": model.rhythm_change.to_dict(),
        "recipe": model.recipe.to_dict(),
        "backbone": {"name": backbone.name, "weights": backbone.weights},
        "card": dict(model.card),
        "versions": {"python": platform.python_version(), **{p: version(p) for p in packages}},
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in members.items()},
    }


def load_model(path: str | Path, *, engine: EngineSettings | None = None) -> RhythmModel:
    """Read a model file; hashes are checked and nothing in the file is executed.

    Args:
        path: of the file, or the name of a model that comes with ecglens (``"rhythm4"``).
        engine: what is to run the network.

    Raises:
        ModelFileError: no such file, or it is damaged, foreign or from a newer ecglens.
        EcglensError: the process may not take the memory that a model needs.
    """
    path = find_model(path)
    return model_of_parts(path, *read_parts(path), engine=engine)


def model_of_parts(
    path: Path,
    manifest: Mapping[str, Any],
    members: Mapping[str, bytes],
    *,
    engine: EngineSettings | None = None,
) -> RhythmModel:
    """Make a model of what :func:`read_parts` read of a file.

    Raises:
        ModelFileError: the parts do not fit together.
        EcglensError: the process may not take the memory that a model needs.
    """
    need_memory(NETWORK_MB, "a model")
    try:
        classes = check_classes(manifest["classes"])
        rule, change = _read_decisions(manifest, classes)
        recipe = Recipe.from_dict(manifest["recipe"])
        backbone = backbone_from_onnx(members[_BACKBONE], f"{path}: {_BACKBONE}")
        n_features = Extractor(backbone, recipe.outputs(), recipe.image).n_features
        model = RhythmModel(
            classes=classes,
            fs=check_number(manifest["fs"], MIN_FS_HZ, MAX_FS_HZ, "fs"),
            length_s=check_number(manifest["length_s"], *_LENGTHS_S, "length_s"),
            recipe=recipe,
            backbone=backbone,
            head=load_head(members[_HEAD], classes, n_features, str(path)),
            card=check_card(manifest["card"]),
            reject_rule=rule,
            rhythm_change=change,
            distance=_read_distance(members),
            engine=engine or EngineSettings(),
        )
        _check_distance(model, n_features)
        return model
    except ModelFileError:
        raise
    except Exception as error:  # values of wrong kinds surface as errors of many classes
        raise ModelFileError(f"{path} is damaged: {error}; train or copy it again") from error


def read_parts(path: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the manifest of a model file and its other members, whose hashes are right.

    Raises:
        ModelFileError: no such file, or it is damaged, foreign or from a newer ecglens.
    """
    if not is_regular(path):
        raise ModelFileError(
            f"no such model file: {path}; make one with 'ecglens train', or name one that comes "
            f"with ecglens: {', '.join(bundled_models())}"
        )
    refuse_larger(path, path.stat().st_size)
    manifest, members = _read_members(path)
    _check_manifest(manifest, members, path)
    return manifest, members


def refuse_larger(path: Path, n_bytes: int) -> None:
    """Raise ModelFileError where a file is larger than any model."""
    if n_bytes > MAX_MODEL_BYTES:
        raise ModelFileError(
            f"{path} has {n_bytes} bytes, models at most {MAX_MODEL_BYTES}; give a model file, or "
            "train with fewer components (--pca) and a smaller network"
        )


def _read_decisions(
    manifest: Mapping[str, Any], classes: tuple[str, ...]
) -> tuple[RejectRule, RhythmChange]:
    """Return the rules of a manifest.

    Raises:
        UsageError, KeyError, TypeError, ValueError: they are missing or not in order.
    """
    if manifest["schema"] == 1:
        return _old_rule(float(manifest["min_probability"]), classes), RhythmChange.none(classes)
    rule = RejectRule.from_dict(manifest["reject_rule"])
    change = RhythmChange.from_dict(manifest["rhythm_change"])
    if not rule.classes == change.classes == classes:
        raise ValueError("its rules are not for its classes")
    return rule, change


def _old_rule(min_probability: float, classes: tuple[str, ...]) -> RejectRule:
    """Return the rule that stands for the one threshold of schema 1."""
    if min_probability <= 0:
        return RejectRule.never(classes)
    return RejectRule(classes, 0.0, (min_probability,) * len(classes))


def _check_distance(model: RhythmModel, n_features: int) -> None:
    """Raise ValueError where the distance is of another space than the head's."""
    if model.distance is not None:
        space = feature_space(model.head, np.zeros((1, n_features), dtype=np.float32))
        if space.shape[1] != len(model.distance.axes):
            raise ValueError(
                f"its distance is of {len(model.distance.axes)} features, its head of "
                f"{space.shape[1]}"
            )


def _read_distance(members: Mapping[str, bytes]) -> FeatureDistance | None:
    """Return the distance, or None where the file has none.

    Raises:
        UsageError, ValueError: an array is damaged or does not fit.
    """
    if _AXES not in members:
        return None
    return FeatureDistance(_array(members, _AXES), _array(members, _CENTRES))


def _array(members: Mapping[str, bytes], name: str) -> FloatArray:
    data = members[name]
    try:
        array = read_array(lambda: io.BytesIO(data), len(data), kinds="f", wanted="numbers")
    except ValueError as error:
        raise ValueError(f"{name} {error}") from error
    return np.asarray(array, dtype=np.float64)


def _npy(array: FloatArray) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), (1, 0), allow_pickle=False)
    return buffer.getvalue()


def _read_members(path: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    foreign = f"{path} is not an ecglens model; make one with 'ecglens train'"
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            names = [info.filename for info in infos]
            if sorted(names) not in _MEMBERS:
                raise ModelFileError(f"{foreign} (members are {', '.join(names[:8]) or 'none'})")
            # Stored members cannot be larger than the file: no zip bomb.
            if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
                raise ModelFileError(f"{foreign} (its members are compressed)")
            if sum(info.file_size for info in infos) > path.stat().st_size:
                raise ModelFileError(f"{foreign} (its members promise more than it holds)")
            if archive.getinfo(_MANIFEST).file_size > _MAX_MANIFEST:
                raise ModelFileError(f"{foreign} (its manifest is over 16 MB)")
            members = {name: archive.read(name) for name in names}
        manifest = json.loads(members.pop(_MANIFEST))
    except ModelFileError:
        raise
    except Exception as error:  # a damaged archive surfaces as one of many classes
        raise ModelFileError(f"{foreign} ({error})") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ModelFileError(f"{foreign} (its manifest is of another kind)")
    return manifest, members


def _check_manifest(manifest: Mapping[str, Any], members: Mapping[str, bytes], path: Path) -> None:
    schema, versions = manifest.get("schema"), manifest.get("versions")
    if not isinstance(schema, int) or schema > SCHEMA:
        known = versions if isinstance(versions, dict) else {}
        made_by = known.get("ecglens", "of an unknown version")
        raise ModelFileError(
            f"{path} was saved by ecglens {made_by} with schema {schema}; "
            f"this program reads schemas up to {SCHEMA}: upgrade ecglens"
        )
    hashes = manifest.get("sha256")
    for name, data in members.items():
        if not isinstance(hashes, dict) or hashes.get(name) != hashlib.sha256(data).hexdigest():
            raise ModelFileError(
                f"{path} is damaged: {name} does not have the hash its manifest gives; "
                "train or copy it again"
            )


def _canonical(data: bytes) -> bytes:
    """Return the skops archive with numbers instead of memory addresses and a fixed date."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        schema = json.loads(archive.read("schema.json"))
        blobs = {name: archive.read(name) for name in archive.namelist() if name != "schema.json"}
    numbers: dict[str, int] = {}

    def number(address: object) -> int:
        return numbers.setdefault(str(address), len(numbers))

    def renamed(name: str) -> str:
        stem, dot, suffix = name.partition(".")
        return f"{number(stem)}{dot}{suffix}"

    def walk(node: Any) -> Any:
        if isinstance(node, list):
            return [walk(item) for item in node]
        if not isinstance(node, dict):
            return node
        done = {key: walk(value) for key, value in node.items()}
        if "__id__" in node:
            done["__id__"] = number(node["__id__"])
        if node.get("file") in blobs:
            done["file"] = renamed(node["file"])
        return done

    schema = walk(schema)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(blobs, key=lambda name: number(Path(name).stem)):
            archive.writestr(zipfile.ZipInfo(renamed(name), _FIXED_DATE), blobs[name])
        archive.writestr(zipfile.ZipInfo("schema.json", _FIXED_DATE), json.dumps(schema))
    return buffer.getvalue()
