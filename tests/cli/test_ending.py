"""How the program ends: signals, want of memory or threads, and results that cannot be printed."""

from __future__ import annotations

import errno
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ecglens.cli.ending import SIGNALS, signal_of
from tests.cli.collection import Program, files_in

needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="Windows ends at once")


@pytest.fixture
def while_it_works(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Let an error happen to ``ecglens backbones NAME``."""

    def happen(error: BaseException) -> None:
        def load(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr("ecglens.backbones.load_backbone", load)

    return happen


SIGNALLED = """
import os, signal, sys
import ecglens.backbones
from ecglens.cli import main

number, handler, place, *words = sys.argv[1:]
signal.signal(int(number), getattr(signal, handler))

def stop(*_, **__):
    if os.listdir(place):
        print("a file is being written")
    os.kill(os.getpid(), int(number))
    print("goes on")

os.fsync = ecglens.backbones.load_backbone = stop
sys.argv = ["ecglens", *words]
try:
    main()
finally:
    print(signal.getsignal(int(number)) == getattr(signal, handler))
"""


def signalled(
    number: signal.Signals, place: Path, *words: object, handler: str = "SIG_DFL"
) -> subprocess.CompletedProcess[str]:
    """Run the program in a process that gets a signal while it works.

    Of its own: a signal to the process of all tests, every library loaded, once was its end.
    """
    start = [sys.executable, "-c", SIGNALLED, str(int(number)), handler, str(place)]
    return subprocess.run(
        [*start, *map(str, words)], capture_output=True, text=True, timeout=300, check=False
    )


@needs_signals
class TestSignals:
    @pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
    def test_one_line_and_the_code_of_a_shell(
        self, tmp_path: Path, number: signal.Signals, code: int
    ) -> None:
        done = signalled(number, tmp_path, "backbones", "x")
        assert done.returncode == code
        assert done.stderr == (
            f"ecglens: error: ended by {number.name}; finished files are whole; "
            "run the same command again to go on\n"
        )
        assert done.stdout == "True\n"  # the handler that was there before is back

    def test_a_file_that_is_being_written_goes(self, windows: Path, tmp_path: Path) -> None:
        done = signalled(signal.SIGTERM, tmp_path, "windows", windows, "--out", tmp_path / "w.npz")
        assert done.returncode == 143
        assert done.stdout.splitlines()[0] == "a file is being written"
        assert files_in(tmp_path) == []

    def test_one_that_is_ignored_stays_so(self, tmp_path: Path) -> None:
        done = signalled(signal.SIGHUP, tmp_path, "backbones", "x", handler="SIG_IGN")
        # It goes on to what comes behind the signal, and fails there: no network was loaded.
        assert done.stdout == "goes on\nTrue\n"
        assert "AttributeError" in done.stderr

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
            (ImportError("x.so: failed to map segment from shared object"), "this needs more mem"),
            (RuntimeError("plugin: Resource temporarily unavailable"), "this needs more memory"),
            (OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)), "this needs more memory"),
            (BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)), "this needs more memory"),
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

    @pytest.mark.parametrize(
        ("number", "cure"),
        [(errno.ENOSPC, "make room"), (errno.EROFS, "choose another place")],
    )
    def test_of_room_on_a_disk(
        self,
        ecglens: Program,
        while_it_works: Callable[[BaseException], None],
        number: int,
        cure: str,
    ) -> None:
        while_it_works(OSError(number, os.strerror(number), b"a/b"))
        done = ecglens("backbones", "x")
        assert done.code == 8
        assert done.error == f"cannot write: a/b: {os.strerror(number)}; {cure}"

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
