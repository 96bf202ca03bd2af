"""``ecglens predict``: what it prints and writes, for one recording and for many."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecglens.batch import Step
from ecglens.cli import console
from ecglens.cli.bars import BatchBars
from ecglens.prediction import Timeline, predict_record
from ecglens.records import Recording
from tests.cli.collection import FS, Program, files_in, write_record
from tests.signals_of import beats, fibrillation


def table_of(out: Path) -> list[dict[str, str]]:
    with (out / "records.csv").open(newline="") as file:
        return list(csv.DictReader(file))


class TestWords:
    def test_text(self, ecglens: Program, model: Path, collection: Path) -> None:
        done = ecglens("predict", collection / "s02", "--model", model)
        assert (done.code, done.err) == (0, "")
        lines = done.out.splitlines()
        assert lines[0] == "s02, lead II, 1.0 min"
        assert "note: subject made-s02 was in training" in lines[1]
        assert "note: beats can be counted in 0 of 6 readable windows" in lines[2]
        assert lines[3] == "  VF 100.0%"
        assert lines[4].split() == ["start_s", "end_s", "label", "probability"]
        assert lines[5].split()[:3] == ["0.000", "60.000", "VF"]
        assert len(lines) == 6

    def test_with_files_a_line_each_and_a_count(
        self, ecglens: Program, model: Path, collection: Path, tmp_path: Path
    ) -> None:
        out = tmp_path / "out"
        asked = ("predict", collection / "s02", collection / "s05", "--model", model, "--out", out)
        done = ecglens(*asked)
        assert done.out.splitlines() == [
            f"s02, lead II, 1.0 min: VF 100.0% -> {out / 's02'}",
            f"s05, lead II, 1.0 min: VF 100.0% -> {out / 's05'}",
            "2 recordings: 2 done, 0 done before, 0 failed",
        ]
        done = ecglens(*asked)
        assert done.out.splitlines() == [
            f"s02, lead II, 1.0 min: VF 100.0% -> {out / 's02'} (done before)",
            f"s05, lead II, 1.0 min: VF 100.0% -> {out / 's05'} (done before)",
            "2 recordings: 0 done, 2 done before, 0 failed",
        ]
        assert "2 done, 0 done before" in ecglens(*asked, "--again").out

    def test_the_page_shows_what_spoke_for_as_many_episodes_as_asked(
        self, ecglens: Program, model: Path, collection: Path, tmp_path: Path
    ) -> None:
        for explained, shown in ((0, 0), (1, 1)):
            asked = ("--model", model, "--out", tmp_path, "--explained", explained)
            assert ecglens("predict", collection / "s02", *asked).code == 0
            page = (tmp_path / "s02" / "report.html").read_text()
            assert page.count("What spoke for VF.") == shown

    def test_very_many_have_a_line_each(
        self, ecglens: Program, model: Path, collection: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ecglens.cli.predict.MANY", 11)
        lines = ecglens("predict", collection, "--model", model).out.splitlines()
        assert len(lines) == 13
        assert lines[2] == "s02, lead II, 1.0 min: VF 100.0%"
        assert lines[-1] == "12 recordings: 12 done, 0 done before, 0 failed"

    def test_json_of_one_holds_its_windows(
        self, ecglens: Program, model: Path, collection: Path
    ) -> None:
        done = ecglens("predict", collection / "s02", "--model", model, "--json", "--hop-s", 5)
        assert done.err == ""
        said = done.json
        assert said.keys() == {"records", "failed", "model"}
        assert said["model"] == "rhythm.ecglens"
        (record,) = said["records"]
        assert record["path"] == str(collection / "s02")
        assert record["status"] == "done"
        assert record["episodes"][0]["label"] == "VF"
        assert len(record["windows"]) == 11

    def test_json_of_several_holds_episodes(
        self, ecglens: Program, model: Path, collection: Path
    ) -> None:
        asked = ("predict", collection / "s00", collection / "s02", "--model", model, "--json")
        said = ecglens(*asked).json
        assert said["failed"] == []
        assert [r["summary"]["record"] for r in said["records"]] == ["s00", "s02"]
        for record in said["records"]:
            assert record.keys() == {"path", "name", "status", "summary", "episodes"}

    def test_json_of_what_was_done_before(
        self, ecglens: Program, model: Path, collection: Path, tmp_path: Path
    ) -> None:
        asked = ("predict", collection / "s02", "--model", model, "--json", "--out", tmp_path)
        first, second = ecglens(*asked).json, ecglens(*asked).json
        (episode,) = first["records"][0]["episodes"]
        assert episode == {
            "start_s": 0.0, "end_s": 60.0, "label": "VF", "probability": episode["probability"],
            "lead": "II", "n_windows": 6, "reason": "",
        }  # fmt: skip
        assert 0.5 < episode["probability"] <= 1
        assert second["records"][0].pop("status") == "skipped"
        assert first["records"][0].pop("status") == "done"
        assert first == second

    def test_json_of_nothing_but_failures(
        self, ecglens: Program, model: Path, tmp_path: Path
    ) -> None:
        done = ecglens("predict", tmp_path / "none", "--model", model, "--json")
        assert done.code == 3
        assert done.json == {
            "records": [],
            "failed": [
                {
                    "path": str(tmp_path / "none"),
                    "error": "RecordError",
                    "message": f"no such file or record: {tmp_path / 'none'}",
                }
            ],
            "model": "rhythm.ecglens",
        }


class TestFiles:
    def test_a_folder_for_every_recording(
        self, ecglens: Program, model: Path, collection: Path, tmp_path: Path
    ) -> None:
        out = tmp_path / "new"
        assert ecglens("predict", collection / "s02", "--model", model, "--out", out).code == 0
        assert files_in(out / "s02") == [
            "episodes.csv", "report.html", "s02.rhythm", "summary.json", "windows.csv",
        ]  # fmt: skip
        assert sorted(path.name for path in out.iterdir()) == ["records.csv", "s02"]

    def test_the_summary_says_what_it_was_made_from(
        self, ecglens: Program, model: Path, collection: Path, tmp_path: Path
    ) -> None:
        ecglens("predict", collection / "s02", "--model", model, "--hop-s", 5, "--out", tmp_path)
        made_from = json.loads((tmp_path / "s02" / "summary.json").read_text())["made_from"]
        assert made_from["hop_s"] == 5
        assert made_from["recording"] == "made/s02"
        assert len(made_from["recording_sha256"]) == len(made_from["model_sha256"]) == 64

    def test_records_of_one_name_do_not_overwrite_each_other(
        self, ecglens: Program, model: Path, tmp_path: Path
    ) -> None:
        header = write_record(tmp_path / "x" / "one", "r", beats(20, FS))
        write_record(tmp_path / "x" / "two", "r", beats(20, FS))
        write_record(tmp_path / "y" / "two", "r", beats(20, FS))
        # A folder counts files of one name once; a file that is named counts by itself.
        table = header.with_suffix(".csv")
        table.write_text("\n".join(f"{v:.3f}" for v in beats(20, FS)))
        done = ecglens(
            "predict", tmp_path / "x", tmp_path / "y", table, "--fs", FS, "--model", model,
            "--out", tmp_path / "out",
        )  # fmt: skip
        assert done.code == 0
        assert [row["name"] for row in table_of(tmp_path / "out")] == [
            "one-r-hea", "two-r-hea-1", "two-r-hea-2", "one-r-csv",
        ]  # fmt: skip
        assert len(list((tmp_path / "out").glob("*/summary.json"))) == 4

    def test_results_within_the_folder_of_recordings_are_no_recordings(
        self, ecglens: Program, model: Path, tmp_path: Path
    ) -> None:
        write_record(tmp_path, "a", beats(20, FS))
        out = tmp_path / "out"
        for _ in range(2):
            assert ecglens("predict", tmp_path, "--model", model, "--out", out).code == 0
            assert [row["name"] for row in table_of(out)] == ["a"]

    def test_an_unreadable_record_is_no_error(
        self, ecglens: Program, model: Path, tmp_path: Path
    ) -> None:
        write_record(tmp_path, "flat", np.zeros(30 * FS))
        write_record(tmp_path, "lost", np.full(30 * FS, np.nan))
        done = ecglens("predict", tmp_path, "--model", model)
        assert (done.code, done.err) == (0, "")
        assert done.out.count("unreadable 100.0%") == 2
        for name, reason in (("flat", "flat"), ("lost", "missing")):
            (said,) = ecglens("predict", tmp_path / name, "--model", model, "--json").json[
                "records"
            ]
            assert {window["label"] for window in said["windows"]} == {"unreadable"}
            assert {window["reason"] for window in said["windows"]} == {reason}
            assert said["episodes"][0]["probability"] is None

    def test_a_csv_needs_a_rate(self, ecglens: Program, model: Path, tmp_path: Path) -> None:
        path = tmp_path / "r.csv"
        path.write_text("\n".join(f"{v:.4f}" for v in fibrillation(30, FS)))
        done = ecglens("predict", path, "--model", model, "--fs", FS, "--json")
        assert done.json["records"][0]["episodes"][0]["label"] == "VF"
        refused = ecglens("predict", path, "--model", model)
        assert refused.code == 3
        assert "--fs" in refused.err


class TestFailures:
    @pytest.fixture
    def mixed(self, tmp_path: Path) -> Path:
        """Four recordings, the two in the middle bad."""
        folder = tmp_path / "mixed"
        write_record(folder, "a", beats(20, FS))
        write_record(folder, "b", beats(20, FS)).with_suffix(".dat").write_bytes(b"\0" * 10)
        write_record(folder, "c", beats(5, FS))
        write_record(folder, "d", fibrillation(20, FS))
        return folder

    @pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
    def test_one_bad_record_among_good_ones(
        self, ecglens: Program, model: Path, mixed: Path, tmp_path: Path, jobs: int
    ) -> None:
        out = tmp_path / "out"
        done = ecglens("predict", mixed, "--model", model, "--out", out, "--jobs", jobs)
        assert done.code == 9
        lines = done.err.splitlines()
        assert len(lines) == 3
        assert lines[0].startswith(f"ecglens: {mixed / 'b.hea'}: ")
        assert "b.hea declares 2000 samples, but b.dat holds 5" in lines[0]
        assert "shorter than one window" in lines[1]
        assert lines[2] == (
            "ecglens: error: 2 of 4 recordings failed, the rest are done; "
            f"{out / 'records.csv'} says why"
        )
        assert done.out.splitlines()[-1] == "4 recordings: 2 done, 0 done before, 2 failed"
        assert sorted(path.parent.name for path in out.glob("*/summary.json")) == ["a", "d"]
        a, b, c, d = table_of(out)
        assert [row["status"] for row in (a, b, c, d)] == ["done", "failed", "failed", "done"]
        assert a["path"] == str(mixed / "a.hea")
        assert (a["lead"], a["duration_s"], a["message"]) == ("II", "20.0", "")
        assert sum(float(a[f"percent_{name}"]) for name in ("AF", "N", "VF", "inconclusive")) == (
            pytest.approx(100)
        )
        assert a["percent_unreadable"] == "0.0"
        assert (b["error"], c["error"]) == ("RecordError", "WindowError")
        assert "b.dat holds 5" in b["message"]
        assert (b["duration_s"], b["percent_N"]) == ("", "")

    def test_json(self, ecglens: Program, model: Path, mixed: Path) -> None:
        said = ecglens("predict", mixed, "--model", model, "--json")
        assert said.code == 9
        assert [record["name"] for record in said.json["records"]] == ["a", "d"]
        assert [failed["error"] for failed in said.json["failed"]] == ["RecordError", "WindowError"]

    def test_when_all_fail_the_code_is_that_of_the_first(
        self, ecglens: Program, model: Path, mixed: Path, tmp_path: Path
    ) -> None:
        bad = (mixed / "c", mixed / "b")
        for paths, code in ((bad, 4), (bad[::-1], 3)):
            done = ecglens("predict", *paths, "--model", model, "--out", tmp_path / "out")
            assert done.code == code
            assert "ecglens: 2 of 2 recordings failed" in done.err

    def test_what_failed_is_tried_again(
        self, ecglens: Program, model: Path, mixed: Path, tmp_path: Path
    ) -> None:
        asked = ("predict", mixed, "--model", model, "--out", tmp_path / "out")
        assert ecglens(*asked).code == 9
        shutil.copy(mixed / "a.dat", mixed / "b.dat")
        done = ecglens(*asked)
        assert done.out.splitlines()[-1] == "4 recordings: 1 done, 2 done before, 1 failed"

    @pytest.mark.parametrize("options", [("--hop-s", 11), ("--jobs", 0), ("--tables", "xls")])
    def test_a_wrong_option_is_said_once_not_for_every_record(
        self, ecglens: Program, model: Path, collection: Path, options: tuple[object, ...]
    ) -> None:
        done = ecglens("predict", collection, "--model", model, *options)
        assert done.code == 2
        assert "Traceback" not in done.err
        assert done.out == ""

    def test_a_record_named_twice_counts_once(
        self, ecglens: Program, model: Path, collection: Path
    ) -> None:
        twice = (collection / "s00", collection / "s00.dat", collection / ".." / "made" / "s00.hea")
        said = ecglens("predict", *twice, "--model", model, "--json").json
        assert len(said["records"]) == 1

    def test_ctrl_c_leaves_the_files_of_finished_records_whole(
        self,
        ecglens: Program,
        model: Path,
        collection: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def predict(model: Any, record: Recording, **options: Any) -> Timeline:
            if record.record_id == "s01":
                raise KeyboardInterrupt
            return predict_record(model, record, **options)

        monkeypatch.setattr("ecglens.batch.work.predict_record", predict)
        both = (collection / "s00", collection / "s01")
        asked = ("predict", *both, "--model", model, "--out", tmp_path)
        done = ecglens(*asked)
        assert done.code == 130
        assert done.error.startswith("interrupted; finished files are whole")
        assert [path.name for path in tmp_path.iterdir()] == ["s00"]
        assert json.loads((tmp_path / "s00" / "summary.json").read_text())["duration_s"] == 60
        monkeypatch.setattr("ecglens.batch.work.predict_record", predict_record)
        assert "1 done, 1 done before" in ecglens(*asked).out


class TestBars:
    STEPS = (
        Step("s00", 4, 6, 0, 2, 0.33, 8.0),
        Step("s00", 0, 0, 1, 2, 0.5, 3725.0),
        Step("s01", 6, 6, 1, 2, 1.0, None),
    )

    def test_on_a_terminal(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("COLUMNS", "120")
        bars = BatchBars()
        for step in self.STEPS[:2]:
            bars.show(step)
        bars.hide()
        console.say("a result")
        bars.show(self.STEPS[2])
        bars.hide()
        said = capsys.readouterr()
        assert said.out == "a result\n"
        for word in ("1/2 1:02:05 left", "s00", "4/6 windows", "s01", "6/6 windows"):
            assert word in said.err

    def test_silence_in_a_pipe(self, capsys: pytest.CaptureFixture[str]) -> None:
        bars = BatchBars()
        for step in self.STEPS:
            bars.show(step)
        bars.hide()
        assert capsys.readouterr() == ("", "")

    def test_the_bars_hear_of_every_block(
        self, ecglens: Program, model: Path, collection: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[tuple[str, int, int, int]] = []
        monkeypatch.setattr(
            BatchBars,
            "show",
            lambda _, step: seen.append((step.name, step.windows, step.n_windows, step.n_ended)),
        )
        monkeypatch.setattr("ecglens.windows.cutting.BLOCK", 4)
        ecglens("predict", collection / "s00", collection / "s01", "--model", model)
        assert seen == [
            ("s00", 4, 6, 0), ("s00", 6, 6, 0), ("s00", 0, 0, 1),
            ("s01", 4, 6, 1), ("s01", 6, 6, 1), ("s01", 0, 0, 2),
        ]  # fmt: skip
