"""How the program ends: signals, want of memory or threads, and results that cannot be printed."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ecglens.cli.ending import SIGNALS, signal_of
from tests.cli.collection import Program, files_in

needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="Windows ends at once")


@pytest.fixture
def while_it_works(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException | int], None]:
    """Let something happen to ``ecglens backbones NAME``: an error, or a signal."""

    def happen(what: BaseException | int) -> None:
        def load(*_: object, **__: object) -> None:
            if isinstance(what, BaseException):
                raise what
            os.kill(os.getpid(), what)

        monkeypatch.setattr("ecglens.backbones.load_backbone", load)

    return happen


@needs_signals
class TestSignals:
    @pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
    def test_one_line_and_the_code_of_a_shell(
        self,
        ecglens: Program,
        while_it_works: Callable[[int], None],
        number: signal.Signals,
        code: int,
    ) -> None:
        before = signal.signal(number, signal.SIG_DFL)  # nohup has one of them ignored
        try:
            while_it_works(number)
            done = ecglens("backbones", "x")
            assert signal.getsignal(number) == signal.SIG_DFL
        finally:
            signal.signal(number, before)
        assert done.code == code
        assert done.error == (
            f"ended by {number.name}; finished files are whole; run the same command again to go on"
        )

    def test_a_file_that_is_being_written_goes(
        self, ecglens: Program, windows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fsync(_: int) -> None:
            assert files_in(tmp_path)
            os.kill(os.getpid(), signal.SIGTERM)

        monkeypatch.setattr(os, "fsync", fsync)
        assert ecglens("windows", windows, "--out", tmp_path / "w.npz").code == 143
        assert files_in(tmp_path) == []

    def test_one_that_is_ignored_stays_so(
        self, ecglens: Program, while_it_works: Callable[[int], None], tiny: Path
    ) -> None:
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            while_it_works(signal.SIGHUP)
            # It goes on to what comes behind the signal: no network was loaded.
            with pytest.raises(AttributeError, match="layers"):
                ecglens("backbones", tiny)
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        finally:
            signal.signal(signal.SIGHUP, before)

    def test_names(self) -> None:
        assert [signal_of(128 + number) for number in SIGNALS] == ["SIGTERM", "SIGHUP"]
        for code in (0, 1, 130, None, "143"):
            assert signal_of(code) is None


class TestWant:
    @pytest.mark.parametrize(
        ("error", "words"),
        [
            (MemoryError(), "this needs more memory than there is; use fewer jobs"),
            (RuntimeError("can't start new thread"), "no thread can be started"),
        ],
    )
    def test_one_line(
        self,
        ecglens: Program,
        while_it_works: Callable[[BaseException], None],
        error: BaseException,
        words: str,
    ) -> None:
        while_it_works(error)
        done = ecglens("backbones", "x")
        assert done.code == 1
        assert done.error.startswith(words)

    def test_another_bug_is_not_hidden(
        self, ecglens: Program, while_it_works: Callable[[BaseException], None]
    ) -> None:
        while_it_works(RuntimeError("odd"))
        with pytest.raises(RuntimeError, match="odd"):
            ecglens("backbones", "x")


class TestPrinting:
    @pytest.mark.parametrize("words", [("databases",), ("databases", "--json")])
    def test_a_disk_that_is_full(
        self, ecglens: Program, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
    ) -> None:
        if not Path("/dev/full").exists():
            pytest.skip("needs /dev/full, a disk that is always full")
        with Path("/dev/full").open("wb", buffering=0) as file, monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", io.TextIOWrapper(file, write_through=True))
            done = ecglens(*words)
            sys.stdout.close()
        assert done.code == 8
        assert "cannot print the results: No space left on device; send them elsewhere" in done.err
        assert "Traceback" not in done.err
