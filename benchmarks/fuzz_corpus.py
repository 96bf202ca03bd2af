"""The corpus of the fuzzing: where it starts, and the small part of it that the repository keeps.

Kept are, of each target, the smallest inputs that take a step from line to line of ecglens which
no smaller one takes, and none of those that code makes. The tests read them all.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

KEPT = Path(__file__).parents[1] / "tests" / "robustness" / "corpus.zip"
# Of one target, in bytes.
MOST_KEPT = 16_000
_SEEDS = 24
_PACKAGE = f"{os.sep}ecglens{os.sep}"

Read = Callable[[bytes], None]
Step = tuple[str, int, int]


def kept_inputs(path: Path = KEPT) -> dict[str, list[bytes]]:
    """Return what the repository keeps, by target."""
    inputs: dict[str, list[bytes]] = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            inputs.setdefault(name.rpartition("/")[0], []).append(archive.read(name))
    return inputs


def corpus_of(corpora: Path, name: str) -> Path:
    """Return the folder of a target's corpus."""
    return corpora / re.sub(r"\W+", "-", name)


def made_inputs(target: Any) -> Iterator[bytes]:
    """Yield the good file of a target and some damaged ones, which are always the same."""
    from robust_damage import DAMAGES, damages

    whole = target.good().whole
    yield whole
    for kind, seed in damages(whole, _SEEDS):
        yield DAMAGES[kind](whole, seed)


def write_seeds(target: Any, corpus: Path) -> None:
    """Write what fuzzing of a target starts from: what code makes, and what is kept."""
    kept = kept_inputs().get(target.name, [])
    for number, data in enumerate([*made_inputs(target), *kept]):
        (corpus / f"seed{number}").write_bytes(data)


def steps_of(read: Read, data: bytes) -> set[Step]:
    """Read, and return the steps from line to line of ecglens that were taken."""
    steps = set[Step]()

    def enter(frame: FrameType, event: str, _: Any) -> Any:
        name, last = frame.f_code.co_filename, frame.f_lineno
        if event != "call" or _PACKAGE not in name:
            return None

        def follow(frame: FrameType, event: str, _: Any) -> Any:
            nonlocal last
            if event == "line":
                steps.add((name, last, frame.f_lineno))
                last = frame.f_lineno
            return follow

        return follow

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        read(data)
    finally:
        sys.settrace(before)
    return steps


def worth_keeping(read: Read, made: Iterable[bytes], corpus: Iterable[bytes]) -> list[bytes]:
    """Return the inputs of a corpus that take a new step, smallest first, :data:`MOST_KEPT`."""
    seen = set[Step]()
    for data in made:
        seen |= steps_of(read, data)
    kept, size = list[bytes](), 0
    for data in sorted(corpus, key=lambda data: (len(data), data)):
        steps = steps_of(read, data) - seen
        if steps and size + len(data) <= MOST_KEPT:
            kept.append(data)
            seen |= steps
            size += len(data)
    return kept


def keep(targets: Iterable[Any], corpora: Path, reader: Callable[[Any, Path], Read]) -> None:
    """Choose what to keep of each corpus there is, and write it beside what others keep."""
    kept = kept_inputs() if KEPT.exists() else {}
    for target in targets:
        corpus = corpus_of(corpora, target.name)
        if not corpus.is_dir():
            continue
        target.warmed()
        inputs = [path.read_bytes() for path in corpus.iterdir()]
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            read = reader(target, Path(folder))
            kept[target.name] = worth_keeping(read, made_inputs(target), inputs)
        size = sum(map(len, kept[target.name]))
        print(f"{target.name}: {len(kept[target.name])} of {len(inputs)} inputs, {size} bytes")
    write_kept(kept)


def write_kept(inputs: Mapping[str, Iterable[bytes]], path: Path = KEPT) -> None:
    """Write the inputs that are kept, by target; the same inputs give the same bytes."""
    from robust_files import zip_of

    members = {
        f"{name}/{number}": data for name in inputs for number, data in enumerate(inputs[name])
    }
    path.write_bytes(zip_of(members, zipfile.ZIP_DEFLATED))
