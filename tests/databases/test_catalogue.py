"""The entries of public databases, and entries of one's own."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

import pytest

from ecglens.databases import Database, database_at, find_database, list_databases
from ecglens.errors import UsageError
from ecglens.labels import list_label_maps, load_label_map

NAMES = {
    "afdb", "challenge-2017", "cudb", "edb", "ltafdb", "ltstdb", "mitdb", "nsrdb", "ptb-xl",
    "stdb", "vfdb",
}  # fmt: skip
# What annotation files of the databases call rhythms, from their documentation.
RHYTHMS = {
    "mitdb": "AB AFIB AFL B BII IVR N NOD P PREX SBR SVTA T VFL VT",
    "afdb": "AFIB AFL J N",
    "ltafdb": "AB AFIB B IVR N SBR SVTA T VT",
    "nsrdb": "NSR",
    "vfdb": "AFIB ASYS B BI HGEA N NSR NOD NOISE PM SBR SVTA VER VF VFIB VFL VT",
    "edb": "AB AFIB AXIS B B3 N SAB SBR ST+ ST- SVTA T TW+ TW- VT",
    "ltstdb": "NOISE NOST RTST+ RTST- ST+ ST-",
    "cudb": "VF",
}


def test_the_databases() -> None:
    assert {database.name for database in list_databases()} == NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_entry_says_where_its_facts_are_from(name: str) -> None:
    database = find_database(name)
    assert database.address == f"https://physionet.org/files/{name}/{database.version}/"
    assert re.fullmatch(r"10\.13026/[A-Za-z0-9-]+", database.doi)
    assert len(database.citation) > 80
    assert database.licence
    assert database.signal_mb > 0
    assert datetime.date.fromisoformat(database.taken) >= datetime.date(2026, 1, 1)
    assert all(source.startswith("https://") for source in database.sources)
    assert len(database.sources) >= 2
    assert database.annotations
    if database.records:
        assert len(set(database.records)) == len(database.records) == database.n_records


@pytest.mark.parametrize("name", ["afdb", "edb", "ltafdb", "ltstdb", "mitdb", "nsrdb"])
def test_people_are_as_many_as_the_database_says(name: str) -> None:
    database = find_database(name)
    people = {database.person_of(record) for record in database.records}
    # e0206 and e0210 of edb are joined to be safe.
    assert len(people) == database.n_subjects - (name == "edb")
    named = {record for group in database.groups.values() for record in group}
    assert named | set(database.shared) | set(database.no_signal) <= set(database.records)


def test_signal_sizes_are_those_of_12_bits_a_sample() -> None:
    for database in list_databases():
        if database.signal_mb and "two" in database.leads and "or three" not in database.leads:
            if "one" in database.leads:
                continue
            assert database.signal_mb == pytest.approx(
                database.hours * 3600 * database.fs * 2 * 1.5 / 1e6, rel=0.01
            )


@pytest.mark.parametrize("label_map", list_label_maps())
@pytest.mark.parametrize("name", RHYTHMS)
def test_every_label_map_knows_every_rhythm(name: str, label_map: str) -> None:
    for rhythm in RHYTHMS[name].split():
        load_label_map(label_map).class_of(rhythm)


@pytest.mark.parametrize("label_map", list_label_maps())
@pytest.mark.parametrize("name", ["challenge-2017", "ptb-xl"])
def test_every_label_map_knows_every_rhythm_of_a_table(name: str, label_map: str) -> None:
    table = find_database(name).table
    assert table is not None
    for rule in table.rules:
        load_label_map(label_map).class_of(rule.rhythm)


@pytest.mark.parametrize(
    ("path", "name", "root"),
    [
        ("mitdb/100.hea", "mitdb", "mitdb"),
        ("mitdb/1.0.0/100.hea", "mitdb", "mitdb/1.0.0"),
        ("mit-bih-arrhythmia-database-1.0.0/100", "mitdb", "mit-bih-arrhythmia-database-1.0.0"),
        ("ptb-xl/1.0.3/records500/00000/00001_hr.hea", "ptb-xl", "ptb-xl/1.0.3"),
        ("challenge-2017/training/A00/A00001.hea", "challenge-2017", "challenge-2017"),
    ],
)
def test_a_database_is_told_by_its_folders(tmp_path: Path, path: str, name: str, root: str) -> None:
    found = database_at(tmp_path / path)
    assert found is not None
    assert (found[0].name, found[1]) == (name, (tmp_path / root).resolve())


@pytest.mark.parametrize("path", ["other/100.hea", "mitdb-copy/100.hea", "mitdb.hea"])
def test_other_folders_are_no_database(tmp_path: Path, path: str) -> None:
    assert database_at(tmp_path / path) is None


OWN = """
name = "clinic"
address = "https://example.org/clinic/"
fs = 500
[subjects]
anna = ["r1", "r2"]
[annotations]
annotators = ["rhy"]
names = { AF = "AFIB" }
"""


def entry(tmp_path: Path, text: str) -> Database:
    path = tmp_path / "own.toml"
    path.write_text(text, encoding="utf-8")
    return find_database(path)


def test_an_entry_of_ones_own(tmp_path: Path) -> None:
    own = entry(tmp_path, OWN)
    assert (own.name, own.fs, own.convention.annotators) == ("clinic", 500, ("rhy",))
    assert [own.person_of(record) for record in ("r1", "r2", "r3")] == ["anna", "anna", "r3"]
    assert find_database(own) is own


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "clinic"', "", "has no name; give name = "),
        ('name = "clinic"', 'name = "../up"', "'../up' cannot name a folder"),
        ("https://example.org/clinic/", "ftp://x/", "'ftp://x/' must start with https://"),
        ("https://example.org/clinic/", "https://x", "must start with https:// and end with"),
        ("fs = 500", 'fs = "500"', "'fs' must be a number from 0 up, got '500'"),
        ("fs = 500", "rate = 500", "unknown key 'rate'"),
        ("annotators", "anotators", "unknown key annotations.'anotators'; did you mean 'annota"),
        ('["rhy"]', '"rhy"', "'annotators' must be a list of texts"),
        ('["rhy"]', '["../x"]', "'annotators' must be endings such as 'atr'"),
        ('["r1", "r2"]', '"r1"', "'anna' must be a list of texts, got 'r1'"),
        ('anna = ["r1", "r2"]', 'pattern = "r("', "subjects.pattern 'r\\(' is no pattern"),
        ('anna = ["r1", "r2"]', 'pattern = "r([[a])"', "is no pattern: Possible nested set"),
        ('anna = ["r1", "r2"]', f'pattern = "(r{{{"9" * 20}}})"', "is no pattern: the repetition"),
        ('anna = ["r1", "r2"]', f'pattern = "{"(" * 5000}{")" * 5000}"', "is no pattern: maximum"),
        ('anna = ["r1", "r2"]', 'pattern = "r"', "'pattern' must be one with a group"),
        ("fs = 500", "fs =", "is not TOML"),
        ("fs = 500", 'endings = ["dat", "atr"]', "'endings' must have .* got .'dat', 'atr'"),
        ("fs = 500", 'endings = [".hea", "dat"]', "put it in, without a dot"),
        ("fs = 500", "endings = []", "'endings' must have"),
    ],
)
def test_entries_that_break_a_rule(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in OWN
    with pytest.raises(UsageError, match=rf"database entry .*own\.toml.*{message}"):
        entry(tmp_path, OWN.replace(old, new))


def test_unknown_names() -> None:
    with pytest.raises(UsageError, match=r"no database 'mitbd'; did you mean 'mitdb'\?"):
        find_database("mitbd")
    with pytest.raises(UsageError, match=r"cannot read database entry none\.toml: No such file"):
        find_database("none.toml")


def test_the_document_lists_every_database() -> None:
    text = (Path(__file__).parents[2] / "docs" / "databases.md").read_text(encoding="utf-8")
    rows = {
        name: (version, records.replace(",", ""), people.replace(",", ""))
        for name, version, records, people in re.findall(
            r"^\| `([\w-]+)` ([\d.]+) \| ([\d,]+)[^|]* \| ([\d,?]+) \|", text, flags=re.MULTILINE
        )
    }
    assert rows == {
        database.name: (
            database.version, str(database.n_records), str(database.n_subjects or "?")
        )
        for database in list_databases()
    }  # fmt: skip


def test_the_entry_in_the_document_is_one(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "databases.md").read_text(encoding="utf-8")
    found = re.search(r"```toml\n(.*?)```", text, flags=re.DOTALL)
    assert found
    own = entry(tmp_path, found[1])
    assert own.person_of("r2") == "anna"
    assert own.convention.elsewhere == "N"
