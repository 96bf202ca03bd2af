"""The model's card as a page of the documentation, so that no figure is copied by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ecglens.models import RhythmModel
from tools.rhythm4.card import RHYTHMS, percent

_MANY = 10
_USE = {
    "rhythm4": "`ecglens predict my.edf` judges by it where no `--model` is named. [`rhythm4-fast`]"
    "(rhythm4-fast.md) is smaller and faster, and a little less often right. ",
    "rhythm4-fast": "`ecglens predict --model rhythm4-fast my.edf` judges by it, faster than by "
    "[`rhythm4`](rhythm4.md), which is a little more often right. ",
}
_PROTOCOLS = {"subject": "subject-wise", "pooled": "pooled (leaks)"}


def document(model: RhythmModel, path: Path, sha256: str) -> str:
    """Return the page of a model that lies in a file.

    Args:
        model: as loaded.
        path: of the file, for its size.
        sha256: of the file.
    """
    card = model.card
    parts = [
        *_opening(model, path, sha256),
        *_people(card),
        *_figures(card),
        *_others(card),
        "## Known failures",
        *[f"- {text}" for text in card["known_failures"]],
        "",
        *_rebuilding(card),
    ]
    return "\n".join(parts) + "\n"


def _opening(model: RhythmModel, path: Path, sha256: str) -> Iterator[str]:
    card, trained, recipe = model.card, model.card["trained"], model.recipe
    yield f"# A model that comes with ecglens, `{path.stem}`"
    yield (
        f"{_USE.get(path.stem, '')}This page is its card, printed by the tool that trained it; the "
        "file holds the same.\n"
    )
    yield f"**Intended use.** {card['intended_use']}\n"
    yield "| | |"
    yield "|---|---|"
    yield f"| classes | {', '.join(model.classes)} |"
    yield f"| window | {model.length_s:g} s of one lead, brought to {model.fs:g} Hz |"
    yield f"| recipe | `{recipe.name}` on `{recipe.backbone}`, head `{recipe.head}` |"
    n_windows, n_people = sum(card["windows"].values()), len(card["subjects"])
    yield f"| trained on | {n_windows} windows of {n_people} people |"
    yield f"| trained | {trained['date'] or '–'}, revision {trained['revision'] or '–'} |"
    yield f"| file | {path.stat().st_size / 1e6:.1f} MB, SHA-256 `{sha256}` |"
    yield (
        "| licence | Apache-2.0, as the rest of ecglens; the data have their own, below, which ask "
        "that their sources be named |"
    )
    yield ""


def _people(card: Mapping[str, Any]) -> Iterator[str]:
    yield "## Who it was trained on"
    yield (
        "Windows, and people in brackets. The file names every person; of a recording of one of "
        "them the program says that its result tells nothing of new people.\n"
    )
    classes = sorted({label for row in card["sources"] for label in row["windows"]})
    yield from table(
        ["database", *classes, "all", "licence"],
        [
            [
                row["database"],
                *[
                    f"{row['windows'][label]} ({row['subjects'][label]})"
                    if label in row["windows"]
                    else ""
                    for label in classes
                ],
                f"{row['n_windows']} ({row['n_subjects']})",
                row.get("licence", ""),
            ]
            for row in card["sources"]
        ],
    )
    yield ""
    for row in card["sources"]:
        if "title" in row:
            prepared = f" Here: {row['prepared']}." if row["prepared"] else ""
            yield (
                f"- {row['database']}: {row['title']}, doi {row['doi']}. "
                f"{row['citation'].strip()}{prepared}"
            )
    yield ""


def _figures(card: Mapping[str, Any]) -> Iterator[str]:
    evaluation = card["evaluation"]
    results = {name: evaluation["results"][name] for name in _PROTOCOLS}
    yield "## How well it does"
    yield (
        f"{evaluation['n_splits']} folds over the windows it was trained on, the recipe fitted "
        "anew in each; 95 % limits from drawing people anew. Subject-wise is what to expect of a "
        "new person from such databases. Pooled folds have windows of one person on both sides: "
        "they leak, and are here for comparison with papers alone. The recipe was chosen on these "
        "people, so the figures are a little optimistic.\n"
    )
    rows = [
        [name, *[limits(results[p][key]) for p in results]]
        for name, key in (("accuracy", "accuracy"), ("macro-F1", "macro_f1"))
    ]
    for i, row in enumerate(results["subject"]["per_class"]):
        for key in ("sensitivity", "specificity", "ppv"):
            scores = [limits(results[p]["per_class"][i][key]) for p in results]
            rows.append([f"{row['name']}: {key.replace('ppv', 'PPV')}", *scores])
    yield from table(["", *_PROTOCOLS.values()], rows)
    yield ""
    yield "By database, subject-wise:\n"
    classes = evaluation["classes"]
    yield from table(
        ["database", "windows", "people", "accuracy", *[f"sensitivity {c}" for c in classes]],
        [
            [
                row["database"],
                str(row["n_windows"]),
                str(row["n_subjects"]),
                number(row["accuracy"]),
                *[number(row["sensitivity"][label]) for label in classes],
            ]
            for row in results["subject"]["per_database"]
        ],
    )
    yield ""
    yield from _by_person(results["subject"]["per_subject"])
    yield from _abstention(card)


def _by_person(people: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    many = sorted((row["accuracy"], row["subject"]) for row in people if row["n_windows"] >= _MANY)
    if not many:
        return
    low, middle = (quantile([accuracy for accuracy, _ in many], q) for q in (0.1, 0.5))
    worst = ", ".join(f"{name} {number(accuracy)}" for accuracy, name in many[:5])
    yield (
        f"By person, subject-wise: of the {len(many)} people with {_MANY} windows or more, half "
        f"have an accuracy of {number(middle)} or more and a tenth one of {number(low)} or less. "
        f"The worst are {worst}.\n"
    )


def _abstention(card: Mapping[str, Any]) -> Iterator[str]:
    figures = card["abstention"]
    by_class = ", ".join(
        f"{label} {percent(share)}" for label, share in figures["coverage_by_class"].items()
    )
    yield (
        f"By itself it claims a class for {percent(figures['coverage'])} of the windows of new "
        f"people ({by_class}), of which {percent(figures['error'])} are wrong; without abstention "
        f"{percent(figures['error_at_full_coverage'])} would be (every person weighing the same; "
        "neighbouring windows, which a recording has, are not counted in).\n"
    )


def _others(card: Mapping[str, Any]) -> Iterator[str]:
    if not card["other_rhythms"]:
        return
    classes = list(card["windows"])
    yield "## Rhythms that it never learnt"
    yield (
        "Windows of people left out of training, each judged by itself: share that is given a "
        "class, and that is given none; the last column is the part of these that is refused for "
        "its signal before the model sees it, by reason.\n"
    )
    yield from table(
        ["rhythm", "windows", "people", *classes, "none", "refused"],
        [
            [
                f"{row['rhythm']}, {RHYTHMS.get(row['rhythm'], '–')}",
                str(row["n_windows"]),
                str(row["n_subjects"]),
                *[number(row["claimed"][label]) for label in classes],
                number(row["not_claimed"]),
                reasons(row["refused"]),
            ]
            for row in card["other_rhythms"]
        ],
    )
    yield ""
    by_class = "; ".join(f"{name} {reasons(card['refused'][name])}" for name in classes)
    yield f"Of the windows it was trained on, the same rules would refuse by class: {by_class}.\n"


def _rebuilding(card: Mapping[str, Any]) -> Iterator[str]:
    trained = card["trained"]
    yield "## Making it again"
    yield "The same data and revision give the same bytes on the same kind of machine.\n"
    yield "```sh"
    yield trained["command"]
    yield "```"
    yield f"SHA-256 of the windows file: `{trained['data_sha256']}`.\n"
    yield (
        "Whatever this model says of recordings of these databases leaks: it was trained on their "
        "people."
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def limits(score: Mapping[str, float | None]) -> str:
    """Return a score with its limits."""
    value, low, high = score["value"], score["low"], score["high"]
    if value is None or low is None or high is None:
        return number(value)
    return f"{value:.3f} ({low:.2f} to {high:.2f})"


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which a share of ordered values lies."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def reasons(shares: Mapping[str, float]) -> str:
    """Return shares with their reasons, or a dash for none."""
    return ", ".join(f"{reason} {number(share)}" for reason, share in shares.items()) or "–"


def number(value: float | None) -> str:
    """Return three decimals, or a dash for none."""
    return "–" if value is None else f"{value:.3f}"
