"""What a command may leave: one of the documented exit codes, plain words, and whole files."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from robust_forked import Ran
from robust_materials import tree_of

CODES = range(11)
OTHER = 1
"""Exit code that tells nothing: no input should lead to it."""
USAGE = 2
OLDER = b"of an earlier run\n"
MOST_MB = 1024
_STRANGE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\udc80-\udcff]")
_BOX = re.compile(r"^(Usage: ecglens|Try 'ecglens|[\u2500-\u257f]|$)")
Tree = Mapping[str, bytes]


def read_tree(folder: Path) -> dict[str, bytes]:
    """Return all files under a folder by their names in it; what is no file is left out."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in tree_of(folder)
        if path.is_file() and not path.is_symlink()
    }


def stamps_of(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Return kind, size and time of everything under a folder."""
    found = {}
    for path in tree_of(folder):
        state = path.lstat()
        found[str(path)] = (state.st_mode, state.st_size, state.st_mtime_ns)
    return found


def faults_of_words(ran: Ran, *, as_json: bool) -> Iterator[str]:
    """Yield what is wrong about an exit code and about what was printed."""
    yield from _faults_of_code(ran.code)
    yield from _faults_of_lines(ran.code, ran.err.splitlines())
    if "Traceback" in ran.err:
        yield "a traceback"
    if "a fault of ecglens" in ran.err:
        yield "a fault that was caught at the last moment"
    if strange := _STRANGE.search(ran.err) or _STRANGE.search(ran.out):
        yield f"a character that may do harm to a terminal: {strange[0]!r}"
    if as_json and ran.code == 0:
        try:
            json.loads(ran.out)
        except ValueError as error:
            yield f"no JSON: {error}"
    if ran.peak_mb > MOST_MB:
        yield f"{ran.peak_mb:.0f} MB of memory"


def _faults_of_code(code: int) -> Iterator[str]:
    if code not in CODES:
        yield f"exit code {code}"
    elif code == OTHER:
        yield "exit code 1, which says nothing"


def _faults_of_lines(code: int, lines: Sequence[str]) -> Iterator[str]:
    boxes = [line for line in lines if _BOX.match(line)]
    errors = [line for line in lines if line.startswith("ecglens: error: ")]
    if not all(line.startswith("ecglens: ") for line in lines if line not in boxes):
        yield "words on stderr that do not begin with the program's name"
    if boxes and code != USAGE:
        yield "a box of the parser with another exit code"
    if code == 0 and errors:
        yield "an error with exit code 0"
    if code != 0 and (len(errors) > 1 or (errors and lines[-1] != errors[0])):
        yield "more than one line of error, or not the last"
    if code != 0 and not lines:
        yield "no word of what is wrong"


def faults_of_files(found: Tree, before: Tree, code: int, *, fetching: bool) -> Iterator[str]:
    """Yield what is wrong about the files that a command left.

    Args:
        found: files of its results, its cache and its folder of temporary files.
        before: those that were there before.
        code: its exit code.
        fetching: whether it keeps what is unfinished under hidden names, to go on from there.
    """
    for name, data in found.items():
        if before.get(name) == data:
            continue
        parts = Path(name).parts
        if parts[0] == "tmp":
            yield f"a temporary file is left: {name}"
        elif not fetching and (name.endswith(".part") or any(p.startswith("run-") for p in parts)):
            yield f"a half-made file is left: {name}"
        elif not any(part.startswith(".") for part in parts) and not is_whole(name, data):
            yield f"a file that is not whole: {name}"
    if code != 0:
        for name, data in before.items():
            if data == OLDER and found.get(name) != OLDER:
                yield f"the older file is lost: {name}"


def is_whole(name: str, data: bytes) -> bool:
    """Tell whether a file of results is whole, by what its kind ends with."""
    kind = Path(name).suffix
    try:
        if kind in (".npz", ".npy"):
            found = np.load(io.BytesIO(data), allow_pickle=False)
            return all(each is not None for each in (found.values() if kind == ".npz" else [found]))
        if kind == ".json":
            json.loads(data)
        if kind == ".jsonl":  # a line that was cut counts as missing, by design
            for line in data.splitlines()[:-1]:
                json.loads(line)
        if kind in (".ecglens", ".zip"):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                return archive.testzip() is None
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile):
        return False
    ends = {
        ".png": b"IEND\xaeB`\x82", ".svg": b"</svg>", ".html": b"</html>", ".csv": b"\n",
        ".md": b"\n", ".txt": b"\n", ".parquet": b"PAR1",
    }  # fmt: skip
    return data.rstrip(b" \r\n" if kind in (".svg", ".html") else b"").endswith(ends.get(kind, b""))
