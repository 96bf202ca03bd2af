"""The page of one prediction, in the order in which one wants to know it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from ecglens.evaluation.tables import counted
from ecglens.plots import render_inline
from ecglens.prediction import INCONCLUSIVE, UNREADABLE, Episode, Timeline
from ecglens.quality import SILENT
from ecglens.records import Recording
from ecglens.reports.blocks import (
    Block,
    Cell,
    Facts,
    Folded,
    Notice,
    Picture,
    Shares,
    Table,
    Text,
    Tile,
    Tiles,
)
from ecglens.reports.episodes import drawn, episode_tables, ranked
from ecglens.reports.model_facts import ModelFacts
from ecglens.reports.page import Page, Section
from ecglens.reports.stretches import stretch_plot
from ecglens.reports.strips import clock, decimals_of
from ecglens.reports.timelines import rhythm_strip
from ecglens.reports.trends import trend_plot
from ecglens.reports.words import (
    BACKGROUND,
    CLASS_NAMES,
    RESEARCH_USE,
    duration,
    per_cent,
    rank_of,
)

Explain = Callable[[Episode], Figure | str | None]

_OPEN = 6
_MOST_NOTES = 20
_THRESHOLDS = {
    "alpha": "Share that may be lost",
    "min_probability": "Least probability",
    "max_distance": "Farthest from training",
    "min_duration_s": "Least duration, s",
}


def make_page(
    timeline: Timeline,
    record: Recording,
    model: ModelFacts,
    explain: Explain | None = None,
) -> Page:
    """Return the page of a prediction; see :func:`ecglens.reports.predictions.save_prediction`."""
    summary = timeline.summary()
    rows = ranked(timeline)
    stretches = _stretches(timeline, record, model, drawn(rows), explain)
    return Page(
        title=timeline.record_id,
        subtitle=(
            f"{_recorded(timeline.duration_s)} of lead {timeline.lead} at {record.fs:g} Hz, judged "
            f"by {model.name}"
        ),
        lead=headline(summary),
        opening=tuple(_opening(timeline, summary)),
        sections=(
            Section("Rhythm over time", tuple(_rhythm(timeline, summary))),
            Section("Heart rate and quality", (trend_plot(timeline), *_reasons(summary))),
            Section("Episodes", tuple(episode_tables(timeline, rows))),
            Section("Where episodes start", tuple(stretches)),
            Section("Model", tuple(_model(model))),
        ),
        classes={name: CLASS_NAMES.get(name, "") for name in timeline.classes},
        footer=(RESEARCH_USE, f"Made by ecglens {model.version}."),
    )


def headline(summary: Mapping[str, Any]) -> str:
    """Return what was found in a sentence or two, the most urgent first."""
    if not summary["readable_s"]:
        nothing = f"Nothing could be judged: all {duration(summary['covered_s'])} are unreadable."
        return " ".join(filter(None, (*_silence(summary), nothing)))
    burden, seconds, share = summary["burden"], summary["seconds"], summary["share"]
    classes = [label for label in burden if rank_of(label) < rank_of(INCONCLUSIVE)]
    classes.sort(key=lambda label: (rank_of(label), -seconds[label], label))
    parts = [_found(label, burden[label], seconds[label], share[label]) for label in classes]
    none = [label for label in classes if not seconds[label]]
    said = [part for part in parts if part]
    if none:
        said.append(f"no {' or '.join(filter(None, (', '.join(none[:-1]), none[-1])))}")
    rest = [
        f"{label} {duration(seconds[label])} ({per_cent(share[label])})"
        for label in (*BACKGROUND, INCONCLUSIVE)
        if seconds.get(label)
    ]
    sentences = [*_silence(summary), "; ".join(said)] if said else _silence(summary)
    if rest:
        sentences.append(f"{'The rest is ' if said else ''}{', '.join(rest)}")
    if seconds[UNREADABLE]:
        sentences.append(
            f"{duration(seconds[UNREADABLE])} ({per_cent(share[UNREADABLE])} of the time judged) "
            "could not be read"
        )
    return " ".join(f"{text[0].upper()}{text[1:].removesuffix('.')}." for text in sentences)


def _silence(summary: Mapping[str, Any]) -> list[str]:
    """Say how long no heart was seen at work, before all else: it may be asystole."""
    seconds = summary["reasons"][UNREADABLE].get(SILENT)
    return (
        [f"No beats and hardly any signal for {duration(seconds)} ({SILENT})."] if seconds else []
    )


def _found(label: str, burden: Mapping[str, Any], seconds: float, share: float) -> str:
    if not seconds:
        return ""
    n = burden["n_episodes"]
    several = f"{n} episodes, longest {duration(burden['longest_s'])}"
    return (
        f"{label} {duration(seconds)} ({per_cent(share)} of readable time) in "
        f"{several if n > 1 else 'one episode'}"
    )


def _recorded(seconds: float) -> str:
    """Return the length of a recording, which ends at any sample: tenths tell enough of it."""
    return duration(round(seconds, 1))


def _opening(timeline: Timeline, summary: Mapping[str, Any]) -> Iterator[Block]:
    for note in timeline.notes[:_MOST_NOTES]:
        yield Notice("Mind:", note)
    n_left = len(timeline.notes) - _MOST_NOTES
    if n_left > 0:
        yield Notice("Mind:", f"{n_left} more notes are in summary.json")
    rate, quality = summary["heart_rate"], summary["quality"]
    readable = summary["readable_s"] / summary["covered_s"]
    beats = "–" if rate["median"] is None else f"{rate['median']:.0f}/min"
    spread = "no beats found" if rate["p5"] is None else f"{rate['p5']:.0f} to {rate['p95']:.0f}"
    yield Tiles(
        (
            Tile(_recorded(summary["duration_s"]), "recorded",
                 f"{per_cent(readable)} readable of what was judged"),
            Tile(beats, "heart rate, median", f"{spread}, 5th to 95th percentile"
                 if rate["p5"] is not None else spread),
            Tile("–" if quality["median"] is None else f"{quality['median']:.2f}",
                 "signal quality, median", "0 none, 1 clean"),
            Tile(per_cent(summary["share"][INCONCLUSIVE]), INCONCLUSIVE, "of readable time"),
        )
    )  # fmt: skip


def _rhythm(timeline: Timeline, summary: Mapping[str, Any]) -> Iterator[Block]:
    yield rhythm_strip(timeline)
    yield Text(
        f"Grey is {INCONCLUSIVE}: the model names no class. Hatched is {UNREADABLE}: the signal "
        f"cannot be judged. {_looks(timeline)}",
        small=True,
    )
    seconds, covered_s = summary["seconds"], summary["covered_s"]
    there = [label for label in (*timeline.classes, INCONCLUSIVE, UNREADABLE) if seconds[label]]
    yield Shares([(label, seconds[label] / covered_s, duration(seconds[label])) for label in there])
    others = (label for label in there if label not in timeline.classes)
    yield _burden_table(summary, (*timeline.classes, *others))


def _burden_table(summary: Mapping[str, Any], labels: Sequence[str]) -> Table:
    seconds, share, burden = summary["seconds"], summary["share"], summary["burden"]
    starts = [burden[label]["longest_start_s"] for label in labels]
    n_decimals = decimals_of(start for start in starts if start is not None)
    rows = [
        (
            Cell(label, CLASS_NAMES.get(label, ""), label=label),
            per_cent(share[label]),
            duration(seconds[label]),
            f"{burden[label]['n_episodes']}",
            duration(burden[label]["longest_s"]),
            "–" if start is None else clock(start, n_decimals),
        )
        for label, start in zip(labels, starts, strict=True)
    ]
    return Table(
        ("rhythm", "share", "time", "episodes", "longest", "from"),
        rows,
        caption=f"Shares are of the readable time; that of {UNREADABLE} is of all time judged.",
    )


def _looks(timeline: Timeline) -> str:
    """Say where episodes can start and end."""
    length, hop = f"{timeline.length_s:g} s", f"{timeline.hop_s:g} s"
    if length == hop:
        grid = "so that episodes start and end on that grid"
    else:
        grid = (
            f"each look speaking for the {hop} around its middle: one episode gives way to the "
            "next half-way between two middles"
        )
    return f"The model looks at {length} at a time, every {hop}, {grid}."


def _reasons(summary: Mapping[str, Any]) -> Iterator[Block]:
    for label, reasons in summary["reasons"].items():
        said = [f"{reason or 'no reason given'} {duration(s)}" for reason, s in reasons.items()]
        if said:
            yield Text(f"Why {label}: {', '.join(said)}.", small=True)


def _stretches(
    timeline: Timeline,
    record: Recording,
    model: ModelFacts,
    episodes: Sequence[Episode],
    explain: Explain | None,
) -> Iterator[Block]:
    if not episodes:
        yield Text("There is no readable stretch to draw.")
        return
    yield Text(
        "The ECG above the images that the network sees, bright where the signal is strong. The "
        "buttons stretch the time axis, which can then be moved sideways.",
        small=True,
    )
    blocks: list[Block] = []
    opened = 0
    for number, episode in enumerate(episodes, 1):
        blocks.append(stretch_plot(timeline, record, episode, model.image))
        found = None if explain is None else explain(episode)
        if found is not None:
            blocks.append(_explained(episode, found))
        opened = len(blocks) if number <= _OPEN else opened
    yield from blocks[:opened]
    if len(episodes) > _OPEN:
        yield Folded(counted(len(episodes) - _OPEN, "more episode"), tuple(blocks[opened:]))


def _explained(episode: Episode, found: Figure | str) -> Block:
    if isinstance(found, str):
        return Text(f"What spoke for {episode.label} is not shown: {found}.", small=True)
    return Picture(
        render_inline(found),
        alt=f"What spoke for {episode.label} at {clock(episode.start_s)}.",
        caption=f"What spoke for {episode.label}.",
    )


def _model(model: ModelFacts) -> Iterator[Block]:
    card = model.card
    rows = [("Model", model.name), ("Method", model.method)]
    windows, people = card.get("windows"), card.get("subjects")
    if isinstance(windows, Mapping) and people is not None:
        each = ", ".join(f"{label} {n}" for label, n in windows.items())
        those = counted(len(people), "person", "people")
        rows.append(("Trained on", f"{sum(windows.values())} windows of {those} ({each})"))
    if isinstance(databases := card.get("databases"), Mapping):
        rows.append(("Databases", ", ".join(name or "not named" for name in databases)))
    for name, value in model.thresholds.items():
        rows.append((_THRESHOLDS.get(name, name), _threshold(value)))
    rows.append(("ecglens", model.version))
    yield Facts([(name, text) for name, text in rows if text])
    yield from _evaluated(card.get("evaluation"))
    yield from _abstention(card.get("abstention"))
    if use := card.get("intended_use"):
        yield Text(str(use))
    if failures := card.get("known_failures"):
        yield Folded("Known failures", tuple(Text(str(failure)) for failure in failures))
    if model.sha256:
        yield Text(f"SHA-256 of the model: {model.sha256}", small=True)


def _threshold(value: float | Mapping[str, float]) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{label} {number:.3g}" for label, number in value.items())
    return f"{value:.3g}"


def _evaluated(evaluation: object) -> Iterator[Block]:
    results = evaluation.get("results") if isinstance(evaluation, Mapping) else None
    if not isinstance(results, Mapping) or not results:
        yield Text("The model's card holds no evaluation: nothing is known of how well it does.")
        return
    yield Table(
        ("evaluation before training", "accuracy", "macro-F1"),
        [
            (str(r["title"]), *(_score(r[name]) for name in ("accuracy", "macro_f1")))
            for r in results.values()
        ],
        caption="Small figures are 95 % limits.",
    )


def _abstention(figures: object) -> Iterator[Block]:
    """Yield what abstaining was worth on people whom the head had not seen."""
    names = ("coverage", "error", "error_at_full_coverage")
    shares = [figures.get(name) if isinstance(figures, Mapping) else None for name in names]
    found = [share for share in shares if share is not None]
    if len(found) < len(names):
        return
    claimed, wrong, wrong_of_all = (per_cent(share) for share in found)
    yield Text(
        f"Of the windows of people left out of training it named a class for {claimed}, wrongly "
        f"for {wrong} of these; had it named one for every window, {wrong_of_all} would be wrong. "
        "Neighbouring windows are not counted in.",
        small=True,
    )


def _score(score: Mapping[str, Any]) -> Cell:
    value, low, high = (score.get(name) for name in ("value", "low", "high"))
    if value is None:
        return Cell("–")
    return Cell(f"{value:.3f}", "" if low is None or high is None else f"{low:.2f}–{high:.2f}")
