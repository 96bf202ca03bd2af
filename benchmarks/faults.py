"""Faults: kill -9, signals, two processes at once, a full disk, too little memory.

    python benchmarks/faults.py --kills 50 --log kills.jsonl
    python benchmarks/faults.py --kills 0 --others --log others.jsonl

Each of windows, features, train, predict and fetch is killed so many times. Half of the kills come
at a random time of the run (CPU time, which other users of the machine do not stretch), half at a
random one of its file events (a file opened, moved or removed, a folder made), so that the writing
gets its share. After each kill every file that has a final name is compared with that of an
undisturbed run; then the command is given again (every third time it is killed once more before)
and all files must be those of the undisturbed run, byte for byte, with nothing left over. One
chain of kills in sixteen is done on processes that were started anew; the others are forked from
one that has the program imported.

With ``--others`` each command is also ended by SIGINT, SIGTERM and SIGHUP, run twice at once, and
run with limits on the size of files and on memory: it must say in one line what is wrong, leave
older results alone, and come to the same bytes when it is given again.

Each try is a line of the log; a run that finds a log goes on behind it. Linux only.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ecglens.files import make_folder
from fault_jobs import (
    BAD,
    VERBS,
    Job,
    add_to_log,
    differences,
    empty,
    finish,
    half_made,
    jobs_of,
    read_log,
    run_anew,
    state_of,
    tree,
    undisturbed,
)
from fault_others import EXTRA_MB, format_others, run_others
from fork_server import cpu_seconds, preload, start

ANEW = 16


def kill_once(
    job: Job, folder: Path, rng: random.Random, import_s: float, *, anew: bool
) -> tuple[str, float] | None:
    """Start the command and kill it at a random moment.

    Returns:
        by what the moment was chosen, and the moment; None if the command ended before.
    """
    if anew:
        way, moment = "time", rng.uniform(0, import_s + job.cpu_s)
        process = run_anew(job.words, folder)
        _reach(process.pid, moment)
        process.kill()
        code = process.wait()
    elif rng.random() < 0.5:
        way, moment = "time", rng.uniform(0, job.cpu_s)
        forked = start(job.words, folder)
        _reach(forked.pid, moment)
        code = forked.end(signal.SIGKILL)
    else:
        way, moment = "file event", float(rng.randrange(job.n_events))
        forked = start(job.words, folder)
        forked.hear(int(moment) + 1)
        time.sleep(rng.choice((0.0, 0.0002, 0.002)))
        code = forked.end(signal.SIGKILL)
    return (way, moment) if code == -signal.SIGKILL else None


def _reach(pid: int, seconds: float) -> None:
    """Wait until a process has taken so much CPU time or has ended."""
    while cpu_seconds(pid) < seconds and not _has_ended(pid):
        time.sleep(0.002)


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def chain(
    job: Job, folder: Path, number: int, n_kills: int, seed: int, import_s: float
) -> list[dict[str, Any]]:
    """Kill a command once or more, let it end, and return a line for each kill.

    A first kill that came too late is done again; a later one that did was the end.
    """
    rng = random.Random(f"{seed} {job.verb} {number}")
    anew = number % ANEW == ANEW - 1
    lines: list[dict[str, Any]] = []
    while len(lines) < n_kills:
        killed = kill_once(job, folder, rng, import_s, anew=anew)
        if killed is None and lines:
            break
        if killed is None:
            empty(folder)
            continue
        (way, moment), found = killed, tree(folder)
        lines.append(
            {
                "verb": job.verb,
                "number": number + len(lines),
                "process": "anew" if anew else "forked",
                "by": way,
                "moment": round(moment, 4),
                "state": state_of(found, job.whole),
                "half_made": half_made(found, job.whole),
            }
        )
    finish(job.words, folder, anew=anew)
    end = differences(tree(folder), job.whole)
    return [{**line, **end} for line in lines]


def disturb(
    jobs: Sequence[Job], folder: Path, log: Path, n_kills: int, seed: int, import_s: float
) -> None:
    """Kill each command so many times, in turns, counting those that the log knows."""
    done = Counter(line["verb"] for line in read_log(log) if "state" in line)
    place = folder / "killed"
    while left := [job for job in jobs if done[job.verb] < n_kills]:
        job = min(left, key=lambda job: done[job.verb])
        number = done[job.verb]
        length = min(2 if number % 3 == 2 else 1, n_kills - number)
        lines = chain(job, empty(place), number, length, seed, import_s)
        add_to_log(log, lines)
        done[job.verb] += len(lines)


def format_kills(lines: Sequence[Mapping[str, Any]]) -> str:
    """Return the kills as a table."""
    rows = [
        "| command | kills | before writing | within | after | half-made believed | lost | "
        "differing | left over |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for verb in [*(v for v in VERBS if any(line["verb"] == v for line in lines)), "all"]:
        mine = [line for line in lines if verb in ("all", line["verb"])]
        states = Counter(line["state"] for line in mine)
        bad = [sum(bool(line[what]) for line in mine) for what in BAD[:4]]
        counts = [len(mine), *(states[name] for name in ("before", "within", "after")), *bad]
        rows.append(f"| {verb} | {' | '.join(map(str, counts))} |")
    return "\n".join(rows) + "\n"


def main() -> int:
    """Print the tables; the exit code says whether anything was lost, half-made or other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=50, help="of each command")
    parser.add_argument("--others", action="store_true", help="other faults too")
    parser.add_argument("--only", default="", help="of the others, such as 'memory'")
    parser.add_argument(
        "--memory", type=int, nargs="+", default=EXTRA_MB, help="limits to try, in MB more"
    )
    parser.add_argument("--verbs", default=",".join(VERBS))
    parser.add_argument("--patients", type=int, default=16, help="in the records")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path, help="file for a line per try; goes on behind it")
    args = parser.parse_args()
    import_s = preload()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = args.log or folder / "log.jsonl"
        with jobs_of(folder, args.verbs.split(","), args.patients) as words_of:
            jobs = [
                undisturbed(words, make_folder(folder / verb)) for verb, words in words_of.items()
            ]
            disturb(jobs, folder, log, args.kills, args.seed, import_s)
            if args.others:
                run_others(jobs, folder, log, args.seed, args.only, args.memory)
        lines = read_log(log)
    kills = [line for line in lines if "state" in line]
    others = [line for line in lines if "fault" in line]
    if kills:
        print(format_kills(kills))
    if others:
        print(format_others(others))
    return 1 if any(line.get(what) for line in lines for what in BAD) else 0


if __name__ == "__main__":
    raise SystemExit(main())
