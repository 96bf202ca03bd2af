"""Fuzzing of many targets, each in forked processes, and the table of what came of it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import sys
import tempfile
import time
import traceback
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import robust_files
from fuzz_corpus import corpus_of
from fuzzing import guided, instrumented

_MOST_FOUND = 10
_LEAST_MINUTES = 0.2
_COUNTS = {
    "executions": re.compile(r"stat::number_of_executed_units:\s*(\d+)"),
    "edges": re.compile(r"cov: (\d+)"),
    "peak_mb": re.compile(r"stat::peak_rss_mb:\s*(\d+)"),
}


@dataclass
class Lane:
    """A target, its time of the processor, and what came of it so far.

    The fuzzer itself counts by the clock: where others took the processor, it is started again.
    ``earlier`` is the line of a run that was ended before, or had fewer minutes: it counts too.
    """

    name: str
    minutes: float
    corpus: Path
    earlier: Mapping[str, Any] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    said: int = 0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COUNTS, 0))
    cpu_s: float = 0.0

    def __post_init__(self) -> None:
        self.counts |= {what: self.earlier[what] for what in _COUNTS if what in self.earlier}
        self.cpu_s = 60 * self.earlier.get("cpu_minutes", 0.0)

    @property
    def left(self) -> float:
        """Minutes of the processor left; 0 also after many findings, or if it did not start."""
        left = self.minutes - self.cpu_s / 60
        stuck = self.said > 0 and self.counts["executions"] == 0
        enough = stuck or len(self.findings) >= _MOST_FOUND
        return 0.0 if enough or left < _LEAST_MINUTES else left

    @property
    def findings(self) -> list[str]:
        """Paths of the inputs that were found."""
        found = self.corpus.parent.glob(f"{self.corpus.name}-found-*")
        return sorted({*map(str, found), *self.earlier.get("findings", ())})

    @property
    def log(self) -> Path:
        """What the fuzzer says."""
        return self.corpus.with_name(f"{self.corpus.name}.log")

    def ended(self, cpu_s: float) -> None:
        """Add what a process of the fuzzer said and took."""
        said = self.log.read_text(encoding="utf-8", errors="replace")
        new = read_counts(said[self.said :])
        executions = self.counts["executions"] + new["executions"]
        self.counts = {what: max(self.counts[what], count) for what, count in new.items()}
        self.counts["executions"] = executions
        self.said, self.cpu_s = len(said), self.cpu_s + cpu_s

    def line(self) -> dict[str, Any]:
        """Return what came of it, minutes by the clock and of the processor, sizes in kB."""
        sizes = [path.stat().st_size for path in self.corpus.iterdir()]
        clock = (time.monotonic() - self.began) / 60
        return {
            "target": self.name,
            **self.counts,
            "minutes": self.earlier.get("minutes", 0.0) + clock,
            "cpu_minutes": self.cpu_s / 60,
            "corpus": len(sizes),
            "corpus_kb": sum(sizes) / 1e3,
            "findings": self.findings,
        }


def fuzz_all(lanes: Iterable[Lane], jobs: int) -> Iterator[dict[str, Any]]:
    """Fuzz targets, some at once, and yield a line for each; after a finding each goes on."""
    waiting, running = deque(lanes), dict[int, Lane]()
    while waiting or running:
        while waiting and len(running) < jobs:
            lane = waiting.popleft()
            lane.corpus.mkdir(exist_ok=True)
            lane.began = time.monotonic()
            running[start(lane)] = lane
        pid, _, used = os.wait3(0)
        lane = running.pop(pid)
        lane.ended(used.ru_utime + used.ru_stime)
        if lane.left:
            running[start(lane)] = lane
        else:
            yield lane.line()


def start(lane: Lane) -> int:
    """Fork a process that fuzzes a target for the minutes left; return its number."""
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        _fuzz(lane)
    return pid


def _fuzz(lane: Lane) -> None:
    """Fuzz, and end the process."""
    from robust_targets import TARGETS

    try:
        said = os.open(lane.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(said, 1)
        os.dup2(said, 2)
        guided(TARGETS[lane.name], lane.left, lane.corpus, on=True)
    except BaseException:  # noqa: BLE001  the parent reads it in the log
        traceback.print_exc()
    finally:  # A child must not return to its parent's code; the fuzzer writes its finding now.
        sys.stderr.flush()
        ctypes.CDLL(None).exit(1)


def read_counts(said: str) -> dict[str, int]:
    """Return the last of each count that the fuzzer printed."""
    found = {what: pattern.findall(said) for what, pattern in _COUNTS.items()}
    return {what: int(counts[-1]) if counts else 0 for what, counts in found.items()}


def format_fuzzing(lines: Sequence[Mapping[str, Any]]) -> str:
    """Return the runs as a Markdown table."""
    rows = [
        "| target | minutes | of the processor | executions | edges reached | corpus | kB "
        "| peak MB | findings |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    rows += [
        f"| {line['target']} | {line['minutes']:.1f} | {line['cpu_minutes']:.1f} "
        f"| {line['executions']} | {line['edges']} | {line['corpus']} "
        f"| {line['corpus_kb']:.0f} | {line['peak_mb']} | {len(line['findings'])} |"
        for line in lines
    ]
    total = {
        what: sum(line[what] for line in lines)
        for what in ("minutes", "cpu_minutes", "executions", "corpus", "corpus_kb")
    }
    found = sum(len(line["findings"]) for line in lines)
    rows.append(
        f"| all | {total['minutes']:.0f} | {total['cpu_minutes']:.0f} | {total['executions']} | "
        f"| {total['corpus']} | {total['corpus_kb']:.0f} | | {found} |"
    )
    return "\n".join(rows) + "\n"


def run_logged(names: Sequence[str], minutes: float, jobs: int, log: Path, corpora: Path) -> int:
    """Fuzz each target until the log has its minutes, print the log's table.

    Returns:
        1 if anything was found or a target did not start, else 0.
    """
    instrumented()
    from fault_jobs import add_to_log

    known = last_lines(log)
    lanes = [Lane(name, minutes, corpus_of(corpora, name), known.get(name, {})) for name in names]
    with one_model():
        for line in fuzz_all([lane for lane in lanes if lane.left], jobs):
            add_to_log(log, [line])
    lines = list(last_lines(log).values())
    print(format_fuzzing(lines), end="")
    return 1 if any(line["findings"] or not line["executions"] for line in lines) else 0


@contextlib.contextmanager
def one_model() -> Iterator[None]:
    """Make one model file for all targets, unless the environment names one."""
    with tempfile.TemporaryDirectory() as folder:
        if not os.environ.get(robust_files.MODEL_VARIABLE):
            path = Path(folder, "m.ecglens")
            path.write_bytes(robust_files.model_file())
            os.environ[robust_files.MODEL_VARIABLE] = str(path)
        yield


def last_lines(log: Path) -> dict[str, dict[str, Any]]:
    """Return the last line of each target; it counts what the ones before it say."""
    from fault_jobs import read_log

    return {line["target"]: line for line in read_log(log)}
