"""Memory that is asked for before threads and native code start."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ecglens.backbones import load_backbone, make_engine
from ecglens.errors import EcglensError
from ecglens.memory import need_memory
from ecglens.threads import thread_pool

TOO_MUCH_MB = 1 << 40
WITH_A_LIMIT = """
import resource, sys
from pathlib import Path
from ecglens.errors import EcglensError
import ecglens.databases.download, ecglens.models, ecglens.threads

asked, extra_mb = sys.argv[1], int(sys.argv[2])
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + extra_mb * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    eval(asked)
except EcglensError as error:
    print(error.exit_code, error)
"""


def test_what_there_is() -> None:
    need_memory(1, "a test")


def test_what_there_is_not() -> None:
    with pytest.raises(EcglensError, match=r"^a test needs about \d+ MB more memory than the"):
        need_memory(TOO_MUCH_MB, "a test")
    with pytest.raises(EcglensError, match=r"^a run with \d+ threads needs about"):
        thread_pool(TOO_MUCH_MB)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("ecglens.models.load_model('rhythm4')", "1 a model needs about 320 MB more memory"),
        ("ecglens.backbones.load_backbone('ecglens-s')", "1 a network needs about 320 MB"),
        ("ecglens.threads.thread_pool(3)", "1 a run with 3 threads needs about 36 MB"),
    ],
)
def test_a_limit_of_the_process(asked: str, words: str) -> None:
    start = [sys.executable, "-c", WITH_A_LIMIT, asked, "24"]
    done = subprocess.run(start, capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout.startswith(words), done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_the_program_ends_before_its_libraries_wait_for_ever() -> None:
    script = (
        "import resource, sys; from ecglens.cli import main;"
        "resource.setrlimit(resource.RLIMIT_AS, (250 << 20, 250 << 20));"
        "sys.argv[1:] = ['databases']; main()"
    )
    start = [sys.executable, "-c", script]
    done = subprocess.run(start, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("ecglens: error: ecglens needs about 320 MB more memory")
    assert len(done.stderr.splitlines()) == 1


def test_a_network_beyond_memory_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = load_backbone("ecglens-s")
    monkeypatch.setattr("ecglens.backbones.engine.NETWORK_MB", TOO_MUCH_MB)
    with pytest.raises(EcglensError, match="running ecglens-s needs about"):
        make_engine(backbone, [backbone.layers[0].name])
