"""Trained models: fitting one, and one file on disk that runs no code when opened."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ecglens.backbones import Backbone, backbone_from_onnx
from ecglens.backbones.cutting import cut_backbone
from ecglens.cache import FeatureStore
from ecglens.classifiers import calibrate
from ecglens.errors import EcglensError, ModelFileError, WindowError
from ecglens.features import EngineSettings, Extractor, concatenate_outputs
from ecglens.files import write_atomically
from ecglens.lean_skops import import_skops
from ecglens.recipes import Recipe
from ecglens.windows import Windows

FORMAT = "ecglens-model"
SCHEMA = 1
"""Raised whenever an older program could misread a newer file."""

_MANIFEST, _BACKBONE, _HEAD = "manifest.json", "backbone.onnx", "head.skops"
_MAX_MANIFEST = 16 << 20
_CALIBRATION_FOLDS = 5
_FIXED_DATE = (1980, 1, 1, 0, 0, 0)

# Types that skops does not trust by itself and that a calibrated head is made of. None of them
# runs anything when it is rebuilt.
TRUSTED_TYPES = (
    "ecglens.heads.MemorySVC",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._TemperatureScaling",
)


@dataclass(frozen=True, eq=False)
class RhythmModel:
    """A classifier of windows, ready to use.

    Attributes:
        classes: in the order of the columns of :meth:`predict_proba`.
        fs: rate in Hz of the windows it was trained on.
        length_s: length of those windows in seconds.
        recipe: images, layers, pooling and head.
        backbone: the frozen network.
        head: fitted, calibrated scikit-learn classifier.
        card: on whom and on what it was trained, JSON-ready.
        min_probability: a window whose likeliest class is below it is inconclusive.
        engine: what runs the network; not part of the file.
    """

    classes: tuple[str, ...]
    fs: float
    length_s: float
    recipe: Recipe
    backbone: Backbone
    head: Any
    card: Mapping[str, Any]
    min_probability: float = 0.0
    engine: EngineSettings = field(default_factory=EngineSettings)

    def __post_init__(self) -> None:
        extractor = Extractor(self.backbone, self.recipe.outputs(), self.recipe.image, self.engine)
        object.__setattr__(self, "_extractor", extractor)

    @property
    def extractor(self) -> Extractor:
        """Images and network, ready to run."""
        found: Extractor = object.__getattribute__(self, "_extractor")
        return found

    @property
    def training_subjects(self) -> frozenset[str]:
        """People the model was trained on."""
        return frozenset(self.card.get("subjects", ()))

    def predict_proba(
        self,
        X: npt.ArrayLike,
        fs: float,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> npt.NDArray[np.float64]:
        """Return class probabilities, shape (n_windows, n_classes).

        Args:
            X: readable windows in mV, shape (n_windows, n_samples).
            fs: their rate in Hz; any rate above twice the image's upper frequency will do.
            progress: called with windows done and windows in all.

        Raises:
            WindowError: the windows have another length than those of training.
            UnreadableWindowError: a window is flat or missing.
        """
        length_s = np.shape(X)[-1] / fs
        if abs(length_s - self.length_s) > 1 / fs:
            raise WindowError(
                f"windows last {length_s:g} s; this model was trained on {self.length_s:g} s"
            )
        features = concatenate_outputs(self.extractor.run(X, fs, progress=progress))
        return np.asarray(self.head.predict_proba(features), dtype=np.float64)


def train_model(
    windows: Windows,
    recipe: Recipe,
    backbone: Backbone,
    *,
    engine: EngineSettings | None = None,
    store: FeatureStore | None = None,
    random_state: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> RhythmModel:
    """Train a calibrated classifier on labelled windows: features, then :func:`fit_model`.

    Raises:
        WindowError: windows without a label.
        EvaluationError: fewer than two classes, or too few subjects to calibrate.
        UnreadableWindowError: a window is flat or missing.
    """
    recipe = recipe.fit_to(backbone)
    extractor = Extractor(
        backbone, recipe.outputs(), recipe.image, engine or EngineSettings(), store
    )
    features = concatenate_outputs(extractor.run(windows.X, windows.fs, progress=progress))
    return fit_model(windows, features, recipe, backbone, random_state=random_state)


def fit_model(
    windows: Windows,
    features: npt.NDArray[np.float32],
    recipe: Recipe,
    backbone: Backbone,
    *,
    random_state: int = 0,
) -> RhythmModel:
    """Fit head and calibration on features that ``backbone`` gave for the windows.

    The head is fitted on all windows; its probabilities are calibrated on decisions that
    subject-grouped cross-validation made for people the head had not seen.

    Args:
        windows: labelled windows.
        features: float32, shape (n_windows, n_features), from the recipe's layers and poolings.
        recipe: images, layers, pooling and head.
        backbone: the network.
        random_state: seed of folds and head.

    Raises:
        WindowError: windows without a label.
        EvaluationError: fewer than two classes, or too few subjects to calibrate.
    """
    if (windows.labels == "").any():
        raise WindowError(
            f"{int((windows.labels == '').sum())} of {len(windows)} windows have no label; "
            "training needs one on each"
        )
    n_splits = _calibration_folds(windows)
    head = calibrate(
        recipe.classifier(random_state=random_state),
        features,
        windows.labels,
        windows.subjects,
        n_splits=n_splits,
        random_state=random_state,
    )
    return RhythmModel(
        classes=tuple(str(label) for label in head.classes_),
        fs=windows.fs,
        length_s=windows.length_s,
        recipe=recipe,
        backbone=backbone,
        head=head,
        card={**_card(windows, random_state), "calibration_folds": n_splits},
    )


def _calibration_folds(windows: Windows) -> int:
    """Return how many subject-wise folds the rarest class allows, 2 to 5."""
    people = [len(set(windows.subjects[windows.labels == name])) for name in windows.classes]
    return max(2, min(_CALIBRATION_FOLDS, *people))


def _card(windows: Windows, random_state: int) -> dict[str, Any]:
    def counts(values: npt.NDArray[np.str_]) -> dict[str, int]:
        names, n = np.unique(values, return_counts=True)
        return dict(zip(names.tolist(), n.tolist(), strict=True))

    return {
        "intended_use": "Research only. Not a medical device; not for diagnosis or treatment.",
        "windows": counts(windows.labels),
        "databases": counts(windows.databases),
        "subjects": sorted(set(windows.subjects.tolist())),
        "holds": "feature vectors of training windows, as support vectors and neighbours do",
        "random_state": random_state,
    }


def save_model(model: RhythmModel, path: str | Path) -> None:
    """Write a model to one file; the same training gives the same bytes.

    The file is a zip with ``manifest.json``, the network as ONNX cut behind the last layer used,
    and the head in the skops format.

    Raises:
        ModelFileError: the head holds types that could not be loaded safely.
        OutputError: the file cannot be written.
    """
    head = _canonical(import_skops().dumps(model.head))
    _refuse_untrusted(head, f"the head of this model ({type(model.head).__name__})")
    backbone = cut_backbone(model.backbone, model.recipe.layers)
    members = {_BACKBONE: backbone.onnx, _HEAD: head}
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
        "min_probability": model.min_probability,
        "recipe": model.recipe.to_dict(),
        "backbone": {"name": backbone.name, "weights": backbone.weights},
        "card": dict(model.card),
        "versions": {"python": platform.python_version(), **{p: version(p) for p in packages}},
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in members.items()},
    }


def load_model(path: str | Path, *, engine: EngineSettings | None = None) -> RhythmModel:
    """Read a model file; hashes are checked and nothing in the file is executed.

    Raises:
        ModelFileError: no such file, or it is damaged, foreign or from a newer ecglens.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelFileError(f"no such model file: {path}; make one with 'ecglens train'")
    manifest, members = _read_members(path)
    _check_manifest(manifest, members, path)
    try:
        classes = tuple(str(label) for label in manifest["classes"])
        return RhythmModel(
            classes=classes,
            fs=float(manifest["fs"]),
            length_s=float(manifest["length_s"]),
            recipe=Recipe.from_dict(manifest["recipe"]),
            backbone=backbone_from_onnx(members[_BACKBONE], f"{path}: {_BACKBONE}"),
            head=_load_head(members[_HEAD], classes, path),
            card=dict(manifest["card"]),
            min_probability=float(manifest["min_probability"]),
            engine=engine or EngineSettings(),
        )
    except ModelFileError:
        raise
    except (EcglensError, KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"{path} is damaged: {error}; train or copy it again") from error


def _read_members(path: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    foreign = f"{path} is not an ecglens model; make one with 'ecglens train'"
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            names = [info.filename for info in infos]
            if sorted(names) != sorted((_MANIFEST, _BACKBONE, _HEAD)):
                raise ModelFileError(f"{foreign} (members are {', '.join(names[:5]) or 'none'})")
            # Stored members cannot be larger than the file: no zip bomb.
            if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
                raise ModelFileError(f"{foreign} (its members are compressed)")
            if archive.getinfo(_MANIFEST).file_size > _MAX_MANIFEST:
                raise ModelFileError(f"{foreign} (its manifest is over 16 MB)")
            members = {name: archive.read(name) for name in names}
        manifest = json.loads(members.pop(_MANIFEST))
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, RuntimeError) as error:
        # zipfile answers flags of encryption and unknown versions with RuntimeError.
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


def _load_head(data: bytes, classes: Sequence[str], path: Path) -> Any:
    skops = import_skops()
    _refuse_untrusted(data, str(path))
    try:
        head = skops.loads(data, trusted=list(TRUSTED_TYPES))
        told_apart = [str(label) for label in getattr(head, "classes_", ())]
    except Exception as error:  # a damaged head surfaces as one of many classes
        raise ModelFileError(
            f"{path}: its head cannot be loaded: {error}; train or copy it again"
        ) from error
    if not hasattr(head, "predict_proba"):
        raise ModelFileError(
            f"{path}: its head is a {type(head).__name__}, not a classifier; train it again"
        )
    if told_apart != list(classes):
        raise ModelFileError(
            f"{path}: its head does not tell {', '.join(classes)} apart, as its manifest says; "
            "train or copy it again"
        )
    return head


def _refuse_untrusted(data: bytes, what: str) -> None:
    skops = import_skops()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
                raise ModelFileError(f"{what}: its head is compressed, not as ecglens writes it")
        untrusted = set(skops.get_untrusted_types(data=data)) - set(TRUSTED_TYPES)
    except ModelFileError:
        raise
    except Exception as error:  # a damaged head surfaces as one of many classes
        raise ModelFileError(
            f"{what}: its head is damaged: {error}; train or copy it again"
        ) from error
    if untrusted:
        raise ModelFileError(
            f"{what} holds types that ecglens does not trust: {', '.join(sorted(untrusted)[:5])}; "
            "use a scikit-learn classifier"
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
