"""The corpus of the fuzzing that is kept: all of it is read or refused, and how it is chosen."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("resource", reason="Windows has no limits for processes")
fuzzing = pytest.importorskip("fuzzing")  # conftest.py makes its folder known
fuzz_corpus = pytest.importorskip("fuzz_corpus")
robust_files = pytest.importorskip("robust_files")
TARGETS = pytest.importorskip("robust_targets").TARGETS

KEPT = fuzz_corpus.kept_inputs()


@pytest.mark.usefixtures("worker_model")
@pytest.mark.parametrize("name", KEPT)
def test_what_is_kept_is_read_or_refused(name: str, tmp_path: Path) -> None:
    read = fuzzing.reader(TARGETS[name], tmp_path)
    for data in KEPT[name]:
        read(data)


def test_what_is_kept_is_small_and_of_all_targets_that_fuzzing_led_on_in() -> None:
    assert fuzz_corpus.KEPT.stat().st_size < 300_000
    assert set(KEPT) <= set(TARGETS)
    assert len(KEPT) > len(TARGETS) / 2


def test_fuzzing_starts_from_what_is_kept(tmp_path: Path) -> None:
    name = next(iter(KEPT))
    fuzz_corpus.write_seeds(TARGETS[name], tmp_path)
    seeds = {path.read_bytes() for path in tmp_path.iterdir()}
    assert set(KEPT[name]) < seeds
    assert TARGETS[name].good().whole in seeds

    """Stands for a target whose code of ecglens has a branch for each of three bytes."""


def test_the_smallest_input_of_each_way_through_the_code_is_kept(tmp_path: Path) -> None:
    target = TARGETS["subjects"]
    read = fuzzing.reader(target, tmp_path)
    good = target.good().whole
    small, large = b"\xff", b"\xff\xff\xff"
    assert fuzz_corpus.worth_keeping(read, [good], [large, good, small]) == [small]
    assert fuzz_corpus.worth_keeping(read, [good, small], [large]) == []


def test_what_is_kept_is_written_the_same_and_read_again(tmp_path: Path) -> None:
    first, second = tmp_path / "1.zip", tmp_path / "2.zip"
    inputs = {"onnx, run": [b"x", b""], "edf+d": [b"y" * 100]}
    for path in (first, second):
        fuzz_corpus.write_kept(inputs, path)
    assert first.read_bytes() == second.read_bytes()
    assert fuzz_corpus.kept_inputs(first) == inputs
