"""The whole job in one call, on patients who do not exist: a rehearsal, not evidence."""

from __future__ import annotations

from ecglens.demo.job import Steps, run_demo
from ecglens.demo.results import DemoResult, DemoSettings

__all__ = ["DemoResult", "DemoSettings", "Steps", "run_demo"]
