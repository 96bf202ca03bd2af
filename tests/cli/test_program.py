"""The program as a process: help, start-up, pipes, Ctrl-C, and what becomes of errors."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import typer.main

from ecglens import __version__
from ecglens.cli.app import make_app
from ecglens.errors import EcglensError
from tests.cli.collection import FS, Program, files_in, write_record
from tests.signals_of import beats

VERBS = (
    "demo",
    "windows",
    "features",
    "evaluate",
    "layers",
    "train",
    "predict",
    "explain",
    "score",
    "backbones",
)
HEAVY = ("torch", "openvino", "matplotlib", "sklearn", "scipy", "wfdb", "onnx", "skops", "pandas")
HEAVY += ("pydicom", "h5py", "pyarrow", "defusedxml")
# Ctrl-C must arrive also where a shell started the tests in the background, deaf to it.
START = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "from ecglens.cli import main\n"
)


def command(*words: object, ready: str = "") -> list[str]:
    say = f"print({ready!r}, flush=True)\n" if ready else ""
    return [sys.executable, "-c", f"{START}{say}main()", *(str(word) for word in words)]


class TestHelp:
    def test_the_program(self, ecglens: Program) -> None:
        for option in ("--help", "-h"):
            done = ecglens(option)
            assert done.code == 0
            for verb in VERBS:
                assert verb in done.out
            assert "Exit codes: 0 done" in done.out
            assert "not a medical device" in " ".join(done.out.split())

    def test_the_version(self, ecglens: Program) -> None:
        assert ecglens("--version").out == f"ecglens {__version__}\n"

    def test_python_finds_it_without_a_path_of_scripts(self, tmp_path: Path) -> None:
        run = [sys.executable, "-m", "ecglens"]
        said = subprocess.run(
            [*run, "--version"], capture_output=True, text=True, check=True, cwd=tmp_path
        )
        assert said.stdout == f"ecglens {__version__}\n"
        done = subprocess.run(
            [*run, "predict", "none"], capture_output=True, text=True, check=False, cwd=tmp_path
        )
        assert (done.returncode, done.stdout) == (3, "")
        assert done.stderr.startswith("ecglens: ")

    def test_nothing_at_all_shows_help(self, ecglens: Program) -> None:
        done = ecglens()
        assert done.code == 2
        assert "Usage: ecglens" in done.out + done.err

    @pytest.mark.parametrize("verb", VERBS)
    def test_a_verb(self, ecglens: Program, verb: str) -> None:
        done = ecglens(verb, "--help")
        assert done.code == 0
        assert f"Usage: ecglens {verb}" in done.out
        assert f"Example: ecglens {verb}" in done.out

    @pytest.mark.parametrize("verb", VERBS)
    def test_every_option_is_explained(self, verb: str) -> None:
        program = typer.main.get_command(make_app())
        for parameter in program.commands[verb].params:  # type: ignore[attr-defined]
            assert getattr(parameter, "help", None), parameter.name


def example_of(verb: str) -> list[str]:
    program = typer.main.get_command(make_app())
    epilog = program.commands[verb].epilog  # type: ignore[attr-defined]
    words = shlex.split(epilog.removeprefix("Example: "))
    assert words[:2] == ["ecglens", verb]
    return words[1:]


class TestExamples:
    @pytest.mark.parametrize("verb", VERBS)
    def test_options_exist(self, verb: str) -> None:
        program = typer.main.get_command(make_app())
        known = {
            name
            for parameter in program.commands[verb].params
            for name in parameter.opts  # type: ignore[attr-defined]
        }
        asked = {word for word in example_of(verb) if word.startswith("--")}
        assert asked <= known

    @pytest.mark.parametrize(
        "verb",
        # A whole demo by the command line, told as here, is in test_demo.py too.
        [pytest.param(verb, marks=[pytest.mark.slow] * (verb == "demo")) for verb in VERBS],
    )
    def test_runs_with_other_files(
        self,
        ecglens: Program,
        verb: str,
        collection: Path,
        windows: Path,
        tiny: Path,
        model: Path,
        tmp_path: Path,
    ) -> None:
        others = {
            "mitdb": str(collection),
            "vfdb": str(collection),
            "mitdb/201": str(collection / "s02"),
            "windows.npz": str(windows),
            "rhythm.ecglens": str(model),
            "densenet121": str(tiny),
            "201": "s01",
        }
        words, example = [], iter(example_of(verb))
        for word in example:
            if word == "--weights":
                # An ONNX file brings its own.
                next(example)
            elif word == "--out":
                words += ["--out", str(tmp_path / next(example))]
            else:
                words.append(others.get(word, word))
        if verb == "score":
            lines = [f"{path.stem},0,60,N\n" for path in sorted(collection.glob("*.hea"))]
            table = tmp_path / "episodes.csv"
            table.write_text("record,start_s,end_s,label\n" + "".join(lines))
            words[words.index("episodes")] = str(table)
        if verb in ("demo", "features", "evaluate", "layers", "train"):
            words += ["--backbone", str(tiny)]
        if verb == "demo":
            words += ["--patients", "12", "--hours", "0.1"]
        if verb in ("evaluate", "layers", "train"):
            words += ["--pca", "8", "--folds", "4", "--bootstrap", "2"]
        if verb == "layers":
            words += ["--layers", "stage3"]
        done = ecglens(*words)
        assert done.code == 0, done.err
        shipped = "--model" not in words and verb in ("predict", "explain")
        assert done.err.startswith("ecglens: judged by rhythm4") if shipped else not done.err


class TestErrors:
    def test_one_line_and_the_code_of_the_class(
        self, ecglens: Program, monkeypatch: pytest.MonkeyPatch, tiny: Path
    ) -> None:
        class OddError(EcglensError):
            exit_code = 5

        def fail(*_: object, **__: object) -> None:
            raise OddError("first line\n  second\tline")

        monkeypatch.setattr("ecglens.backbones.load_backbone", fail)
        done = ecglens("backbones", tiny)
        assert done.code == 5
        assert done.error == "first line second line"

    def test_bugs_are_not_hidden(
        self, ecglens: Program, monkeypatch: pytest.MonkeyPatch, tiny: Path
    ) -> None:
        def fail(*_: object, **__: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr("ecglens.backbones.load_backbone", fail)
        with pytest.raises(ZeroDivisionError):
            ecglens("backbones", tiny)

    def test_interrupted(
        self, ecglens: Program, monkeypatch: pytest.MonkeyPatch, tiny: Path
    ) -> None:
        def interrupt(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("ecglens.backbones.load_backbone", interrupt)
        done = ecglens("backbones", tiny)
        assert done.code == 130
        assert done.error.startswith("interrupted; finished files are whole; run the same command")

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (("train", "r"), "Missing option '--out'"),
            (("predict",), "Missing argument 'files"),
            (("train", "r", "--out", "m", "--fold", "3"), "No such option: --fold"),
            (("trian",), "No such command 'trian'"),
            (("windows", "r", "--out", "w", "--per-class", "0"), "Invalid value for '--per-class'"),
        ],
    )
    def test_options_that_are_wrong(
        self, ecglens: Program, words: Sequence[str], message: str
    ) -> None:
        done = ecglens(*words)
        assert done.code == 2
        assert message.lower() in re.sub(r"[\s│]+", " ", done.err).lower()
        assert "Traceback" not in done.err


class TestProcess:
    def test_quiet_in_a_pipe(self, windows: Path, network: tuple[str, ...], tmp_path: Path) -> None:
        out = tmp_path / "m.ecglens"
        words = ("train", windows, *network, "--pca", 8, "--folds", 2, "--bootstrap", 2)
        done = subprocess.run(command(*words, "--out", out), capture_output=True, check=True)
        assert done.stderr == b""
        assert b"\x1b" not in done.stdout
        assert b"\r" not in done.stdout

    @pytest.mark.slow
    def test_a_reader_that_goes_away(self, collection: Path, model: Path) -> None:
        words = command("predict", collection, "--model", model)
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline().startswith(b"s00, lead II")
            process.stdout.close()
            assert process.stderr.read() == b""
            assert process.wait(300) == 1

    def test_the_console_script(self) -> None:
        script = shutil.which("ecglens", path=str(Path(sys.executable).parent))
        if script is None:
            pytest.skip("ecglens is not installed beside this interpreter")
        done = subprocess.run([script, "--version"], capture_output=True, check=True, text=True)
        assert done.stdout == f"ecglens {__version__}\n"


class TestStartUp:
    def test_importing_loads_nothing_heavy(self) -> None:
        code = f"import sys, ecglens; print(sorted(set({HEAVY!r}) & set(sys.modules)))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.stdout == "[]\n"
        code = code.replace("ecglens", "ecglens.cli")
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.stdout == "[]\n"

    @pytest.mark.parametrize(
        ("code", "at_most"), [("import ecglens", 1), ("from ecglens.cli import main; main()", 3)]
    )
    def test_it_takes_little_more_than_what_it_is_made_with(
        self, code: str, at_most: float
    ) -> None:
        # In turn, and the best of a few: the load of a machine falls on both alike.
        tools = "import rich.panel, rich.table, typer.rich_utils"
        words = [[sys.executable, "-c", each, "--help"] for each in (code, tools)]
        pairs = [[_seconds(each) for each in words] for _ in range(3)]
        assert min(mine - at_most * theirs for mine, theirs in pairs) <= 0


def _seconds(words: list[str]) -> float:
    """Return the processor's time, which other programs disturb less than the wall clock."""
    before = os.times()
    subprocess.run(words, capture_output=True, check=True)
    after = os.times()
    used = after.children_user + after.children_system
    return used - before.children_user - before.children_system


@pytest.fixture(scope="session")
def long_recording(folder: Path) -> Path:
    """Two hours: long enough to be interrupted in the middle."""
    return write_record(folder / "long", "long", np.tile(beats(60.0, FS), 120), [(0.0, "N")])


class TestCtrlC:
    """At several moments from importing to computing: one line, 130, and no half file."""

    def interrupted(self, after_s: float, *words: object) -> None:
        process = subprocess.Popen(
            command(*words, ready="ready"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(after_s)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=300)
        assert said == (
            "ecglens: error: interrupted; finished files are whole; run the same command again to "
            "go on\n"
        )
        assert process.returncode == 130

    @pytest.mark.parametrize("after_s", [0.02, 0.1, 0.2, 0.4])
    def test_windows(self, long_recording: Path, tmp_path: Path, after_s: float) -> None:
        # A short hop makes 180 MB of windows.
        self.interrupted(
            after_s, "windows", long_recording, "--hop-s", 0.2, "--out", tmp_path / "w.npz"
        )
        assert files_in(tmp_path) == []

    @pytest.mark.parametrize("after_s", [0.3, pytest.param(2.0, marks=pytest.mark.slow)])
    def test_train(self, windows: Path, tiny: Path, tmp_path: Path, after_s: float) -> None:
        self.interrupted(
            after_s, "train", windows, "--backbone", tiny, "--cache", tmp_path / "cache",
            "--pca", 8, "--folds", 10, "--bootstrap", 200_000, "--out", tmp_path / "m.ecglens",
        )  # fmt: skip
        assert not [name for name in files_in(tmp_path) if not name.startswith("cache")]
        assert not list(tmp_path.rglob("*.part"))

    @pytest.mark.parametrize("after_s", [0.3, pytest.param(2.0, marks=pytest.mark.slow)])
    @pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
    def test_predict(
        self, long_recording: Path, collection: Path, model: Path, tmp_path: Path, after_s: float,
        jobs: int,
    ) -> None:  # fmt: skip
        both = (long_recording, collection / "s00")[:jobs]
        self.interrupted(
            after_s, "predict", *both, "--model", model, "--hop-s", 0.2, "--jobs", jobs,
            "--out", tmp_path / "out",
        )  # fmt: skip
        assert [name for name in files_in(tmp_path) if "unfinished/judged" not in name] == []
        assert not list(tmp_path.rglob("*.part"))
