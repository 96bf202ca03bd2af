"""The benchmarks of faults: what they make of what they see, and small runs of them."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.append(str(BENCHMARKS))
pytest.importorskip("resource", reason="Windows has no limits for processes")

from ecglens.batch.names import RECORDS_TABLE  # noqa: E402
from ecglens.errors import EcglensError  # noqa: E402
from ecglens.readers import read_record  # noqa: E402
from fault_jobs import differences, half_made, read_log, state_of  # noqa: E402
from fault_others import not_in_order, tells_failures  # noqa: E402
from faults import format_kills  # noqa: E402
from fork_server import log_of, start  # noqa: E402
from soak import check, judge, spoil, write_recordings  # noqa: E402

WHOLE = {"out.npz": b"whole", "cache/ab/1.npy": b"block"}
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="forks, and looks into /proc")


class TestKills:
    @pytest.mark.parametrize(
        ("found", "state", "believed"),
        [
            ({}, "before", []),
            ({".out.npz.0123abcd.part": b"wh"}, "within", []),
            ({"out/.ecglens-unfinished/judged/r/0-0.json": b"{"}, "within", []),
            ({"cache/ab/1.npy": b"block"}, "within", []),
            (WHOLE, "after", []),
            ({"out.npz": b"wh"}, "within", ["out.npz"]),
            ({**WHOLE, "other.npz": b"?"}, "within", ["other.npz"]),
        ],
    )
    def test_what_a_kill_left(
        self, found: dict[str, bytes], state: str, believed: list[str]
    ) -> None:
        assert state_of(found, WHOLE) == state
        assert half_made(found, WHOLE) == believed

    def test_what_is_not_as_it_should_be(self) -> None:
        assert differences(WHOLE, WHOLE) == {"lost": [], "differing": [], "left_over": []}
        found = {"out.npz": b"other", ".out.npz.0123abcd.part": b""}
        assert differences(found, WHOLE) == {
            "lost": ["cache/ab/1.npy"],
            "differing": ["out.npz"],
            "left_over": [".out.npz.0123abcd.part"],
        }

    def test_the_table(self) -> None:
        none = {"half_made": [], "lost": [], "differing": [], "left_over": []}
        lines = [
            {"verb": "train", "state": "within", **none},
            {"verb": "train", "state": "after", **none, "lost": ["a", "b"]},
        ]
        assert "| train | 2 | 0 | 1 | 1 | 0 | 1 | 0 | 0 |" in format_kills(lines)

    def test_a_log_that_was_cut_off(self, tmp_path: Path) -> None:
        assert read_log(tmp_path / "log") == []
        (tmp_path / "log").write_text('{"verb": "train"}\n{"verb": "tr')
        assert read_log(tmp_path / "log") == [{"verb": "train"}]


OUT_OF_MEMORY = "ecglens: error: this needs more memory than there is; use fewer jobs\n"
ONE_FAILED = "ecglens: a.hea: it needs more memory than there is\n"
ALL_FAILED = f"{ONE_FAILED}1 recordings: 0 done, 1 failed\necglens: 1 of 1 recordings failed\n"
TABLE = b"name,status,message\na,done,\n"


class TestLittleMemory:
    @pytest.mark.parametrize(
        ("verb", "code", "said"),
        [
            ("train", 0, "out.ecglens: 12 windows\n"),
            ("train", 1, OUT_OF_MEMORY),
            ("predict", 3, ALL_FAILED),
            ("predict", 9, f"{ONE_FAILED}b: N 100 % -> out/b\necglens: error: 1 of 2 failed\n"),
        ],
    )
    def test_ends_in_order(self, verb: str, code: int, said: str) -> None:
        assert not_in_order(verb, code, said) == []

    @pytest.mark.parametrize(
        ("verb", "code", "said"),
        [
            ("train", 70, "Traceback (most recent call last):\nValueError: odd\n"),
            ("train", 1, f"Traceback (most recent call last):\n{OUT_OF_MEMORY}"),
            ("train", 1, f"Exception in thread ecglens_2:\n{OUT_OF_MEMORY}"),
            ("train", 1, ""),
            ("train", 3, OUT_OF_MEMORY),
            ("predict", 6, OUT_OF_MEMORY),
            ("predict", -11, ""),
            ("predict", -14, ""),
            ("predict", 127, f"{ONE_FAILED}cannot allocate memory for thread-local data: ABORT\n"),
        ],
    )
    def test_ends_out_of_order(self, verb: str, code: int, said: str) -> None:
        assert len(not_in_order(verb, code, said)) == 1

    def test_a_table_that_says_what_failed(self) -> None:
        whole = {"out/records.csv": TABLE}
        for table, told in [
            (TABLE, True),
            (b"name,status,message\na,failed,why\n", True),
            (b"name,status,message\na,failed,\n", False),
            (b"name,status,message\na,done,odd\n", False),
            (b"name,status,message\n", False),
        ]:
            assert tells_failures({"out/records.csv": table}, whole) is told
        assert not tells_failures({}, whole)

    @needs_linux
    def test_what_a_run_said_is_there_at_once_and_of_no_earlier_run(self, tmp_path: Path) -> None:
        def end() -> None:
            os._exit(7)

        folder = tmp_path / "tried"
        folder.mkdir()
        log = folder.with_suffix(".log")
        for said_before in (None, "of an earlier run"):
            if said_before is not None:
                log.write_text(said_before)
            assert start(["databases"], folder, end).wait() == 7
            assert log_of(folder) == ""

    @needs_linux
    def test_a_signal_after_the_end_does_not_reach_the_code_of_the_parent(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Late(io.StringIO):
            def flush(self) -> None:
                if sys._getframe(1).f_code is start.__code__ and os.getpid() != parent:
                    try:
                        os.kill(os.getpid(), signal.SIGINT)
                    finally:  # it was heard as an exception, or not at all
                        os._exit(99)

        parent, folder = os.getpid(), tmp_path / "tried"
        folder.mkdir()
        monkeypatch.setattr(sys, "stdout", Late())
        assert start(["databases"], folder).wait() == -signal.SIGINT


def sample(done: int, **changed: float) -> dict[str, float]:
    return {"seconds": done / 2, "done": done, "mb": 500.0, "files": 40, "threads": 9, **changed}


class TestSoak:
    def test_memory_that_grows_and_time_that_does(self) -> None:
        flat = judge([sample(n) for n in range(101)], 100)
        assert flat["mb_per_100_files"] == pytest.approx(0, abs=1e-9)
        assert flat["s_per_file_first"] == flat["s_per_file_last"] == 0.5
        grown = judge([sample(n, mb=500 + n, seconds=n * n) for n in range(101)], 100)
        assert grown["mb_per_100_files"] == pytest.approx(100)
        assert grown["s_per_file_last"] > 5 * grown["s_per_file_first"]
        assert (grown["mb_first"], grown["mb_last"], grown["mb_most"]) == (510, 599, 600)

    def test_recordings_are_of_all_formats_and_one_in_fifty_is_bad(self, tmp_path: Path) -> None:
        good = write_recordings(tmp_path, 100, 10.0, 0)
        assert [Path(path).suffix for path in list(good)[:5]] == [
            ".hea", ".edf", ".csv", ".npz", ".mat",
        ]  # fmt: skip
        signals = {read_record(path).signal.tobytes() for path in list(good)[:10]}
        assert len(signals) == 10
        bad = [path for path, fine in good.items() if not fine]
        assert len(bad) == 2
        for path in bad:
            with pytest.raises(EcglensError):
                read_record(path)

    @pytest.mark.parametrize("kind", range(4))
    @pytest.mark.parametrize("number", range(5))
    def test_every_damage_is_refused(self, tmp_path: Path, kind: int, number: int) -> None:
        path = Path(list(write_recordings(tmp_path, number + 1, 10.0, 0))[number])
        spoil(path, kind)
        with pytest.raises(EcglensError):
            read_record(path)

    def test_rows(self, tmp_path: Path) -> None:
        rows = "name,path,status,message\na,a,done,\nb,b,failed,why\nc,c,done,\nd,d,failed,\n"
        (tmp_path / RECORDS_TABLE).write_text(rows)
        for name in "ac":
            (tmp_path / name).mkdir()
        (tmp_path / "a" / "summary.json").write_text("{}")
        asked = {"a": True, "b": False, "c": True, "d": False, "e": True}
        found = check(tmp_path, asked)
        assert found == {
            "good": 3, "bad": 2, "right_rows": 2, "wrong_rows": 3, "rows_too_much": 0,
        }  # fmt: skip


def run(script: str, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(BENCHMARKS / script), *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )


@needs_linux
@pytest.mark.slow
@pytest.mark.timeout(1200)
class TestSmallRuns:
    def test_kills(self, tmp_path: Path) -> None:
        log = tmp_path / "log.jsonl"
        done = run("faults.py", "--kills", 1, "--patients", 8, "--log", log)
        assert done.returncode == 0, done.stdout + done.stderr
        verbs = {json.loads(line)["verb"] for line in log.read_text().splitlines()}
        assert verbs == {"windows", "features", "train", "predict", "fetch"}

    def test_determinism(self, tmp_path: Path) -> None:
        done = run("determinism.py", "--quick", "--patients", 8)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "| all of these at once |" in done.stdout

    def test_soak(self, tmp_path: Path) -> None:
        out = tmp_path / "soak.json"
        words = ("--recordings", 50, "--seconds", 20, "--patients", 8, "--json", out)
        done = run("soak.py", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        found = json.loads(out.read_text())
        assert (found["code"], found["bad"], found["right_rows"]) == (9, 1, 50)
