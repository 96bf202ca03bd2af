"""The first minutes of records."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecglens.databases import Database, read_record
from ecglens.databases.download import Patience, fetch_database
from ecglens.databases.download.ledger import NAME
from ecglens.errors import FetchError, OutputError, UsageError
from ecglens.readers.wfdb_signals import quiet_wfdb
from tests.cli.collection import files_in
from tests.databases.conftest import TOP
from tests.databases.server import Server, instead, status

QUICK = Patience(attempts=2, first_wait_s=0, longest_wait_s=0)
FS, SECONDS = 200, 60
ENDINGS = ("hea", "dat", "atr")


def make_files(folder: Path, fmt: str, n_leads: int = 2) -> dict[str, bytes]:
    """Return the files of a record of one minute as wfdb writes them."""
    wave = np.round(np.random.default_rng(1).uniform(-1, 1, (FS * SECONDS, n_leads)), 2)
    with quiet_wfdb() as wfdb:
        wfdb.wrsamp(
            "100", fs=FS, units=["mV"] * n_leads, sig_name=["MLII", "V1", "V5"][:n_leads],
            p_signal=wave, fmt=[fmt] * n_leads, adc_gain=[100.0] * n_leads,
            baseline=[0] * n_leads, write_dir=str(folder), comments=["69 M 1085 1629 x1"],
        )  # fmt: skip
        wfdb.wrann("100", "atr", np.array([20, 11_000]), ["+", "+"], aux_note=["(N", "(AFIB"],
                   write_dir=str(folder))  # fmt: skip
    return {f"100.{e}": (folder / f"100.{e}").read_bytes() for e in ("hea", "dat", "atr")}


@pytest.fixture
def one_minute(server: Server, tmp_path: Path) -> Path:
    folder = tmp_path / "made"
    folder.mkdir()
    server.add("mitdb", "1.0.0", make_files(folder, "212"))
    return folder / "100"


def fetch(server: Server, folder: Path, minutes: float, **options: Any) -> Path:
    given: dict[str, Any] = {"mirror": server.url, "patience": QUICK, "records": ["100"]}
    fetched = fetch_database("mitdb", folder, minutes=minutes, **given, **options)
    return fetched.folder / "100"


@pytest.mark.parametrize("fmt", ["212", "16", "24", "80"])
@pytest.mark.parametrize("n_leads", [1, 2, 3])
def test_an_excerpt_is_the_start_of_the_record(
    server: Server, tmp_path: Path, fmt: str, n_leads: int
) -> None:
    made = tmp_path / "made"
    made.mkdir()
    files = make_files(made, fmt, n_leads)
    server.add("mitdb", "1.0.0", files)
    path = fetch(server, tmp_path, 0.25)
    assert path.parent == tmp_path / "mitdb-first-0.25-min"
    part, whole = read_record(path), read_record(made / "100")
    np.testing.assert_array_equal(part.signal, whole.signal[:, : 15 * FS])
    assert [(s.start_s, s.end_s, s.rhythm) for s in part.rhythms] == [(0.1, 15.0, "N")]
    assert part.subject_id == "mitdb-100"
    assert path.with_suffix(".dat").stat().st_size == len(files["100.dat"]) // 4
    assert "69 M 1085 1629 x1" in path.with_suffix(".hea").read_text()


def test_no_more_is_sent_than_wanted(server: Server, one_minute: Path, tmp_path: Path) -> None:
    fetch(server, tmp_path, 0.1)
    dat = one_minute.with_suffix(".dat").stat().st_size
    small = sum(len(b) for n, b in server.files.items() if not n.endswith(".dat"))
    assert server.sent <= dat // 10 + small
    asked = len(server.asked)
    fetch(server, tmp_path, 0.1)
    assert len(server.asked) == asked


def test_a_record_that_is_shorter_is_whole(
    server: Server, one_minute: Path, tmp_path: Path
) -> None:
    path = fetch(server, tmp_path, 5)
    for ending in (".hea", ".dat", ".atr"):
        assert path.with_suffix(ending).read_bytes() == one_minute.with_suffix(ending).read_bytes()


def test_a_server_without_ranges(server: Server, one_minute: Path, tmp_path: Path) -> None:
    server.ranges = False
    assert read_record(fetch(server, tmp_path, 0.25)).duration_s == 15.0


@pytest.mark.parametrize("ending", ["hea", "atr"])
def test_header_and_annotations_are_checked(
    server: Server, one_minute: Path, tmp_path: Path, ending: str
) -> None:
    server.faults[f"{TOP}100.{ending}"] = [instead(b"other")]
    with pytest.raises(FetchError, match=rf"1 of 1 records .*100\.{ending} is not the file that"):
        fetch(server, tmp_path, 0.25)
    assert "100.hea" not in files_in(tmp_path / "mitdb-first-0.25-min")
    assert read_record(fetch(server, tmp_path, 0.25)).duration_s == 15.0


def test_a_record_has_its_header_last(server: Server, one_minute: Path, tmp_path: Path) -> None:
    server.faults[f"{TOP}100.dat"] = [status(404)]
    with pytest.raises(FetchError, match="404 Not Found"):
        fetch(server, tmp_path, 0.25)
    assert "100.hea" not in files_in(tmp_path / "mitdb-first-0.25-min")


def excerpt(server: Server, folder: Path, **options: Any) -> dict[str, bytes]:
    """Fetch 15 s of the record and return its files."""
    path = fetch(server, folder, 0.25, **options)
    return {ending: path.with_suffix(f".{ending}").read_bytes() for ending in ENDINGS}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("left", [None, 0, 10, -1])
def test_what_is_missing_or_cut_off_is_fetched_again(
    server: Server, one_minute: Path, tmp_path: Path, ending: str, left: int | None
) -> None:
    whole = excerpt(server, tmp_path)
    lost = tmp_path / "mitdb-first-0.25-min" / f"100.{ending}"
    if left is None:
        lost.unlink()
    else:
        lost.write_bytes(whole[ending][:left])
    asked = len(server.asked)
    if (ending, left) == ("hea", -1):  # the end of a comment, which is no harm
        excerpt(server, tmp_path)
        assert len(server.asked) == asked
    else:
        assert excerpt(server, tmp_path) == whole
        assert len(server.asked) > asked


@pytest.mark.parametrize("has", ENDINGS)
def test_a_file_of_a_run_that_was_killed_is_gone_on_with(
    server: Server, one_minute: Path, tmp_path: Path, has: str
) -> None:
    """One file alone is here, and nothing that tells who put it there."""
    whole = excerpt(server, tmp_path / "other")
    folder = tmp_path / "mitdb-first-0.25-min"
    folder.mkdir()
    (folder / f"100.{has}").write_bytes(whole[has])
    assert excerpt(server, tmp_path) == whole


def test_an_excerpt_that_is_here_is_known_without_a_ledger(
    server: Server, one_minute: Path, tmp_path: Path
) -> None:
    for minutes in (0.25, 5):  # 5 is more than there is
        path = fetch(server, tmp_path, minutes)
        asked = len(server.starts("100.dat"))
        os.utime(path.with_suffix(".dat"), ns=(1, 1))
        path.with_name(NAME).unlink()
        fetch(server, tmp_path, minutes)
        assert len(server.starts("100.dat")) == asked


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("fetched", [False, True])
def test_other_and_changed_files_are_not_lost(
    server: Server, one_minute: Path, tmp_path: Path, ending: str, fetched: bool
) -> None:
    folder = tmp_path / "mitdb-first-0.25-min"
    if fetched:
        excerpt(server, tmp_path)
    folder.mkdir(exist_ok=True)
    (folder / f"100.{ending}").write_bytes(b"mine")
    before = {name: (folder / name).read_bytes() for name in files_in(folder) if "100" in name}
    with pytest.raises(OutputError, match=rf"100\.{ending} is there and .*--replace"):
        excerpt(server, tmp_path)
    assert before == {n: (folder / n).read_bytes() for n in files_in(folder) if "100" in n}
    assert excerpt(server, tmp_path, replace=True)[ending] != b"mine"
    assert read_record(folder / "100").duration_s == 15.0


def test_a_whole_record_in_the_place_of_an_excerpt_is_not_lost(
    server: Server, one_minute: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "mitdb-first-0.25-min"
    shutil.copytree(one_minute.parent, folder)
    with pytest.raises(OutputError, match=r"100\.\w+ is there and is not the file of the server"):
        excerpt(server, tmp_path)
    assert read_record(folder / "100").duration_s == SECONDS


def test_replace_fetches_again(server: Server, one_minute: Path, tmp_path: Path) -> None:
    whole = excerpt(server, tmp_path)
    path = tmp_path / "mitdb-first-0.25-min" / "100.dat"
    path.write_bytes(whole["dat"][::-1])  # of the right length
    assert excerpt(server, tmp_path)["dat"] == whole["dat"][::-1]
    assert excerpt(server, tmp_path, replace=True) == whole


def test_refresh_brings_a_new_edition(server: Server, one_minute: Path, tmp_path: Path) -> None:
    old = excerpt(server, tmp_path)
    server.add("mitdb", "1.0.0", {"100.dat": server.files[f"{TOP}100.dat"][::-1]})
    assert excerpt(server, tmp_path) == old
    new = excerpt(server, tmp_path, refresh=True)
    assert new["dat"] == server.files[f"{TOP}100.dat"][: len(old["dat"])] != old["dat"]
    asked = len(server.asked)
    assert excerpt(server, tmp_path) == new
    assert len(server.asked) == asked


def test_a_signal_file_that_ends_too_soon(server: Server, one_minute: Path, tmp_path: Path) -> None:
    server.files[f"{TOP}100.dat"] = server.files[f"{TOP}100.dat"][:100]
    with pytest.raises(FetchError, match=r"100\.dat ends within 0\.25 min; fetch it whole"):
        fetch(server, tmp_path, 0.25)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("100 2 200 9000\n100.dat 16 200 16 0 0 0 0 a\nx.dat 16 200 16 0 0 0 0 b\n", "cannot be"),
        ("100 1 200 9000\n100.dat 516 200 16 0 0 0 0 a\n", "cannot be cut; fetch it whole"),
        ("100/2 1 200 9000\na 10\nb 20\n", "cannot be cut"),
        ("nonsense\n", "header 100.hea of the server cannot be read"),
    ],
)
def test_records_that_cannot_be_cut(
    server: Server, tmp_path: Path, header: str, message: str
) -> None:
    server.add("mitdb", "1.0.0", {"100.hea": header.encode()})
    with pytest.raises(FetchError, match=message):
        fetch(server, tmp_path, 0.25)


@pytest.mark.parametrize("endings", [("dat", "hea", "atr"), ("atr", "dat")])
def test_the_header_is_told_whatever_the_order_of_endings(
    server: Server, one_minute: Path, tmp_path: Path, endings: tuple[str, ...]
) -> None:
    own = Database("own", f"{server.url}mitdb/1.0.0/", endings=endings)
    fetched = fetch_database(own, tmp_path, minutes=0.25, records=["100"], patience=QUICK)
    assert read_record(fetched.folder / "100").duration_s == 15.0
    assert {"100.hea", "100.dat", "100.atr"} <= set(files_in(fetched.folder))


@pytest.mark.parametrize("minutes", [0, -1, 241, float("nan")])
def test_impossible_minutes(server: Server, tmp_path: Path, minutes: float) -> None:
    with pytest.raises(UsageError, match=r"minutes must be from 0\.1 to 240, got"):
        fetch(server, tmp_path, minutes)
