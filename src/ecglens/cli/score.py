"""``ecglens score``: predicted episodes against annotated ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ecglens.cli.console import note, progress, say, say_json
from ecglens.cli.options import RunOptions
from ecglens.cli.work import list_records, split
from ecglens.errors import EvaluationError
from ecglens.files import make_folder, write_json, write_text

if TYPE_CHECKING:
    from ecglens.evaluation.recordings import RecordingScores, Span

EXAMPLE = "Example: ecglens score episodes --reference mitdb --reference vfdb"


def run(
    predicted: Annotated[
        list[Path],
        typer.Argument(
            help="Folders of 'ecglens predict --out', or tables of episodes; with --annotator "
            "records or folders of them."
        ),
    ],
    reference: Annotated[
        list[Path], typer.Option(help="Annotated record or folder of them; repeatable.")
    ],
    running: RunOptions,
    annotator: Annotated[
        str | None,
        typer.Option(help="Ending of WFDB annotation files that are the prediction: rhythm."),
    ] = None,
    label_map: Annotated[
        str, typer.Option("--map", help="Rhythms to classes: rhythm4, af, shockable, or TOML.")
    ] = "rhythm4",
    shock: Annotated[
        str | None,
        typer.Option(
            help="Classes for which a shock is advised, separated by commas.",
            show_default="VF and shockable, where the map has them",
        ),
    ] = None,
    window_s: Annotated[
        float, typer.Option(min=1.0, help="Window of the table for shockable rhythm, seconds.")
    ] = 10.0,
    least_s: Annotated[
        float, typer.Option(min=0.0, help="Episodes shorter than this are not counted.")
    ] = 0.0,
    overlap: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="Share of an episode to cover (0: any) to meet it."),
    ] = 0.0,
    bootstrap: Annotated[int, typer.Option(min=0, help="Bootstrap draws over subjects.")] = 1000,
    records: Annotated[bool, typer.Option("--records", help="Print every record too.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the tables.", show_default="none")
    ] = None,
) -> None:
    """Score predicted episodes in the manner of EC57, and shocks in that of the AHA."""
    folder = None if out is None else make_folder(out)
    spans = _predictions(predicted, annotator, label_map)
    scores = _score(
        spans, reference, label_map, shock, window_s, least_s, overlap, bootstrap,
        running.random_state,
    )  # fmt: skip
    if folder is not None:
        write_json(folder / "scores.json", scores.to_dict())
        write_text(folder / "scores.csv", scores.to_csv())
        write_text(folder / "scores.md", scores.to_markdown())
    if running.json:
        say_json(scores.to_dict())
    else:
        say(scores.format_table(per_record=records))


def _predictions(
    sources: Sequence[Path], annotator: str | None, label_map: str
) -> dict[str, list[Span]]:
    from ecglens.databases import open_record
    from ecglens.evaluation.recordings import (
        annotated_predictions,
        read_predictions,
        seen_in_training,
    )
    from ecglens.labels import load_label_map

    if annotator is None:
        spans = read_predictions(sources)
        if seen := seen_in_training(sources):
            note(
                f"{len(seen)} of {len(spans)} recordings are of people whom their model was "
                "trained on: these scores leak and say nothing of new people"
            )
        return spans
    records = (open_record(path, annotator=annotator) for path in list_records(sources))
    return annotated_predictions(records, load_label_map(label_map))


def _score(
    spans: Mapping[str, list[Span]],
    reference: Sequence[Path],
    label_map: str,
    shock: str | None,
    window_s: float,
    least_s: float,
    overlap: float,
    bootstrap: int,
    random_state: int,
) -> RecordingScores:
    from ecglens.databases import open_record
    from ecglens.evaluation.recordings import Comparison
    from ecglens.labels import load_label_map

    comparison = Comparison(
        load_label_map(label_map),
        shock=None if shock is None else split(shock),
        window_s=window_s,
        least_s=least_s,
        overlap=overlap,
    )
    paths = list_records(reference)
    compared: set[str] = set()
    with progress("comparing") as step:
        for done, path in enumerate(paths, 1):
            record = open_record(path)
            if record.record_id in spans:
                if record.record_id in compared:
                    raise EvaluationError(
                        f"{path}: two references are named {record.record_id!r}; give one folder"
                    )
                record.known_rhythms()  # one that is damaged is not one of no rhythm
                comparison.add(record, spans[record.record_id])
                compared.add(record.record_id)
            step(done, len(paths))
    lacking = sorted(set(spans) - compared)
    if lacking:
        raise EvaluationError(
            f"no annotated record for {', '.join(lacking[:5])}{' ...' if lacking[5:] else ''}; "
            "give its folder with --reference"
        )
    scores = comparison.scores(n_bootstrap=bootstrap, random_state=random_state)
    if len(paths) > len(compared):
        note(f"{len(paths) - len(compared)} annotated records were not predicted")
    return scores
