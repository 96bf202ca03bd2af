"""The whole command from a server of one's own: what it leaves, and how it goes on."""

from __future__ import annotations

import functools
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import typer.main

from ecglens.cli.app import make_app
from ecglens.databases.download import Patience, fetch_database
from ecglens.errors import FetchError
from ecglens.recipes import RECIPES
from ecglens.reproduction import ReproductionSettings, Telling, job, run_reproduction, sources
from ecglens.reproduction.bench import Bench
from ecglens.reproduction.gathering import Gathered
from ecglens.reproduction.sources import Source
from ecglens.reproduction.stages import fingerprint
from ecglens.windows import Windows, save_windows
from tests.cli.collection import Program, files_in
from tests.databases.conftest import server as server
from tests.databases.server import Server
from tests.reports.parsing import check_self_contained, parse
from tests.reproduction.world import serve_world

FEW = ("--n-windows", "80", "--folds", "3", "--bootstrap", "20")
# The small plan of the fixture, in a process of its own.
RUN = """
import sys
from ecglens.reproduction import sources
from tests.reproduction.world import SMALL_SOURCES
sources.QUICK_SOURCES = SMALL_SOURCES
from ecglens.cli import main
main()
"""


@pytest.fixture
def ecglens(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Program:
    from tests.cli.conftest import run_program

    return run_program(monkeypatch, capsys)


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_from_nothing_to_the_table(
    ecglens: Program, server: Server, world: Path, tmp_path: Path
) -> None:
    serve_world(server, world)
    out = tmp_path / "out"
    words = (
        "reproduce", "salem2018", "--quick", *FEW, "--mirror", server.url,
        "--to", tmp_path / "data", "--out", out,
    )  # fmt: skip
    done = ecglens(*words)
    assert (done.code, done.err) == (0, "")
    assert ["nsrdb", "N", "4", "10", "min", "1"] in _words(done.out)
    assert "windows/s on this machine now" in done.out
    assert "the paper, pooled" in done.out
    assert "0.9723" in done.out
    assert {"report.html", "results.json", "results.md", "layers.png"} <= set(files_in(out))
    found = json.loads((out / "results.json").read_text())
    assert [each["layer"] for each in found["layers"]] == [
        "transition1", "transition2", "transition3", "norm5",
    ]  # fmt: skip
    _check_controls(found["controls"])
    html = (out / "report.html").read_text()
    check_self_contained(html)
    seen = parse(html)
    assert "97.23 %" in seen.words
    assert "pooled (leaks)" in seen.words
    assert "assumption" in seen.words
    said = (out / "results.md").read_text()
    assert "| **the paper**, pooled | near 7,000 | ? | **0.9723** |" in said
    # Once more: no request, nothing computed, the same bytes.
    asked, before = len(server.asked), _contents(out)
    stamps = {path: path.stat().st_mtime_ns for path in (out / "stages").iterdir()}
    assert ecglens(*words).code == 0
    assert len(server.asked) == asked
    assert _contents(out) == before
    assert {path: path.stat().st_mtime_ns for path in (out / "stages").iterdir()} == stamps


def _check_controls(controls: dict[str, list[dict[str, object]]]) -> None:
    rows = {row["key"]: row for each in controls.values() for row in each}

    def accuracy(key: str) -> float:
        figures = rows[key]["figures"]
        assert isinstance(figures, dict)
        return float(figures["accuracy"]["value"])

    assert accuracy("shuffled/pooled") < 0.5
    assert accuracy("shuffled/subject") < 0.5
    assert "within/afdb/AF" in rows  # the other databases have fewer than 20 windows of a class
    assert rows["left-out/cudb"]["figures"]
    # Only afdb has AF, so that its AF cannot be tested; its N can.
    figures = rows["left-out/afdb"]["figures"]
    assert isinstance(figures, dict)
    assert figures["notes"] == ["AF: no other database"]
    assert 0 < accuracy("random/pooled") <= 1
    assert {"recorder/as-it-is", "recorder/band", "band/pooled", "band/subject"} <= set(rows)


def _words(text: str) -> list[list[str]]:
    """Return the first six words of every line."""
    return [line.split()[:6] for line in text.splitlines()]


def _contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in files_in(folder)}


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_a_killed_run_goes_on_where_it_was(world: Path, tiny: Path, tmp_path: Path) -> None:
    settings = ReproductionSettings(
        data=world, quick=True, backbone=str(tiny), n_windows=80, folds=3, bootstrap=20
    )
    run_reproduction(tmp_path / "whole", settings)
    words = [
        "reproduce", "salem2018", "--quick", *FEW, "--data", world, "--backbone", tiny,
        "--out", tmp_path / "killed",
    ]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, *map(str, words)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.DEVNULL,
    )
    first = tmp_path / "killed" / "stages" / "layer-stage1.json"
    began = time.monotonic()
    while not first.exists():
        assert process.poll() is None
        assert time.monotonic() - began < 240
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed" / "report.html").exists()
    stamp = first.stat().st_mtime_ns
    run_reproduction(tmp_path / "killed", settings)
    assert first.stat().st_mtime_ns == stamp
    for name in ("results.json", "results.md", "report.html", "layers.png"):
        whole, killed = (tmp_path / each / name for each in ("whole", "killed"))
        assert killed.read_bytes() == whole.read_bytes()
    random = json.loads((tmp_path / "killed" / "results.json").read_text())["controls"]["random"]
    assert "an ONNX file brings its own weights" in random[0]["why_not"]


class EndedError(Exception):
    """Stands for the end of a process."""


@pytest.mark.parametrize("killed_at", [1, 2])
def test_windows_of_a_killed_run_do_not_pass_for_those_of_the_one_before(
    killed_at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds: list[int] = []

    def gather(_planned: object, settings: ReproductionSettings, _telling: Telling) -> Gathered:
        seeds.append(settings.random_state)
        X = np.random.default_rng(settings.random_state).normal(size=(8, 1250))
        text = np.full(8, "x")
        main = Windows(X.astype(np.float32), 125.0, text, text, text, text, text, np.zeros(8))
        return Gathered(main.subset(np.arange(8) < 4), main.subset(np.arange(8) >= 4))

    def measured(bench: Bench, _prepared: job.Prepared) -> None:
        taken.append(bench.gathered)
        raise EndedError

    def save(windows: Windows, path: Path) -> None:
        save_windows(windows, path)
        saved.append(path)
        if len(saved) == killed_at:
            raise EndedError

    def run(random_state: int) -> None:
        settings = ReproductionSettings(cache=tmp_path / "c", random_state=random_state)
        prepared = job.Prepared((), RECIPES["salem2018"], None, None)  # type: ignore[arg-type]
        with pytest.raises(EndedError):
            run_reproduction(tmp_path, settings, prepared=prepared)

    taken: list[Gathered] = []
    saved: list[Path] = []
    monkeypatch.setattr(job, "gather", gather)
    monkeypatch.setattr(job, "_measured", measured)
    run(0)
    run(0)
    assert seeds == [0]
    with monkeypatch.context() as killing:
        killing.setattr(job, "save_windows", save)
        run(1)
    assert (len(saved), len(taken)) == (killed_at, 2)
    run(0)
    assert seeds == [0, 1, 0]
    assert fingerprint(taken[-1].all) == fingerprint(taken[0].all)


@pytest.mark.usefixtures("small")
def test_without_a_network_the_way_out_is_said(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = Patience(attempts=1, first_wait_s=0, longest_wait_s=0)
    monkeypatch.setattr(job, "fetch_database", functools.partial(fetch_database, patience=once))
    settings = ReproductionSettings(
        quick=True, backbone=str(tiny), mirror="http://127.0.0.1:9/files/", to=tmp_path / "to"
    )
    with pytest.raises(
        FetchError, match=r"what has arrived is kept; without a network .*\(--data DIR\), or give"
    ):
        run_reproduction(tmp_path / "out", settings)


class TestProgram:
    def test_every_option_is_explained_and_the_example_has_none_but_them(self) -> None:
        command = typer.main.get_command(make_app()).commands["reproduce"]  # type: ignore[attr-defined]
        assert all(getattr(parameter, "help", None) for parameter in command.params)
        known = {name for parameter in command.params for name in parameter.opts}
        words = shlex.split(command.epilog.removeprefix("Example: "))
        assert words[:3] == ["ecglens", "reproduce", "salem2018"]
        assert {word for word in words if word.startswith("--")} <= known

    def test_a_plan_alone_writes_nothing(
        self, ecglens: Program, tiny: Path, tmp_path: Path
    ) -> None:
        words = ("reproduce", "salem2018", "--dry-run", "--backbone", tiny, "--to", tmp_path / "d")
        done = ecglens(*words, "--out", tmp_path / "o")
        assert (done.code, done.err) == (0, "")
        assert ["ltstdb", "controls", "20", "120", "min", "131"] in _words(done.out)
        assert "MB to fetch" in done.out
        assert files_in(tmp_path) == []
        plan = ecglens(*words, "--out", tmp_path / "o", "--json").json
        assert [each["database"] for each in plan["plan"]][:2] == ["nsrdb", "afdb"]
        assert plan["estimate"]["n_windows"] == 7000 + 14 * 350

    def test_a_plan_without_the_network_says_why_time_is_not_known(
        self, ecglens: Program, tmp_path: Path
    ) -> None:
        words = ("reproduce", "salem2018", "--dry-run", "--to", tmp_path, "--backbone", "none.onnx")
        done = ecglens(*words)
        assert done.code == 0
        assert "nsrdb" in done.out
        assert "time is not known: " in done.out
        assert ecglens(*words[:2], *words[3:]).code == 6

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (("salem2019",), "unknown experiment 'salem2019'; did you mean 'salem2018'?"),
            (("salem2018", "--data", "d", "--to", "t"), "--data names folders that are here"),
            (("salem2018", "--without", "AFL"), "no class 'AFL' to leave out"),
        ],
    )
    def test_wrong_words(self, ecglens: Program, words: tuple[str, ...], message: str) -> None:
        done = ecglens("reproduce", *words)
        assert done.code == 2
        assert message in done.error


AF_RECORDS = ("201", "202", "210", "217", "221")


@pytest.mark.slow
def test_real_records_from_a_server(
    server: Server, real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three databases as PhysioNet serves them: N and AF of mitdb, VF of vfdb and cudb."""
    taken = {
        "mitdb": (
            *AF_RECORDS,
            *sorted(path.stem for path in (real_data / "mitdb").glob("1*.hea"))[:5],
        ),
        "vfdb": tuple(sorted(path.stem for path in (real_data / "vfdb").glob("*.hea")))[:6],
        "cudb": tuple(sorted(path.stem for path in (real_data / "cudb").glob("*.vf")))[:6],
    }
    server.files.clear()
    for name, records in taken.items():
        files = {
            # cudb's annotations here are a third party's; on the server theirs end in .atr.
            path.name.replace(".vf", ".atr"): path.read_bytes()
            for path in sorted((real_data / name).iterdir())
            if path.stem in records
        }
        server.add(name, "1.0.0", files)
    monkeypatch.setattr(sources, "QUICK_SOURCES", _real_sources())
    monkeypatch.setattr(
        sources, "spread", lambda names, _: tuple(n for n in names if n in sum(taken.values(), ()))
    )
    settings = ReproductionSettings(
        mirror=server.url, to=tmp_path / "data", quick=True, without=("ST",), n_windows=240,
        folds=3, bootstrap=20, layers=("transition2", "norm5"),
    )  # fmt: skip
    found = run_reproduction(tmp_path / "out", settings)
    rows = {(row["database"], row["class"]): row for row in found.databases}
    assert rows["mitdb", "AF"]["windows"] == 80
    assert rows["mitdb", "AF"]["subjects"] == 4  # 201 and 202 are one man
    assert rows["vfdb", "VF"]["windows"] + rows["cudb", "VF"]["windows"] == 80
    pooled, subject = found.best.of("pooled"), found.best.of("subject")
    assert pooled is not None
    assert subject is not None
    assert pooled.accuracy.value > 0.8
    assert pooled.sensitivity["VF"].value > 0.8
    left_out = {row.key: row for row in found.controls["left-out"]}
    assert left_out["left-out/cudb"].figures is not None


def _real_sources() -> tuple[Source, ...]:
    return (Source("mitdb", ("N", "AF")), Source("vfdb", ("VF",)), Source("cudb", ("VF",)))
