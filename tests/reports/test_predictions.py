"""The folder of a prediction: what is in it, whatever the recording was like."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest

from ecglens.backbones import load_backbone
from ecglens.databases.wfdb_saving import save_wfdb
from ecglens.decisions import RejectRule, RhythmChange
from ecglens.errors import OutputError, RecordError, UsageError
from ecglens.images import ImageSettings
from ecglens.models import RhythmModel
from ecglens.prediction import Episode, Timeline
from ecglens.readers import find_records, open_record, read_record
from ecglens.readers.source import RecordSource
from ecglens.recipes import find_recipe
from ecglens.records import Lead, Record
from ecglens.reports.model_facts import ModelFacts
from ecglens.reports.predictions import check_tables, save_prediction
from tests.reports.parsing import check_self_contained, parse
from tests.reports.scenes import CLASSES, FS, MODEL, record_for, timeline_of
from tests.tiny_onnx import make_tiny_onnx

MIXED = timeline_of(
    [*["N"] * 12, *["AF"] * 6, *["VF"] * 2, *["unreadable"] * 3, *["ST"] * 4,
     *["inconclusive"] * 2, *["N"] * 6],
    rest_s=4.0, notes=("the gain is assumed",),
)  # fmt: skip
FILES = ["episodes.csv", "r1.rhythm", "report.html", "summary.json", "windows.csv"]


def save(timeline: Timeline, folder: Path, **more: Any) -> dict[str, Any]:
    """Save with a record made for it and return the summary."""
    save_prediction(timeline, record_for(timeline), MODEL, folder, **more)
    summary: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return summary


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def page_of(folder: Path) -> str:
    html = (folder / "report.html").read_text(encoding="utf-8")
    check_self_contained(html)
    return html


def test_a_folder_holds_the_files_and_nothing_else(tmp_path: Path) -> None:
    save(MIXED, tmp_path / "a" / "b")
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == FILES


def test_the_same_prediction_gives_the_same_bytes(tmp_path: Path) -> None:
    for kind in ("csv", "parquet"):
        save(MIXED, tmp_path / f"{kind}1", tables=kind)
        save(MIXED, tmp_path / f"{kind}2", tables=kind)
        first, second = (bytes_of(tmp_path / f"{kind}{i}") for i in (1, 2))
        assert first == second


def test_a_record_on_disk_gives_the_bytes_of_one_in_memory_and_is_not_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = timeline_of(["N"] * 300 + ["VF"] * 3 + ["N"] * 300)
    save_wfdb(record_for(long), tmp_path)
    source = open_record(tmp_path / "r1")
    save_prediction(long, source.to_record(), MODEL, tmp_path / "memory")
    asked: list[int] = []
    read = RecordSource._read

    def counting(self: RecordSource, start: int, stop: int, rows: Any) -> Any:
        asked.append(stop - start)
        return read(self, start, stop, rows)

    monkeypatch.setattr(RecordSource, "_read", counting)
    save_prediction(long, source, MODEL, tmp_path / "disk")
    assert bytes_of(tmp_path / "disk") == bytes_of(tmp_path / "memory")
    assert max(asked) <= 30 * FS
    assert sum(asked) < 0.05 * source.n_samples


def test_tables_say_what_the_timeline_says(tmp_path: Path) -> None:
    save(MIXED, tmp_path / "csv")
    save(MIXED, tmp_path / "pq", tables="parquet")
    with (tmp_path / "csv" / "windows.csv").open() as file:
        rows = list(csv.DictReader(file))
    table = pyarrow.parquet.read_table(tmp_path / "pq" / "windows.parquet").to_pylist()
    assert len(rows) == len(table) == len(MIXED.labels)
    for row, same in zip(rows, table, strict=True):
        assert list(row) == list(same)
        for name, value in same.items():
            told = row[name]
            assert value == (told if name in ("label", "reason") else float(told or "nan")) or (
                value is None and told == ""
            )
    with (tmp_path / "csv" / "episodes.csv").open() as file:
        episodes = list(csv.DictReader(file))
    assert [e["label"] for e in episodes] == [e.label for e in MIXED.episodes]
    assert sum(float(e["duration_s"]) for e in episodes) == pytest.approx(350)


def test_annotations_read_back_as_the_rhythms_of_a_record_beside_them(tmp_path: Path) -> None:
    save(MIXED, tmp_path)
    save_wfdb(record_for(MIXED), tmp_path)
    spans = read_record(tmp_path / "r1", annotator="rhythm").rhythms
    names = {"AF": "AFIB", "unreadable": "NOISE", "inconclusive": "Q"}
    assert [(s.start_s, s.end_s, s.rhythm) for s in spans] == [
        (e.start_s, e.end_s, names.get(e.label, e.label)) for e in MIXED.episodes
    ]


def test_an_output_folder_is_no_recording(tmp_path: Path) -> None:
    for kind in ("csv", "parquet"):
        save(MIXED, tmp_path / kind, tables=kind)
    with pytest.raises(RecordError, match="no record in"):
        find_records(tmp_path)


def test_the_summary_tells_record_model_and_burden(tmp_path: Path) -> None:
    summary = save(MIXED, tmp_path)
    assert summary["fs"] == FS
    assert summary["leads"] == ["II", "V1"]
    assert summary["model"] == {
        "name": "small.ecglens", "method": "default, tiny", "sha256": "ab" * 32,
        "thresholds": {"min_probability": {"AF": 0.5, "N": 0.6}, "max_distance": 2.5},
        "ecglens": MODEL.version,
    }  # fmt: skip
    assert summary["burden"]["AF"] == {
        "percent": 18.75, "minutes": 1.0, "n_episodes": 1, "longest_s": 60.0,
        "longest_start_s": 120.0,
    }  # fmt: skip
    assert summary["notes"] == ["the gain is assumed"]


def test_the_summary_is_written_last_and_an_old_one_goes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(MIXED, tmp_path, tables="parquet")
    monkeypatch.setattr(
        "ecglens.reports.predictions.save_html",
        lambda *_: (_ for _ in ()).throw(OutputError("disk full")),
    )
    with pytest.raises(OutputError, match="disk full"):
        save(MIXED, tmp_path)
    assert not (tmp_path / "summary.json").exists()
    assert not (tmp_path / "windows.parquet").exists()
    assert (tmp_path / "windows.csv").exists()


@pytest.mark.parametrize(
    "labels",
    [["N"], ["VF"], ["unreadable"], ["inconclusive"], ["unreadable"] * 50, ["VF"] * 30],
    ids=["N", "VF", "unreadable", "inconclusive", "all unreadable", "all VF"],
)
def test_any_recording_has_a_folder(tmp_path: Path, labels: list[str]) -> None:
    summary = save(timeline_of(labels), tmp_path)
    assert summary["burden"][labels[0]]["percent"] == 100
    seen = parse(page_of(tmp_path))
    if labels[0] == "unreadable":
        assert "Nothing could be judged" in seen.words
        assert summary["reasons"]["unreadable"] == {"flat": 10.0 * len(labels)}
    else:
        assert seen.named("img")
    if labels[0] in ("VF", "unreadable"):
        assert summary["heart_rate"]["median"] is None


def test_three_thousand_episodes_over_two_days_stay_small(tmp_path: Path) -> None:
    kinds = ["N", "AF", "N", "VF", "N", "ST", "inconclusive", "unreadable"]
    labels = [kinds[i // 6 % 8] for i in range(2 * 8640)]
    long = timeline_of(labels)
    assert len(long.episodes) == 2880
    save(long, tmp_path)
    html = page_of(tmp_path)
    assert len(html) < 3_000_000
    seen = parse(html)
    assert "The next 300 of 2880 episodes" in seen.words
    assert "2560 more episodes are in episodes.csv" in seen.words
    assert len(seen.named("img")) == 24
    titles = [word for word in seen.text_of("p") if ", ventricular" in word or "atrial" in word]
    assert titles[0].startswith("VF")


@pytest.mark.slow
def test_thousands_of_short_windows_stay_small(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = rng.choice([*CLASSES, "inconclusive"], 10_000).tolist()
    quick = timeline_of(labels, length_s=4.0, hop_s=1.0)
    save(quick, tmp_path)
    assert (tmp_path / "report.html").stat().st_size < 3_000_000


SMALL = ImageSettings(height=32, width=48)
HOSTILE = """<script>alert("&amp;")</script>'{{ 7*7 }}'"""


@pytest.mark.parametrize("name", ["Мой запись 1", HOSTILE, "..", "a/b", "CON", "", "a\udcffb"])
def test_odd_names_are_shown_and_make_safe_files(tmp_path: Path, name: str) -> None:
    timeline = replace(MIXED, record_id=name, notes=(HOSTILE,))
    record = replace(record_for(timeline), leads=(Lead("II"), Lead(HOSTILE)))
    save_prediction(timeline, record, replace(MODEL, name=HOSTILE), tmp_path / "out")
    made = sorted(path.name for path in (tmp_path / "out").iterdir())
    (annotation,) = [file for file in made if file.endswith(".rhythm")]
    assert annotation.removesuffix(".rhythm").replace("-", "").replace("_", "").isalnum()
    assert annotation.isascii()
    html = page_of(tmp_path / "out")
    assert "<script" not in html
    assert HOSTILE in parse(html).words
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["record"] == name


def test_a_name_may_be_given_and_is_checked(tmp_path: Path) -> None:
    save(MIXED, tmp_path, name="other")
    assert (tmp_path / "other.rhythm").exists()
    with pytest.raises(UsageError, match=r"record name 'a b' cannot name WFDB files"):
        save(MIXED, tmp_path, name="a b")


def test_kinds_of_tables_are_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'parkett'; did you mean 'parquet'\\?; choose csv"):
        check_tables("parkett")
    check_tables("parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    check_tables("csv")
    with pytest.raises(UsageError, match=r"need pyarrow; install ecglens\[parquet\] or take csv"):
        save(MIXED, tmp_path / "out", tables="parquet")
    assert not (tmp_path / "out").exists()


def test_a_file_in_the_way_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="choose another place"):
        save(MIXED, tmp_path / "file")
    (tmp_path / "folder" / "summary.json").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"cannot remove .*summary.json"):
        save(MIXED, tmp_path / "folder")


def test_explanations_are_asked_of_the_episodes_that_are_drawn(tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    asked: list[Episode] = []

    def explain(episode: Episode) -> Figure | None:
        asked.append(episode)
        figure = Figure(figsize=(2, 1))
        figure.text(0.1, 0.5, f"why {episode.label}")
        return figure if episode.label == "AF" else None

    save(MIXED, tmp_path, explain=explain)
    assert [e.label for e in asked] == ["VF", "AF", "ST", "inconclusive", "N"]
    seen = parse(page_of(tmp_path))
    assert seen.text_of("text") == ["why AF"]
    assert "What spoke for AF at 2:00." in seen.values("aria-label")


def test_why_there_is_no_explanation_is_said(tmp_path: Path) -> None:
    def explain(episode: Episode) -> str | None:
        return "nothing can be read" if episode.label == "VF" else None

    save(MIXED, tmp_path, explain=explain)
    words = parse(page_of(tmp_path)).words
    assert words.count("What spoke for VF is not shown: nothing can be read.") == 1
    assert words.count("is not shown") == 1


def test_facts_of_a_model_name_its_file_and_hash(tmp_path: Path) -> None:
    backbone = load_backbone(make_tiny_onnx(tmp_path / "tiny.onnx"), image_size=(32, 48))
    recipe = replace(find_recipe("default"), image=SMALL, pooling=("meanstd",)).fit_to(backbone)
    names, card = ("AF", "N"), {"windows": {"N": 3}}
    rule, change = RejectRule(names, 0.1, (0.4, 0.6), 3.5), RhythmChange.none(names, 10.0)
    tiny_model = RhythmModel(names, FS, 10.0, recipe, backbone, None, card, rule, change)
    path = tmp_path / "m.ecglens"
    path.write_bytes(b"abc")
    facts = ModelFacts.of(tiny_model, path)
    assert facts.name == "m.ecglens"
    assert facts.sha256.startswith("ba7816bf")
    assert facts.card == tiny_model.card
    assert facts.image == tiny_model.recipe.image
    assert facts.thresholds == {
        "alpha": 0.1, "min_probability": {"AF": 0.4, "N": 0.6}, "max_distance": 3.5,
    }  # fmt: skip
    assert ModelFacts.of(tiny_model).sha256 == ""
    assert ModelFacts.of(tiny_model, "rhythm4").name == "rhythm4"
    free = replace(tiny_model, reject_rule=RejectRule.never(names))
    assert ModelFacts.of(free).thresholds == {}
    slow = RhythmChange(names, 10.0, (20.0, 30.0, 10.0), (60.0, 60.0, 60.0))
    assert ModelFacts.of(replace(free, rhythm_change=slow)).thresholds == {
        "min_duration_s": {"AF": 20.0, "N": 30.0}
    }


def test_lead_gone_from_the_record_is_no_reason_to_fail(tmp_path: Path) -> None:
    timeline = timeline_of(["AF"] * 3, lead="I+V9")
    record = record_for(timeline, names=("II", "V9"))
    save_prediction(timeline, record, MODEL, tmp_path)
    assert "Lead V9" in parse(page_of(tmp_path)).words
    odd = Record(record.signal, FS, (Lead("x"), Lead("y", "ADC")), "r1")
    save_prediction(timeline, odd, MODEL, tmp_path)
    assert "Lead x" in parse(page_of(tmp_path)).words
