"""Annotation files: what the wfdb package reads back, and names that any tool takes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecglens.databases.wfdb_annotations import NAME, Mark, safe_name, save_annotations
from ecglens.errors import OutputError, UsageError
from ecglens.readers.wfdb_signals import quiet_wfdb


def test_marks_read_back_in_order_of_time(tmp_path: Path) -> None:
    marks = [
        Mark(2_000_000_000, "+", "("),
        Mark(5, "[", number=1),
        Mark(5, "+", "(VF"),
        Mark(900, "~", kind=-1, number=2),
        Mark(900, "s", "ST0)"),
    ]
    path = save_annotations(marks, tmp_path, "r1", "rhythm", 360.0)
    assert [p.name for p in tmp_path.iterdir()] == [path.name] == ["r1.rhythm"]
    with quiet_wfdb() as wfdb:
        seen = wfdb.rdann(str(tmp_path / "r1"), "rhythm")
    found = [
        Mark(*row)
        for row in zip(
            seen.sample.tolist(), seen.symbol, seen.aux_note, seen.subtype.tolist(),
            seen.num.tolist(), strict=True,
        )
    ]  # fmt: skip
    assert found == sorted(marks, key=lambda mark: (mark.sample, mark.number))


def test_the_same_marks_give_the_same_bytes(tmp_path: Path) -> None:
    marks = [Mark(i * 777, "+", "(AFIB") for i in range(50)]
    first = save_annotations(marks, tmp_path, "a", "rhythm", 250.0).read_bytes()
    assert save_annotations(marks, tmp_path, "b", "rhythm", 250.0).read_bytes() == first


@pytest.mark.parametrize(
    ("marks", "name", "annotator", "message"),
    [
        ([Mark(0, "+", "(N")], "a b", "rhythm", "record name 'a b' cannot name WFDB files"),
        ([Mark(0, "+", "(N")], "a", "x1", "annotator 'x1' must consist of letters"),
        ([], "a", "rhythm", "nothing to annotate in record 'a'; give one mark"),
        ([Mark(0, "+", "(ä")], "a", "rhythm", "up to 254 ASCII characters; rename it"),
        ([Mark(0, "+", "x" * 255)], "a", "rhythm", "up to 254 ASCII characters; rename it"),
    ],
)
def test_what_cannot_be_written_is_refused(
    tmp_path: Path, marks: list[Mark], name: str, annotator: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        save_annotations(marks, tmp_path, name, annotator, 250.0)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="choose another place"):
        save_annotations([Mark(0, "+", "(N")], tmp_path / "none", "a", "rhythm", 250.0)


def test_a_full_disk_is_an_output_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with quiet_wfdb() as wfdb:
        monkeypatch.setattr(wfdb, "wrann", fail)
    with pytest.raises(OutputError, match="no temporary file: No space left on device"):
        save_annotations([Mark(0, "+", "(N")], tmp_path, "a", "rhythm", 250.0)


@settings(max_examples=60)
@given(st.text("aZ0-_ ./\\äЖ\n\0\udcff", max_size=90))
def test_every_name_becomes_a_safe_one(name: str) -> None:
    safe = safe_name(name)
    assert NAME.fullmatch(safe)
    assert len(safe) <= 70
    assert safe == name or safe_name(name + "x") != safe


@pytest.mark.parametrize("name", ["100", "mitdb_201", "a-B-3"])
def test_a_safe_name_stays(name: str) -> None:
    assert safe_name(name) == name


def test_letters_with_accents_keep_their_letters() -> None:
    assert safe_name("Größe 1").startswith("Groe-1-")


@pytest.mark.parametrize("name", ["CON", "aux", "COM1"])
def test_a_device_of_windows_is_no_name(name: str) -> None:
    assert safe_name(name).startswith(f"{name}-")
