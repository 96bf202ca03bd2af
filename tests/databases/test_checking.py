"""The catalogue against a server."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ecglens.databases import Database, find_database
from ecglens.databases.download import Patience, check_database
from tests.databases.conftest import TOP, record_files
from tests.databases.server import Server, status

QUICK = Patience(attempts=2, first_wait_s=0, longest_wait_s=0)
SMALL = replace(find_database("mitdb"), records=("100", "101", "201"), n_records=3, signal_mb=0.012)


def check(database: Database, server: Server, **options: Any) -> dict[str, tuple[bool, str]]:
    found = check_database(database, mirror=server.url, patience=QUICK, **options)
    return {each.what: (each.good, each.words) for each in found}


def test_all_is_as_the_entry_says(server: Server) -> None:
    assert check(SMALL, server) == {
        "address": (True, f"{server.url}mitdb/1.0.0/SHA256SUMS.txt lists 14 files"),
        "records": (True, "3, the catalogue says 3"),
        "files": (True, "all with .hea, .dat, .atr"),
        "size": (True, "0.0 MB, the catalogue says 0.012 MB"),
    }


def test_other_records_and_another_size(server: Server) -> None:
    other = replace(SMALL, records=("100", "101", "202"), signal_mb=2.0)
    found = check(other, server)
    assert found["records"] == (
        False,
        "the server has 201 beyond the catalogue's, and not 202",
    )
    assert found["size"] == (False, "0.0 MB, the catalogue says 2 MB")
    assert not check(replace(SMALL, records=(), n_records=4), server)["records"][0]


def test_files_that_are_missing(server: Server) -> None:
    del server.files[f"{TOP}100.atr"]
    server.list_sums("mitdb", "1.0.0")
    good, words = check(SMALL, server)["files"]
    assert (good, words) == (False, "1 records, such as 100, lack one of .hea, .dat, .atr")


def test_a_table_that_is_missing(server: Server) -> None:
    database = replace(find_database("ptb-xl"), n_records=1)
    made = {f"records500/{name}": body for name, body in record_files("1_hr").items()}
    server.add("ptb-xl", "1.0.3", made)
    assert check(database, server)["files"] == (False, "the server lists no ptbxl_database.csv")


def test_an_address_that_is_wrong(server: Server) -> None:
    server.faults[f"{TOP}SHA256SUMS.txt"] = [status(404)]
    found = check(SMALL, server)
    assert found.keys() == {"address"}
    assert not found["address"][0]
    assert "404 Not Found" in found["address"][1]


def test_records_without_a_signal_count(server: Server) -> None:
    server.add("afdb", "1.0.0", record_files("04015") | {"00735.hea": b"x", "00735.atr": b"x"})
    small = replace(
        find_database("afdb"), records=("00735", "04015"), no_signal=("00735",), n_records=2
    )
    assert check(small, server)["records"] == (True, "2, the catalogue says 2")
