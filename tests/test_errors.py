"""The error tree."""

from __future__ import annotations

import inspect

import pytest

from ecglens import errors
from ecglens.errors import EcglensError, UsageError, suggest

CODES = {
    "EcglensError": 1,
    "UsageError": 2,
    "RecordError": 3,
    "WindowError": 4,
    "UnreadableWindowError": 4,
    "EvaluationError": 5,
    "LeakError": 5,
    "BackboneError": 6,
    "ModelFileError": 7,
    "OutputError": 8,
    "IncompleteError": 9,
    "FetchError": 10,
}


def classes() -> dict[str, type[EcglensError]]:
    found = dict(inspect.getmembers(errors, inspect.isclass))
    return {name: kind for name, kind in found.items() if kind.__module__ == errors.__name__}


def test_every_error_has_its_exit_code() -> None:
    assert {name: kind.exit_code for name, kind in classes().items()} == CODES


def test_every_error_is_an_ecglens_error_and_drawn_in_the_tree() -> None:
    for name, kind in classes().items():
        assert issubclass(kind, EcglensError)
        assert name in str(errors.__doc__)


def test_usage_error_is_a_value_error() -> None:
    assert issubclass(UsageError, ValueError)


@pytest.mark.parametrize(
    ("word", "answer"),
    [("densnet", "; did you mean 'densenet'?"), ("densenet", "; did you mean 'densenet'?"),
     ("xyz", ""), ("", "")],
)  # fmt: skip
def test_suggest(word: str, answer: str) -> None:
    assert suggest(word, iter(["densenet", "resnet"])) == answer


def test_suggest_among_nothing() -> None:
    assert suggest("a", []) == ""
