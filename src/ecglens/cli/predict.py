"""``ecglens predict``: recordings to rhythm episodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecglens.cli.console import note, progress, say, say_json, table
from ecglens.cli.options import EngineOptions, RunOptions
from ecglens.cli.work import engine_settings, lead_choice, list_records
from ecglens.errors import RecordError, WindowError
from ecglens.files import make_folder

if TYPE_CHECKING:
    from ecglens.models import RhythmModel
    from ecglens.prediction import Timeline

EXAMPLE = "Example: ecglens predict mitdb/201 --model rhythm.ecglens --out episodes"


def run(
    files: Annotated[
        list[Path], typer.Argument(help="Records or folders of records.", show_default=False)
    ],
    model: Annotated[Path, typer.Option(help="Model file of 'ecglens train'.")],
    engine: EngineOptions,
    running: RunOptions,
    out: Annotated[
        Path | None, typer.Option(help="Folder for tables and figures.", show_default="none")
    ] = None,
    leads: Annotated[
        str, typer.Option(help="first, best, or names by preference: II,V5.")
    ] = "first",
    hop_s: Annotated[
        float | None, typer.Option(help="Seconds between windows (default: no overlap).")
    ] = None,
    fs: Annotated[
        float | None, typer.Option(help="Sampling rate of files that do not say it, Hz.")
    ] = None,
) -> None:
    """Find rhythm episodes in recordings; a bad file is reported and the rest go on."""
    from ecglens.models import load_model

    fitted = load_model(model, engine=engine_settings(engine))
    paths = list_records(files)
    folder = None if out is None else make_folder(out)
    names = _names(paths)
    said: list[dict[str, Any]] = []
    failed: list[RecordError | WindowError] = []
    for number, path in enumerate(paths, 1):
        try:
            with progress(f"{path.stem} ({number} of {len(paths)}), windows") as step:
                timeline = _predict(fitted, path, lead_choice(leads), hop_s, fs, step)
            if folder is not None:
                _save(timeline, folder, names[path])
        except (RecordError, WindowError) as error:
            failed.append(error)
            note(f"{path}: {error}")
            continue
        if running.json:
            said.append(timeline.to_dict())
        else:
            _say(timeline)
    if running.json:
        say_json({"records": said, "failed": [str(error) for error in failed]})
    if failed:
        note(f"{len(failed)} of {len(paths)} records failed")
        raise typer.Exit(failed[0].exit_code)


def _predict(
    model: RhythmModel,
    path: Path,
    leads: str | list[str],
    hop_s: float | None,
    fs: float | None,
    step: Callable[[int, int], None],
) -> Timeline:
    from ecglens.prediction import predict_record
    from ecglens.readers import open_record

    record = open_record(path, fs=fs)
    return predict_record(model, record, leads=leads, hop_s=hop_s, progress=step)


def _names(paths: Sequence[Path]) -> dict[Path, str]:
    """Return a file name for each record, no two alike.

    It is the stem; where two are alike with the folder's name before it, then with the ending
    behind it, then with a number.
    """
    names = {path: path.stem for path in paths}
    for path, name in _alike(names):
        names[path] = f"{path.resolve().parent.name}-{name}"
    for path, name in _alike(names):
        names[path] = f"{name}{path.suffix.replace('.', '-')}"
    for number, (path, name) in enumerate(_alike(names), 1):
        names[path] = f"{name}-{number}"
    return names


def _alike(names: Mapping[Path, str]) -> list[tuple[Path, str]]:
    times = Counter(names.values())
    return [(path, name) for path, name in names.items() if times[name] > 1]


def _save(timeline: Timeline, folder: Path, name: str) -> None:
    from ecglens.plots import plot_timeline, save_figure

    timeline.save_episodes_csv(folder / f"{name}.episodes.csv")
    timeline.save_windows_csv(folder / f"{name}.windows.csv")
    timeline.save_json(folder / f"{name}.json")
    save_figure(plot_timeline(timeline), folder / f"{name}.png")


def _say(timeline: Timeline) -> None:
    summary = timeline.summary()
    say(f"{timeline.record_id}, lead {timeline.lead}, {timeline.duration_s / 60:.1f} min")
    for text in timeline.notes:
        say(f"  note: {text}")
    share = ", ".join(f"{label} {part:.1%}" for label, part in summary["share"].items() if part > 0)
    say(f"  {share}")
    rows = [
        {
            "start_s": round(episode.start_s, 1),
            "end_s": round(episode.end_s, 1),
            "label": episode.label,
            "probability": "-" if episode.probability is None else f"{episode.probability:.2f}",
        }
        for episode in timeline.episodes
    ]
    say("  " + table(rows).replace("\n", "\n  "))
