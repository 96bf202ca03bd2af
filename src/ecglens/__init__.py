"""ECG recordings in, rhythm episodes out, by spectrogram images and a frozen image network.

The public names load on first use, so that ``import ecglens`` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ecglens.version import __version__

if TYPE_CHECKING:
    from ecglens.backbones import load_backbone as load_backbone
    from ecglens.classifiers import make_classifier as make_classifier
    from ecglens.databases import find_records as find_records
    from ecglens.databases import open_record as open_record
    from ecglens.databases import read_record as read_record
    from ecglens.errors import EcglensError as EcglensError
    from ecglens.evaluation import evaluate as evaluate
    from ecglens.evaluation import sweep_layers as sweep_layers
    from ecglens.features import CNNFeatures as CNNFeatures
    from ecglens.images import ImageSettings as ImageSettings
    from ecglens.images import make_images as make_images
    from ecglens.labels import load_label_map as load_label_map
    from ecglens.models import load_model as load_model
    from ecglens.models import save_model as save_model
    from ecglens.models import train_model as train_model
    from ecglens.prediction import predict_record as predict_record
    from ecglens.recipes import find_recipe as find_recipe
    from ecglens.records import Record as Record
    from ecglens.windows import Windows as Windows
    from ecglens.windows import balance_windows as balance_windows
    from ecglens.windows import load_windows as load_windows
    from ecglens.windows import make_windows as make_windows
    from ecglens.windows import save_windows as save_windows

_HOME = {
    "CNNFeatures": "features",
    "EcglensError": "errors",
    "ImageSettings": "images",
    "Record": "records",
    "Windows": "windows",
    "balance_windows": "windows",
    "evaluate": "evaluation",
    "find_recipe": "recipes",
    "find_records": "databases",
    "load_backbone": "backbones",
    "load_label_map": "labels",
    "load_model": "models",
    "load_windows": "windows",
    "make_classifier": "classifiers",
    "make_images": "images",
    "make_windows": "windows",
    "open_record": "databases",
    "predict_record": "prediction",
    "read_record": "databases",
    "save_model": "models",
    "save_windows": "windows",
    "sweep_layers": "evaluation",
    "train_model": "models",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'ecglens' has no attribute {name!r}")
    return getattr(importlib.import_module(f"ecglens.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
