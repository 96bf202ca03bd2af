"""``ecglens score``, from records to tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ecglens.readers import read_record
from tests.cli.collection import Program

HEAD = "record,start_s,end_s,label\n"


def _predicted(folder: Path, lines: str, name: str = "episodes.csv") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(HEAD + lines)
    return folder / name


def test_a_table_against_records(ecglens: Program, collection: Path, tmp_path: Path) -> None:
    records = [read_record(path) for path in sorted(collection.glob("*.hea"))]
    rhythm_of = {record.record_id: record.rhythms[0].rhythm for record in records}
    label = {"N": "N", "AFIB": "AF", "VF": "VF"}
    names = list(rhythm_of)[:6]
    lines = "".join(f"{name},0,60,{label[rhythm_of[name]]}\n" for name in names)
    table = _predicted(tmp_path / "p", lines)
    done = ecglens("score", table, "--reference", collection, "--out", tmp_path / "s", "--records")
    assert done.code == 0, done.err
    assert "6 records of 6 people" in done.out
    assert "coarse VF" in done.out
    assert "6 annotated records were not predicted" in done.err
    said = json.loads((tmp_path / "s" / "scores.json").read_text())
    assert {
        label: kinds["all"]["gross"]["duration_sensitivity"]
        for label, kinds in said["classes"].items()
    } == {"N": 1, "AF": 1, "VF": 1}
    assert (tmp_path / "s" / "scores.csv").read_text().count("\n") == 1 + 6 * 3
    assert "| coarse VF | shock | 12 | 2 | 0 |" in (tmp_path / "s" / "scores.md").read_text()
    assert ecglens("score", table, "--reference", collection, "--json").json == said


def test_people_of_training_are_named(
    ecglens: Program, collection: Path, model: Path, tmp_path: Path
) -> None:
    out, reference = tmp_path / "out", ("--reference", collection)
    assert ecglens("predict", collection / "s02", "--model", model, "--out", out).code == 0
    done = ecglens("score", out, *reference)
    assert done.code == 0
    assert "1 of 1 recordings are of people whom their model was trained on" in done.err
    table = (out / "s02" / "episodes.csv").rename(tmp_path / "episodes.csv")
    assert "trained on" not in ecglens("score", table, *reference).err
    summary = out / "s02" / "summary.json"
    summary.write_text(summary.read_text().replace('"in_training": true', '"in_training": false'))
    table.rename(out / "s02" / "episodes.csv")
    assert "trained on" not in ecglens("score", out, *reference).err


def test_an_annotation_against_another(ecglens: Program, collection: Path, tmp_path: Path) -> None:
    for path in collection.glob("s0[0-2].*"):
        suffix = ".rhythm" if path.suffix == ".atr" else path.suffix
        (tmp_path / f"{path.stem}{suffix}").write_bytes(path.read_bytes())
    done = ecglens("score", tmp_path, "--annotator", "rhythm", "--reference", collection, "--json")
    assert done.code == 0, done.err
    assert done.json["n_records"] == 3
    for kinds in done.json["classes"].values():
        assert set(kinds["all"]["gross"].values()) >= {1, 60}
        assert kinds["all"]["gross"]["duration_sensitivity"] == 1
    done = ecglens("score", tmp_path, "--annotator", "qrs", "--reference", collection)
    assert done.code == 3
    assert "no annotation file s00.qrs" in done.error


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("nobody,0,60,N\n", "no annotated record for nobody; give its folder with --reference"),
        ("", "no record to score"),
        ("s00,0,60,N\ns00,30,60,N\n", "overlap at 30 s"),
        ("s00,0,70,N\n", "'s00' lasts 60 s and was predicted from 0 to 70 s"),
        ("s00,0,60,Af\n", "'Af' was predicted, which is no class of label map 'rhythm4'"),
    ],
)
def test_what_does_not_fit(
    ecglens: Program, collection: Path, tmp_path: Path, lines: str, said: str
) -> None:
    done = ecglens("score", _predicted(tmp_path / "p", lines), "--reference", collection)
    assert done.code == 5
    assert said in done.error


def test_classes_to_shock(ecglens: Program, collection: Path, tmp_path: Path) -> None:
    table = _predicted(tmp_path / "p", "s00,0,60,N\n")
    words = ("score", table, "--reference", collection, "--shock")
    done = ecglens(*words, "VF,VT")
    assert done.code == 2
    assert "shock 'VT': no class of label map 'rhythm4'" in done.error
    assert "shock" in ecglens(*words, "VF").out
    assert "shock" not in ecglens(*words, "").out


def test_two_references_of_one_name(ecglens: Program, collection: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for path in collection.glob("s00.*"):
        (other / path.name).write_bytes(path.read_bytes())
    table = _predicted(tmp_path / "p", "s00,0,60,N\n")
    done = ecglens("score", table, "--reference", collection, "--reference", other)
    assert done.code == 5
    assert "two references are named 's00'" in done.error


def test_a_record_without_annotation(ecglens: Program, collection: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for suffix in ("hea", "dat"):
        (other / f"s00.{suffix}").write_bytes((collection / f"s00.{suffix}").read_bytes())
    table = _predicted(tmp_path / "p", "s00,0,60,N\n")
    done = ecglens("score", table, "--reference", other)
    assert done.code == 5
    assert "'s00' has no annotated rhythm to compare with" in done.error
