from __future__ import annotations

import csv
import errno
import itertools
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecglens.batch import BatchSettings, RecordingResult, Step, predict_files
from ecglens.batch.folder import UNFINISHED
from ecglens.errors import (
    OutputError,
    RecordError,
    UnreadableWindowError,
    UsageError,
    WindowError,
)
from ecglens.features import EngineSettings
from ecglens.prediction import Journal, predict_record
from tests.cli.collection import FS, files_in, write_record
from tests.signals_of import beats, fibrillation
from tests.test_prediction import MODEL, CountingModel


@pytest.fixture
def records(tmp_path: Path) -> list[Path]:
    """Three recordings: N, too short, VF behind N."""
    folder = tmp_path / "in"
    mixed = np.concatenate([beats(40, FS), fibrillation(40, FS)])
    return [
        write_record(folder, "a", beats(60, FS)),
        write_record(folder, "b", beats(5, FS)),
        write_record(folder, "c", mixed),
    ]


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecglens.windows.cutting.BLOCK", 2)


def statuses(results: Iterator[RecordingResult]) -> list[str]:
    return [result.status for result in results]


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in files_in(folder)}


def test_results_come_in_order_and_a_bad_one_stops_no_other(
    model_file: Path, records: list[Path]
) -> None:
    a, b, c = predict_files(model_file, records)
    assert [r.name for r in (a, b, c)] == ["a", "b", "c"]
    assert (a.status, b.status, c.status) == ("done", "failed", "done")
    assert isinstance(b.error, WindowError)
    assert (b.summary, b.timeline) == (None, None)
    assert c.timeline is not None
    assert [e.label for e in c.timeline.episodes] == ["N", "VF"]
    assert c.summary == c.timeline.summary()


def test_what_is_too_large_to_read_is_refused_before_it_is_hashed(
    model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hashed(path: Path) -> str:
        raise AssertionError(f"{path} was hashed")

    for name in ("r.npz", "r.csv"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(8 << 30)
    monkeypatch.setattr("ecglens.batch.work.content_hash", hashed)
    names = [tmp_path / "r.npz", tmp_path / "r.csv"]
    for result in predict_files(model_file, names, tmp_path / "out"):
        assert (result.status, type(result.error)) == ("failed", RecordError)


def test_the_table_of_records(model_file: Path, records: list[Path], tmp_path: Path) -> None:
    list(predict_files(model_file, [*records, records[0]], tmp_path / "out"))
    with (tmp_path / "out" / "records.csv").open(newline="") as file:
        a, b, c = csv.DictReader(file)
    assert a.keys() == {
        "name", "path", "status", "lead", "duration_s", "n_episodes", "percent_N", "percent_VF",
        "percent_inconclusive", "percent_unreadable", "error", "message",
    }  # fmt: skip
    assert (c["percent_N"], c["percent_VF"], c["n_episodes"]) == ("50.0", "50.0", "2")
    assert b["message"].startswith("record 'b' lasts 5.0 s, shorter than one window")
    assert a["path"] == str(records[0])


class TestResuming:
    def run(self, model: Path, records: list[Path], out: Path, **changed: Any) -> list[str]:
        settings = BatchSettings(**{k: v for k, v in changed.items() if k != "again"})
        again = changed.get("again", False)
        return statuses(predict_files(model, records, out, settings=settings, again=again))

    def test_what_a_finished_recording_was_judged_by_goes_with_the_next_run(
        self,
        model_file: Path,
        records: list[Path],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """As after a kill between the last file of the results and the end of the journal."""
        out = tmp_path / "out"
        with monkeypatch.context() as patch:
            patch.setattr(Journal, "clear", lambda _: None)
            assert self.run(model_file, records[:1], out) == ["done"]
        assert files_in(out / UNFINISHED)
        assert self.run(model_file, records[:1], out) == ["skipped"]
        assert not (out / UNFINISHED).exists()

    def test_what_is_done_is_skipped_and_no_byte_changes(
        self, model_file: Path, records: list[Path], tmp_path: Path
    ) -> None:
        out = tmp_path / "out"
        assert self.run(model_file, records, out) == ["done", "failed", "done"]
        first = contents(out)
        assert self.run(model_file, records, out) == ["skipped", "failed", "skipped"]
        assert contents(out) == first
        assert self.run(model_file, records, out, again=True) == ["done", "failed", "done"]
        assert contents(out) == first

    def test_another_setting_or_model_or_signal_is_judged(
        self, model_file: Path, records: list[Path], tmp_path: Path
    ) -> None:
        out, a = tmp_path / "out", records[:1]
        self.run(model_file, a, out)
        for changed in (
            {"hop_s": 5.0}, {"leads": ["II"]}, {"tables": "parquet"},
            {"engine": EngineSettings(precision="fp32", engine="torch")},
        ):  # fmt: skip
            assert self.run(model_file, a, out, **changed) == ["done"], changed
            assert self.run(model_file, a, out, **changed) == ["skipped"], changed
        self.run(model_file, a, out)
        model_file.write_bytes(b"another")
        assert self.run(model_file, a, out) == ["done"]
        write_record(records[0].parent, "a", beats(60, FS, seed=1))
        assert self.run(model_file, a, out) == ["done"]
        assert self.run(model_file, a, out) == ["skipped"]

    def test_results_of_another_recording_are_left_alone(
        self, model_file: Path, records: list[Path], tmp_path: Path
    ) -> None:
        out, a = tmp_path / "out", records[:1]
        other = write_record(tmp_path / "other", "a", beats(60, FS, seed=1))
        self.run(model_file, a, out)
        first = contents(out / "a")
        for again in (False, True):
            failed, done = predict_files(model_file, [other, records[2]], out, again=again)
            assert isinstance(failed.error, OutputError)
            assert str(failed.error) == (
                f"{out / 'a'} holds the results of another recording, in/a.hea; choose another "
                "--out, name both recordings in one command, or remove that folder"
            )
            assert done.status == "done"
            assert contents(out / "a") == first
        assert self.run(model_file, a, out) == ["skipped"]
        assert self.run(model_file, [*a, other], out) == ["done", "done"]  # in-a and other-a

    def test_a_recording_that_was_moved_or_is_called_without_its_ending_is_the_same(
        self, model_file: Path, records: list[Path], tmp_path: Path
    ) -> None:
        out, a = tmp_path / "out", records[0]
        self.run(model_file, [a], out)
        moved = shutil.copytree(a.parent, tmp_path / "moved") / a.name
        assert self.run(model_file, [moved], out) == ["done"]
        write_record(moved.parent, "a", beats(60, FS, seed=1))
        assert self.run(model_file, [moved.with_suffix("")], out) == ["done"]

    def test_results_that_do_not_say_of_what_are_replaced(
        self, model_file: Path, records: list[Path], tmp_path: Path
    ) -> None:
        out, a = tmp_path / "out", records[:1]
        self.run(model_file, a, out)
        for text in ("", "[]", "{}", '{"made_from": null}', '{"made_from": {"recording": 1}}'):
            (out / "a" / "summary.json").write_text(text)
            assert self.run(model_file, a, out) == ["done"], text

    def test_threads_are_no_setting_of_the_results(
        self, model_file: Path, records: list[Path], tmp_path: Path
    ) -> None:
        out, a = tmp_path / "out", records[:1]
        self.run(model_file, a, out)
        assert self.run(model_file, a, out, engine=EngineSettings(threads=1)) == ["skipped"]

    @pytest.mark.parametrize("lost", ["summary.json", ""])
    def test_what_is_not_whole_is_judged(
        self, model_file: Path, records: list[Path], tmp_path: Path, lost: str
    ) -> None:
        out, a = tmp_path / "out", records[:1]
        self.run(model_file, a, out)
        first = contents(out)
        for path in (out / "a").glob(lost or "*"):
            path.unlink()
        assert self.run(model_file, a, out) == ["done"]
        assert contents(out) == first

    def test_an_interrupted_record_goes_on_where_it_was(
        self,
        model_file: Path,
        records: list[Path],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        self.run(model_file, records, tmp_path / "whole")
        stopped: list[Step] = []

        def stop(step: Step) -> None:
            if (step.name, step.windows) == ("c", 4):
                stopped.append(step)
                raise KeyboardInterrupt

        out = tmp_path / "out"
        with pytest.raises(KeyboardInterrupt):
            list(predict_files(model_file, records, out, progress=stop))
        assert stopped
        assert sorted(path.name for path in out.iterdir()) == [UNFINISHED, "a"]
        assert files_in(out / UNFINISHED) == ["judged/c/0-0.json", "judged/c/0-1.json"]
        model = CountingModel()
        monkeypatch.setattr("ecglens.batch.work.load_model", lambda _path, **_: model)
        assert self.run(model_file, records, out) == ["skipped", "failed", "done"]
        assert model.judged == 4  # of eight windows
        assert contents(out) == contents(tmp_path / "whole")

    def test_what_was_judged_of_another_signal_is_of_no_use(
        self, model_file: Path, records: list[Path], tmp_path: Path
    ) -> None:
        def stop(step: Step) -> None:
            if step.windows == 4:
                raise KeyboardInterrupt

        out = tmp_path / "out"
        with pytest.raises(KeyboardInterrupt):
            list(predict_files(model_file, records[2:], out, progress=stop))
        write_record(records[2].parent, "c", fibrillation(80, FS))
        assert self.run(model_file, records[2:], out) == ["done"]
        summary = json.loads((out / "c" / "summary.json").read_text())
        assert summary["share"]["VF"] == 1


def test_a_journal_cleared_by_another_run_is_made_again(
    records: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ecglens.readers import read_record

    journal = Journal(tmp_path / "j", "key")
    cleared: list[Path] = []

    def clear_once(path: Path) -> Path:
        path.mkdir(parents=True, exist_ok=True)
        if len(cleared) < 2:
            cleared.append(path)
            path.rmdir()
        return path

    monkeypatch.setattr("ecglens.prediction.journal.make_folder", clear_once)
    predict_record(MODEL, read_record(records[0]), journal=journal)
    assert len(cleared) == 2
    assert len(list(journal.folder.iterdir())) == 3


class TestWhatStopsAll:
    def test_a_disk_that_is_full(
        self,
        model_file: Path,
        records: list[Path],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        out = tmp_path / "out"
        done = predict_files(model_file, records, out)
        assert next(done).status == "done"

        def fsync(_: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", fsync)
        with pytest.raises(OutputError, match="No space left on device"):
            list(done)
        monkeypatch.undo()
        assert sorted(path.name for path in out.iterdir()) == ["a"]

    def test_a_wrong_setting(self, model_file: Path, records: list[Path]) -> None:
        with pytest.raises(UsageError, match="jobs must be 1 or more, got 0"):
            predict_files(model_file, records, jobs=0)
        with pytest.raises(UsageError, match="hop must be over 0"):
            list(predict_files(model_file, records, settings=BatchSettings(hop_s=11)))
        with pytest.raises(UsageError, match="fs must be from 10"):
            list(predict_files(model_file, records, settings=BatchSettings(fs=1)))


def test_a_record_beyond_memory_fails_alone(
    model_file: Path, records: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def judge(model: Any, record: Any, **options: Any) -> Any:
        if record.record_id == "a":
            raise MemoryError
        return predict_record(model, record, **options)

    monkeypatch.setattr("ecglens.batch.work.predict_record", judge)
    a, _, c = predict_files(model_file, records)
    assert isinstance(a.error, RecordError)
    assert "a.hea needs more memory than there is" in str(a.error)
    assert c.status == "done"


def test_a_fault_of_the_program_costs_one_record_alone(
    model_file: Path, records: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ecglens.batch.work import Judge

    judge = Judge._judge

    def faulty(self: Judge, record: Any, *rest: Any) -> Any:
        if record.record_id == "a":
            raise ZeroDivisionError("division by zero")
        return judge(self, record, *rest)

    monkeypatch.setattr(Judge, "_judge", faulty)
    first, _, last = predict_files(model_file, records, tmp_path / "out")
    assert (first.status, last.status) == ("failed", "done")
    assert str(first.error) == (
        f"{records[0]} met a fault of ecglens, ZeroDivisionError: division by zero; please report "
        "it with the recording"
    )


def test_a_record_a_little_shorter_than_a_window_is_judged_and_drawn(
    model_file: Path, tmp_path: Path
) -> None:
    short = write_record(tmp_path / "in", "short", beats(10, 250)[:-2], fs=250)
    (result,) = predict_files(model_file, [short], tmp_path / "out")
    assert result.status == "done", result.error
    assert "Where episodes start" in (tmp_path / "out" / "short" / "report.html").read_text()


def test_what_cannot_be_explained_is_judged_and_said(
    model_file: Path, records: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explain(*_: Any, **__: Any) -> Any:
        raise UnreadableWindowError("1 of 1 windows cannot become images")

    monkeypatch.setattr("ecglens.batch.work.explain_episode", explain)
    (result,) = predict_files(model_file, records[2:], tmp_path / "out")
    assert result.status == "done", result.error
    page = (tmp_path / "out" / "c" / "report.html").read_text()
    assert "What spoke for VF is not shown: at 100 Hz its surest window cannot be read." in page


def test_a_record_that_breaks_a_rule_fails_alone(
    model_file: Path, records: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def judge(model: Any, record: Any, **options: Any) -> Any:
        if record.record_id == "a":
            raise UsageError("a stretch must lie within 0 to 99")
        return predict_record(model, record, **options)

    monkeypatch.setattr("ecglens.batch.work.predict_record", judge)
    a, _, c = predict_files(model_file, records)
    assert (a.status, c.status) == ("failed", "done")
    assert isinstance(a.error, UsageError)


def test_a_file_that_vanishes_between_listing_and_reading(
    model_file: Path, records: list[Path], tmp_path: Path
) -> None:
    done = predict_files(model_file, records, tmp_path / "out")
    next(done)
    records[2].unlink()
    _, gone = done
    assert gone.status == "failed"
    assert f"no such file or record: {records[2]}" in str(gone.error)


def test_progress_is_told(model_file: Path, records: list[Path]) -> None:
    told: list[Step] = []
    list(predict_files(model_file, records, progress=told.append))
    assert [(s.name, s.windows, s.n_ended) for s in told] == [
        ("a", 2, 0), ("a", 4, 0), ("a", 6, 0), ("a", 0, 1), ("b", 0, 2),
        ("c", 2, 2), ("c", 4, 2), ("c", 6, 2), ("c", 8, 2), ("c", 0, 3),
    ]  # fmt: skip
    assert told[-1].share == 1
    assert [s.share for s in told] == sorted(s.share for s in told)


def test_nothing_to_do(model_file: Path, tmp_path: Path) -> None:
    assert list(predict_files(model_file, [], tmp_path / "out")) == []


class TestChangesMeanwhile:
    """What becomes of a recording or a folder of results that others change during the run."""

    def test_a_recording_that_changes_is_not_believed(
        self, model_file: Path, records: list[Path], tmp_path: Path
    ) -> None:
        first = records[0].with_suffix(".dat").read_bytes()

        def change(step: Step) -> None:
            if (step.name, step.windows) == ("a", 4):
                write_record(records[0].parent, "a", beats(60, FS, seed=1))

        out = tmp_path / "out"
        a, _, c = predict_files(model_file, records, out, progress=change)
        assert isinstance(a.error, RecordError)
        assert str(a.error) == (
            f"{records[0]} changed while it was judged; run again when it is whole"
        )
        assert c.status == "done"
        assert files_in(out / "a") == []
        # Not even where it comes to be what it was: some windows were judged of another.
        records[0].with_suffix(".dat").write_bytes(first)
        list(predict_files(model_file, records, out))
        list(predict_files(model_file, records, tmp_path / "whole"))
        assert contents(out) == contents(tmp_path / "whole")

    def test_a_recording_that_vanishes_is_not_believed(
        self, model_file: Path, records: list[Path], tmp_path: Path
    ) -> None:
        def remove(step: Step) -> None:
            if (step.name, step.windows) == ("a", 6):
                records[0].with_suffix(".dat").unlink()

        a, _, c = predict_files(model_file, records, tmp_path / "out", progress=remove)
        assert isinstance(a.error, RecordError)
        assert c.status == "done"

    def test_a_folder_of_results_that_vanishes(
        self, model_file: Path, records: list[Path], tmp_path: Path
    ) -> None:
        out = tmp_path / "out"

        def remove(step: Step) -> None:
            if step.windows == 4:
                shutil.rmtree(out)

        with pytest.raises(OutputError, match=f"^cannot write {out / 'a'}: No such file"):
            list(predict_files(model_file, records, out, progress=remove))
        done = predict_files(model_file, records, out)
        assert statuses(done) == ["done", "failed", "done"]


class TestClock:
    """No result depends on the time of day."""

    def test_a_clock_that_goes_backwards(
        self,
        model_file: Path,
        records: list[Path],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        list(predict_files(model_file, records, tmp_path / "whole"))
        now = itertools.count(2e9, -1e6)
        monkeypatch.setattr("time.time", lambda: next(now))
        monkeypatch.setattr("time.time_ns", lambda: round(next(now) * 1e9))
        told: list[Step] = []
        list(predict_files(model_file, records, tmp_path / "out", progress=told.append))
        assert contents(tmp_path / "out") == contents(tmp_path / "whole")
        assert all(step.seconds_left is None or step.seconds_left >= 0 for step in told)

    @pytest.mark.parametrize("years", [-50, 50])
    def test_files_of_another_time(
        self, model_file: Path, records: list[Path], tmp_path: Path, years: int
    ) -> None:
        out = tmp_path / "out"
        list(predict_files(model_file, records, out))
        first = contents(out)
        for path in (*out.rglob("*"), *records[0].parent.iterdir(), model_file):
            then = time.time() + years * 365.25 * 86400
            os.utime(path, (then, then))
        assert statuses(predict_files(model_file, records, out)) == ["skipped", "failed", "skipped"]
        assert contents(out) == first
