"""Many recordings to their folders of results, in this process or in several."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ecglens.batch.crew import Ended, Outfit, run_crew
from ecglens.batch.folder import ResultsFolder
from ecglens.batch.inputs import size_of
from ecglens.batch.names import RECORDS_TABLE, folder_names
from ecglens.batch.pace import Pace, Step
from ecglens.batch.work import BatchSettings, Judge, RecordingResult, Task, with_threads
from ecglens.errors import UsageError
from ecglens.files import write_rows
from ecglens.models import find_model, load_model
from ecglens.prediction import INCONCLUSIVE, UNREADABLE
from ecglens.reports.predictions import check_tables
from ecglens.threads import usable_cores


def predict_files(
    model: str | os.PathLike[str],
    paths: Iterable[str | os.PathLike[str]],
    out: str | os.PathLike[str] | None = None,
    *,
    settings: BatchSettings | None = None,
    jobs: int = 1,
    again: bool = False,
    progress: Callable[[Step], None] | None = None,
) -> Generator[RecordingResult, None, None]:
    """Judge many recordings, one file that is bad notwithstanding.

    With ``out``, each recording gets a folder there (:func:`folder_names`) and
    ``records.csv`` a line, in the order of ``paths``, when all have ended. A recording whose
    folder is whole and was made from the same content with the same model, settings and version
    is skipped; one that was interrupted goes on where it was; one whose folder holds the results of
    another recording fails. The bytes of all files are the same however often the work was
    interrupted and in however many processes it was done.

    With several jobs a script must guard its start with ``if __name__ == "__main__":``, as for
    every use of :mod:`multiprocessing` with fresh processes.

    Args:
        model: a model file, or the name of a model of the package; each process loads it once.
        paths: recordings that :func:`ecglens.open_record` takes; one that is named twice counts
            once.
        out: folder of results, made where missing; None writes nothing.
        settings: how recordings are judged and what is written.
        jobs: processes; the cores are shared out among their networks.
        again: judge also what is done already.
        progress: told of every step.

    Yields:
        A result for each recording, in the order of ``paths``.

    Raises:
        UsageError: ``jobs`` is below 1, or a setting cannot be.
        ModelFileError: the model cannot be loaded.
        OutputError: results cannot be written.
    """
    if jobs < 1:
        raise UsageError(f"jobs must be 1 or more, got {jobs}")
    settings = settings or BatchSettings()
    check_tables(settings.tables)
    names = folder_names(Path(path) for path in paths)
    tasks = [Task(i, path, name) for i, (path, name) in enumerate(names.items())]
    jobs = min(jobs, len(tasks))
    if jobs > 1:
        settings = with_threads(settings, max(1, usable_cores() // jobs))
    outfit = Outfit(find_model(model), settings, None if out is None else Path(out), again)
    return _run(tasks, outfit, jobs, progress or _silent)


def _silent(_: Step) -> None:
    """Tell nobody."""


def _run(
    tasks: Sequence[Task], outfit: Outfit, jobs: int, progress: Callable[[Step], None]
) -> Generator[RecordingResult, None, None]:
    pace = Pace([size_of(task.path) for task in tasks])

    def told(task: Task, done: int, total: int) -> None:
        progress(pace.judge(task.number, task.name, done, total))

    rows: list[dict[str, Any]] = []
    with contextlib.ExitStack() as stack:
        if jobs > 1:
            # What is wrong with model or folder is said before any process starts.
            classes = load_model(outfit.model_path, engine=outfit.settings.engine).classes
            results = outfit.out and stack.enter_context(ResultsFolder(outfit.out))
            ended = run_crew(tasks, outfit, jobs, told)
        else:
            judge = stack.enter_context(outfit.judge())
            classes, results = judge.model.classes, judge.results
            ended = _run_alone(tasks, judge, told)
        stack.enter_context(contextlib.closing(ended))
        for result in _in_order(ended, pace, progress):
            rows.append(_row(result, classes))
            yield result
        if results and rows:
            with results.staged_file(RECORDS_TABLE) as path:
                write_rows(path, rows)


def _run_alone(
    tasks: Sequence[Task], judge: Judge, told: Callable[[Task, int, int], None]
) -> Generator[Ended, None, None]:
    for task in tasks:
        yield task, judge.run(task, partial(told, task))


def _in_order(
    ended: Iterator[Ended], pace: Pace, progress: Callable[[Step], None]
) -> Iterator[RecordingResult]:
    """Yield results in the order asked for, whatever the order in which they come."""
    early: dict[int, RecordingResult] = {}
    number = 0
    for task, result in ended:
        progress(pace.end(task.number, task.name, judged=result.status == "done"))
        early[task.number] = result
        while number in early:
            yield early.pop(number)
            number += 1


def _row(result: RecordingResult, classes: Sequence[str]) -> dict[str, Any]:
    """Return a line of the table of records; it does not tell which run did the work."""
    summary, error = result.summary, result.error
    labels = [*classes, INCONCLUSIVE, UNREADABLE]
    known: dict[str, Any] = {"lead": "", "duration_s": "", "n_episodes": ""}
    shares: dict[str, Any] = dict.fromkeys(labels, "")
    if summary is not None:
        known = {name: _plain(summary[name]) for name in known}
        shares = {label: round(100 * summary["share"][label], 3) for label in labels}
    return {
        "name": result.name,
        "path": str(result.path),
        "status": "failed" if result.status == "failed" else "done",
        **known,
        **{f"percent_{label}": share for label, share in shares.items()},
        "error": "" if error is None else type(error).__name__,
        "message": "" if error is None else " ".join(str(error).split()),
    }


def _plain(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value
