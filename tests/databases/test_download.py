"""Files of a database over HTTP: whole and checked, or not there."""

from __future__ import annotations

import concurrent.futures
import email.utils
import errno
import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ecglens.databases import read_record
from ecglens.databases.download import Fetched, Patience, Progress, fetch_database
from ecglens.databases.download import job as job_module
from ecglens.databases.download import ledger as ledger_module
from ecglens.databases.download import transfer as transfer_module
from ecglens.databases.download.names import Places, parse_sums
from ecglens.databases.download.transport import _asked_wait, _check
from ecglens.errors import FetchError, OutputError, UsageError
from ecglens.readers import find_records
from tests.cli.collection import files_in
from tests.databases.conftest import TOP, record_files
from tests.databases.server import Server, cut, instead, slow, status, trickle

QUICK = Patience(connect_s=60, read_s=60, attempts=3, first_wait_s=0, longest_wait_s=0.01)
RECORD = ["100.atr", "100.dat", "100.hea"]
Fetch = Callable[..., Fetched]


@pytest.fixture
def fetch(server: Server, tmp_path: Path) -> Fetch:
    def run(**options: Any) -> Fetched:
        given = {"mirror": server.url, "patience": QUICK, "records": ["100"], **options}
        return fetch_database("mitdb", tmp_path, **given)

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "mitdb"


def visible(folder: Path) -> list[str]:
    return [name for name in files_in(folder) if not Path(name).name.startswith(".")]


def parts(folder: Path) -> list[str]:
    return [name for name in files_in(folder) if name.endswith(".part")]


def test_a_whole_database(server: Server, fetch: Fetch, folder: Path) -> None:
    fetched = fetch(records=None)
    assert fetched.folder == folder
    assert (fetched.records, fetched.n_files, fetched.n_fetched) == (("100", "101", "201"), 10, 10)
    assert visible(folder) == sorted(
        ["RECORDS", "SHA256SUMS.txt"]
        + [f"{record}.{ending}" for record in (100, 101, 201) for ending in ("atr", "dat", "hea")]
    )
    for name in visible(folder):
        assert (folder / name).read_bytes() == server.files[TOP + name]
    assert parts(folder) == []
    records = [read_record(path) for path in find_records(folder)]
    assert [record.rhythms[0].rhythm for record in records] == ["N", "N", "N"]


def test_only_the_records_asked_for(fetch: Fetch, folder: Path) -> None:
    assert fetch(records=["101"]).records == ("101",)
    assert visible(folder) == ["101.atr", "101.dat", "101.hea", "RECORDS", "SHA256SUMS.txt"]
    with pytest.raises(UsageError, match=r"mitdb has no record '1O1'; did you mean '101'\?; its 3"):
        fetch(records=["1O1"])


def test_the_second_run_needs_no_network(server: Server, fetch: Fetch) -> None:
    fetch()
    asked = len(server.asked)
    again = fetch()
    assert (again.n_files, again.n_fetched) == (4, 0)
    assert len(server.asked) == asked
    assert fetch(records=["100", "101"]).n_fetched == 3


@pytest.mark.parametrize("lost", ["deleted", "cut", "touched"])
def test_files_that_were_changed_here_are_seen(fetch: Fetch, folder: Path, lost: str) -> None:
    fetch()
    path = folder / "100.dat"
    whole = path.read_bytes()
    if lost == "deleted":
        path.unlink()
    elif lost == "cut":
        path.write_bytes(whole[:-1])
    else:
        os.utime(path, ns=(1, 1))
    assert fetch().n_fetched == (0 if lost == "touched" else 1)
    assert path.read_bytes() == whole


@pytest.mark.parametrize("changed", [b"mine", b"mine" * 5000, None])
def test_files_that_were_changed_here_are_not_lost(
    server: Server, fetch: Fetch, folder: Path, changed: bytes | None
) -> None:
    """Shorter than the server's, longer, or of the same length: it is said, and nothing is lost."""
    fetch()
    path = folder / "100.dat"
    theirs = path.read_bytes()
    path.write_bytes(mine := changed or theirs[::-1])
    with pytest.raises(OutputError, match=r"100\.dat is there and .*; move it away, .*--replace"):
        fetch()
    assert path.read_bytes() == mine
    assert fetch(replace=True).n_fetched == 1
    assert path.read_bytes() == theirs
    assert parts(folder) == []
    assert fetch().n_fetched == 0


def test_what_is_known_of_a_file_in_the_way_is_said(fetch: Fetch, folder: Path) -> None:
    fetch()
    (folder / "100.hea").write_bytes((folder / "100.hea").read_bytes() + b"# mine\n")
    with pytest.raises(OutputError, match=r"100\.hea is there and has been changed since it was f"):
        fetch(refresh=True)


@pytest.mark.parametrize("touched", [False, True])
def test_a_file_of_an_older_edition_is_replaced_unless_it_was_changed(
    server: Server, fetch: Fetch, folder: Path, touched: bool
) -> None:
    fetch()
    path = folder / "100.atr"
    if touched:
        os.utime(path, ns=(1, 1))
    server.add("mitdb", "1.0.0", {"100.atr": b"new"})
    assert fetch(refresh=True).n_fetched == 1
    assert path.read_bytes() == b"new"
    path.write_bytes(b"mine")
    server.add("mitdb", "1.0.0", {"100.atr": b"newer"})
    with pytest.raises(OutputError, match=r"100\.atr is there and has been changed since"):
        fetch(refresh=True)
    assert path.read_bytes() == b"mine"
    path.write_bytes(b"newer")  # somebody put the new one there
    assert fetch().n_fetched == 0


def test_resume_after_a_cut_at_any_byte(server: Server, fetch: Fetch, folder: Path) -> None:
    body = record_files("100", samples=40)["100.dat"]
    server.add("mitdb", "1.0.0", record_files("100", samples=40))
    for n_bytes in range(len(body)):
        server.asked.clear()
        server.faults[f"{TOP}100.dat"] = [cut(n_bytes)]
        (folder / "100.dat").unlink(missing_ok=True)
        assert fetch(jobs=1).n_fetched >= 1
        assert (folder / "100.dat").read_bytes() == body
        assert server.starts("100.dat") == [0, n_bytes]
    assert parts(folder) == []


def test_a_killed_run_goes_on_from_its_last_byte(
    server: Server, fetch: Fetch, folder: Path
) -> None:
    folder.mkdir()
    body = server.files[f"{TOP}100.dat"]
    (folder / ".100.dat.part").write_bytes(body[:1234])
    fetch()
    assert server.starts("100.dat") == [1234]
    assert (folder / "100.dat").read_bytes() == body
    assert parts(folder) == []


@pytest.mark.parametrize("rubbish", [b"x" * 10, b"x" * 4000, b"x" * 9999])
def test_a_part_that_is_not_of_the_file(
    server: Server, fetch: Fetch, folder: Path, rubbish: bytes
) -> None:
    """Shorter than the file, as long as it, longer: it is thrown away and fetched anew."""
    folder.mkdir()
    (folder / ".100.dat.part").write_bytes(rubbish)
    fetch()
    assert server.starts("100.dat") == [len(rubbish), 0]
    assert (folder / "100.dat").read_bytes() == server.files[f"{TOP}100.dat"]


def test_a_server_without_ranges(server: Server, fetch: Fetch, folder: Path) -> None:
    server.ranges = False
    server.faults[f"{TOP}100.dat"] = [cut(1000)]
    fetch()
    assert (folder / "100.dat").read_bytes() == server.files[f"{TOP}100.dat"]


def test_a_server_that_answers_another_range(server: Server, fetch: Fetch, folder: Path) -> None:
    server.faults[f"{TOP}100.dat"] = [
        cut(1000),
        status(206, Content_Range="bytes 5-3999/4000"),
    ]
    fetch()
    assert server.starts("100.dat") == [0, 1000, 0]
    assert (folder / "100.dat").read_bytes() == server.files[f"{TOP}100.dat"]


def test_wrong_checksum(server: Server, fetch: Fetch, folder: Path) -> None:
    server.faults[f"{TOP}100.dat"] = [instead(b"other"), instead(b"other")]
    with pytest.raises(FetchError, match=r"1 of 4 files of mitdb .*100\.dat is not the file that"):
        fetch()
    assert visible(folder) == ["100.atr", "100.hea", "RECORDS", "SHA256SUMS.txt"]
    assert parts(folder) == []
    server.faults[f"{TOP}100.dat"] = [instead(b"other")]
    assert fetch().n_fetched == 1


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (404, r"with 404 Not Found: the file is not there; check version and address"),
        (403, r"with 403 Forbidden: it may ask for an account"),
        (401, r"with 401 Unauthorized: it may ask for an account"),
        (400, r"with 400 Bad Request; check the address"),
    ],
)
def test_a_refused_file_does_not_keep_the_others(
    server: Server, fetch: Fetch, folder: Path, code: int, message: str
) -> None:
    server.faults[f"{TOP}100.dat"] = [status(code)]
    with pytest.raises(FetchError, match=rf"100\.dat {message}.*; all others are whole"):
        fetch(jobs=1)
    assert "100.dat" not in visible(folder)
    assert {"100.atr", "100.hea"} < set(visible(folder))
    assert server.starts("100.dat") == [0]


@pytest.mark.parametrize("code", [500, 502, 503, 429, 408])
def test_passing_failures_are_tried_again(
    server: Server, fetch: Fetch, folder: Path, code: int
) -> None:
    server.faults[f"{TOP}100.dat"] = [status(code), status(code)]
    server.faults[f"{TOP}SHA256SUMS.txt"] = [status(code)]
    fetch()
    assert (folder / "100.dat").read_bytes() == server.files[f"{TOP}100.dat"]


def test_failures_that_do_not_pass(server: Server, fetch: Fetch, folder: Path) -> None:
    server.faults[f"{TOP}100.dat"] = [status(503)] * 3
    with pytest.raises(FetchError, match=r"100\.dat with 503 Service Unavailable; try again"):
        fetch()
    assert len(server.starts("100.dat")) == QUICK.attempts


def test_attempts_count_anew_when_bytes_come(server: Server, fetch: Fetch, folder: Path) -> None:
    """A line that breaks off again and again is gone on with as long as it brings something."""
    body = server.files[f"{TOP}100.dat"]

    def broken(n_bytes: int):
        def answer(handler: Any, _body: bytes) -> None:
            start = server.asked[-1][1]
            handler.send_response(206 if start else 200)
            handler.send_header("Content-Length", str(len(body) - start))
            if start:
                handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            handler.end_headers()
            handler.wfile.write(body[start : start + n_bytes])
            handler.close_connection = True

        return answer

    server.faults[f"{TOP}100.dat"] = [broken(300)] * (2 * QUICK.attempts)
    fetch(jobs=1)
    assert server.starts("100.dat") == [300 * i for i in range(2 * QUICK.attempts + 1)]
    assert (folder / "100.dat").read_bytes() == body


class Answer:
    def __init__(self, wait: str) -> None:
        self.headers = {"Retry-After": wait}


def test_the_wait_that_a_server_asks_for() -> None:
    later = email.utils.formatdate(time.time() + 1000, usegmt=True)
    assert _asked_wait(Answer("7")) == 7.0  # type: ignore[arg-type]
    assert _asked_wait(Answer(later)) == pytest.approx(1000, abs=300)  # type: ignore[arg-type]
    assert _asked_wait(Answer("soon")) is None  # type: ignore[arg-type]
    assert _asked_wait(Answer("")) is None  # type: ignore[arg-type]


def test_a_way_that_leaves_encryption_is_not_followed() -> None:
    answer = Answer("")
    answer.url = "http://example.org/x"  # type: ignore[attr-defined]
    with pytest.raises(FetchError, match=r"leads to http://example\.org/x, which is not encrypted"):
        _check(answer, "https://example.org/x", partly=False)  # type: ignore[arg-type]


def test_the_server_is_given_the_time_it_asks_for(server: Server, fetch: Fetch) -> None:
    server.faults[f"{TOP}100.dat"] = [status(429, Retry_After="9")]
    patience = Patience(attempts=2, first_wait_s=0, longest_wait_s=0.4)
    began = time.monotonic()
    fetch(patience=patience)
    assert time.monotonic() - began >= 0.4


def test_a_slow_server(server: Server, fetch: Fetch, folder: Path) -> None:
    # Attempts enough for a machine so loaded that it misses some answers itself.
    patience = Patience(read_s=0.2, attempts=50, first_wait_s=0, longest_wait_s=0)
    server.faults[f"{TOP}100.dat"] = [slow(0.6)]
    fetch(patience=patience)
    assert (folder / "100.dat").read_bytes() == server.files[f"{TOP}100.dat"]
    server.faults[f"{TOP}101.dat"] = [slow(0.6)] * 2
    with pytest.raises(FetchError, match=r"127\.0\.0\.1 does not answer in time; try again"):
        fetch(patience=replace(patience, attempts=2), records=["101"])


def test_a_server_that_stalls_within_a_file(server: Server, fetch: Fetch, folder: Path) -> None:
    patience = Patience(read_s=0.3, attempts=50, first_wait_s=0, longest_wait_s=0)
    server.faults[f"{TOP}100.dat"] = [trickle(1500, lambda: None)]
    fetch(patience=patience)
    first, *further = server.starts("100.dat")
    assert (first, set(further)) == (0, {1500})
    assert (folder / "100.dat").read_bytes() == server.files[f"{TOP}100.dat"]


def test_disk_full(
    server: Server, fetch: Fetch, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, room = transfer_module._write, 1000

    def write(file: Any, chunk: bytes, part: Path) -> None:
        if not part.name.startswith(".100.dat"):
            real(file, chunk, part)
            return
        real(file, chunk[:room], part)
        raise transfer_module._unwritable(part, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))

    monkeypatch.setattr(transfer_module, "_write", write)
    with pytest.raises(
        OutputError, match=r"No space left on device; free space .* what is here is"
    ):
        fetch()
    assert "100.dat" not in visible(folder)
    assert (folder / ".100.dat.part").stat().st_size == room
    monkeypatch.undo()
    fetch()
    assert server.starts("100.dat")[-1] == room
    assert (folder / "100.dat").read_bytes() == server.files[f"{TOP}100.dat"]


def test_two_at_once_fetch_each_file_once(server: Server, fetch: Fetch, folder: Path) -> None:
    server.faults[f"{TOP}100.dat"] = [cut(10), status(503)]
    said: list[str] = []
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(fetch, records=None, notice=said.append) for _ in range(2)]
        numbers = sorted(run.result().n_fetched for run in runs)
    assert numbers == [0, 10]
    assert len(server.starts("101.dat")) == 1
    assert all("another process fetches into" in text for text in said)


def test_a_file_that_changed_on_the_server(server: Server, fetch: Fetch, folder: Path) -> None:
    fetch()
    old = server.files[f"{TOP}100.dat"]
    server.add("mitdb", "1.0.0", record_files("100", samples=1500))
    assert fetch().n_fetched == 0
    assert (folder / "100.dat").read_bytes() == old
    assert fetch(refresh=True).n_fetched == 2
    assert (folder / "100.dat").read_bytes() == server.files[f"{TOP}100.dat"] != old


def test_a_file_that_changes_on_the_server_between_two_attempts(
    server: Server, fetch: Fetch, folder: Path
) -> None:
    new = record_files("100", samples=1500)["100.dat"]

    def change(handler: Any, body: bytes) -> None:
        cut(1000)(handler, body)
        server.files[f"{TOP}100.dat"] = new[::-1]

    server.faults[f"{TOP}100.dat"] = [change]
    with pytest.raises(FetchError, match="ask it again"):
        fetch()
    assert "100.dat" not in visible(folder)
    server.list_sums("mitdb", "1.0.0")
    fetch(refresh=True)
    assert (folder / "100.dat").read_bytes() == new[::-1]


def test_files_that_are_there_are_not_fetched(server: Server, fetch: Fetch, folder: Path) -> None:
    folder.mkdir()
    for name in RECORD:
        (folder / name).write_bytes(server.files[TOP + name])
    assert fetch().n_fetched == 1  # RECORDS
    assert server.starts("100.dat") == []


def test_other_files_of_the_same_name_are_not_touched(
    server: Server, fetch: Fetch, folder: Path
) -> None:
    folder.mkdir()
    (folder / "100.dat").write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"100\.dat is there and is not the file of the server;"):
        fetch()
    assert (folder / "100.dat").read_bytes() == b"mine"
    fetch(replace=True)
    assert (folder / "100.dat").read_bytes() == server.files[f"{TOP}100.dat"]


def test_a_whole_folder_without_a_network(server: Server, folder: Path, fetch: Fetch) -> None:
    folder.mkdir()
    for name in [*RECORD, "RECORDS", "SHA256SUMS.txt"]:
        (folder / name).write_bytes(server.files[TOP + name])
    said: list[str] = []
    again = fetch(mirror="http://127.0.0.1:9/", notice=said.append)
    assert (again.n_files, again.n_fetched) == (4, 0)
    assert len(said) == 1
    assert "no connection to 127.0.0.1" in said[0]
    with pytest.raises(FetchError, match=r"no connection to 127\.0\.0\.1"):
        fetch(mirror="http://127.0.0.1:9/", refresh=True)


def test_a_folder_that_cannot_be_written_may_be_whole(
    server: Server, fetch: Fetch, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mkdir()
    for name in [*RECORD, "RECORDS"]:
        (folder / name).write_bytes(server.files[TOP + name])

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(ledger_module.filelock.FileLock, "acquire", refuse)
    assert fetch().n_fetched == 0
    assert visible(folder) == [*RECORD, "RECORDS"]


def test_offline_and_behind_a_proxy(fetch: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FetchError, match=r"no connection to 127\.0\.0\.1 \(.*refused\): .*offline"):
        fetch(mirror="http://127.0.0.1:9/")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9/")
    monkeypatch.setenv("NO_PROXY", "")
    with pytest.raises(FetchError, match=r"no answer from the proxy for example\.org; check HTTPS"):
        fetch(mirror="http://example.org/")


def test_an_answer_that_is_no_list(server: Server, fetch: Fetch) -> None:
    server.files[f"{TOP}SHA256SUMS.txt"] = b"<html>Welcome to the hotel's network</html>\n"
    with pytest.raises(FetchError, match=r"is not a list of SHA-256 checksums: line 1 is .<html>W"):
        fetch()
    server.files[f"{TOP}SHA256SUMS.txt"] = b"\n"
    with pytest.raises(FetchError, match="lists no file"):
        fetch()


def test_a_list_without_records_and_one_that_is_too_long(
    server: Server, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_module, "MAX_SUMS_BYTES", 100)
    with pytest.raises(FetchError, match="has over 100 bytes; check the address"):
        fetch()
    monkeypatch.undo()
    server.files[f"{TOP}SHA256SUMS.txt"] = b"0" * 64 + b"  x_mitdb/x_100.hea\n"
    with pytest.raises(FetchError, match="the server lists no record of mitdb"):
        fetch()


BAD_NAMES = [
    "../100.hea", "/etc/100.hea", "a/../../100.hea", "a//100.hea", "./a/../b.hea", "C:/100.hea",
    "a\\100.hea", "con.hea", "a/nul.hea", "COM1.hea", ".hidden.hea", "a/.ssh/b.hea", "100.hea.",
    "a /100.hea", "100\0.hea", "100\n.hea", "é.hea", "", "a/" * 9 + "b.hea", "a" * 201,
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_would_leave_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(FetchError, match=r"the server lists a file .*, which cannot stand below"):
        Places(tmp_path).of(name)


def test_a_hostile_list_writes_nothing(server: Server, tmp_path: Path) -> None:
    for name in ("records500/../../../evil.hea", "records500/.ssh/evil.hea"):
        server.files = {
            f"/files/ptb-xl/1.0.3/{name}": b"evil",
            "/files/ptb-xl/1.0.3/SHA256SUMS.txt": f"{'0' * 64} {name}\n".encode(),
        }
        with pytest.raises(FetchError, match="cannot stand below"):
            fetch_database("ptb-xl", tmp_path / "in", mirror=server.url, patience=QUICK)
        assert not list(tmp_path.rglob("evil*"))


def test_links_that_lead_out(server: Server, fetch: Fetch, folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    (tmp_path / "precious").write_bytes(b"precious")
    (folder / "100.dat").symlink_to(tmp_path / "precious")
    with pytest.raises(OutputError, match=r"100\.dat leads through a link out of"):
        fetch()
    (folder / "100.dat").unlink()
    (folder / ".100.dat.part").symlink_to(tmp_path / "precious")
    fetch()
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert (folder / "100.dat").read_bytes() == server.files[f"{TOP}100.dat"]


def test_folders_that_lead_out(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "sub").symlink_to(tmp_path)
    (tmp_path / "in" / "back").symlink_to(tmp_path / "in")
    places = Places(tmp_path / "in")
    with pytest.raises(OutputError, match=r"sub.a leads through a link out of"):
        places.of("sub/a/100.hea")
    assert places.of("back/100.hea") == tmp_path / "in" / "back" / "100.hea"


def test_checksums_are_read_in_all_their_forms() -> None:
    one, two = "0" * 64, "AB" * 32
    text = f"{one} a b.dat\n{two}  ./c.dat\n\n{one} *d.dat\r\n"
    assert parse_sums(text, "x") == {"a b.dat": one, "c.dat": two.lower(), "d.dat": one}


@pytest.mark.parametrize("kept", [b"", b"{", b"[1]", b'{"format": 1, "files": 3}', b'{"format":9}'])
def test_a_damaged_ledger_costs_nothing_but_time(
    server: Server, fetch: Fetch, folder: Path, kept: bytes
) -> None:
    fetch()
    (folder / ledger_module.NAME).write_bytes(kept)
    assert fetch().n_fetched == 0
    assert json.loads((folder / ledger_module.NAME).read_bytes())["files"].keys() == {
        *RECORD,
        "RECORDS",
    }


def test_progress(fetch: Fetch, server: Server) -> None:
    seen: list[Progress] = []
    fetch(records=None, progress=seen.append, jobs=2)
    last = seen[-1]
    names = [*server.files]
    wanted = [n for n in names if n.endswith((".hea", ".dat", ".atr", "RECORDS")) and "x_" not in n]
    size = sum(len(server.files[name]) for name in wanted)
    assert last == Progress(10, 10, size, size)
    assert [p.files for p in seen] == sorted(p.files for p in seen)
    assert any(p.total_bytes and p.total_bytes > p.n_bytes for p in seen)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"jobs": 0}, "jobs must be from 1 to 4, got 0"),
        ({"jobs": 5}, "jobs must be from 1 to 4, got 5"),
        ({"records": []}, r"records \(--records\) names none; name some, or leave"),
        ({"mirror": "example.org"}, "mirror 'example.org' is no address"),
        ({"mirror": "https://x/?q="}, "is no address"),
    ],
)
def test_impossible_values(fetch: Fetch, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        fetch(**options)


def test_records_without_a_signal_are_left_out(server: Server, tmp_path: Path) -> None:
    files = record_files("04015") | {"00735.hea": b"00735 0 250 0\n", "00735.atr": b"\0\0"}
    server.add("afdb", "1.0.0", files)
    options: dict[str, Any] = {"mirror": server.url, "patience": QUICK}
    assert fetch_database("afdb", tmp_path, **options).records == ("04015",)
    with pytest.raises(UsageError, match="record '00735' of afdb has annotations alone"):
        fetch_database("afdb", tmp_path, records=["00735"], **options)


def test_tables_come_with_the_records(server: Server, tmp_path: Path) -> None:
    made = record_files("00001_hr")
    files = {f"records500/00000/{name}": body for name, body in made.items()}
    table = b"ecg_id,patient_id,filename_lr,filename_hr,scp_codes\n1,5,a,00001_hr,{'AFIB': 0.0}\n"
    files |= {"ptbxl_database.csv": table, "records100/00000/00001_lr.hea": b"not wanted"}
    server.add("ptb-xl", "1.0.3", files)
    fetched = fetch_database("ptb-xl", tmp_path, mirror=server.url, patience=QUICK)
    assert fetched.records == ("records500/00000/00001_hr",)
    record = read_record(fetched.folder / f"{fetched.records[0]}.hea")
    assert (record.subject_id, record.rhythms[0].rhythm) == ("ptb-xl-5", "AFIB")
    again = fetch_database("ptb-xl", tmp_path, records=["00001_hr"], patience=QUICK)
    assert (again.records, again.n_fetched) == (fetched.records, 0)


def test_real_records_come_as_they_are(server: Server, real_data: Path, tmp_path: Path) -> None:
    names = ["201", "202"]
    files = {
        f"{name}.{ending}": (real_data / "mitdb" / f"{name}.{ending}").read_bytes()
        for name in names
        for ending in ("hea", "dat", "atr")
    }
    server.add("mitdb", "1.0.0", files)
    server.faults[f"{TOP}201.dat"] = [cut(700_000)]
    fetched = fetch_database("mitdb", tmp_path, records=names, mirror=server.url, patience=QUICK)
    ours = [read_record(fetched.folder / name) for name in names]
    theirs = [read_record(real_data / "mitdb" / name) for name in names]
    for mine, real in zip(ours, theirs, strict=True):
        assert (mine.signal == real.signal).all()
        assert mine.rhythms == real.rhythms
    assert {record.subject_id for record in ours} == {"mitdb-201"}
