"""Which records of public databases are of one person."""

from __future__ import annotations

import numpy as np
import pytest

from ecglens.databases import subject_of
from ecglens.records import Lead, Record


def subject(database: str, name: str, subject_id: str = "") -> str:
    return subject_of(
        Record(np.zeros((1, 100)), 100.0, (Lead("II"),), name, subject_id, database)  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    "database",
    ["mitdb", "mitdb-1.0.0", "mit-bih-arrhythmia-database", "mit-bih-arrhythmia-database-1.0.0"],
)
def test_201_and_202_are_one_person_wherever_the_database_lies(database: str) -> None:
    assert subject(database, "202") == subject(database, "201") == "mitdb-201"
    assert subject(database, "203") == "mitdb-203"


@pytest.mark.parametrize("database", ["vfdb", "", "mitdb-copy"])
def test_records_of_other_databases_stay_apart(database: str) -> None:
    assert subject(database, "202") != subject(database, "201")


def test_a_person_that_the_file_names_is_kept() -> None:
    assert subject("mitdb", "202", "p7") == "p7"
