"""The speed benchmark is run, never timed; what it works out from its timings is tested."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ecglens import open_record
from tests.tiny_onnx import make_tiny_onnx

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.append(str(BENCHMARKS))

from speed_growth import peak_mb, write_record  # noqa: E402
from speed_jobs import Job, times_per_second  # noqa: E402
from speed_machine import GFLOP  # noqa: E402
from speed_report import (  # noqa: E402
    format_growth,
    format_networks,
    format_routes,
    format_stages,
    table,
)


def _cells(text: str) -> list[list[str]]:
    lines = text.splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def _with_path(folder: Path) -> dict[str, str]:
    """Return the environment with a folder before all other modules."""
    known = os.environ.get("PYTHONPATH", "")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *filter(None, [known])])}


class TestJobs:
    def test_a_job_is_done_as_often_as_fills_the_time(self) -> None:
        amounts: list[int] = []

        def wait(n: int) -> None:
            amounts.append(n)
            time.sleep(0.01 * n)

        rates = times_per_second([Job(("wait",), wait, unit=2, most=100)], 0.1, rounds=2)
        first, timed, *rounds = amounts
        assert (first, timed) == (2, 2)
        assert rounds == [rounds[0]] * 2
        assert 2 <= rounds[0] <= 12
        assert rounds[0] % 2 == 0
        assert 0 < rates["wait",] <= 100

    def test_a_job_is_done_no_more_than_it_can(self) -> None:
        amounts: list[int] = []
        times_per_second([Job(("quick",), amounts.append, unit=64, most=150)], 10.0, rounds=1)
        assert amounts[-1] == 128

    def test_jobs_take_turns(self) -> None:
        turns: list[str] = []
        jobs = [
            Job((name,), lambda _n, name=name: turns.append(name), unit=1, most=1)  # type: ignore[misc]
            for name in "ab"
        ]
        times_per_second(jobs, 0.0, rounds=3)
        assert turns[-6:] == ["a", "b"] * 3


RATES = {
    ("matrix", "numpy", "fp32"): 100 / GFLOP,
    ("matrix", "openvino", "fp32"): 200 / GFLOP,
    ("stage", "read"): 3600.0,
    ("network", "small", "ecglens", "fp32"): 500.0,
    ("route", "ecglens", "small", "fp32"): 360.0,
    ("route", "usual", "large", "fp32"): 15.0,
    ("stage", "head", "small"): 7200.0,
}


class TestReport:
    def test_stages_come_in_the_order_of_the_route(self) -> None:
        assert _cells(format_stages(RATES)) == [
            ["read", "", "", "3,600", "10.00"],
            ["network", "small", "fp32", "500", "1.39"],
            ["head", "small", "", "7,200", "20.00"],
            ["signal to features", "small", "fp32", "360", "1.00"],
        ]

    def test_routes_are_compared_with_the_usual_one(self) -> None:
        assert _cells(format_routes(RATES)) == [
            ["ecglens", "small", "fp32", "360", "24.0 x large"],
            ["usual", "large", "fp32", "15.0", "1.0 x large"],
        ]

    def test_a_network_is_held_against_the_fastest_matrix_product(self) -> None:
        # 500 windows of 0.1 GMAC are 100 GFLOP.
        rows = _cells(format_networks(RATES, {"small": 100_000_000}))
        assert rows == [
            ["matrix product", "numpy", "fp32", "", "100", ""],
            ["matrix product", "openvino", "fp32", "", "200", ""],
            ["small", "ecglens", "fp32", "500", "100", "50%"],
        ]

    def test_growth(self) -> None:
        rows = [{"hours": 0.5, "windows": 180, "seconds": 0.36, "peak_mb": None}]
        assert _cells(format_growth(rows)) == [["0.5", "180", "0.4", "500", ""]]

    def test_no_rows_make_no_table(self) -> None:
        assert table(["a"], []) == ""


def test_a_long_record_is_as_long_as_asked_for(tmp_path: Path) -> None:
    record = open_record(write_record(tmp_path, 1.5))
    assert record.duration_s == pytest.approx(1.5 * 3600)
    assert record.fs == 250
    here, hour_later = (record.read(at, at + 1000, [0]) for at in (500, 500 + 3600 * 250))
    assert here.std() > 0.1
    assert (here == hour_later).all()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
def test_peak_memory_is_that_of_the_process_alone() -> None:
    held = bytearray(300_000_000)
    held[::4096] = b"1" * len(held[::4096])
    code = "import speed_growth; print(speed_growth.peak_mb())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
        env=_with_path(BENCHMARKS),
    )
    mine = peak_mb()
    assert mine is not None
    assert mine >= 300
    assert 5 < float(done.stdout) < 200


@pytest.mark.slow
def test_it_runs_without_torch_and_says_what_it_left_out(tmp_path: Path) -> None:
    tiny = make_tiny_onnx(tmp_path / "tiny.onnx")
    command = [sys.executable, str(BENCHMARKS / "speed.py"), "--backbones", str(tiny), "nothing"]
    quick = ["--rounds", "1", "--seconds", "0", "--training-windows", "160", "--hours", "0.1"]
    files = ["--json", str(tmp_path / "s.json"), "--markdown", str(tmp_path / "s.md")]
    # Modules that are not there: the command must do with what the base install brings.
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    for name in ("torch", "timm", "onnxruntime"):
        (hidden / f"{name}.py").write_text(f"raise ImportError('no {name}')\n")
    done = subprocess.run(
        [*command, *quick, *files],
        capture_output=True,
        text=True,
        check=False,
        timeout=3000,
        env=_with_path(hidden),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == (tmp_path / "s.md").read_text()
    found = json.loads((tmp_path / "s.json").read_text())
    rates = {tuple(row["what"]): row["per_second"] for row in found["rates"]}
    assert min(rates.values()) > 0
    assert {("stage", "read"), ("stage", "filter"), ("stage", "image")} <= rates.keys()
    assert {("network", "tiny", "ecglens", "fp32"), ("stage", "head", "tiny")} <= rates.keys()
    assert ("route", "ecglens", "tiny", "fp32") in rates
    assert found["growth"][0]["windows"] == 36
    left_out = {row["what"]: row["why"] for row in found["skipped"]}
    assert left_out["network, tiny, ONNX Runtime, fp32"] == "no onnxruntime"
    assert {"network, tiny, torch, fp32", "route, usual, tiny, fp32", "nothing"} <= left_out.keys()
