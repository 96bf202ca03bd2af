"""``ecglens model``: digests, origin, and whether a model file loads."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

import pytest

from ecglens.cli.app import main
from ecglens.errors import ModelFileError, UsageError
from ecglens.models import load_model, read_card, save_model, verify_model
from ecglens.models.files import MAX_MODEL_BYTES
from tests.cli.collection import Outcome, Program

robust_files = pytest.importorskip("robust_files")  # conftest.py makes its folder known


@pytest.fixture
def model(small_model: Path, tmp_path: Path) -> Path:
    path = tmp_path / "m.ecglens"
    path.write_bytes(small_model.read_bytes())
    return path


@pytest.fixture
def ecglens(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Program:
    def run(*words: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["ecglens", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        said = capsys.readouterr()
        return Outcome(int(stop.value.code or 0), said.out, said.err)

    return run


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_report_is_that_of_the_file(model: Path) -> None:
    report = verify_model(model)
    assert report.verified
    assert (report.sha256, report.n_bytes) == (digest(model), model.stat().st_size)
    said = {member.name: member.sha256 for member in report.members}
    assert said == report.manifest["sha256"]
    assert report.card["windows"] == {"N": 16, "VF": 16}
    assert report.versions_here == report.manifest["versions"]
    assert report.expected == {}
    json.dumps(report.to_dict(), allow_nan=False)


def test_a_digest_that_is_given_and_one_beside_it(model: Path) -> None:
    right, wrong = digest(model), "0" * 64
    assert verify_model(model, sha256=right.upper()).expected == {"given": right}
    report = verify_model(model, sha256=wrong)
    assert report.faults == (
        f"the file has the SHA-256 {right}, not {wrong} (given); get it again from where you trust "
        "it",
    )
    beside = model.with_name("m.ecglens.sha256")
    beside.write_text(f"{right}  m.ecglens\n")
    assert verify_model(model).expected == {"m.ecglens.sha256": right}
    beside.write_text(f"{wrong}  m.ecglens\n")
    assert "(m.ecglens.sha256)" in verify_model(model).faults[0]
    beside.write_text("hello")
    assert "does not start with a SHA-256" in verify_model(model).faults[0]
    with pytest.raises(UsageError, match="'abc' is no SHA-256; give its 64 hexadecimal digits"):
        verify_model(model, sha256="abc")


def test_a_changed_member_is_named(model: Path) -> None:
    members = robust_files.members_of(model.read_bytes())
    model.write_bytes(robust_files.zip_of({**members, "backbone.onnx": b"other"}))
    report = verify_model(model)
    assert not report.verified
    assert "backbone.onnx does not have the hash" in report.faults[0]
    with pytest.raises(ModelFileError, match="does not have the hash"):
        read_card(model)


def test_more_bytes_than_any_model(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A good model ends the file, behind as much of nothing as would take long to hash."""
    good = model.read_bytes()
    with model.open("wb") as file:
        file.truncate(MAX_MODEL_BYTES)
        file.seek(0, os.SEEK_END)
        file.write(good)
    monkeypatch.setattr("hashlib.file_digest", None)
    message = f"has {MAX_MODEL_BYTES + len(good)} bytes, models at most {MAX_MODEL_BYTES}; give a"
    for read in (verify_model, load_model, read_card):
        with pytest.raises(ModelFileError, match=message):
            read(model)


def test_a_model_that_would_be_too_large_is_not_saved(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load_model(model)
    monkeypatch.setattr("ecglens.models.files.MAX_MODEL_BYTES", 1000)
    with pytest.raises(ModelFileError, match=r"models at most 1000; .*train with fewer components"):
        save_model(loaded, tmp_path / "m2.ecglens")
    assert not (tmp_path / "m2.ecglens").exists()


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"cannot read .*none"):
        verify_model(tmp_path / "none")
    with pytest.raises(ModelFileError, match="is not a regular file; give a model file"):
        verify_model(tmp_path)


def test_the_verb(ecglens: Program, model: Path) -> None:
    done = ecglens("model", "verify", model)
    assert done.code == 0
    for words in (digest(model), "classes", "N, VF", "8 people", "verified: whole, by its own"):
        assert words in done.out
    assert ecglens("model", "verify", model, "--json").json["verified"] is True
    done = ecglens("model", "verify", model, "--sha256", "0" * 64)
    assert done.code == 7
    assert done.error.startswith(f"{model} does not verify: the file has the SHA-256")
    assert "does NOT verify" in done.out
    model.write_bytes(model.read_bytes()[:1000])
    done = ecglens("model", "verify", model, "--json")
    assert done.code == 7
    assert json.loads(done.out)["verified"] is False
    assert "is not an ecglens model" in done.error


def test_the_card(ecglens: Program, model: Path) -> None:
    done = ecglens("model", "card", model)
    assert done.code == 0
    assert "intended_use: Research only. Not a medical device" in done.out
    assert "subjects: p0, p1, p2" in done.out
    assert ecglens("model", "card", model, "--json").json == read_card(model)


def test_the_card_of_another_file_than_the_one_meant(ecglens: Program, model: Path) -> None:
    done = ecglens("model", "card", model, "--sha256", "0" * 64)
    assert (done.code, done.out) == (7, "")
    assert "does not verify" in done.error


def test_the_model_that_comes_along(ecglens: Program) -> None:
    done = ecglens("model", "card", "rhythm4", "--json")
    assert done.code == 0
    assert set(done.json["windows"]) == {"N", "AF", "VF", "ST"}
