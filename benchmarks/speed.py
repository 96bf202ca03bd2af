"""Speed of this package's route, stage by stage, beside other routes, in one run on one machine.

    python benchmarks/speed.py --markdown speed.md --json speed.json

Compared are the usual route (a matplotlib picture, read with PIL and shown to torch, fp32, one
window at a time) and the same network run in batches by torch and by ONNX Runtime. Networks have
random weights and signals are noise: neither changes the work. All is timed in turns, so that a
machine that slows down slows all alike; rates are medians over rounds. What lacks its library is
left out with a reason. docs/speed.md says how to read the tables.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ecglens.errors import EcglensError
from ecglens.files import write_json, write_text
from ecglens.models import save_model
from speed_growth import measure_growth
from speed_jobs import times_per_second
from speed_machine import describe_machine
from speed_plan import make_plan
from speed_report import format_report


def measure(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return all rates and what else the report says, JSON-ready."""
    plan = make_plan(args.backbones, args.training_windows, folder)
    rates = times_per_second(plan.jobs, args.seconds, args.rounds)
    growth: list[dict[str, Any]] = []
    if plan.models and args.hours:
        path = folder / "speed.ecglens"
        save_model(next(iter(plan.models.values())), path)
        growth = measure_growth(path, args.hours, folder)
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "command": f"python benchmarks/speed.py {' '.join(sys.argv[1:])}".strip(),
        "machine": describe_machine(),
        "rates": [{"what": list(key), "per_second": rate} for key, rate in rates.items()],
        "multiply_adds": plan.multiply_adds,
        "growth": growth,
        "skipped": plan.skipped,
    }


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the command's arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument(
        "--backbones",
        nargs="+",
        default=["ecglens-s", "densenet121"],
        help="names or ONNX files; the first one also judges the long recordings",
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each job in each round")
    parser.add_argument("--training-windows", type=int, default=1000, help="that heads remember")
    parser.add_argument(
        "--hours",
        type=float,
        nargs="*",
        default=[1, 6, 24, 48],
        help="lengths of recordings for time and memory; none after --hours leaves this out",
    )
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--markdown", type=Path, help="file for the tables")
    return parser.parse_args(words)


def main() -> int:
    """Print the tables and write them where asked."""
    args = parse()
    warnings.simplefilter("ignore")
    try:
        with tempfile.TemporaryDirectory() as folder:
            found = measure(args, Path(folder))
        report = format_report(found)
        if args.json is not None:
            write_json(args.json, found)
        if args.markdown is not None:
            write_text(args.markdown, report)
    except EcglensError as error:
        print(f"speed: error: {error}", file=sys.stderr)
        return error.exit_code
    print(report, end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
