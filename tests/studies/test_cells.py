"""What is computed is kept, whatever becomes of the run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ecglens.errors import OutputError
from ecglens.studies.cells import Cells, cell_key


def never() -> int:
    raise AssertionError("this was computed already")


def test_computed_once(tmp_path: Path) -> None:
    path = tmp_path / "out" / "cells.jsonl"
    assert Cells(path).get("a", lambda: [1, 2]) == [1, 2]
    assert Cells(path).get("a", never) == [1, 2]
    assert "b" not in Cells(path)


def test_a_line_that_was_cut_is_missing_and_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "cells.jsonl"
    cells = Cells(path)
    cells.get("a", lambda: 1)
    cells.get("b", lambda: 2)
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        again = Cells(path)
        assert again.get("a", lambda: 1) == 1
        assert again.get("b", lambda: 2) == 2
        after = Cells(path)
        assert (after.get("a", never), after.get("b", never)) == (1, 2)


def test_other_things_in_the_file_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "cells.jsonl"
    path.write_text('{"not": "a cell"}\n\n[1]\n["a", 5]\n')
    assert Cells(path).get("a", never) == 5


def test_a_cell_is_on_the_disk_before_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[str] = []
    path = tmp_path / "cells.jsonl"
    monkeypatch.setattr("os.fsync", lambda _: held.append(path.read_text()))
    cells = Cells(path)
    cells.get("a", lambda: 1)
    cells.get("b", lambda: 2)
    assert held == ['["a", 1]\n', '["a", 1]\n["b", 2]\n']


def test_another_version_has_other_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    before = cell_key("a")
    monkeypatch.setattr("ecglens.studies.cells.__version__", "0.0.0")
    assert cell_key("a") != before


def test_a_failure_keeps_nothing(tmp_path: Path) -> None:
    cells = Cells(tmp_path / "cells.jsonl")
    with pytest.raises(AssertionError):
        cells.get("a", never)
    assert not (tmp_path / "cells.jsonl").exists()


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "cells.jsonl").mkdir()
    with pytest.raises(OutputError, match=r"cannot read .*cells.jsonl: .*; choose another --out"):
        Cells(tmp_path / "cells.jsonl")


def test_keys_tell_apart_values_shapes_and_types() -> None:
    zeros = np.zeros(4, np.float32)
    keys = [
        cell_key(zeros),
        cell_key(zeros.reshape(2, 2)),
        cell_key(zeros.view(np.int32)),
        cell_key(zeros, 0),
        cell_key({"a": 1, "b": 2}),
        cell_key({"a": 2, "b": 1}),
    ]
    assert len(set(keys)) == len(keys)
    assert cell_key({"b": 2, "a": 1}) == keys[4]
