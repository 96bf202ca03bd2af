"""Faults that are no kill: signals, a second process, a full disk, too little memory."""

from __future__ import annotations

import csv
import functools
import io
import random
import re
import resource
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ecglens.batch.names import RECORDS_TABLE
from fault_jobs import (
    BAD,
    Job,
    Tree,
    add_to_log,
    differences,
    empty,
    finish,
    half_made,
    read_log,
    tree,
)
from fork_server import log_of, start

SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
SIGNAL_TRIES = 4
FILE_BYTES = (2_000, 20_000, 200_000)
EXTRA_MB = (0, 8, 32, 64, 96, 128, 192, 256, 384, 512)
_OLDER = b"of an earlier run"
# Exit codes of ``predict`` where recordings failed one by one: all of them, or some.
_FAILED = (3, 9)
_FAILED_TABLE = f"out/{RECORDS_TABLE}"
# What the program says as it ends early: its own lines, and those of recordings that are done.
_OWN_LINE = re.compile(r"ecglens: |\d+ recordings: |.* -> out/")
# A run that hangs is ended by SIGALRM, and so seen; other users of the machine may make it slow.
_LONGEST_S = 600
Fault = Callable[[Job, Path], dict[str, Any]]


def run_others(
    jobs: Sequence[Job],
    folder: Path,
    log: Path,
    seed: int,
    only: str = "",
    extra_mb: Sequence[int] = EXTRA_MB,
) -> None:
    """Try each fault whose name starts so on each command, those left out that the log knows."""
    done = {(line["verb"], line["fault"]) for line in read_log(log) if "fault" in line}
    for name, fault in _faults(seed, extra_mb):
        if not name.startswith(only):
            continue
        for job in jobs:
            if (job.verb, name) not in done:
                line = {"verb": job.verb, "fault": name, **fault(job, empty(folder / "tried"))}
                add_to_log(log, [line])


def _faults(seed: int, extra_mb: Sequence[int]) -> Iterator[tuple[str, Fault]]:
    for number in SIGNALS:
        for i in range(SIGNAL_TRIES):
            name = f"{number.name} {i + 1}"
            rng = random.Random(f"{seed} {name}")
            yield name, functools.partial(_signalled, number=number, rng=rng)
    yield "two at once", _twice
    for size in FILE_BYTES:
        yield f"files of {size} bytes", functools.partial(_cramped, size=size)
    for extra in extra_mb:
        yield f"memory of {extra} MB more", functools.partial(_starved, extra_mb=extra)


def _signalled(job: Job, folder: Path, *, number: signal.Signals, rng: random.Random) -> Any:
    """End a command in order, at a random file event."""
    forked = start(job.words, folder)
    forked.hear(1 + rng.randrange(job.n_events))
    time.sleep(rng.choice((0.0, 0.001, 0.01)))
    code = forked.end(number)
    said = log_of(folder)
    found = tree(folder)
    wrong = []
    if code == SIGNALS[number]:
        wrong = _not_one_line(said)
    elif code != 0 and not (code == -number and dict(found) == dict(job.whole)):
        wrong = [f"exit code {code}: {said[-500:]}"]
    # A run that ends in order takes its temporary files with it.
    wrong += [name for name in found if name.endswith(".part") and job.verb != "fetch"]
    return _again(job, folder, code, wrong, half_made(found, job.whole))


def _twice(job: Job, folder: Path) -> Any:
    """Run a command twice at once, on the same cache and results."""
    both = [start(job.words, folder), start(job.words, folder)]
    codes = [each.wait() for each in both]
    wrong = [] if codes == [0, 0] else [f"exit codes {codes}: {log_of(folder)[-500:]}"]
    return {"code": max(codes), "wrong": wrong, **differences(tree(folder), job.whole)}


def _cramped(job: Job, folder: Path, *, size: int) -> Any:
    """Run a command where no file may be larger than a size, beside an older result."""
    older = [name for name in job.whole if "/" not in name]
    for name in older:
        (folder / name).write_bytes(_OLDER)
    forked = start(job.words, folder, functools.partial(_limit, resource.RLIMIT_FSIZE, size))
    code, said = forked.wait(), log_of(folder)
    wrong = [] if code in (0, 8) else [f"exit code {code}: {said[-500:]}"]
    if code == 8:
        wrong += _not_one_line(said)
        there = tree(folder)
        wrong += [f"{name} is not as it was" for name in older if there.get(name) != _OLDER]
    found = {name: data for name, data in tree(folder).items() if data != _OLDER}
    return _again(job, folder, code, wrong, half_made(found, job.whole))


def _starved(job: Job, folder: Path, *, extra_mb: int) -> Any:
    """Run a command with little more memory than the imported program has."""

    def limit() -> None:
        signal.alarm(_LONGEST_S)
        _limit(resource.RLIMIT_AS, _held_bytes() + extra_mb * 2**20)

    code = start(job.words, folder, limit).wait()
    found = tree(folder)
    wrong = not_in_order(job.verb, code, log_of(folder))
    half = half_made(found, job.whole)
    if code in _FAILED and tells_failures(found, job.whole):
        half = [name for name in half if name != _FAILED_TABLE]
    return _again(job, folder, code, wrong, half)


def not_in_order(verb: str, code: int, said: str) -> list[str]:
    """Return what is wrong with the end of a run that had too little memory, nothing if it is not.

    In order are the end of all work (0), one line of error (1), and recordings that ``predict``
    let fail one by one, each with a line of its own (3, 9).
    """
    if code == 0:
        return []
    if code not in (1, *_FAILED) or (code in _FAILED and verb != "predict"):
        return [f"exit code {code}: {said[-500:]}"]
    lines = said.splitlines() or [""]
    last = "ecglens: error: " if code != 3 else "ecglens: "
    foreign = [line for line in lines if not _OWN_LINE.match(line)]
    good = lines[-1].startswith(last) and not foreign
    return [] if good else [f"said: {said[-500:]}"]


def tells_failures(found: Tree, whole: Tree) -> bool:
    """Return whether each line of the table of recordings is right or says why one failed."""
    right = _rows(whole.get(_FAILED_TABLE, b""))
    rows = _rows(found.get(_FAILED_TABLE, b""))
    failed = [row["status"] == "failed" and bool(row["message"]) for row in rows]
    return len(rows) == len(right) and all(
        row == mine or told for row, mine, told in zip(rows, right, failed, strict=True)
    )


def _rows(table: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table.decode("utf-8"), newline="")))


def _limit(what: int, value: int) -> None:
    resource.setrlimit(what, (value, value))


def _held_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return pages * resource.getpagesize()


def _not_one_line(said: str) -> list[str]:
    """Return what was said if it does not end with the one line that tells a person why."""
    last = said.splitlines()[-1:] or [""]
    good = last[0].startswith("ecglens: error: ") and "Traceback" not in said
    return [] if good else [f"said: {said[-500:]}"]


def _again(job: Job, folder: Path, code: int, wrong: list[str], half: list[str]) -> Any:
    """Give the command again without a fault, and return what came of it all."""
    finish(job.words, folder)
    found = differences(tree(folder), job.whole)
    return {"code": code, "wrong": wrong, "half_made": half, **found}


def format_others(lines: Sequence[Mapping[str, Any]]) -> str:
    """Return the faults as a table: how often a command ended with which exit code."""
    rows = ["| fault | tries | ended with code (times) | did harm |", "|---|---|---|---|"]
    kinds = dict.fromkeys(_kind(line["fault"]) for line in lines)
    for kind in kinds:
        mine = [line for line in lines if _kind(line["fault"]) == kind]
        counts = Counter(line["code"] for line in mine)
        codes = ", ".join(f"{code} ({n})" for code, n in sorted(counts.items()))
        harm = sum(any(line.get(what) for what in BAD) for line in mine)
        rows.append(f"| {kind} | {len(mine)} | {codes} | {harm} |")
    return "\n".join(rows) + "\n"


def _kind(fault: str) -> str:
    return fault.rpartition(" ")[0] if fault.startswith("SIG") else fault
