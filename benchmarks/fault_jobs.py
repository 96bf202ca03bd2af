"""The commands that are disturbed: their inputs, and what they leave when nobody disturbs them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecglens.databases.synthetic import make_records
from ecglens.databases.wfdb_saving import save_wfdb
from ecglens.errors import EcglensError
from ecglens.files import make_folder
from fork_server import PROGRAM, log_of, start
from local_server import make_files, serving

VERBS = ("windows", "features", "train", "predict", "fetch")
# Of fetch: times of change on this machine, and a lock that the system drops with its process.
_NOT_RESULTS = frozenset({".ecglens-files.json", ".ecglens-lock"})
BAD = ("half_made", "lost", "differing", "left_over", "wrong")
"""What a line of the log has instead of nothing where a fault did harm."""
Tree = Mapping[str, bytes]


@dataclass(frozen=True)
class Job:
    """A command and what it leaves when nobody disturbs it.

    Attributes:
        verb: its name.
        words: the command line; results go to ``out*`` and ``cache`` in the current folder.
        whole: what it leaves.
        cpu_s: how long it takes, the imports not counted.
        n_events: of files.
    """

    verb: str
    words: Sequence[str]
    whole: Tree
    cpu_s: float
    n_events: int


def tree(folder: Path) -> dict[str, bytes]:
    """Return all files of results under a folder, also hidden and half-made ones."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in _NOT_RESULTS
    }


def is_final(name: str) -> bool:
    """Return whether a file has a name under which it would be believed."""
    return not any(part.startswith(".") for part in Path(name).parts)


def state_of(found: Tree, whole: Tree) -> str:
    """Return whether a kill came before, within or after the writing of results."""
    if not found:
        return "before"
    return "after" if dict(found) == dict(whole) else "within"


def half_made(found: Tree, whole: Tree) -> list[str]:
    """Return files with a final name that are not those of the undisturbed run."""
    return [name for name, data in found.items() if is_final(name) and whole.get(name) != data]


def differences(found: Tree, whole: Tree) -> dict[str, list[str]]:
    """Return what is missing, other and too much where a run should have ended well."""
    return {
        "lost": sorted(whole.keys() - found.keys()),
        "differing": [name for name in whole if found.get(name, whole[name]) != whole[name]],
        "left_over": sorted(found.keys() - whole.keys()),
    }


def empty(folder: Path) -> Path:
    """Make a folder that is empty, and return it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def add_to_log(log: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Write tries to the log."""
    with log.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)


def read_log(log: Path) -> list[dict[str, Any]]:
    """Return the tries of a log, without a last line that is cut off."""
    if not log.exists():
        return []
    text = log.read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def run_anew(words: Sequence[str], folder: Path) -> subprocess.Popen[bytes]:
    """Start the program in a process of its own."""
    with folder.with_suffix(".log").open("wb") as log:
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", PROGRAM, *words], cwd=folder, stdout=log, stderr=log
        )


def finish(words: Sequence[str], folder: Path, *, anew: bool = False) -> None:
    """Let the command end.

    Raises:
        EcglensError: it failed.
    """
    code = run_anew(words, folder).wait() if anew else start(words, folder).wait()
    if code != 0:
        raise EcglensError(f"ecglens {words[0]} ended with exit code {code}: {log_of(folder)}")


def undisturbed(words: Sequence[str], folder: Path) -> Job:
    """Measure a command that nobody disturbs, and keep what it leaves.

    Raises:
        EcglensError: it failed.
    """
    place = make_folder(folder / "whole")
    forked, n_events = start(words, place), 0
    while data := os.read(forked.events, 4096):
        n_events += len(data)
    if forked.wait() != 0:
        raise EcglensError(f"ecglens {words[0]} ended with exit code {forked.code}")
    return Job(words[0], words, tree(place), forked.cpu_s, n_events)


def write_inputs(folder: Path, n_patients: int) -> Path:
    """Write short records of virtual patients, unless they are there."""
    records = folder / "records"
    if not records.exists():
        made = make_folder(folder / "half-made")
        for record in make_records(n_patients, fs=125, minutes=3.0):
            save_wfdb(record, made)
        made.rename(records)
    return records


@contextmanager
def jobs_of(folder: Path, verbs: Sequence[str], n_patients: int) -> Iterator[dict[str, list[str]]]:
    """Lend the words of each command, its inputs made."""
    records = write_inputs(folder, n_patients)
    windows, model = folder / "windows.npz", folder / "rhythm.ecglens"
    cutting = ["windows", str(records), "--per-class", "12"]
    fitting = ["train", str(windows), "--no-evaluate", "--pca", "8", "--head", "lda"]
    cache = ["--cache", "cache"]
    recordings = [str(path) for path in sorted(records.glob("*.hea"))[:2]]
    if not windows.exists():
        finish([*cutting, "--out", str(windows)], make_folder(folder / "first"))
    if "predict" in verbs and not model.exists():
        words = [*fitting, "--cache", str(folder / "cache"), "--out", str(model)]
        finish(words, make_folder(folder / "first"))
    with serving(make_files(("100", "101", "103", "105", "201"), 200_000)) as mirror:
        words_of = {
            "windows": [*cutting, "--out", "out.npz"],
            "features": ["features", str(windows), *cache, "--out", "out.npz"],
            "train": [*fitting, *cache, "--out", "out.ecglens"],
            "predict": ["predict", *recordings, "--model", str(model), "--out", "out"],
            "fetch": ["fetch", "mitdb", "--to", "out", "--mirror", mirror],
        }
        words_of["predict"] += ["--explained", "0"]
        yield {verb: words_of[verb] for verb in verbs}
