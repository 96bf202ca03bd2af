"""The benchmarks are commands of the project, so they are run, never timed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.signals_of import beats, fibrillation
from tests.tiny_onnx import make_tiny_onnx

ROOT = Path(__file__).parents[1]
KEYS = {"accuracy", "macro_f1", "recall"}


def _run(script: str, *args: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "benchmarks" / script), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=1800)


def _figures(tmp_path: Path, *args: str | Path) -> dict[str, Any]:
    out = tmp_path / "out.json"
    done = _run("rhythm4.py", "--json", out, *args)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(out.read_text()))


def _write_rhythm4(path: Path, first_subject: int, n_subjects: int) -> Path:
    """Write windows in the yardstick's format: N and VF, four of each from every subject."""
    windows: list[np.ndarray] = []
    rows: list[tuple[int, str, str]] = []
    for subject in range(first_subject, first_subject + n_subjects):
        fs = 250 if subject % 2 else 50
        for i in range(4):
            seed = 100 * subject + i
            for label, signal in (("N", beats(10, fs, seed=seed)), ("VF", fibrillation(10, fs))):
                windows.append(np.round(signal * 1000).astype(np.int16))
                rows.append((fs, label, f"made-{subject}"))
    ends = np.cumsum([len(window) for window in windows])
    np.savez(
        path,
        x_milli=np.concatenate(windows),
        offset=np.concatenate([[0], ends]),
        fs=np.array([fs for fs, _, _ in rows], dtype=np.int16),
        label=np.array([label for _, label, _ in rows]),
        database=np.full(len(rows), "made"),
        subject=np.array([subject for _, _, subject in rows]),
        record=np.full(len(rows), "r"),
        start_s=np.zeros(len(rows), dtype=np.int32),
    )
    return path


class TestRhythm4:
    @pytest.fixture
    def args(self, tmp_path: Path) -> list[str | Path]:
        return [
            *("--data", _write_rhythm4(tmp_path / "seen.npz", 0, 12)),
            *("--backbone", make_tiny_onnx(tmp_path / "tiny.onnx")),
            *("--pca", "0"),
        ]

    def test_it_writes_the_figures_it_promises(
        self, tmp_path: Path, args: list[str | Path]
    ) -> None:
        unseen = _write_rhythm4(tmp_path / "unseen.npz", 50, 4)
        out = _figures(tmp_path, *args, "--holdout", unseen)
        for name in ("pooled", "subject", "holdout"):
            assert out[name].keys() >= KEYS
            assert set(out[name]["recall"]) == {"N", "VF"}
            assert out[name]["accuracy"] > 0.9
        assert out["windows_per_s"] > 0
        assert out["settings"]["n_windows"] == 96

    @pytest.mark.slow
    def test_shuffled_labels_score_at_chance(self, tmp_path: Path, args: list[str | Path]) -> None:
        out = _figures(tmp_path, *args, "--shuffle-labels")
        # 96 windows of two classes: 0.5 with a standard error of 0.05.
        assert 0.3 < out["subject"]["accuracy"] < 0.7
        assert out["settings"]["shuffled_labels"] is True

    @pytest.mark.slow
    def test_a_person_in_both_files_is_refused(
        self, tmp_path: Path, args: list[str | Path]
    ) -> None:
        both = _write_rhythm4(tmp_path / "both.npz", 11, 4)
        done = _run("rhythm4.py", *args, "--holdout", both)
        assert done.returncode == 5
        assert "made-11" in done.stderr
        assert "Traceback" not in done.stderr

    @pytest.mark.slow
    def test_image_settings_can_be_changed_and_misspelt(
        self, tmp_path: Path, args: list[str | Path]
    ) -> None:
        out = _figures(tmp_path, *args, "--image", "dynamic_range_db = 40.0")
        assert out["settings"]["recipe"]["image"]["dynamic_range_db"] == 40.0
        done = _run("rhythm4.py", *args, "--image", "dynamic_range = 40.0")
        assert done.returncode == 2
        assert "did you mean 'dynamic_range_db'" in done.stderr


@pytest.fixture
def yardstick() -> Path:
    folder = os.environ.get("ECGLENS_TEST_BENCHMARK", "")
    if not folder:
        pytest.skip("ECGLENS_TEST_BENCHMARK is not set: the yardstick is not part of the project")
    return Path(folder) / "rhythm4_visible.npz"


@pytest.mark.slow
@pytest.mark.timeout(3600)  # an ImageNet network sees thousands of windows, twice
class TestRealYardstick:
    """The figures of the default recipe, as the README states them."""

    @pytest.fixture(autouse=True)
    def _timm(self) -> None:
        pytest.importorskip("timm", reason="needs ecglens[timm]")

    def test_imagenet_features_carry_over_and_random_ones_fall_behind(
        self, tmp_path: Path, yardstick: Path, real_weights: Path
    ) -> None:
        weights = next((real_weights / "densenet121").glob("*.safetensors"))
        data = ("--data", yardstick, "--backbone", "densenet121")
        trained = _figures(tmp_path, *data, "--weights", weights)
        assert trained["pooled"]["accuracy"] >= 0.94
        assert trained["subject"]["macro_f1"] >= 0.81
        random = _figures(tmp_path, *data, "--weights", "random")
        assert random["pooled"]["accuracy"] < trained["pooled"]["accuracy"] - 0.02
        assert random["subject"]["macro_f1"] < trained["subject"]["macro_f1"] - 0.02

    def test_shuffled_labels_score_at_chance(
        self, tmp_path: Path, yardstick: Path, real_weights: Path
    ) -> None:
        weights = next((real_weights / "densenet121").glob("*.safetensors"))
        out = _figures(
            tmp_path,
            *("--data", yardstick, "--weights", weights, "--head", "lda", "--shuffle-labels"),
        )
        # Four classes; always saying the largest would score 2400 / 4511 = 0.532.
        assert out["subject"]["macro_f1"] < 0.3
        assert out["pooled"]["macro_f1"] < 0.3


@pytest.mark.slow
def test_what_quality_refuses_is_told_by_class_and_half(tmp_path: Path) -> None:
    done = _run("quality.py", "--data", _write_rhythm4(tmp_path / "r4.npz", 0, 6))
    assert done.returncode == 0, done.stderr
    rows = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| made")]
    assert [row[1] for row in rows] == ["N", "VF"]
    assert {row[2] for row in rows} == {"12"}
    assert {row[3] for row in rows} == {"0.000"}


@pytest.mark.slow
def test_what_abstention_costs_is_told_by_level(tmp_path: Path) -> None:
    data = _write_rhythm4(tmp_path / "r4.npz", 0, 40)
    done = _run("abstention.py", "--data", data, "--folds", "4", "--json", tmp_path / "out.json")
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "out.json").read_text())
    rows = [row for row in told if row["unlike"] == 0.05][:-1]
    assert [row["alpha"] for row in rows] == sorted(row["alpha"] for row in rows)
    assert rows[0]["coverage"] <= rows[-1]["coverage"] <= 1
    assert rows[-1]["coverage_by_class"].keys() == {"N", "VF"}
    unlike = told[len(rows) :]
    assert [row["unlike"] for row in unlike] == sorted(row["unlike"] for row in unlike)
    assert {row["alpha"] for row in unlike} == {0.2}
    assert unlike[0]["coverage"] >= unlike[-1]["coverage"]
    lines = done.stdout.splitlines()
    assert len([line for line in lines if line.startswith("| 0.")]) == len(told)
    assert f"| 0.05 | {rows[0]['coverage']:.2f} | {rows[0]['accuracy']:.3f} |" in done.stdout


@pytest.mark.slow
def test_abstention_on_the_people_kept_apart(tmp_path: Path) -> None:
    data = _write_rhythm4(tmp_path / "r4.npz", 0, 40)
    done = _run("abstention.py", "--data", data, "--people", "third")
    assert done.returncode == 0, done.stderr
    assert "fold 1 of 1" in done.stderr


@pytest.mark.slow
def test_how_well_planted_causes_are_found_is_told_by_tiles() -> None:
    done = _run("explanations.py", "--windows", "1")
    assert done.returncode == 0, done.stderr
    rows = [line.split(" | ") for line in done.stdout.splitlines()[2:]]
    assert {row[0] for row in rows} == {"| 3 s of VF", "| 5 s of AF"}
    assert all(0 <= float(row[2]) <= 1 for row in rows)


class TestHolter:
    @pytest.mark.slow
    def test_a_short_day_killed_once(self, tmp_path: Path) -> None:
        tiny = make_tiny_onnx(tmp_path / "tiny.onnx")
        done = _run(
            "holter.py", "--hours", "0.5", "--patients", "12", "--backbone", tiny, "--kills", "1",
            "--work", tmp_path / "work", "--json", tmp_path / "holter.json",
        )  # fmt: skip
        # A network of three layers does not find every episode; the files are another matter.
        assert done.returncode in (0, 1), done.stderr
        assert done.stderr == ""
        found = json.loads((tmp_path / "holter.json").read_text())
        edf, wfdb = found["runs"]
        assert (edf["format"], wfdb["format"]) == ("EDF", "WFDB")
        assert edf["episodes"] == wfdb["episodes"]
        assert 0 <= edf["found_within_10_s"] <= edf["episodes"]
        assert len(edf["missed"]) == edf["episodes"] - edf["found_within_10_s"]
        assert edf["seconds"] > 0
        assert found["kills"]["same_bytes"] is True
        assert "the same bytes" in done.stdout
        kept = sorted(path.name for path in (tmp_path / "work").iterdir())
        assert kept == ["edf", "model-tiny-12-0.ecglens", "wfdb"]

    def test_what_counts_as_found(self) -> None:
        sys.path.append(str(ROOT / "benchmarks"))
        from ecglens.evaluation.episodes import match_episodes
        from holter import score

        truth = [(100.0, 200.0, "AF"), (300.0, 400.0, "VF"), (500.0, 600.0, "ST")]
        predicted = [(109.0, 191.0, "AF"), (300.0, 388.0, "VF"), (800.0, 840.0, "AF")]
        found = score(match_episodes(truth, predicted))
        assert (found["episodes"], found["found_within_10_s"]) == (3, 1)
        assert found["worst_edge_s"] == float("inf")
        assert [row["label"] for row in found["missed"]] == ["VF", "ST"]
        assert (found["false_of_30_s"], found["false_minutes"]) == (1, pytest.approx(2 / 3))
