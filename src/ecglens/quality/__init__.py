"""Quality of windows and leads: what can be judged, and how well."""

from ecglens.quality.measures import (
    REASONS,
    Quality,
    QualityLimits,
    measure_quality,
)

__all__ = ["REASONS", "Quality", "QualityLimits", "measure_quality"]
