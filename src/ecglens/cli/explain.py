"""``ecglens explain``: what in the image of a moment spoke for a class."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecglens.cli.console import say, say_json
from ecglens.cli.options import DEFAULT_MODEL, EngineOptions, Model, RunOptions
from ecglens.cli.work import check_place, engine_settings, say_bundled
from ecglens.errors import UnreadableWindowError, UsageError, WindowError

if TYPE_CHECKING:
    from ecglens.explanation import Explanation

EXAMPLE = "Example: ecglens explain mitdb/201 --at 30 --out why.png"


def run(
    record: Annotated[Path, typer.Argument(help="Recording.", show_default=False)],
    at: Annotated[float, typer.Option(help="Moment in the middle of the window, seconds.")],
    engine: EngineOptions,
    running: RunOptions,
    model: Model = DEFAULT_MODEL,
    label: Annotated[
        str | None, typer.Option(help="Class to ask about.", show_default="the likeliest")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Figure to write: .png, .svg or .pdf.", show_default="none"),
    ] = None,
    lead: Annotated[
        str | None,
        typer.Option(help="Lead.", show_default="the one that reads best, as in predict"),
    ] = None,
    method: Annotated[
        str, typer.Option(help="auto, activation (linear heads) or occlusion.")
    ] = "auto",
    fs: Annotated[
        float | None, typer.Option(help="Sampling rate of files that do not say it, Hz.")
    ] = None,
) -> None:
    """Say and draw which part of a moment's spectrogram spoke for a class."""
    from ecglens.databases import open_record
    from ecglens.explanation import explain_record
    from ecglens.models import load_model
    from ecglens.plots import check_figure
    from ecglens.windows import lead_rows

    if out is not None:
        check_place(out)
        check_figure(out)
    fitted = load_model(model, engine=engine_settings(engine))
    say_bundled(model)
    opened = open_record(record, fs=fs)
    if not 0 <= at <= opened.duration_s:
        raise UsageError(
            f"--at {at:g} lies outside record {opened.record_id!r}, which lasts "
            f"{opened.duration_s:.1f} s; give a moment within it"
        )
    chosen = lead_rows(opened, "best")[0] if lead is None else opened.lead_index(lead)
    try:
        found = explain_record(
            fitted, opened, at - fitted.length_s / 2, label, lead=chosen, method=method
        )
    except UnreadableWindowError as error:
        name = opened.lead_names[chosen]
        raise WindowError(
            f"lead {name} of record {opened.record_id!r} cannot be read around {at:g} s; choose "
            "another moment (--at) or lead (--lead)"
        ) from error
    if out is not None:
        _draw(found, out)
    if running.json:
        say_json({**_facts(found), "model": model.name})
        return
    say(f"{found.record_id}, lead {found.lead}, {found.start_s:.1f} to {found.end_s:.1f} s")
    say(f"{found.label}, probability {found.probability:.2f}: {found.sentence()} ({found.method})")


def _draw(found: Explanation, out: Path) -> None:
    from ecglens.plots import plot_explanation, save_figure

    save_figure(plot_explanation(found), out)


def _facts(found: Explanation) -> dict[str, Any]:
    evidence = found.evidence()
    return {
        "record": found.record_id,
        "lead": found.lead,
        "start_s": found.start_s,
        "end_s": found.end_s,
        "label": found.label,
        "probability": found.probability,
        "score": found.score,
        "method": found.method,
        "evidence": None if evidence is None else asdict(evidence),
        "times_s": found.times_s.tolist(),
        "time_course": found.time_course.tolist(),
        "frequencies_hz": found.frequencies_hz.tolist(),
        "lags_s": found.lags_s.tolist(),
        "heat": found.heat.tolist(),
    }
