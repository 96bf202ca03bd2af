"""The whole job in one call, on patients who do not exist: a rehearsal, not evidence."""

from __future__ import annotations

from ecglens.demo.job import run_demo
from ecglens.demo.page import shipped_verdict, verdict
from ecglens.demo.results import DemoResult, DemoSettings
from ecglens.demo.words import REHEARSAL, next_steps
from ecglens.steps import Steps

__all__ = [
    "REHEARSAL",
    "DemoResult",
    "DemoSettings",
    "Steps",
    "next_steps",
    "run_demo",
    "shipped_verdict",
    "verdict",
]
