"""One recording from its file to its folder of results."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from matplotlib.figure import Figure

from ecglens import __version__
from ecglens.backbones.precision import resolve_precision
from ecglens.batch.folder import MADE_FROM, ResultsFolder
from ecglens.batch.inputs import content_hash, size_of
from ecglens.databases import open_record
from ecglens.errors import (
    EcglensError,
    ModelFileError,
    OutputError,
    RecordError,
    UnreadableWindowError,
    UsageError,
    WindowError,
)
from ecglens.explanation import explain_episode
from ecglens.features import EngineSettings
from ecglens.files import write_json
from ecglens.models import RhythmModel, load_model
from ecglens.plots import plot_explanation
from ecglens.prediction import (
    INCONCLUSIVE,
    UNREADABLE,
    Episode,
    Journal,
    Timeline,
    predict_record,
)
from ecglens.prediction.judging import window_rule
from ecglens.readers import RecordSource
from ecglens.records import check_fs
from ecglens.reports.model_facts import ModelFacts
from ecglens.reports.predictions import SUMMARY, Tables, save_prediction
from ecglens.reports.words import BACKGROUND
from ecglens.threads import one_blas_core
from ecglens.windows import LeadChoice

Told = Callable[[int, int], None]

CONTENT = "recording_sha256"
RECORDING = "recording"

# What only a mistake in the program raises; it must not cost the other recordings.
_OURS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
_LONG_TO_HASH = 1 << 30
_LOOKS = ("tables", "explained")
"""Settings that decide what files look like, not how windows are judged."""


@dataclass(frozen=True)
class BatchSettings:
    """How recordings are judged and what is written.

    Attributes:
        leads: see :func:`ecglens.predict_record`, and so ``hop_s``.
        hop_s: seconds from one window to the next; None for no overlap.
        fs: sampling rate in Hz of files that do not state one.
        tables: format of the table of windows, ``"csv"`` or ``"parquet"``.
        explained: episodes of which the page shows what spoke for their class; each takes about
            half a second.
        engine: what runs the network.
    """

    leads: LeadChoice = "best"
    hop_s: float | None = None
    fs: float | None = None
    tables: Tables = "csv"
    explained: int = 3
    engine: EngineSettings = field(default_factory=EngineSettings)


@dataclass(frozen=True)
class Task:
    """A recording to judge.

    Attributes:
        number: place in the order asked for.
        path: as given.
        name: of its folder of results.
    """

    number: int
    path: Path
    name: str


@dataclass(frozen=True, eq=False)
class RecordingResult:
    """What became of a recording.

    Attributes:
        path: as given.
        name: of its folder of results.
        status: ``"done"`` now, ``"skipped"`` since an earlier run did it, or ``"failed"``.
        summary: :meth:`Timeline.summary`, or what the folder says; None where it failed.
        timeline: where it was judged and nothing was to be written.
        error: why it failed.
    """

    path: Path
    name: str
    status: Literal["done", "skipped", "failed"]
    summary: Mapping[str, Any] | None = None
    timeline: Timeline | None = None
    error: EcglensError | None = None


class Judge:
    """Judges one recording after the other with one model.

    Args:
        model_path: a model file.
        settings: how.
        results: where results go; None writes nothing.
        again: judge also what is done already.

    Attributes:
        model: the loaded model.
        results: where results go, or None.

    Raises:
        ModelFileError: the model cannot be loaded.
        UsageError: a setting cannot be, whatever the recording.
    """

    def __init__(
        self,
        model_path: Path,
        settings: BatchSettings,
        results: ResultsFolder | None,
        *,
        again: bool = False,
    ) -> None:
        self.model: RhythmModel = load_model(model_path, engine=settings.engine)
        _check(settings, self.model)
        self._facts = _facts_of(self.model, model_path)
        self._settings = settings
        self.results = results
        self._again = again

    def run(self, task: Task, told: Told) -> RecordingResult:
        """Judge a recording and write its results; one that cannot be judged is said to fail.

        Args:
            task: the recording.
            told: called with windows done and windows in all.

        Raises:
            EcglensError: results cannot be written, or the model cannot run.
        """
        try:
            return self._run(task, told)
        except (RecordError, WindowError, UsageError) as error:  # settings have been checked
            return RecordingResult(task.path, task.name, "failed", error=error)
        except MemoryError:
            failure = RecordError(f"{task.path} needs more memory than there is; cut it up")
            return RecordingResult(task.path, task.name, "failed", error=failure)
        except _OURS as error:
            failure = RecordError(
                f"{task.path} met a fault of ecglens, {type(error).__name__}: {error}; please "
                "report it with the recording"
            )
            return RecordingResult(task.path, task.name, "failed", error=failure)

    def _run(self, task: Task, told: Told) -> RecordingResult:
        results = self.results
        if results is None:
            timeline = self._judge(open_record(task.path, fs=self._settings.fs), None, told)
            return RecordingResult(task.path, task.name, "done", timeline.summary(), timeline)
        if size_of(task.path) > _LONG_TO_HASH:  # what is too large to read is refused at once
            open_record(task.path, fs=self._settings.fs)
        made_from = self._made_from(task.path)
        other = _other_recording(results.made_from(task.name), made_from)
        if other:
            return RecordingResult(
                task.path, task.name, "failed", error=_taken(results.top / task.name, other)
            )
        journal = None if made_from is None else results.journal(task.name, _key(made_from))
        if made_from is not None and journal is not None and not self._again:
            kept = results.kept(task.name, made_from)
            if kept is not None:
                journal.clear()  # a run may have been killed before it did so
                return RecordingResult(task.path, task.name, "skipped", kept)
        record = open_record(task.path, fs=self._settings.fs)
        timeline = self._judge(record, journal, told)
        with results.staged(task.name) as folder:
            self._save(timeline, record, folder)
            if made_from is not None and made_from[CONTENT] != content_hash(task.path):
                if journal is not None:
                    journal.clear()  # some of its windows are of another content
                raise RecordError(
                    f"{task.path} changed while it was judged; run again when it is whole"
                )
            summary = _sign(folder / SUMMARY, made_from)
        if journal is not None:
            journal.clear()
        return RecordingResult(task.path, task.name, "done", summary)

    def _judge(self, record: RecordSource, journal: Journal | None, told: Told) -> Timeline:
        with one_blas_core():
            return predict_record(
                self.model,
                record,
                leads=self._settings.leads,
                hop_s=self._settings.hop_s,
                journal=journal,
                progress=told,
            )

    def _save(self, timeline: Timeline, record: RecordSource, folder: Path) -> None:
        explain = self._explainer(timeline, record)
        with one_blas_core():
            save_prediction(
                timeline,
                record,
                self._facts,
                folder,
                tables=self._settings.tables,
                explain=explain,
            )

    def _explainer(
        self, timeline: Timeline, record: RecordSource
    ) -> Callable[[Episode], Figure | str | None]:
        """Return what draws the evidence of the first episodes asked for that are not normal."""
        left = self._settings.explained

        def explain(episode: Episode) -> Figure | str | None:
            nonlocal left
            if left == 0 or episode.label in (*BACKGROUND, INCONCLUSIVE, UNREADABLE):
                return None
            try:
                found = explain_episode(self.model, record, timeline, episode)
            except UnreadableWindowError:
                return f"at {record.fs:g} Hz its surest window cannot be read"
            left -= 1
            return plot_explanation(found, small=True)

        return explain

    def _made_from(self, path: Path) -> dict[str, Any] | None:
        """Return all that the results depend on, or None where the files cannot be read."""
        content = content_hash(path)
        if content is None:
            return None
        place, chosen = path.resolve(), self._settings
        return {
            "program": f"ecglens {__version__}",
            "model": self._facts.name,
            "model_sha256": self._facts.sha256,
            CONTENT: content,
            # Database, record and subject are taken from it.
            RECORDING: f"{place.parent.name}/{place.name}",
            "leads": chosen.leads if isinstance(chosen.leads, str) else list(chosen.leads),
            "hop_s": chosen.hop_s,
            "fs": chosen.fs,
            "tables": chosen.tables,
            "explained": chosen.explained,
            "engine": [chosen.engine.engine, chosen.engine.device],
            "precision": resolve_precision(chosen.engine.engine, chosen.engine.precision),
        }


def _check(settings: BatchSettings, model: RhythmModel) -> None:
    """Refuse what no recording could be judged with, before any is read."""
    window_rule(model, settings.leads, settings.hop_s)
    if settings.fs is not None:
        check_fs(settings.fs)


def _other_recording(found: Mapping[str, Any], made_from: Mapping[str, Any] | None) -> str:
    """Return the recording that results are of, ``""`` where it may be the one to be judged.

    One that was moved has its content, and one that changed has its name and folder.
    """
    there = found.get(RECORDING)
    if made_from is None or not isinstance(there, str) or found.get(CONTENT) == made_from[CONTENT]:
        return ""
    return "" if _bare(there) == _bare(made_from[RECORDING]) else there


def _taken(folder: Path, other: str) -> OutputError:
    return OutputError(
        f"{folder} holds the results of another recording, {other}; choose another --out, name "
        "both recordings in one command, or remove that folder"
    )


def _bare(recording: str) -> str:
    """Return a name without what a WFDB record may be named by."""
    return recording.removesuffix(".hea").removesuffix(".dat")


def with_threads(settings: BatchSettings, threads: int) -> BatchSettings:
    """Return the settings with so many threads for the network."""
    return replace(settings, engine=replace(settings.engine, threads=threads))


def _key(made_from: Mapping[str, Any]) -> str:
    """Return a key of what windows are judged from; how tables are written is no part of it."""
    kept = {name: value for name, value in made_from.items() if name not in _LOOKS}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def _sign(path: Path, made_from: Mapping[str, Any] | None) -> dict[str, Any]:
    """Write into a summary what the results were made from, and return it."""
    summary: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    summary[MADE_FROM] = made_from
    write_json(path, summary)
    return summary


def _facts_of(model: RhythmModel, path: Path) -> ModelFacts:
    try:
        return ModelFacts.of(model, path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ModelFileError(f"cannot read {path}: {reason}; give a model file") from error
