"""Windows to feature vectors: pooled feature maps of a frozen image network."""

from ecglens.features.extraction import (
    BATCH,
    BLOCK,
    RHYTHM,
    EngineSettings,
    Extractor,
    Output,
    concatenate_outputs,
    outputs_of,
)
from ecglens.features.transformer import CNNFeatures

__all__ = [
    "BATCH",
    "BLOCK",
    "RHYTHM",
    "CNNFeatures",
    "EngineSettings",
    "Extractor",
    "Output",
    "concatenate_outputs",
    "outputs_of",
]
