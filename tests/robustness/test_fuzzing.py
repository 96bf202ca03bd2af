"""What is made of the words of the fuzzer; fuzzing itself is done by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("resource", reason="Windows has no limits for processes")
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


def test_a_target_goes_on_after_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[float] = []

    def run(name: str, minutes: float, corpus: Path) -> tuple[str, float]:
        runs.append(minutes)
        (corpus / f"input{len(runs)}").write_bytes(bytes(500))
        if len(runs) == 1:
            corpus.with_name(f"{corpus.name}-found-crash-1").write_bytes(b"x")
            return SAID, 30.0
        monkeypatch.setattr(fuzz_log, "_LEAST_MINUTES", 100.0)
        return SAID.replace("258", "300"), 30.0

    monkeypatch.setattr(fuzz_log, "_run", run)
    log = tmp_path / "log.jsonl"
    fuzz_log.fuzz_all(["edf, odd/name"], 10, 1, log, tmp_path)
    fuzz_log.fuzz_all(["edf, odd/name"], 10, 1, log, tmp_path)  # it is known now
    (line,) = fuzz_log.read_log(log)
    assert len(runs) == 2
    assert (line["executions"], line["edges"], line["cpu_minutes"]) == (2 * 4701, 300, 1.0)
    assert (line["corpus"], line["corpus_kb"]) == (2, 1.0)
    assert line["findings"] == [str(tmp_path / "edf-odd-name-found-crash-1")]
    table = fuzz_log.format_fuzzing([line])
    assert "| 1.0 | 9402 | 300 | 2 | 1 | 295 | 1 |" in table


def test_a_target_that_does_not_start_ends_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fuzz_log, "_run", lambda *_: ("no module named atheris", 1.0))
    assert fuzz_log.fuzz("edf", 10, tmp_path)["executions"] == 0
