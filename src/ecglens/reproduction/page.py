"""The result as one page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from ecglens import __version__
from ecglens.evaluation import Score
from ecglens.plots import plot_sweep, render_inline
from ecglens.reports import (
    Block,
    Cell,
    Columns,
    Facts,
    Matrix,
    Notice,
    Page,
    Picture,
    Section,
    Table,
    Text,
    Tile,
    Tiles,
)
from ecglens.reports.words import CLASS_NAMES, RESEARCH_USE
from ecglens.reproduction.figures import Figures
from ecglens.reproduction.results import Reproduction
from ecglens.reproduction.words import COMPARE, CONTROLS, PAPER, PAPER_ACCURACY


def make_page(found: Reproduction) -> Page:
    """Return the report."""
    pooled = found.best.of("pooled")
    n = 0 if pooled is None else pooled.n_windows
    people = 0 if pooled is None else pooled.n_subjects
    return Page(
        title="Salem, Taheri and Yuan (2018), reproduced",
        subtitle=(
            f"{n:,} windows of {people} people, {len(found.classes)} patterns, "
            f"{found.settings['network']}, {found.n_splits} folds"
        ),
        lead=_lead(found),
        opening=(_tiles(found), Notice("Which figure to compare", COMPARE)),
        sections=(
            Section("Beside the paper", tuple(_table(found))),
            Section("The rhythm, or the recorder?", tuple(_recorder(found))),
            Section("Layers", (_layers(found),)),
            Section("Confusion matrices", (_matrices(found),)),
            Section("Databases", tuple(_databases(found))),
            Section("Settings and assumptions", tuple(_settings(found))),
        ),
        classes={name: CLASS_NAMES.get(name, "") for name in found.classes},
        footer=(RESEARCH_USE, PAPER, f"Made by ecglens {__version__}."),
    )


def _lead(found: Reproduction) -> str:
    pooled, subject = found.best.of("pooled"), found.best.of("subject")
    said = f"The paper reports {_per_cent(PAPER_ACCURACY)} on pooled folds"
    if pooled is not None:
        said += f"; here the best of {len(found.layers)} layers reaches "
        said += f"{_per_cent(pooled.accuracy.value)} in them"
    if subject is not None:
        said += f", and {_per_cent(subject.accuracy.value)} on people it has not seen"
    return f"{said}."


def _tiles(found: Reproduction) -> Tiles:
    pooled, subject = found.best.of("pooled"), found.best.of("subject")
    tiles = [Tile(_per_cent(PAPER_ACCURACY), "the paper, pooled folds", "near 7,000 windows")]
    if pooled is not None:
        tiles.append(_tile(pooled, "here, pooled folds, which leak"))
    if subject is not None:
        tiles.append(_tile(subject, "here, new people, subject-wise"))
    band = _figures_of(found, "band", "band/subject")
    if band is not None:
        tiles.append(_tile(band, "new people, common rate and band"))
    return Tiles(tuple(tiles))


def _figures_of(found: Reproduction, control: str, key: str) -> Figures | None:
    rows = found.controls.get(control, ())
    return next((row.figures for row in rows if row.key == key), None)


def _tile(figures: Figures, name: str) -> Tile:
    score = figures.accuracy
    limits = f"95 % limits {100 * score.low:.1f} to {100 * score.high:.1f} %"
    return Tile(_per_cent(score.value), name, "" if math.isnan(score.low) else limits)


def _per_cent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _table(found: Reproduction) -> Iterator[Block]:
    """Yield what stands beside the paper's figure, a column for each protocol."""
    rows: list[tuple[Cell | str, ...]] = [
        ("The paper", Cell(f"{PAPER_ACCURACY:.4f}"), Cell("–"), Cell("–"))
    ]
    of_classes: list[tuple[Cell | str, ...]] = []
    for heading, below in found.sections():
        by_protocol = {row.key.rpartition("/")[2]: row.figures for row in below}
        pooled, subject = by_protocol.get("pooled"), by_protocol.get("subject")
        if pooled is None:
            continue
        new = [Cell("–")] * 2
        if subject is not None:
            new = [_cell(subject.accuracy), _cell(subject.macro_f1)]
        rows.append((heading, _cell(pooled.accuracy), *new))
        for number, (name, figures) in enumerate(
            (("pooled (leaks)", pooled), ("subject-wise", subject))
        ):
            if figures is not None:
                sensitivity = _sensitivities(figures, found.classes)
                of_classes.append(("" if number else heading, name, *sensitivity))
    yield Table(
        head=("accuracy", "pooled (leaks)", "subject-wise", "macro-F1"),
        rows=tuple(rows),
        caption=(
            f"Accuracy, and subject-wise macro-F1, all on the same windows in {found.n_splits} "
            "folds. Small figures are 95 % limits from drawing people."
        ),
    )
    yield Table(
        head=("", "protocol", *found.classes),
        rows=tuple(of_classes),
        caption="Sensitivity: of the windows of a class, the share that was found.",
        left=2,
    )


def _control(found: Reproduction, name: str) -> Iterator[Block]:
    """Yield a control whose rows are of windows of their own."""
    rows = found.controls.get(name, ())
    measured = [(row.title, row.figures) for row in rows if row.figures is not None]
    title, word = CONTROLS[name]
    if measured:
        shown = () if name == "recorder" else found.classes
        beside = " Beside the accuracy the sensitivity of each class." if shown else ""
        yield Table(
            head=("", "windows", "people", "accuracy", *shown),
            rows=tuple(
                (
                    row,
                    f"{figures.n_windows:,}",
                    str(figures.n_subjects),
                    _cell(figures.accuracy),
                    *_sensitivities(figures, shown),
                )
                for row, figures in measured
            ),
            caption=f"{title}: {word}{beside}",
        )
    refused = (row for row in rows if row.why_not)
    yield from (Text(f"{title}: {row.title}: {row.why_not}.", small=True) for row in refused)


def _sensitivities(figures: Figures, classes: Sequence[str]) -> list[str]:
    scores = (figures.sensitivity.get(name) for name in classes)
    return ["–" if one is None or math.isnan(one.value) else f"{one.value:.3f}" for one in scores]


def _cell(score: Score) -> Cell:
    if math.isnan(score.value):
        return Cell("–")
    limits = "" if math.isnan(score.low) else f"{score.low:.2f}–{score.high:.2f}"
    return Cell(f"{score.value:.3f}", limits)


def _layers(found: Reproduction) -> Picture:
    return Picture(
        render_inline(plot_sweep(found.sweep)),
        alt="Pooled accuracy and subject-wise macro-F1 of every layer, in network order.",
        caption=(
            "Each layer averaged over positions. The best of many is a little too good, since it "
            "was chosen on the folds it is measured on."
        ),
        wide=True,
    )


def _matrices(found: Reproduction) -> Columns:
    shown = [(f"{found.best.layer}, {row.title}", row.figures) for row in found.best.rows]
    band = found.controls.get("band", ())
    shown += [(f"common rate and band, {row.title}", row.figures) for row in band]
    return Columns(
        tuple(
            Matrix(title, figures.classes, figures.confusion, "Per cent of the row, and windows")
            for title, figures in shown
            if figures is not None
        )
    )


def _recorder(found: Reproduction) -> Iterator[Block]:
    for name in ("recorder", "within", "left-out"):
        yield from _control(found, name)
    yield Text("Above, on the windows of the experiment:")
    yield Facts(tuple(CONTROLS[name] for name in ("band", "random", "shuffled")))
    refused = (
        row for name in ("band", "random", "shuffled") for row in found.controls.get(name, ())
    )
    yield from (Text(f"{row.title}: {row.why_not}.", small=True) for row in refused if row.why_not)


def _databases(found: Reproduction) -> Iterator[Block]:
    rows = tuple(
        (
            str(row["database"]),
            Cell(str(row["class"]), label=str(row["class"])),
            f"{row['windows']:,}",
            f"{row['controls']:,}",
            str(row["subjects"]),
        )
        for row in found.databases
    )
    yield Table(
        head=("database", "class", "windows", "for the controls", "people"),
        rows=rows,
        caption="Windows of the experiment, and more of the same databases for the controls.",
        left=2,
    )
    if found.plan:
        yield Table(
            head=("database", "first choice for", "records", "of each"),
            rows=tuple(
                (
                    str(row["database"]),
                    ", ".join(row["first_choice_for"]) or "controls",
                    str(len(row["records"])),
                    "all" if row["minutes"] is None else f"{row['minutes']:g} min",
                )
                for row in found.plan
            ),
            caption="Which records were taken.",
            left=2,
        )
    yield from (Text(note[:1].upper() + note[1:] + ".", small=True) for note in found.notes)


def _settings(found: Reproduction) -> Iterator[Block]:
    yield Text(
        "The abstract gives the outline and the full text was not at hand: what the outline "
        "leaves open is an assumption."
    )
    yield Table(
        head=("setting", "here", "from"), rows=found.assumptions, caption="The experiment.", left=3
    )
    yield Facts(tuple((name, str(value)) for name, value in found.settings.items()))
