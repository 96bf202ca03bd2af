from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ecglens.batch import folder_names


def names(*paths: str) -> list[str]:
    return list(folder_names(map(Path, paths)).values())


def test_a_name_is_the_stem() -> None:
    assert names("x/a.hea", "y/b.edf", "c") == ["a", "b", "c"]


def test_equal_stems_are_told_apart_by_folder_then_ending_then_number() -> None:
    assert names("x/a.hea", "y/a.hea") == ["x-a", "y-a"]
    assert names("x/a.hea", "x/a.edf") == ["x-a-hea", "x-a-edf"]
    assert names("p/x/a.hea", "q/x/a.hea") == ["x-a-hea-1", "x-a-hea-2"]


def test_case_alone_makes_no_difference() -> None:
    assert names("x/A.hea", "y/a.hea") == ["x-A", "y-a"]


def test_no_name_is_hidden_or_leads_away_or_is_the_tables() -> None:
    assert names("..edf", ".hidden.edf", "records.csv.edf") == [
        "record", "hidden", "record-records.csv",
    ]  # fmt: skip


parts = st.sampled_from(["a", "A", "b", "a-1", "x-a", ".", "..a", "records.csv"])


@given(st.sets(st.tuples(parts, parts, st.sampled_from(["", ".hea", ".edf"])), max_size=12))
def test_no_two_names_are_alike(pieces: set[tuple[str, str, str]]) -> None:
    paths = {Path(folder, f"{stem}{ending}") for folder, stem, ending in pieces}
    found = folder_names(sorted(paths))
    assert found.keys() == paths
    assert len({name.casefold() for name in found.values()}) == len(paths)
    for name in found.values():
        assert Path(name).name == name
        assert not name.startswith(".")
        assert name != "records.csv"
