"""Quality of windows and leads: what can be judged, and how well."""

from ecglens.quality.combining import combine_leads
from ecglens.quality.leads import PREFERENCE, LeadQuality, choose_lead, rate_leads
from ecglens.quality.measures import REASONS, Quality, QualityLimits, measure_quality
from ecglens.quality.silence import SILENT, SILENT_MV

__all__ = [
    "PREFERENCE",
    "REASONS",
    "SILENT",
    "SILENT_MV",
    "LeadQuality",
    "Quality",
    "QualityLimits",
    "choose_lead",
    "combine_leads",
    "measure_quality",
    "rate_leads",
]
