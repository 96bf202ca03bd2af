"""Trained models: fitting one, and one file on disk that runs no code when opened."""

from ecglens.models.bundled import bundled_models, find_model
from ecglens.models.files import FORMAT, SCHEMA, load_model, save_model
from ecglens.models.fitting import fit_model, train_model
from ecglens.models.head_files import TRUSTED_TYPES
from ecglens.models.model import Judgement, RhythmModel
from ecglens.models.verifying import ModelReport, read_card, verify_model

__all__ = [
    "FORMAT",
    "SCHEMA",
    "TRUSTED_TYPES",
    "Judgement",
    "ModelReport",
    "RhythmModel",
    "bundled_models",
    "find_model",
    "fit_model",
    "load_model",
    "read_card",
    "save_model",
    "train_model",
    "verify_model",
]
