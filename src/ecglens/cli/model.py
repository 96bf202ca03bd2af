"""``ecglens model``: what a model file says of itself, and whether that is true."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecglens.cli.console import say, say_json, table
from ecglens.cli.options import RunOptions
from ecglens.errors import ModelFileError

if TYPE_CHECKING:
    from ecglens.models import ModelReport

EXAMPLE = "Example: ecglens model verify rhythm4"


class Action(StrEnum):
    """What to do with the file."""

    VERIFY = "verify"
    CARD = "card"


def run(
    running: RunOptions,
    action: Annotated[
        Action,
        typer.Argument(help="verify: digests, origin, does it load; card: on whom it was trained."),
    ],
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="Model file, or one that comes along: rhythm4."),
    ],
    sha256: Annotated[
        str | None,
        typer.Option(help="Digest the file must have (also read from FILE.sha256)."),
    ] = None,
) -> None:
    """Check a model file, or print its card."""
    from ecglens.models import read_card, verify_model

    if action is Action.CARD:
        if sha256 is not None:
            _refuse_unverified(verify_model(file, sha256=sha256))
        card = read_card(file)
        say_json(card) if running.json else say("\n".join(_lines(card)))
        return
    report = verify_model(file, sha256=sha256)
    if running.json:
        say_json(report.to_dict())
    else:
        _print(report)
    _refuse_unverified(report)


def _refuse_unverified(report: ModelReport) -> None:
    if not report.verified:
        raise ModelFileError(f"{report.path} does not verify: {report.faults[0]}")


def _print(report: ModelReport) -> None:
    """Print what a report says, for a person."""
    facts = dict(_facts(report))
    width = max(len(name) for name in facts)
    say("\n".join(f"{name.ljust(width)}  {text}" for name, text in facts.items()))
    if report.members:
        say("\n" + table([{"member": m.name, "bytes": m.n_bytes, "sha256": m.sha256}
                          for m in report.members]))  # fmt: skip
    if scores := list(_scores(report.card)):
        say("\n" + table(scores))
    compared = ", ".join(report.expected) or "whole, by its own digests; no other was given"
    say("\n" + (f"verified: {compared}" if report.verified else "does NOT verify"))


def _facts(report: ModelReport) -> Iterator[tuple[str, str]]:
    said, card = report.manifest, report.card
    yield "file", str(report.path)
    yield "bytes", str(report.n_bytes)
    yield "sha256", report.sha256
    if not said:
        return
    recipe, backbone, rule = (_table(said.get(k)) for k in ("recipe", "backbone", "reject_rule"))
    yield "schema", str(said.get("schema"))
    for package, made_with in _table(said.get("versions")).items():
        here = report.versions_here.get(package) or "not installed"
        yield package, f"{made_with}" + ("" if here == made_with else f" (here {here})")
    yield "classes", _words(said.get("classes"))
    yield "recipe", f"{recipe.get('name')}, head {recipe.get('head')}, PCA {recipe.get('pca')}"
    yield "backbone", f"{backbone.get('name')} ({backbone.get('weights')})"
    yield "windows", f"{said.get('length_s')} s at {said.get('fs')} Hz"
    yield "thresholds", _words(rule.get("thresholds"))
    yield "max_distance", str(rule.get("max_distance"))
    yield (
        "trained on",
        f"{_count(card.get('subjects'))} people, windows {_words(card.get('windows'))}",
    )
    yield "databases", _words(card.get("databases"))


def _scores(card: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the figures of the evaluation before training, with 95 % limits."""
    results = _table(_table(card.get("evaluation")).get("results"))
    for result in map(_table, results.values()):
        scores = {name: _table(result.get(name)) for name in ("accuracy", "macro_f1")}
        yield {"evaluation": str(result.get("title")), **{
            name: " ".join(_number(score.get(k)) for k in ("value", "low", "high"))
            for name, score in scores.items()
        }}  # fmt: skip


def _lines(value: object, level: int = 0) -> Iterator[str]:
    """Yield the lines of a table, deeper tables further in."""
    room = "  " * level
    for key, each in _table(value).items():
        if isinstance(each, dict):
            yield f"{room}{key}:"
            yield from _lines(each, level + 1)
        else:
            yield f"{room}{key}: {_words(each)}"


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _words(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {each}" for key, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _count(value: object) -> str:
    return str(len(value)) if isinstance(value, list) else "?"


def _number(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else "?"
