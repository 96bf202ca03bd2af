"""Absurd words on the command line: an option of the command with a value that makes no sense."""

from __future__ import annotations

import functools
import random
from collections.abc import Sequence
from typing import Any

from robust_forked import preload

_NUMBERS = ("nan", "inf", "-inf", "-1", "0", "1e308", "1e-308", "-0.0", "9" * 30, "9" * 5000,
            "0x10", "1_0", "", " ", "1e5", "0.5", "three", "\u0663")  # fmt: skip
_WORDS = (",", ",,,", "none", "a" * 300, "a" * 5000, "\x1b[31m", "a\nb", "%s", "{}", "[]", "\udcff",
          "\u202e", "-", "*", "N", "II,,II", "'", "\\", "first,second", ".", "in", "in/none",
          "\x1b[2J")  # fmt: skip
_LEAVE = frozenset({
    "help", "out", "mirror", "config", "json", "jobs", "bootstrap", "draws", "cnn_draws",
    "cnn_steps", "patients", "hours", "backbone", "imagenet", "weights", "cache", "to",
})  # fmt: skip
"""Options that other kinds of tries are about, and those of which a great value is honest work."""


@functools.cache
def _options(verb: tuple[str, ...]) -> list[Any]:
    command = preload()
    for word in verb:
        if hasattr(command, "commands"):
            command = command.commands[word]
    options = [each for each in command.params if each.param_type_name == "option"]
    return [option for option in options if option.name not in _LEAVE]


def absurd(verb: Sequence[str], number: int) -> list[str]:
    """Return one or two options with absurd values, chosen by a number."""
    chance = random.Random(number)
    found: list[str] = []
    options = _options(tuple(verb))
    for option in chance.sample(options, min(len(options), chance.choice((1, 1, 2)))):
        if option.is_flag:
            found.append(chance.choice([*option.opts, *option.secondary_opts]))
        else:
            value = chance.choice(chance.choice((_NUMBERS, _WORDS)))
            found.append(f"{option.opts[0]}={value}")
    return found or ["--none"]
