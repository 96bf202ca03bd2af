"""One try at reading an input, in a process that is limited, timed and watched.

The worker takes tries from its input and answers each with a line. A try that never ends is ended
by an alarm, one that takes too much memory by a limit of the address space; both, and a crash of
native code, end the worker, and :func:`run_tries` starts another for the tries that are left.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
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
from typing import Any

SECONDS = 10.0
READ, REFUSED, CRASHED, HUNG = "read", "refused", "crashed", "hung"
_ENDED = {signal.SIGALRM: HUNG}
_SIGNAL_FIELD = "VmHWM:"


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
        seconds: how long it took.
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
            if not place.startswith((*self._program, *self._inside)):
                self.found.append(place)
        elif event in self._TELLING:
            self.found.append(f"{event} {arguments!r:.100}")


def peak_mb(*, reset: bool = False) -> float:
    """Return the largest resident memory in MB, since the last reset where the system has one."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        with Path("/proc/self/status").open() as file:
            kib = next(int(line.split()[1]) for line in file if line.startswith(_SIGNAL_FIELD))
    except (OSError, StopIteration):
        kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kib / 1024


def limit_memory(gigabytes: float) -> None:
    """Bound the address space of this process."""
    n_bytes = int(gigabytes * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (n_bytes, n_bytes))


def attempt(words: str, read: Callable[[], object], watch: Watch, *inside: Path) -> Outcome:
    """Read once; warnings count as crashes, since the program prints them."""
    from ecglens.errors import EcglensError

    peak_mb(reset=True)
    start = time.perf_counter()
    result, said = READ, ""
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        with watch.armed(*inside), warnings.catch_warnings():
            warnings.simplefilter("error")
            read()
    except EcglensError as error:
        result, said = REFUSED, f"{type(error).__name__}: {error}"
    except BaseException:  # noqa: BLE001 - all that is not a refusal is what is looked for
        result, said = CRASHED, traceback.format_exc(limit=-6)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    seconds = time.perf_counter() - start
    return Outcome(words, result, said, seconds, peak_mb(), tuple(watch.found))


def serve() -> None:
    """Answer the tries on the input, one line each."""
    from robust_targets import TARGETS

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    watch = Watch()
    known: dict[str, Any] = {}
    for line in sys.stdin:
        item = Try(**json.loads(line))
        if item.target not in known:
            known[item.target] = TARGETS[item.target].warmed()
        target = known[item.target]
        limit_memory(target.gigabytes)
        with tempfile.TemporaryDirectory(prefix="try-") as name:
            folder, spare = Path(name, "in"), Path(name, "tmp")
            folder.mkdir()
            spare.mkdir()
            tempfile.tempdir = str(spare)
            try:
                path = target.prepare(folder, item.kind, item.number)
                done = attempt(item.words, lambda: target.read(path), watch, folder, spare)
            finally:
                tempfile.tempdir = None
        answers.write(json.dumps(asdict(done)) + "\n")
        answers.flush()


def run_tries(tries: Iterable[Try], *, errors: Path | None = None) -> Iterator[Outcome]:
    """Try all, one after the other, and yield what came of each, in order.

    Args:
        tries: what to read.
        errors: file for what workers write to stderr; None for none.
    """
    left = list(tries)
    while left:
        scratch = tempfile.mkdtemp(prefix="tries-")
        try:
            done = 0
            for outcome in _one_worker(left, errors, scratch):
                yield outcome
                done += 1
            left = left[done:]
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _one_worker(left: list[Try], errors: Path | None, scratch: str) -> Iterator[Outcome]:
    """Yield the outcomes of one worker; the last one may be that it died of the try."""
    log = os.open(errors or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    environment = os.environ | {"TMPDIR": scratch, "OPENBLAS_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, str(Path(__file__))],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=environment,
    ) as worker:  # fmt: skip
        os.close(log)
        if worker.stdin is None or worker.stdout is None:
            raise RuntimeError("the worker has no pipes")
        for item in left:
            with contextlib.suppress(BrokenPipeError):
                worker.stdin.write(json.dumps(asdict(item)) + "\n")
                worker.stdin.flush()
            answer = worker.stdout.readline()
            if not answer:
                code = worker.wait()
                result = _ENDED.get(signal.Signals(-code), CRASHED) if code < 0 else CRASHED
                yield Outcome(item.words, result, f"the worker ended with {code}", SECONDS)
                return
            found = json.loads(answer)
            yield Outcome(**{**found, "outside": tuple(found["outside"])})
        worker.stdin.close()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1] / "src"))
    serve()
