"""``ecglens explain``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.collection import Program


def test_words_and_figure(ecglens: Program, collection: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "why.png"
    done = ecglens(
        "explain", collection / "s02", "--model", model, "--at", 30, "--label", "VF", "--out", out
    )
    assert done.code == 0, done.err
    assert done.out.startswith("s02, lead II, 25.0 to 35.0 s\nVF, probability ")
    assert "speaks for VF" in done.out
    assert "(occlusion)" in done.out
    assert out.read_bytes().startswith(b"\x89PNG")


def test_json(ecglens: Program, collection: Path, model: Path) -> None:
    said = ecglens("explain", collection / "s02", "--model", model, "--at", 2, "--json").json
    assert (said["start_s"], said["end_s"], said["lead"]) == (0.0, 10.0, "II")
    assert said["time_course"] == pytest.approx(
        [sum(column) for column in zip(*said["heat"], strict=True)], abs=1e-9
    )
    assert len(said["frequencies_hz"]) + len(said["lags_s"]) == len(said["heat"])


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--at", 61), 2, "--at 61 lies outside record 's02', which lasts 60.0 s"),
        (("--at", 30, "--label", "VT"), 2, "'VT' is no class of this model"),
        (("--at", 30, "--lead", "V9"), 3, "has no lead 'V9'"),
        (("--at", 30, "--method", "activation"), 2, "no exact activation for head"),
        (("--at", 30, "--out", "nowhere/why.png"), 8, "cannot write"),
    ],
)
def test_mistakes(
    ecglens: Program,
    collection: Path,
    model: Path,
    words: tuple[object, ...],
    code: int,
    message: str,
) -> None:
    done = ecglens("explain", collection / "s02", "--model", model, *words)
    assert done.code == code
    assert message in done.error
