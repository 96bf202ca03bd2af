"""The whole job on a few virtual patients with a tiny network: what is found is what is written."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from ecglens.demo import REHEARSAL, DemoResult, DemoSettings, run_demo, shipped_verdict, verdict
from ecglens.errors import OutputError, UsageError
from ecglens.models import load_model
from ecglens.prediction import predict_record
from ecglens.readers import read_record
from tests.cli.collection import files_in
from tests.reports.parsing import check_self_contained, parse
from tests.tiny_onnx import make_tiny_onnx

FILES = [
    "demo.ecglens",
    "holter.atr",
    "holter.dat",
    "holter.episodes.csv",
    "holter.hea",
    "report.html",
    "summary.json",
]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> DemoSettings:
    network = make_tiny_onnx(tmp_path_factory.mktemp("network") / "tiny.onnx", image_size=(64, 48))
    return DemoSettings(n_patients=12, hours=0.3, backbone=str(network), random_state=3)


class Told:
    """Steps of a run, as progress is told of them."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.counts: dict[str, tuple[int, int]] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[object]:
        self.names.append(name)
        yield lambda done, total: self.counts.__setitem__(name, (done, total))


@pytest.fixture(scope="module")
def made(
    settings: DemoSettings, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, DemoResult, Told]:
    folder = tmp_path_factory.mktemp("made") / "new" / "demo"
    told = Told()
    return folder, run_demo(folder, settings, steps=told), told


Made = tuple[Path, DemoResult, Told]


def test_all_files_are_there_and_nothing_else(made: Made) -> None:
    assert files_in(made[0]) == FILES
    assert not [path for path in made[0].iterdir() if path.is_dir()]


def test_the_holter_is_of_someone_unseen(made: Made) -> None:
    _, result, _ = made
    assert result.record.subject_id not in result.model.training_subjects
    assert len(result.model.training_subjects) == 12
    assert result.timeline.notes == ()
    assert result.truth[0][0] == 0
    assert result.truth[-1][1] == pytest.approx(0.3 * 3600)
    assert all(a[1] == b[0] and a[2] != b[2] for a, b in pairwise(result.truth))


def test_the_files_give_what_the_report_says(made: Made) -> None:
    folder, result, _ = made
    again = predict_record(load_model(folder / "demo.ecglens"), read_record(folder / "holter"))
    assert again.labels.tolist() == result.timeline.labels.tolist()
    np.testing.assert_array_equal(again.probabilities, result.timeline.probabilities)
    with (folder / "holter.episodes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == [one.label for one in again.episodes]
    summary = json.loads((folder / "summary.json").read_text())
    assert summary == json.loads(json.dumps(result.to_dict()))
    assert summary["holter"]["seconds"] == again.summary()["seconds"]
    assert sum(summary["holter"]["true_seconds"].values()) == pytest.approx(0.3 * 3600)
    assert REHEARSAL in summary["note"]


def test_the_shipped_model_judges_the_same_holter(made: Made) -> None:
    folder, result, _ = made
    again = predict_record(load_model("rhythm4"), read_record(folder / "holter"))
    assert again.labels.tolist() == result.shipped.labels.tolist()
    said = json.loads((folder / "summary.json").read_text())["holter_by_shipped_model"]
    assert said["model"] == "rhythm4"
    assert said["seconds"] == again.summary()["seconds"]
    assert said["right_share"] == pytest.approx(result.by_shipped.right_share, abs=1e-6)
    counts = {name: list(found) for name, found in result.by_shipped.found.items()}
    assert said["episodes_found"] == counts
    assert said["false_episodes"] == result.by_shipped.n_false


def test_figures_of_the_holter_follow_from_its_windows(made: Made) -> None:
    _, result, _ = made
    timeline = result.timeline
    right_s = sum(
        min(end, start + 10) - max(begin, start)
        for start, label in zip(timeline.start_s, timeline.labels, strict=True)
        for begin, end, name in result.truth
        if name == label and begin < start + 10 and start < end
    )
    assert result.right_share == pytest.approx(right_s / timeline.duration_s)
    assert sum(there for _, there in result.found.values()) == sum(
        label != "N" for *_, label in result.truth
    )
    assert "N" not in result.found


def test_the_report_is_one_whole_file_that_says_it(made: Made) -> None:
    folder, result, _ = made
    html = (folder / "report.html").read_text()
    check_self_contained(html)
    assert len(html) < 3_000_000
    seen = parse(html)
    assert verdict(result) in seen.words
    assert shipped_verdict(result) in seen.words
    assert seen.words.count(REHEARSAL) == 2
    assert "not a medical device" in seen.words
    assert result.model.backbone.sha256 in seen.words
    headings = seen.text_of("h2")
    assert headings == [
        "The Holter",
        "The same Holter by the shipped model",
        "How far to trust it",
        "What the network sees",
        "Settings",
        "With recordings of your own",
    ]
    assert "pooled (leaks)" in seen.text_of("th")
    commands = seen.text_of("code")
    replay = f"ecglens predict {folder}/holter --model {folder}/demo.ecglens --out episodes"
    assert replay in commands
    assert result.settings.command in commands
    pictures = [a["aria-label"] for tag, a in seen.tags if a.get("role") == "img" and tag == "div"]
    for name in ("atrial fibrillation", "normal rhythm", "ST segment", "ventricular"):
        assert any(name in text for text in pictures)


def test_the_documented_page_can_be_made(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = (Path(__file__).parents[2] / "docs" / "demo.md").read_text(encoding="utf-8")
    whole_job, page = re.findall(r"```python\n(.*?)```", document, flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names = {"result": made[1]}
    exec(page, names)
    check_self_contained(Path("holter.html").read_text())
    monkeypatch.setattr("ecglens.demo.run_demo", lambda _, settings: made[1])
    exec(whole_job, names)


@pytest.mark.parametrize(
    ("truth", "said", "words"),
    [
        (
            "N N AF N",
            "N N AF N",
            "it found 1 of 1 episodes (AF 1 of 1), predicted no false one",
        ),
        ("N AF N N", "VF N N N", "it found 0 of 1 episodes (AF 0 of 1), predicted 1 false one and"),
        ("N N N N", "AF N VF N", "it had none to find, predicted 2 false ones and named 50.0 % of"),
    ],
)
def test_the_verdict_owns_up(made: Made, truth: str, said: str, words: str) -> None:
    _, result, _ = made
    spans = tuple((10.0 * i, 10.0 * i + 10, label) for i, label in enumerate(truth.split()))
    seen = replace(
        result.timeline,
        start_s=10.0 * np.arange(4),
        labels=np.array(said.split()),
        probabilities=np.full((4, 4), 0.25),
    )
    assert words in verdict(replace(result, truth=spans, timeline=seen))


def test_progress_goes_to_the_end_of_each_step(made: Made) -> None:
    _, result, told = made
    assert told.names == [
        "virtual patients",
        "features",
        "folds",
        "training",
        "Holter",
        "Holter by rhythm4",
        "report",
    ]
    assert told.counts == {
        "virtual patients": (12, 12),
        "features": (len(result.windows), len(result.windows)),
        "folds": (10, 10),
        "Holter": (108, 108),
        "Holter by rhythm4": (108, 108),
    }


@pytest.mark.slow
def test_the_same_settings_give_the_same_bytes(
    made: Made, settings: DemoSettings, tmp_path: Path
) -> None:
    folder, _, _ = made
    before = {name: (folder / name).read_bytes() for name in FILES}
    (folder / "mine.txt").write_text("stays")
    run_demo(folder, settings)
    assert {name: (folder / name).read_bytes() for name in FILES} == before
    assert (folder / "mine.txt").read_text() == "stays"
    (folder / "mine.txt").unlink()


def test_a_failure_leaves_an_older_demo_whole(
    made: Made, settings: DemoSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _, _ = made
    before = {name: (folder / name).read_bytes() for name in FILES}

    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ecglens.demo.job.fit_model", fail)
    with pytest.raises(KeyboardInterrupt):
        run_demo(folder, settings)
    assert {name: (folder / name).read_bytes() for name in FILES} == before
    assert files_in(folder) == FILES


class TestPlaces:
    def test_a_file_in_the_way(self, settings: DemoSettings, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("mine")
        with pytest.raises(OutputError, match=r"cannot make folder .*file: File exists; choose"):
            run_demo(tmp_path / "file", settings)
        assert (tmp_path / "file").read_text() == "mine"

    def test_a_folder_of_a_files_name(self, settings: DemoSettings, tmp_path: Path) -> None:
        (tmp_path / "report.html").mkdir()
        with pytest.raises(OutputError, match=r"report\.html: a folder has that name; choose"):
            run_demo(tmp_path, settings)
        assert files_in(tmp_path) == []

    def test_a_folder_that_takes_no_files(self, settings: DemoSettings) -> None:
        if not Path("/proc/self").is_dir():
            pytest.skip("needs /proc, where nobody can make a file")
        with pytest.raises(OutputError, match=r"cannot write /proc/self: .*; choose another place"):
            run_demo("/proc/self", settings)

    def test_a_full_disk_is_told_without_hidden_names(
        self, settings: DemoSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fsync(_: int) -> None:
            raise OSError(28, os.strerror(28))

        monkeypatch.setattr(os, "fsync", fsync)
        with pytest.raises(OutputError, match="No space left on device; choose") as told:
            run_demo(tmp_path / "demo", settings)
        assert ".part" not in str(told.value)
        assert files_in(tmp_path) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_patients": 11}, "patients must be from 12 to 1000, got 11"),
        ({"hours": 0.05}, r"hours must be from 0.1 to 24, got 0.05"),
        ({"hours": float("nan")}, "hours must be from 0.1 to 24, got nan"),
        ({"random_state": -1}, "random_state must be a whole number of 0 or more, got -1"),
    ],
)
def test_settings_out_of_range(change: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        DemoSettings(**change)  # type: ignore[arg-type]


def test_the_command_asks_for_the_same() -> None:
    command = DemoSettings(12, 0.5, "my net.onnx", 7).command
    assert command == (
        "ecglens demo --patients 12 --hours 0.5 --random-state 7 --backbone 'my net.onnx'"
    )


@pytest.mark.slow
def test_the_whole_demo_as_anyone_runs_it(tmp_path: Path) -> None:
    result = run_demo(tmp_path)
    assert len(result.windows) > 700
    assert result.model.backbone.name == "ecglens-s"
    assert set(result.found) == {"AF", "ST", "VF"}
    assert all(found >= 1 for found, _ in result.found.values())
    assert result.right_share > 0.9
    pooled, subject = (result.evaluation.results[name] for name in ("pooled", "subject"))
    assert pooled.accuracy.value > subject.accuracy.value > 0.85
    html = (tmp_path / "report.html").read_text()
    check_self_contained(html)
    assert len(html) < 3_000_000
    words = parse(html).words
    for name in ("AF", "N", "ST", "VF"):
        assert f"{name}, " in words
