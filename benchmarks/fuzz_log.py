"""Fuzzing of many targets, each in processes of its own, and the table of what came of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import robust_files
from fault_jobs import add_to_log, read_log

_SCRIPT = Path(__file__).with_name("fuzzing.py")
_MOST_FOUND = 10
_LEAST_MINUTES = 0.1
_COUNTS = {
    "executions": re.compile(r"stat::number_of_executed_units:\s*(\d+)"),
    "edges": re.compile(r"cov: (\d+)"),
    "peak_mb": re.compile(r"stat::peak_rss_mb:\s*(\d+)"),
}


def fuzz_all(names: Sequence[str], minutes: float, jobs: int, log: Path, corpora: Path) -> None:
    """Fuzz targets that the log does not know, some at once, and write a line for each."""
    known = {line["target"] for line in read_log(log)}
    left = [name for name in names if name not in known]
    with ThreadPoolExecutor(jobs) as pool:
        for line in pool.map(lambda name: fuzz(name, minutes, corpora), left):
            add_to_log(log, [line])


def fuzz(name: str, minutes: float, corpora: Path) -> dict[str, Any]:
    """Fuzz one target until its time is over; after each finding it goes on.

    Returns:
        ``target``, ``minutes`` by the clock, ``cpu_minutes``, ``executions``, ``edges`` of code
        reached, ``peak_mb``, ``corpus`` in inputs and ``corpus_kb``, and ``findings``, paths.
    """
    corpus = corpora / re.sub(r"\W+", "-", name)
    corpus.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    done: dict[str, Any] = {"target": name, "cpu_minutes": 0.0, "executions": 0}
    while True:
        left = minutes - (time.monotonic() - began) / 60
        if left < _LEAST_MINUTES or len(_findings(corpus)) >= _MOST_FOUND:
            break
        said, cpu_s = _run(name, left, corpus)
        counts = read_counts(said)
        done["executions"] += counts.pop("executions")
        done["cpu_minutes"] += cpu_s / 60
        done |= {what: max(count, done.get(what, 0)) for what, count in counts.items()}
        if done["executions"] == 0:
            break  # It did not start; its last words are in the log beside the corpus.
    sizes = [path.stat().st_size for path in corpus.iterdir()]
    return {
        **done,
        "minutes": (time.monotonic() - began) / 60,
        "corpus": len(sizes),
        "corpus_kb": sum(sizes) / 1e3,
        "findings": [str(path) for path in _findings(corpus)],
    }


def _findings(corpus: Path) -> list[Path]:
    return sorted(corpus.parent.glob(f"{corpus.name}-found-*"))


def _run(name: str, minutes: float, corpus: Path) -> tuple[str, float]:
    """Return what a process of the fuzzer said, and its CPU time in seconds."""
    words = [name, "--minutes", f"{minutes:.3f}", "--corpus", str(corpus)]
    with corpus.with_name(f"{corpus.name}.log").open("a+b") as log:
        start = log.seek(0, os.SEEK_END)
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, str(_SCRIPT), *words], stdout=log, stderr=log
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        log.seek(start)
        said = log.read().decode(errors="replace")
    return said, usage.ru_utime + usage.ru_stime


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
        f"| {line['executions']} | {line.get('edges', 0)} | {line['corpus']} "
        f"| {line['corpus_kb']:.0f} | {line.get('peak_mb', 0)} | {len(line['findings'])} |"
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


def run_logged(
    names: Sequence[str], minutes: float, jobs: int, log: Path, corpus: Path | None
) -> int:
    """Fuzz, print the table of the whole log, and return 1 if anything was found."""
    corpora = corpus or Path(tempfile.mkdtemp(prefix="corpora-"))
    corpora.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        if not os.environ.get(robust_files.MODEL_VARIABLE):
            path = Path(folder, "m.ecglens")
            path.write_bytes(robust_files.model_file())
            os.environ[robust_files.MODEL_VARIABLE] = str(path)
        fuzz_all(names, minutes, jobs, log, corpora)
    lines = read_log(log)
    print(format_fuzzing(lines), end="")
    return 1 if any(line["findings"] or not line["executions"] for line in lines) else 0
