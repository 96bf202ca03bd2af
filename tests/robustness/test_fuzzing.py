"""What is made of the words of the fuzzer; fuzzing itself is done by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ecglens.errors import RecordError

pytest.importorskip("resource", reason="Windows has no limits for processes")
fuzzing = pytest.importorskip("fuzzing")
robust_files = pytest.importorskip("robust_files")
fault_jobs = pytest.importorskip("fault_jobs")
fuzz_log = pytest.importorskip("fuzz_log")  # conftest.py makes its folder known

SAID = """
#24	INITED cov: 200 ft: 298 corp: 20/14033b exec/s: 132 rss: 295Mb
#4096	pulse  cov: 258 ft: 300 corp: 21/14621b lim: 1112 exec/s: 146 rss: 295Mb
stat::number_of_executed_units: 4701
stat::peak_rss_mb:              295
"""


def test_the_last_counts_are_read_and_none_is_nothing() -> None:
    assert fuzz_log.read_counts(SAID) == {"executions": 4701, "edges": 258, "peak_mb": 295}
    assert fuzz_log.read_counts("no module named atheris")["executions"] == 0


def lane(folder: Path, earlier: Mapping[str, Any] | None = None) -> Any:
    made = fuzz_log.Lane("edf, odd/name", 10.0, folder / "edf", earlier or {})
    made.corpus.mkdir()
    return made


def test_a_target_goes_on_after_a_finding_and_is_one_line(tmp_path: Path) -> None:
    edf = lane(tmp_path)
    assert edf.left > 9
    for number in (1, 2):
        (edf.corpus / f"input{number}").write_bytes(bytes(500))
        (tmp_path / f"edf-found-{number}").write_bytes(b"x")
        with edf.log.open("a") as log:
            log.write(SAID if number == 1 else SAID.replace("258", "250"))
        edf.ended(cpu_s=30.0)
    assert edf.left == 9.0
    line = edf.line()
    assert (line["executions"], line["edges"], line["cpu_minutes"]) == (2 * 4701, 258, 1.0)
    assert (line["corpus"], line["corpus_kb"]) == (2, 1.0)
    assert line["findings"] == [str(tmp_path / f"edf-found-{number}") for number in (1, 2)]
    assert "| 1.0 | 9402 | 258 | 2 | 1 | 295 | 2 |" in fuzz_log.format_fuzzing([line])


def test_a_target_has_the_minutes_and_counts_of_the_log_before(tmp_path: Path) -> None:
    log = tmp_path / "fuzzing.jsonl"
    known = {"executions": 70, "edges": 300, "peak_mb": 100, "minutes": 5.0}
    for target, minutes in (("edf", 1.0), ("dicom", 1.0), ("edf", 4.0)):
        line = {"target": target, **known, "cpu_minutes": minutes, "findings": ["edf-found-0"]}
        fault_jobs.add_to_log(log, [line])
    earlier = fuzz_log.last_lines(log)
    assert list(earlier) == ["edf", "dicom"]
    edf = lane(tmp_path, earlier["edf"])
    assert edf.left == 6.0
    edf.log.write_text(SAID)
    edf.ended(cpu_s=60.0)
    line = edf.line()
    assert (line["executions"], line["edges"], line["peak_mb"]) == (4771, 300, 295)
    assert (line["cpu_minutes"], line["findings"]) == (5.0, ["edf-found-0"])
    assert line["minutes"] >= 5.0


def test_a_target_ends_after_many_findings_its_time_or_no_start(tmp_path: Path) -> None:
    edf = lane(tmp_path)
    edf.minutes = 0.01
    assert edf.left == 0
    edf.minutes = 10.0
    edf.log.write_text("no module named atheris")
    edf.ended(cpu_s=1.0)
    assert edf.left == 0
    edf.log.write_text(SAID * 2)
    edf.ended(cpu_s=1.0)
    assert edf.left > 9
    for number in range(10):
        (tmp_path / f"edf-found-{number}").write_bytes(b"x")
    assert edf.left == 0


def test_each_place_of_a_fault_is_found_once(tmp_path: Path) -> None:
    class Reader:
        """Reads a byte, and fails at two places."""

        @staticmethod
        def good() -> Any:
            return robust_files.one("f", b"1")

        @staticmethod
        def read(path: Path) -> None:
            if path.read_bytes() == b"2":
                raise KeyError
            if path.read_bytes() == b"3":
                raise RecordError("refused")
            int(path.read_bytes())

    folder, found = tmp_path / "at", tmp_path / "f-found"
    folder.mkdir()
    read = fuzzing.reader(Reader, folder, found)
    for data in (b"1", b"2", b"2", b"3", b"x", b"y"):
        read(data)
    first, second = sorted(tmp_path.glob("f-found-*"))
    assert first.name.startswith("f-found-KeyError-test_fuzzing-")
    assert (first.read_bytes(), second.read_bytes()) == (b"2", b"x")
    with pytest.raises(KeyError):
        fuzzing.reader(Reader, folder)(b"2")
