"""The matrix of commands: a bounded part of it, and that it would notice a fault."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

forked = pytest.importorskip("robust_forked")  # conftest.py makes its folder known
judging = pytest.importorskip("robust_judging")
outputs = pytest.importorskip("robust_outputs")
tries = pytest.importorskip("robust_tries")
worker = pytest.importorskip("robust_worker")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks and mounts as Linux does")
LIGHT = ["windows", "predict", "score", "model verify"]


def run(names: Iterable[str], n_tries: int, seed: int) -> list[Any]:
    targets = [tries.TARGETS[f"command {name}"] for name in names]
    asked = [item for target in targets for item in target.tries(n_tries, seed)]
    outcomes = list(worker.run_tries(asked))
    assert [outcome.words for outcome in outcomes] == [item.words for item in asked]
    for outcome in outcomes:
        assert outcome.result in (worker.READ, worker.REFUSED), outcome.said
        assert outcome.outside == (), outcome
        assert outcome.seconds < worker.SECONDS
        assert outcome.peak_mb < judging.MOST_MB
    return outcomes


@pytest.mark.usefixtures("worker_materials")
def test_commands_end_in_order() -> None:
    outcomes = run(LIGHT, 5, seed=1)
    assert {outcome.result for outcome in outcomes} == {worker.READ, worker.REFUSED}


@pytest.mark.slow
@pytest.mark.usefixtures("worker_materials")
@pytest.mark.parametrize("part", range(2))
def test_all_commands_end_in_order(part: int) -> None:
    names = [name.removeprefix(tries.NAME) for name in tries.TARGETS]
    run(names[part::2], 5, seed=2 + part)


class TestJudging:
    """A harness that sees nothing would pass everything."""

    def words(self, code: int, err: str = "", out: str = "", **more: Any) -> list[str]:
        ran = forked.Ran(code, out, err, 1.0, more.pop("peak_mb", 100.0), ())
        return list(judging.faults_of_words(ran, **{"as_json": False, **more}))

    def test_a_good_end(self) -> None:
        assert self.words(0) == []
        assert self.words(0, "ecglens: judged by m\n") == []
        assert self.words(3, "ecglens: error: no such record\n") == []
        assert self.words(2, "Usage: ecglens x\nTry 'ecglens x -h' for help.\n\u256d Error\n") == []
        assert self.words(0, out='{"a": 1}', as_json=True) == []

    @pytest.mark.parametrize(
        ("code", "err", "fault"),
        [
            (70, "Traceback (most recent call last):", "a traceback"),
            (1, "ecglens: error: something", "exit code 1, which says nothing"),
            (-11, "", "exit code -11"),
            (120, "", "exit code 120"),
            (3, "", "no word of what is wrong"),
            (0, "x.py:1: UserWarning: strange", "words on stderr"),
            (3, "ecglens: error: a\necglens: error: b", "more than one line"),
            (3, "ecglens: error: a\necglens: b", "more than one line"),
            (0, "ecglens: error: a", "an error with exit code 0"),
            (3, "Usage: ecglens x", "a box of the parser"),
            (3, "ecglens: error: \x1b[31m", "a character that may do harm"),
            (3, "ecglens: error: a\rb", "a character that may do harm"),
        ],
    )
    def test_bad_words(self, code: int, err: str, fault: str) -> None:
        assert any(found.startswith(fault) for found in self.words(code, err))

    def test_json_and_memory(self) -> None:
        assert self.words(0, out="{", as_json=True)[0].startswith("no JSON")
        assert self.words(0, peak_mb=2000.0) == ["2000 MB of memory"]

    def files(self, found: dict[str, bytes], code: int = 0, **more: Any) -> list[str]:
        before = more.pop("before", {})
        return list(judging.faults_of_files(found, before, code, **{"fetching": False, **more}))

    def test_what_may_be_left(self) -> None:
        assert self.files({"out/a.csv": b"a\n", "out/.hidden/0-0.json": b"{}"}) == []
        assert self.files({"out/.a.1.part": b"x"}, fetching=True) == []
        assert self.files({"out/a.npz": b"new"}, before={"out/a.npz": b"new"}) == []

    @pytest.mark.parametrize(
        ("name", "data"),
        [
            ("out/.a.npz.01234567.part", b""), ("out/.ecglens-unfinished/run-1/a", b""),
            ("tmp/x", b""), ("out/a.json", b'{"a": '), ("out/a.csv", b"a,b\n1"),
            ("out/a.npz", b"PK"), ("out/a.png", b"\x89PNG"), ("out/a.html", b"<html>"),
            ("cache/aa/aa.npy", b"\x93NUMPY"), ("out/m.ecglens", b"PK\x03\x04"),
        ],
    )  # fmt: skip
    def test_what_may_not(self, name: str, data: bytes) -> None:
        assert len(self.files({name: data})) == 1

    def test_an_older_file(self) -> None:
        before = {"out/a": judging.OLDER}
        assert self.files({"out/a": b"new"}, before=before) == []
        assert self.files({"out/a": b"new"}, 8, before=before) == ["the older file is lost: out/a"]
        assert self.files({}, 8, before=before) == ["the older file is lost: out/a"]


class TestForked:
    """What is seen of a process."""

    watch = worker.Watch()

    def ran(self, top: Path, *words: str, before: Any = outputs.nothing) -> Any:
        top = top / "top"
        for name in ("tmp", "home"):
            (top / name).mkdir(parents=True)
        forked.preload()
        return forked.run_forked(forked.Run(words, top, [top], 64.0, before), self.watch)

    def test_a_command(self, tmp_path: Path) -> None:
        done = self.ran(tmp_path, "databases", "mitdb")
        assert (done.code, done.err, done.outside) == (0, "", ())
        assert "mitdb" in done.out
        assert done.seconds > 0
        assert done.peak_mb > 10

    def test_a_file_outside(self, tmp_path: Path) -> None:
        (tmp_path / "d.toml").write_text("")
        done = self.ran(tmp_path, "databases", "../d.toml")
        assert done.outside == (str(tmp_path / "d.toml"),)

    def test_a_traceback(self, tmp_path: Path) -> None:
        def break_it() -> None:
            import ecglens.databases

            ecglens.databases.list_databases = None  # type: ignore[assignment]

        done = self.ran(tmp_path, "databases", before=break_it)
        assert done.code == forked.TRACEBACK
        assert "Traceback" in done.err


def test_disks(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    before, after = outputs.full_disk("small", 1, out, (out,))
    try:
        if not out.is_mount():
            pytest.skip("this user may not mount")
        with pytest.raises(OSError, match="No space left"):
            (out / "a").write_bytes(np.random.default_rng(0).bytes(1 << 20))
    finally:
        after()
    before()
    assert not out.is_mount()
