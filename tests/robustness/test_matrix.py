"""The matrix of bad input, a bounded part of it, and that it would notice a fault."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from ecglens.errors import RecordError

robust_damage = pytest.importorskip("robust_damage")  # conftest.py makes its folder known
robust_targets = pytest.importorskip("robust_targets")
worker = pytest.importorskip("robust_worker")

QUICK = ["csv", "edf+d", "bdf", "npz", "npy", "matlab 5", "label map", "subjects", "feature cache"]


def run(names: list[str], n_inputs: int, seed: int) -> None:
    tries = []
    for name in names:
        target = robust_targets.TARGETS[name]
        whole = target.good().whole
        tries += [worker.Try(name, *each) for each in robust_damage.damages(whole, n_inputs, seed)]
        specials = len(target.specials)
        tries += [worker.Try(name, "special", i) for i in range(seed % 6, specials, 6)]
    outcomes = list(worker.run_tries(tries))
    assert [outcome.words for outcome in outcomes] == [item.words for item in tries]
    for outcome in outcomes:
        assert outcome.result in (worker.READ, worker.REFUSED), outcome
        assert outcome.outside == (), outcome
        assert outcome.seconds < worker.SECONDS
        assert outcome.peak_mb < 1024, outcome
    assert {outcome.result for outcome in outcomes} == {worker.READ, worker.REFUSED}


def test_damaged_files_are_read_or_refused() -> None:
    run(QUICK, 20, seed=1)


@pytest.mark.slow
@pytest.mark.usefixtures("worker_model")
@pytest.mark.parametrize("part", range(2))
def test_more_damaged_files_are_read_or_refused(part: int) -> None:
    run(list(robust_targets.TARGETS)[part::2], 40, seed=part)


class TestTheMatrixItself:
    """A harness that sees nothing would pass everything."""

    watch = worker.Watch()

    def attempt(self, read: object, inside: Path) -> object:
        return worker.attempt("a:b:0", read, self.watch, inside)

    def test_a_refusal(self, tmp_path: Path) -> None:
        def read() -> None:
            raise RecordError("it is no recording")

        done = self.attempt(read, tmp_path)
        assert (done.result, done.said) == ("refused", "RecordError: it is no recording")

    def test_another_error_is_a_crash(self, tmp_path: Path) -> None:
        done = self.attempt(lambda: 1 / 0, tmp_path)
        assert done.result == "crashed"
        assert "ZeroDivisionError" in done.said

    def test_a_warning_is_a_crash(self, tmp_path: Path) -> None:
        done = self.attempt(lambda: warnings.warn("strange", stacklevel=1), tmp_path)
        assert done.result == "crashed"
        assert "strange" in done.said

    def test_a_file_outside_is_seen_through_a_link(self, tmp_path: Path) -> None:
        inside = tmp_path / "in"
        inside.mkdir()
        (tmp_path / "secret").write_text("x")
        (inside / "link").symlink_to(tmp_path / "secret")
        (inside / "file").write_text("x")
        assert self.attempt((inside / "file").read_text, inside).outside == ()
        seen = self.attempt((inside / "link").read_text, inside)
        assert (seen.result, seen.outside) == ("read", (str(tmp_path / "secret"),))

    def test_a_process_that_dies_is_a_crash(self) -> None:
        tries = [worker.Try("no such target", "flip", 1), worker.Try("csv", "cut", 3)]
        first, second = worker.run_tries(tries)
        assert first.result == "crashed"
        assert "KeyError" in first.said
        assert second.result in ("read", "refused")
