"""Handmade measures of rhythm and waves, one vector per window."""

from ecglens.rhythm_features.measures import RHYTHM_NAMES, measure_rhythm
from ecglens.rhythm_features.transformer import RhythmFeatures

__all__ = ["RHYTHM_NAMES", "RhythmFeatures", "measure_rhythm"]
