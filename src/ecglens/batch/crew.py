"""Processes that each judge one recording at a time; one that dies takes no other with it."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

from ecglens.batch.folder import ResultsFolder
from ecglens.batch.work import BatchSettings, Judge, RecordingResult, Task
from ecglens.errors import EcglensError, RecordError

_READY = "ready"
Ended = tuple[Task, RecordingResult]


@dataclass(frozen=True)
class Outfit:
    """What a process needs to make a :class:`Judge`."""

    model_path: Path
    settings: BatchSettings
    out: Path | None
    again: bool

    @contextlib.contextmanager
    def judge(self) -> Iterator[Judge]:
        """Lend a judge, and the folder of results as long as it works.

        Raises:
            EcglensError: model or folder cannot be had.
        """
        with contextlib.ExitStack() as stack:
            results = None
            if self.out is not None:
                results = stack.enter_context(ResultsFolder(self.out))
            yield Judge(self.model_path, self.settings, results, again=self.again)


@dataclass
class _Worker:
    process: SpawnProcess
    task: Task | None = None


def run_crew(
    tasks: Sequence[Task], outfit: Outfit, jobs: int, told: Callable[[Task, int, int], None]
) -> Generator[Ended, None, None]:
    """Judge recordings in several processes and yield them as they end.

    Args:
        tasks: the recordings.
        outfit: what each process works with.
        jobs: processes at most.
        told: called with a recording, its windows done and its windows in all.

    Raises:
        EcglensError: results cannot be written, or no recording can be judged so.
    """
    crew = _Crew(tasks, outfit, told)
    try:
        for _ in range(min(jobs, len(tasks))):
            crew.hire()
        yield from crew.work()
    finally:
        crew.dismiss()


class _Crew:
    def __init__(
        self, tasks: Sequence[Task], outfit: Outfit, told: Callable[[Task, int, int], None]
    ) -> None:
        self._waiting = deque(tasks)
        self._outfit = outfit
        self._told = told
        self._workers: dict[Connection, _Worker] = {}
        # Not fork: threads of OpenVINO and BLAS do not survive it.
        self._context = multiprocessing.get_context("spawn")

    def hire(self) -> None:
        """Start a process, which will say when it is ready."""
        mine, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, self._outfit), daemon=True)
        process.start()
        theirs.close()
        self._workers[mine] = _Worker(process)

    def work(self) -> Generator[Ended, None, None]:
        """Yield recordings as they end, until all have."""
        while self._workers:
            heard = wait(list(self._workers))
            for connection in [each for each in self._workers if each in heard]:
                ended = self._hear(connection)
                if ended is not None:
                    yield ended

    def _hear(self, connection: Connection) -> Ended | None:
        """Take what a process says; return the recording that it ended, if it did."""
        worker = self._workers[connection]
        task = worker.task
        try:
            said = connection.recv()
        except (EOFError, OSError):
            return self._bury(connection, worker)
        if isinstance(said, EcglensError):
            raise said
        if isinstance(said, RecordingResult) and task is not None:
            self._send_next(connection, worker)
            return task, said
        if said == _READY:
            self._send_next(connection, worker)
        elif task is not None:
            self._told(task, *said)
        return None

    def _send_next(self, connection: Connection, worker: _Worker) -> None:
        worker.task = self._waiting.popleft() if self._waiting else None
        with contextlib.suppress(OSError):  # one that has died is noticed at the next word
            connection.send(worker.task)

    def _bury(self, connection: Connection, worker: _Worker) -> Ended | None:
        """Let go of a process that ended; one that left a recording is replaced."""
        del self._workers[connection]
        connection.close()
        worker.process.join()
        code = worker.process.exitcode or 0
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        if worker.task is None:
            if self._waiting and not self._workers:
                raise EcglensError(f"a process ended with {how} before it began; use fewer jobs")
            return None
        killed = hasattr(signal, "SIGKILL") and code == -signal.SIGKILL
        cure = ", as for want of memory; use fewer jobs" if killed else "; judge it alone"
        error = RecordError(f"the process that judged {worker.task.path} ended with {how}{cure}")
        if self._waiting:
            self.hire()
        return worker.task, RecordingResult(
            worker.task.path, worker.task.name, "failed", error=error
        )

    def dismiss(self) -> None:
        """End all processes that are still there."""
        for worker in self._workers.values():
            worker.process.terminate()
        for connection, worker in self._workers.items():
            worker.process.join()
            connection.close()
        self._workers.clear()


def _serve(connection: Connection, outfit: Outfit) -> None:
    """Judge what comes through the connection until nothing does."""
    # Ctrl-C reaches every process of a terminal; the first of them ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # When the process that asks is gone, so is the other end.
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            with outfit.judge() as judge:
                connection.send(_READY)
                while (task := connection.recv()) is not None:
                    connection.send(judge.run(task, lambda *step: connection.send(step)))
        except EcglensError as error:
            connection.send(error)
