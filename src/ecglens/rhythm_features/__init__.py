"""Handmade measures of rhythm and waves, one vector per window."""

from ecglens.rhythm_features.measures import RHYTHM_NAMES, measure_rhythm

__all__ = ["RHYTHM_NAMES", "measure_rhythm"]
