"""The result as one page."""

from __future__ import annotations

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
from ecglens.reproduction.figures import Figures, Row
from ecglens.reproduction.results import Reproduction
from ecglens.reproduction.words import ASSUMPTIONS, COMPARE, CONTROLS, PAPER, PAPER_ACCURACY


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
            Section("All figures", tuple(_figures(found))),
            Section("Layers", (_layers(found),)),
            Section("Confusion matrices", (_matrices(found),)),
            Section("What the controls are", tuple(_controls(found))),
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
    return Tile(_per_cent(score.value), name, limits if score.low == score.low else "")


def _per_cent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _figures(found: Reproduction) -> Iterator[Block]:
    rows: list[tuple[Cell | str, ...]] = [
        ("The paper", "pooled (leaks)", "near 7,000", Cell(f"{PAPER_ACCURACY:.4f}"))
    ]
    n_columns = 5 + len(found.classes)
    for heading, below in found.sections():
        for number, row in enumerate(below):
            rows.append((heading if not number else "", row.title, *_cells(row, found.classes)))
    yield Table(
        head=("", "protocol", "windows", "accuracy", "macro-F1", *found.classes),
        rows=tuple((*row, *[""] * (n_columns - len(row))) for row in rows),
        caption=(
            "Accuracy, macro-F1 and the sensitivity of each class. Small figures are 95 % limits "
            "from drawing people, below windows the number of people."
        ),
        left=2,
    )
    refused = [row for _, below in found.sections() for row in below if row.why_not]
    yield from (Text(f"{row.title}: {row.why_not}.", small=True) for row in refused)


def _cells(row: Row, classes: Sequence[str]) -> list[Cell | str]:
    figures = row.figures
    if figures is None:
        return ["not possible"]
    people = f"{figures.n_subjects} people"
    found: list[Cell | str] = [Cell(f"{figures.n_windows:,}", people)]
    found += [_cell(figures.accuracy), _cell(figures.macro_f1)]
    for name in classes:
        score = figures.sensitivity.get(name)
        found.append("" if score is None else _cell(score))
    return found


def _cell(score: Score) -> Cell:
    if score.value != score.value:
        return Cell("–")
    limits = "" if score.low != score.low else f"{score.low:.2f}–{score.high:.2f}"
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
    return Columns(
        tuple(
            Matrix(
                title=f"{found.best.layer}, {row.title}",
                names=row.figures.classes,
                counts=row.figures.confusion,
                caption="Per cent of the row, and windows",
            )
            for row in (*found.best.rows, *found.controls.get("band", ()))
            if row.figures is not None
        )
    )


def _controls(found: Reproduction) -> Iterator[Block]:
    yield Facts(tuple(CONTROLS[name] for name in found.controls))


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
        head=("setting", "here", "from"), rows=ASSUMPTIONS, caption="The experiment.", left=3
    )
    yield Facts(tuple((name, str(value)) for name, value in found.settings.items()))
