"""The verbs ``fetch`` and ``databases``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ecglens.models import load_model
from ecglens.windows import load_windows
from tests.cli.collection import Program, write_collection
from tests.databases.conftest import TOP, record_files
from tests.databases.server import Server, serving, status


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("HTTP_PROXY", "ALL_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    with serving() as served:
        served.add("mitdb", "1.0.0", record_files("100") | record_files("101"))
        yield served


def test_fetch_says_what_came_and_whom_to_cite(
    ecglens: Program, server: Server, tmp_path: Path
) -> None:
    words = ("fetch", "mitdb", "--mirror", server.url, "--to", tmp_path, "--records", "100")
    first = ecglens(*words)
    assert first.code == 0
    assert "mitdb 1.0.0: 1 records, 3 files, 3 of them now" in first.out
    assert "please cite: Moody GB, Mark RG." in first.out
    assert "all of them before" in ecglens(*words).out
    row = ecglens(*words, "--json").json["fetched"][0]
    assert (row["records"], row["files"], row["fetched"]) == (1, 3, 0)
    assert row["folder"] == str(tmp_path / "mitdb")


def test_the_data_folder_may_be_named_by_the_environment(
    ecglens: Program, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECGLENS_DATA", str(tmp_path))
    assert ecglens("fetch", "mitdb", "--mirror", server.url).code == 0
    assert (tmp_path / "mitdb" / "101.dat").exists()
    here = {d["name"]: d["records_here"] for d in ecglens("databases", "--json").json["databases"]}
    assert here["mitdb"] == 2
    assert here["afdb"] == 0


def test_what_cannot_be_fetched_has_its_exit_code(
    ecglens: Program, server: Server, tmp_path: Path
) -> None:
    server.faults[f"{TOP}100.dat"] = [status(404)]
    outcome = ecglens("fetch", "mitdb", "--mirror", server.url, "--to", tmp_path)
    assert outcome.code == 10
    assert "1 of 6 files of mitdb are not here" in outcome.error
    assert "404 Not Found" in outcome.error


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("mitbd",), "no database 'mitbd'; did you mean 'mitdb'?"),
        (("mitdb", "vfdb", "--records", "100"), "--records needs one database"),
        (("mitdb", "--records", ""), "(--records) names none; name some, or leave it out"),
        (("mitdb", "--records", " , "), "(--records) names none"),
        (("mitdb", "--mirror", "x"), "mirror 'x' is no address"),
    ],
)
def test_wrong_words(
    ecglens: Program, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    outcome = ecglens("fetch", *words, "--to", tmp_path)
    assert outcome.code == 2
    assert message in outcome.error


def test_databases_lists_all_and_shows_one(ecglens: Program, tmp_path: Path) -> None:
    (tmp_path / "edb").mkdir()
    (tmp_path / "edb" / "e0103.hea").touch()
    lines = ecglens("databases", "--data", tmp_path).out.splitlines()
    assert len(lines) == 12
    edb = next(line for line in lines if line.startswith("edb "))
    assert edb.split()[:8] == ["edb", "1.0.0", "90", "79", "250", "180", "486", "1"]
    shown = ecglens("databases", "edb", "--data", tmp_path).out
    assert "https://physionet.org/files/edb/1.0.0/" in shown
    assert "e0118, e0119, e0121, e0122" in shown
    lines = dict(line.split(maxsplit=1) for line in shown.splitlines())
    assert lines["checksums"] == "https://physionet.org/files/edb/1.0.0/SHA256SUMS.txt"
    assert (lines["signal_mb"], lines["taken"]) == ("486.0", "2026-11-25")
    facts = ecglens("databases", "edb", "--json").json["databases"][0]
    assert facts["n_subjects"] == 79
    assert facts["unverified"]


def test_an_entry_of_ones_own(ecglens: Program, server: Server, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(f'name = "own"\naddress = "{server.url}mitdb/1.0.0/"\nrecords = ["100"]\n')
    outcome = ecglens("fetch", own, "--to", tmp_path)
    assert outcome.code == 0
    assert (tmp_path / "own" / "100.hea").exists()
    assert "own" in ecglens("databases", own).out


def test_the_catalogue_is_checked(ecglens: Program, server: Server) -> None:
    outcome = ecglens("databases", "mitdb", "--check", "--mirror", server.url)
    assert outcome.code == 10
    assert "mitdb  address  yes" in outcome.out
    assert "checks failed, the first of mitdb: the server has none beyond" in outcome.error
    rows = ecglens("databases", "mitdb", "--check", "--mirror", server.url, "--json").json["checks"]
    assert [row["good"] for row in rows] == [True, False, True, False]


def test_the_whole_catalogue_is_checked_at_once(ecglens: Program, server: Server) -> None:
    outcome = ecglens("databases", "--check", "--mirror", server.url, "--json")
    assert outcome.code == 10
    reached = {
        row["name"]: row["good"] for row in outcome.json["checks"] if row["what"] == "address"
    }
    assert len(reached) == 11
    assert [name for name, good in reached.items() if good] == ["mitdb"]


def test_windows_of_fetched_databases(ecglens: Program, server: Server, tmp_path: Path) -> None:
    """From nothing to windows of two databases, by their names alone."""
    for name, record in (("mitdb", "100"), ("afdb", "04015")):
        server.add(name, "1.0.0", record_files(record, samples=8000))
        words = ("fetch", name, "--records", record, "--mirror", server.url, "--to", tmp_path)
        assert ecglens(*words).code == 0
    out = tmp_path / "windows.npz"
    words = ("windows", "--databases", "mitdb,afdb", "--data", tmp_path, "--out", out, "--json")
    row = ecglens(*words).json["classes"][0]
    assert (row["class"], row["databases"], row["subjects"]) == ("N", "afdb, mitdb", 2)


def test_windows_of_a_database_of_ones_own(ecglens: Program, tmp_path: Path) -> None:
    write_collection(tmp_path / "clinic", {"r1": "N", "r2": "N", "r3": "AFIB"})
    own = tmp_path / "clinic.toml"
    own.write_text(
        'name = "clinic"\naddress = "https://example.org/"\n[subjects]\nanna = ["r1", "r2"]\n'
    )
    out = tmp_path / "w.npz"
    words = ("windows", "--databases", own, "--data", tmp_path, "--out", out)
    assert ecglens(*words).code == 0
    assert set(load_windows(out).subjects.tolist()) == {"clinic-anna", "clinic-r3"}


def test_a_folder_of_databases_needs_one(ecglens: Program, tmp_path: Path) -> None:
    outcome = ecglens("windows", tmp_path, "--data", tmp_path, "--out", tmp_path / "w.npz")
    assert outcome.code == 2
    assert "--data is the folder of --databases" in outcome.error


def test_a_model_of_everything_fetched(
    ecglens: Program, network: tuple[str, ...], tmp_path: Path
) -> None:
    """``train --databases``: records of two databases, told by their folders, in one model."""
    write_collection(tmp_path / "mitdb", {"100": "N", "101": "N", "201": "AFIB", "202": "AFIB"})
    write_collection(tmp_path / "afdb", {"04015": "AFIB", "04043": "AFIB", "04048": "N"})
    write_collection(tmp_path / "else", {"r1": "VF"})
    out = tmp_path / "all.ecglens"
    words = ("train", "--databases", "mitdb,afdb", "--data", tmp_path, *network, "--pca", 8)
    card = ecglens(*words, "--no-evaluate", "--out", out, "--json").json["card"]
    model = load_model(out)
    assert model.classes == ("AF", "N")
    people = {"mitdb-100", "mitdb-101", "mitdb-201", "afdb-04015", "afdb-04043", "afdb-04048"}
    assert set(model.training_subjects) == people  # 201 and 202 are one man
    assert card


def test_an_excerpt_in_place_of_a_database_is_named(
    ecglens: Program, server: Server, network: tuple[str, ...], tmp_path: Path
) -> None:
    server.add("mitdb", "1.0.0", record_files("100", samples=9000))
    (tmp_path / "mitdb-first-9-min").mkdir()  # without records
    words = ("fetch", "mitdb", "--minutes", 0.4, "--records", "100", "--mirror", server.url)
    assert ecglens(*words, "--to", tmp_path).code == 0
    words = ("--data", tmp_path, *network, "--out", tmp_path / "x.ecglens")
    outcome = ecglens("train", "--databases", "mitdb", *words)
    assert outcome.code == 3
    folder = tmp_path / "mitdb-first-0.4-min"
    said = (
        f"no record of mitdb in {tmp_path / 'mitdb'}, but 1 in {folder}; to read those, name that"
    )
    assert said in outcome.error
    assert "or get all with 'ecglens fetch mitdb'" in outcome.error
    windows = ("windows", folder, "--out", tmp_path / "x.npz", "--json")
    assert ecglens(*windows).json["classes"][0]["databases"] == "mitdb"


def test_databases_that_are_not_here(ecglens: Program, tmp_path: Path) -> None:
    out = tmp_path / "x.npz"
    outcome = ecglens("windows", "--databases", "afdb", "--data", tmp_path, "--out", out)
    assert outcome.code == 3
    assert "no record of afdb in" in outcome.error
    assert "get it with 'ecglens fetch afdb'" in outcome.error
    outcome = ecglens("train", "--out", out)
    assert outcome.code == 2
    assert "nothing to read; name records, folders or windows" in outcome.error
