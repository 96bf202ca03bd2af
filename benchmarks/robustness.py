"""The matrix of bad input: every reader and every command against damaged and hostile files.

    python benchmarks/robustness.py --inputs 20000

Each input is read in a process whose address space is limited, under alarms and an audit
hook that sees what is opened. The table tells, target by target, how many inputs were refused with
a reason, read, crashed or hung, the worst time and memory, and what was opened outside of the
input's folder. The same inputs come again with the same ``--seed``; one is tried again by its name:

    python benchmarks/robustness.py --again "edf:flip:123"
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import robust_files
import robust_materials
from robust_targets import TARGETS as READERS
from robust_targets import Target
from robust_tries import TARGETS as COMMANDS
from robust_tries import CommandTarget
from robust_worker import CRASHED, HUNG, READ, REFUSED, Outcome, Try, run_tries

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))


TARGETS: dict[str, Target | CommandTarget] = {**READERS, **COMMANDS}


@dataclass
class Line:
    """What came of the inputs of one target."""

    target: str
    inputs: int = 0
    refused: int = 0
    read: int = 0
    crashed: int = 0
    hung: int = 0
    worst_s: float = 0.0
    worst_mb: float = 0.0
    outside: int = 0

    def add(self, outcome: Outcome) -> bool:
        """Count an outcome; return whether it is a fault."""
        self.inputs += 1
        self.refused += outcome.result == REFUSED
        self.read += outcome.result == READ
        self.crashed += outcome.result == CRASHED
        self.hung += outcome.result == HUNG
        self.worst_s = max(self.worst_s, outcome.seconds)
        self.worst_mb = max(self.worst_mb, outcome.peak_mb)
        self.outside += bool(outcome.outside)
        return outcome.result in (CRASHED, HUNG) or bool(outcome.outside)

    @property
    def cells(self) -> list[str]:
        """Cells of the table."""
        counts = (self.inputs, self.refused, self.read, self.crashed, self.hung)
        return [
            self.target, *map(str, counts), f"{self.worst_s:.2f}", f"{self.worst_mb:.0f}",
            str(self.outside),
        ]  # fmt: skip


HEADINGS = [
    "target", "inputs", "refused", "read", "crashed", "hung", "worst s", "worst MB", "outside",
]  # fmt: skip


def run_targets(
    targets: Iterable[Target | CommandTarget],
    n_inputs: int,
    seed: int,
    faults: Path | None = None,
) -> Iterator[Line]:
    """Run the matrix and yield the lines of its table; faulty inputs go to a file as they come.

    Commands are forked, so they have a process without the threads of networks that readers ran.
    """
    for _, group in itertools.groupby(targets, type):
        known = list(group)
        tries = [list(target.tries(round(n_inputs * target.share), seed)) for target in known]
        outcomes = run_tries(itertools.chain.from_iterable(tries))
        for target, mine in zip(known, tries, strict=True):
            line = Line(target.name)
            for outcome in itertools.islice(outcomes, len(mine)):
                if line.add(outcome) and faults:
                    with faults.open("a") as file:
                        file.write(json.dumps(asdict(outcome)) + "\n")
            yield line


def total(lines: Sequence[Line]) -> Line:
    """Return the sum of lines."""
    found = Line("all")
    for line in lines:
        for name in ("inputs", "refused", "read", "crashed", "hung", "outside"):
            setattr(found, name, getattr(found, name) + getattr(line, name))
        found.worst_s = max(found.worst_s, line.worst_s)
        found.worst_mb = max(found.worst_mb, line.worst_mb)
    return found


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=20_000, help="how many in all, about")
    parser.add_argument(
        "--targets", default="", help="names, separated by semicolons; 'readers', 'commands': all"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--json", type=Path, help="file for the outcomes of faulty inputs, as they come"
    )
    parser.add_argument("--again", help="one input by its name, target:kind:number")
    return parser.parse_args()


def _chosen(names: str) -> list[str]:
    """Return names of targets: all, or those of a list."""
    groups: dict[str, Iterable[str]] = {"readers": READERS, "commands": COMMANDS}
    asked = filter(None, map(str.strip, names.split(";")))
    return [each for name in asked for each in groups.get(name, [name])] or list(TARGETS)


def _again(words: str) -> int:
    target, kind, number = words.rsplit(":", 2)
    for outcome in run_tries([Try(target, kind, int(number))]):
        print(json.dumps(asdict(outcome), indent=1).replace("\\n", "\n"))
        return int(outcome.result in (CRASHED, HUNG))
    return 1


def main() -> int:
    """Run the matrix and print its table; return 1 where an input crashed, hung or led outside."""
    asked = _arguments()
    with tempfile.TemporaryDirectory() as name:
        if not os.environ.get(robust_files.MODEL_VARIABLE):
            path = Path(name, "model")
            path.write_bytes(robust_files.model_file())
            os.environ[robust_files.MODEL_VARIABLE] = str(path)
        if not os.environ.get(robust_materials.VARIABLE):
            robust_materials.make_materials(Path(name, "materials"))
        if asked.again:
            return _again(asked.again)
        chosen = _chosen(asked.targets)
        targets = [TARGETS[name] for name in chosen]
        each = -(-asked.inputs // max(1, round(sum(target.share for target in targets))))
        print(_row(HEADINGS))
        print(_row(["---"] * len(HEADINGS)), flush=True)
        lines: list[Line] = []
        for line in run_targets(targets, each, asked.seed, asked.json):
            lines.append(line)
            print(_row(line.cells), flush=True)
        whole = total(lines)
        print(_row(whole.cells))
        return int(bool(whole.crashed or whole.hung or whole.outside))


if __name__ == "__main__":
    sys.exit(main())
