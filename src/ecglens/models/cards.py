"""The card of a model file: what reports print of it must be of the kind they print."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from ecglens.errors import UsageError

_MOST_LEVELS = 32


def check_card(card: object) -> dict[str, Any]:
    """Return a card whose known entries are of their kind; others may be anything JSON holds.

    Raises:
        UsageError: one is not, a number is not finite, or tables are nested too deeply.
    """
    if not isinstance(card, Mapping):
        raise UsageError(f"its card must be a table, got {type(card).__name__}")
    _check_finite(card)
    for key, (holds, wanted) in _RULES.items():
        if key in card and not holds(card[key]):
            raise UsageError(f"{key} of its card must be {wanted}, got {card[key]!r:.80}")
    return dict(card)


def _check_finite(card: object) -> None:
    """Refuse NaN and infinities, which JSON does not have but Python reads, and endless depth."""
    todo: list[tuple[object, int]] = [(card, 0)]
    while todo:
        value, level = todo.pop()
        if level > _MOST_LEVELS:
            raise UsageError(f"its card is nested over {_MOST_LEVELS} levels deep")
        if isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"its card holds {value}, which is no number")
        if isinstance(value, Mapping):
            todo += ((each, level + 1) for each in value.values())
        elif isinstance(value, list):
            todo += ((each, level + 1) for each in value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_words(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) for word in value)


def _is_counts(value: object) -> bool:
    return isinstance(value, Mapping) and all(_is_number(n) for n in value.values())


def _is_abstention(value: object) -> bool:
    names = ("coverage", "error", "error_at_full_coverage")
    return isinstance(value, Mapping) and all(
        value.get(name) is None or _is_number(value[name]) for name in names
    )


def _is_evaluation(value: object) -> bool:
    results = value.get("results", {}) if isinstance(value, Mapping) else None
    return isinstance(results, Mapping) and all(_is_result(each) for each in results.values())


def _is_result(value: object) -> bool:
    if not isinstance(value, Mapping) or not isinstance(value.get("title"), str):
        return False
    return all(_is_score(value.get(name)) for name in ("accuracy", "macro_f1"))


def _is_score(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        value.get(name) is None or _is_number(value[name]) for name in ("value", "low", "high")
    )


_RULES: dict[str, tuple[Callable[[object], bool], str]] = {
    "subjects": (_is_words, "a list of names"),
    "records": (_is_words, "a list of names"),
    "windows": (_is_counts, "a table of numbers"),
    "databases": (_is_counts, "a table of numbers"),
    "known_failures": (_is_words, "a list of texts"),
    "intended_use": (lambda value: isinstance(value, str), "a text"),
    "abstention": (_is_abstention, "a table of shares"),
    "evaluation": (_is_evaluation, "an evaluation, with results that have titles and scores"),
}
