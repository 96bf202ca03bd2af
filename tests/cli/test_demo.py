"""``ecglens demo``: what it says, what it leaves, and how it ends where it cannot."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.collection import Program, files_in
from tests.cli.test_program import command


@pytest.fixture
def small(tiny: Path) -> tuple[object, ...]:
    return ("demo", "--patients", 12, "--hours", 0.1, "--backbone", tiny)


def test_says_what_was_found_and_what_to_do_next(
    ecglens: Program, small: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = ecglens(*small)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Virtual patients are a rehearsal, not evidence.\n")
    assert done.out.count("rehearsal") == 1
    assert "subject-wise    accuracy 0." in done.out
    assert "pooled (leaks)  accuracy 0." in done.out
    assert "The report is ecglens-demo/report.html" in done.out
    replay = next(line for line in done.out.splitlines() if "ecglens predict ecglens-demo" in line)
    words = shlex.split(replay)[1:]
    again = ecglens(*words)
    assert (again.code, again.err) == (0, "")
    episodes = tmp_path / "episodes" / "holter" / "episodes.csv"
    assert episodes.read_bytes() == (tmp_path / "ecglens-demo" / "holter.episodes.csv").read_bytes()


def test_json_is_the_summary_and_where_it_is(
    ecglens: Program, small: tuple[object, ...], tmp_path: Path
) -> None:
    config = tmp_path / "ecglens.toml"
    config.write_text(f'json = true\n[demo]\nrandom-state = 2\nout = "{tmp_path / "d"}"\n')
    said = ecglens(*small, "--config", config).json
    assert said.pop("out") == str(tmp_path / "d")
    assert said == json.loads((tmp_path / "d" / "summary.json").read_text())
    assert "--patients 12 --hours 0.1 --random-state 2" in said["command"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--hours", 25), 2, "hours must be from 0.1 to 24, got 25"),
        (("--patients", 11), 2, "patients must be from 12 to 1000, got 11"),
        (("--backbone", "none.onnx"), 6, "none.onnx"),
        (("--out", "file"), 8, "cannot make folder file: File exists; choose another place"),
        (("--out", "file/deeper"), 8, "cannot make folder file/deeper: Not a directory; choose"),
    ],
)
def test_one_line_and_the_code_of_the_error(
    ecglens: Program,
    small: tuple[object, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[object, ...],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("mine")
    done = ecglens(*small, *words)
    assert done.code == code
    assert message in done.error
    assert files_in(tmp_path) == ["file"]


def test_ctrl_c_leaves_nothing(small: tuple[object, ...], tmp_path: Path) -> None:
    process = subprocess.Popen(
        command(*small, "--patients", 400, "--out", tmp_path / "d", ready="ready"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=300)
    assert said.startswith("ecglens: error: interrupted; finished files are whole")
    assert said.count("\n") == 1
    assert process.returncode == 130
    assert files_in(tmp_path) == []
