"""Downloads in processes of their own: interrupted, killed at any moment, and two at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.collection import files_in
from tests.databases.conftest import TOP, record_files
from tests.databases.server import Server, trickle

# Ctrl-C must arrive also where a shell started the tests in the background, deaf to it.
RUN = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from ecglens.databases.download import Patience, fetch_database
calm = Patience(connect_s=600, read_s=600)
print(fetch_database("mitdb", sys.argv[1], mirror=sys.argv[2], patience=calm).n_fetched)
"""


def start(folder: Path, server: Server) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(folder), server.url],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> int:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return int(out)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        name: (folder / name).read_bytes()
        for name in files_in(folder)
        if not Path(name).name.startswith(".ecglens")
    }


@pytest.mark.slow
def test_kill_9_loses_nothing_and_leaves_no_lock(server: Server, tmp_path: Path) -> None:
    server.add("mitdb", "1.0.0", record_files("100", samples=50_000))
    folder = tmp_path / "mitdb"
    for n_bytes in (1, 40_000, 99_999):
        server.faults[f"{TOP}100.dat"] = [trickle(n_bytes, lambda: None)]
        process = start(tmp_path, server)
        part = folder / ".100.dat.part"
        began = time.monotonic()
        while not part.exists() or part.stat().st_size < n_bytes:
            assert time.monotonic() - began < 300
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=300)
        assert not (folder / "100.dat").exists()
        assert part.stat().st_size == n_bytes
        finish(start(tmp_path, server))
        assert server.starts("100.dat")[-2:] == [0, n_bytes]
        for name, body in contents(folder).items():
            assert body == server.files[TOP + name]
        (folder / "100.dat").unlink()


def test_ctrl_c_ends_it_soon_and_the_next_run_goes_on(server: Server, tmp_path: Path) -> None:
    server.faults[f"{TOP}100.dat"] = [trickle(1500, lambda: None)]
    process = start(tmp_path, server)
    part = tmp_path / "mitdb" / ".100.dat.part"
    began = time.monotonic()
    while not part.exists() or part.stat().st_size < 1500:
        assert time.monotonic() - began < 300
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    # Nobody waits for the server, which holds the connection for longer than this.
    _, err = process.communicate(timeout=300)
    assert "KeyboardInterrupt" in err
    assert not (tmp_path / "mitdb" / "100.dat").exists()
    assert part.stat().st_size == 1500
    finish(start(tmp_path, server))
    assert server.starts("100.dat") == [0, 1500]


@pytest.mark.slow
def test_two_processes_at_once(server: Server, tmp_path: Path) -> None:
    server.add("mitdb", "1.0.0", record_files("100", samples=200_000))
    numbers = [finish(each) for each in [start(tmp_path, server), start(tmp_path, server)]]
    assert sorted(numbers) == [0, 10]
    assert server.starts("100.dat") == [0]
    for name, body in contents(tmp_path / "mitdb").items():
        assert body == server.files[TOP + name]
