"""``ecglens demo``: the whole job on virtual patients, with a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ecglens.cli.console import progress, say, say_json
from ecglens.cli.options import RunOptions

if TYPE_CHECKING:
    from ecglens.demo import DemoResult

EXAMPLE = "Example: ecglens demo --hours 2 --out ecglens-demo"


def run(
    running: RunOptions,
    out: Annotated[Path, typer.Option(help="Folder for the report and all files.")] = Path(
        "ecglens-demo"
    ),
    patients: Annotated[int, typer.Option(help="Virtual patients to learn from, 12 to 1000.")] = 40,
    hours: Annotated[float, typer.Option(help="Length of the Holter, 0.1 to 24 hours.")] = 1.0,
    backbone: Annotated[
        str, typer.Option(help="Network that comes with ecglens, timm network or .onnx file.")
    ] = "ecglens-s",
) -> None:
    """Do the whole job on virtual patients: train, evaluate, find episodes, write a report.

    A rehearsal, not evidence: no recording and no download is needed.
    """
    from ecglens.demo import DemoSettings, run_demo

    settings = DemoSettings(patients, hours, backbone, running.random_state)
    result = run_demo(out, settings, steps=progress)
    if running.json:
        say_json({"out": str(out), **result.to_dict()})
    else:
        _say(result, out)


def _say(result: DemoResult, out: Path) -> None:
    from ecglens.demo import REHEARSAL, next_steps, shipped_verdict, verdict

    say(f"{REHEARSAL}\n")
    say(f"{verdict(result)}\n")
    for protocol in ("subject", "pooled"):
        scores = result.evaluation.results[protocol]
        say(f"  {scores.short_title:<15} accuracy {scores.accuracy}, macro-F1 {scores.macro_f1}")
    say(f"\n{shipped_verdict(result)}")
    say(f"\nThe report is {out / 'report.html'}; open it in a browser.\n\nNext:")
    for word, command in next_steps(result.settings.backbone, out):
        say(f"  {word}\n    {command}")
