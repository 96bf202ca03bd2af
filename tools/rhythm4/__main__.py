"""Train a model that comes with ecglens, and print its card.

    python -m tools.rhythm4 --data rhythm4_visible.npz --records mitdb vfdb cudb
    python -m tools.rhythm4 --name rhythm4-fast --recipe fast --data ... --records ...

writes ``src/ecglens/models/bundled_files/rhythm4.ecglens`` and ``docs/rhythm4.md``. The data file
is that of ``benchmarks/rhythm4.py``; the records are folders of annotated recordings of the same
people, of whose other rhythms the card tells. With ``--most`` windows of the records join those of
the data file, up to so many of each person and class.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.progress import Progress

from ecglens.errors import EcglensError
from ecglens.files import cache_folder, write_text
from ecglens.models import load_model, save_model
from ecglens.models.bundled import SUFFIX
from ecglens.windows import Windows, concatenate_windows
from tools.rhythm4.data import more_windows, open_records, other_windows, read_yardstick
from tools.rhythm4.document import document
from tools.rhythm4.training import Features, hash_of, train

NAME = "rhythm4"
MODELS = Path("src/ecglens/models/bundled_files")
DOCUMENTS = Path("docs")
_PLAIN = {"most": 0, "leads": "first", "recipe": "default", "name": NAME}


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    """Return the command's arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.rhythm4", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--data", type=Path, required=True, help="windows (.npz) of rhythm4")
    parser.add_argument("--records", type=Path, nargs="*", default=[], help="folders of records")
    parser.add_argument("--most", type=int, default=0, help="windows of a person and class")
    parser.add_argument("--leads", default="first", help="of the records: first, best or all")
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--name", default=NAME, help="of the model")
    parser.add_argument("--out", type=Path, help="model file")
    parser.add_argument("--document", type=Path, help="card (.md)")
    parser.add_argument("--cache", type=Path, help="folder of computed features")
    parser.add_argument("--date", default="", help="for the card")
    parser.add_argument("--revision", default="", help="of this repository, for the card")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Train, and write model and card."""
    args = parse(words)
    try:
        with Progress(disable=not sys.stdout.isatty()) as bars:
            said = run(args, bars)
    except EcglensError as error:
        sys.stderr.write(f"rhythm4: error: {error}\n")
        return error.exit_code
    sys.stdout.write(said)
    return 0


def run(args: argparse.Namespace, bars: Progress) -> str:
    """Return the evaluation and the card."""

    @contextlib.contextmanager
    def steps(name: str) -> Iterator[Callable[[int, int], None]]:
        task = bars.add_task(name, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)

    windows, others = read(args)
    trained = {
        "date": args.date,
        "revision": args.revision,
        "command": command(args),
        "data_sha256": hash_of(args.data),
    }
    make = Features.of(args.recipe, args.cache or cache_folder() / "features")
    model, evaluation = train(windows, others, make, trained, steps)
    out = args.out or MODELS / f"{args.name}{SUFFIX}"
    save_model(model, out)
    page = document(load_model(out), out, hash_of(out))
    write_text(args.document or DOCUMENTS / f"{args.name}.md", page)
    return f"{evaluation.format_table()}\n\n{page}"


def read(args: argparse.Namespace) -> tuple[Windows, Windows | None]:
    """Return the windows to train on, and those of rhythms that are no class."""
    windows = read_yardstick(args.data)
    records = open_records(args.records)
    if args.most and records:
        more = more_windows(windows, records, args.most, args.leads)
        windows = windows if more is None else concatenate_windows([windows, more])
    return windows, other_windows(records) if records else None


def command(args: argparse.Namespace) -> str:
    """Return the command that asks for this, without the folders of this machine."""
    words = ["python -m tools.rhythm4", "--data", args.data.name]
    if args.records:
        words += ["--records", *(folder.name for folder in args.records)]
    for name, default in _PLAIN.items():
        if getattr(args, name) != default:
            words += [f"--{name}", str(getattr(args, name))]
    for name in ("date", "revision"):
        if getattr(args, name):
            words += [f"--{name}", getattr(args, name)]
    return " ".join(words)


if __name__ == "__main__":
    raise SystemExit(main())
