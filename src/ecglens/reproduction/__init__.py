"""Published experiments repeated from nothing: databases, windows, figures, controls, report."""

from ecglens.reproduction.job import Prepared, prepare, run_reproduction
from ecglens.reproduction.results import Reproduction
from ecglens.reproduction.settings import ReproductionSettings
from ecglens.reproduction.sources import Planned
from ecglens.reproduction.telling import Telling

__all__ = [
    "Planned",
    "Prepared",
    "Reproduction",
    "ReproductionSettings",
    "Telling",
    "prepare",
    "run_reproduction",
]
