"""What reaches the screen: nothing that a file put in to steer a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglens.cli.console import note, plain, say
from tests.cli.collection import Program

HOSTILE = "a\x1b[2Jb\x9bc\rd\u202ee\udcfff\x00"
ESCAPED = r"a\x1b[2Jb\x9bc\rd\u202ee\udcfff\x00"


def test_what_steers_a_terminal_is_escaped() -> None:
    assert plain(HOSTILE) == ESCAPED


def test_words_of_people_stay() -> None:
    text = "Grüße\t50 µV\n心電図"
    assert plain(text) == text


def test_results_and_notes(capsys: pytest.CaptureFixture[str]) -> None:
    say(HOSTILE)
    note(f"{HOSTILE}\nsecond line")
    said = capsys.readouterr()
    assert said.out == f"{ESCAPED}\n"
    assert said.err == f"ecglens: {ESCAPED.replace(chr(92) + 'r', ' ')} second line\n"


def test_the_name_of_a_file_in_an_error(ecglens: Program, tmp_path: Path) -> None:
    done = ecglens("explain", tmp_path / "no\x1b[31m\udcff.csv", "--at", 1)
    assert done.code == 3
    assert r"no\x1b[31m\udcff.csv" in done.err
