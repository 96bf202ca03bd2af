"""Backbones: frozen image networks whose feature maps describe spectrogram images."""

from ecglens.backbones.backbone import Backbone, BackboneInfo, Layer
from ecglens.backbones.engine import NETWORK_MB, Engine, make_engine
from ecglens.backbones.onnx_graph import backbone_from_onnx
from ecglens.backbones.pooling import pool, pooled_size
from ecglens.backbones.registry import list_backbones, load_backbone

__all__ = [
    "NETWORK_MB",
    "Backbone",
    "BackboneInfo",
    "Engine",
    "Layer",
    "backbone_from_onnx",
    "list_backbones",
    "load_backbone",
    "make_engine",
    "pool",
    "pooled_size",
]
