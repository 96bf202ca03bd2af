"""One try at reading an input, in a process that is limited, timed and watched.

The worker takes tries from its input and answers each with a line. A try that never ends is ended
by an alarm, one that takes too much memory by a limit of the address space; both, and a crash of
native code, end the worker, and :func:`run_tries` starts another for the tries that are left.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

# Of the processor, so that a busy machine makes no hang; and by the clock, for what only waits.
SECONDS, PATIENCE_S = 10.0, 300.0
READ, REFUSED, CRASHED, HUNG = "read", "refused", "crashed", "hung"
_ENDED = {signal.SIGALRM: HUNG, signal.SIGPROF: HUNG}
_PEAK = "VmHWM:"


@dataclass(frozen=True)
class Try:
    """What to read: a target of :mod:`robust_targets`, a kind of damage and its number."""

    target: str
    kind: str
    number: int

    @property
    def words(self) -> str:
        """How the try is named, so that it can be made again."""
        return f"{self.target}:{self.kind}:{self.number}"


@dataclass(frozen=True)
class Outcome:
    """What came of a try.

    Attributes:
        words: of the try.
        result: ``read``, ``refused``, ``crashed`` or ``hung``.
        said: the message of a refusal, or the traceback of a crash.
        seconds: of the processor that it took.
        peak_mb: largest resident memory of the process meanwhile, with all its libraries.
        outside: files opened outside of the folder of the try, and programs or sockets.
    """

    words: str
    result: str
    said: str = ""
    seconds: float = 0.0
    peak_mb: float = 0.0
    outside: tuple[str, ...] = ()


class Watch:
    """An audit hook that notes what is opened outside of some folders while it is armed."""

    _TELLING = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "socket.connect")

    def __init__(self) -> None:
        self._inside: tuple[str, ...] = ()
        self._armed = False
        self.found: list[str] = []
        self.port = 0
        """Of a server on this machine that may be spoken to."""
        program = (sys.prefix, sys.base_prefix, str(Path(__file__).parents[1]), "/usr/lib/python3")
        self._program = tuple(os.path.realpath(folder) + os.sep for folder in program)
        sys.addaudithook(self._hook)

    @contextlib.contextmanager
    def armed(self, *inside: Path) -> Iterator[None]:
        """Watch while the block runs; files in ``inside`` and of the program itself are allowed."""
        self.found = []
        self._inside = tuple(os.path.realpath(folder) for folder in inside)
        self._armed = True
        try:
            yield
        finally:
            self._armed = False

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._armed:
            return
        if event == "open" and isinstance(arguments[0], str | bytes):
            self._armed = False
            place = os.path.realpath(os.fsdecode(arguments[0]))
            self._armed = True
            # Libraries look for each other in the map of this process's own memory.
            allowed = (*self._program, *self._inside, f"/proc/{os.getpid()}/maps", os.devnull)
            if not place.startswith(allowed):
                self.found.append(place)
        elif event == "socket.connect" and arguments[1] == ("127.0.0.1", self.port):
            return
        elif event in self._TELLING:
            self.found.append(f"{event} {arguments!r:.100}")


def ended_by(code: int) -> str | None:
    """Return what an exit code says of a process that an alarm ended, None for others."""
    return _ENDED.get(signal.Signals(-code)) if code < 0 else None


def peak_mb(*, reset: bool = False) -> float:
    """Return the largest resident memory in MB, since the last reset where the system has one."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        with Path("/proc/self/status").open() as file:
            kib = next(int(line.split()[1]) for line in file if line.startswith(_PEAK))
    except (OSError, StopIteration):
        kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kib / 1024


def limit_memory(gigabytes: float) -> None:
    """Bound the address space of this process."""
    n_bytes = int(gigabytes * 2**30)
    _, hard = resource.getrlimit(resource.RLIMIT_AS)  # which can only be lowered
    resource.setrlimit(resource.RLIMIT_AS, (n_bytes, hard))


def attempt(words: str, read: Callable[[], object], watch: Watch, *inside: Path) -> Outcome:
    """Read once; warnings count as crashes, since the program prints them."""
    from ecglens.errors import EcglensError

    peak_mb(reset=True)
    start = time.process_time()
    result, said = READ, ""
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)
    try:
        with watch.armed(*inside), warnings.catch_warnings():
            warnings.simplefilter("error")
            read()
    except EcglensError as error:
        result, said = REFUSED, f"{type(error).__name__}: {error}"
    except BaseException:  # noqa: BLE001 - all that is not a refusal is what is looked for
        result, said = CRASHED, traceback.format_exc(limit=-6)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
    seconds = time.process_time() - start
    return Outcome(words, result, said, seconds, peak_mb(), tuple(watch.found))


def serve() -> None:
    """Answer the tries on the input, one line each."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    watch = Watch()
    known: dict[str, Any] = {}
    for line in sys.stdin:
        answers.write(json.dumps(asdict(_answer(Try(**json.loads(line)), watch, known))) + "\n")
        answers.flush()


def _answer(item: Try, watch: Watch, known: dict[str, Any]) -> Outcome:
    if item.target not in known:
        known[item.target] = _target_of(item.target).warmed()
    with tempfile.TemporaryDirectory(prefix="try-") as name:
        found = known[item.target].outcome(item, Path(name), watch)
        return cast(Outcome, found)


def _target_of(name: str) -> Any:
    if name.startswith("command "):
        from robust_tries import TARGETS as COMMANDS

        return COMMANDS[name]
    from robust_targets import TARGETS

    return TARGETS[name]


def run_tries(tries: Iterable[Try]) -> Iterator[Outcome]:
    """Try all, one after the other, and yield what came of each, in order."""
    left = list(tries)
    while left:
        with tempfile.TemporaryDirectory(prefix="tries-") as scratch:
            done = 0
            for outcome in _one_worker(left, Path(scratch)):
                yield outcome
                done += 1
            left = left[done:]


def _one_worker(left: list[Try], scratch: Path) -> Iterator[Outcome]:
    """Yield the outcomes of one worker; the last one may be that it died of the try."""
    asked = scratch / "asked"
    asked.write_text("".join(json.dumps(asdict(item)) + "\n" for item in left))
    environment = os.environ | {"TMPDIR": str(scratch), "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, str(Path(__file__))]
    with (
        asked.open() as tries,
        (scratch / "errors").open("w+") as errors,
        subprocess.Popen(  # noqa: S603 - the interpreter and this file
            command, stdin=tries, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
        ) as worker,
    ):
        for item, answer in itertools.zip_longest(left, worker.stdout or ()):
            if answer is None:
                code = worker.wait()
                errors.seek(0)
                said = f"the worker ended with {code}: {errors.read()[-2000:]}"
                yield Outcome(item.words, ended_by(code) or CRASHED, said, SECONDS)
                return
            found = json.loads(answer)
            yield Outcome(**{**found, "outside": tuple(found["outside"])})


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1] / "src"))
    serve()
