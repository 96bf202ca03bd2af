"""Windows block by block: the same numbers wherever the samples are and however many are cut."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecglens.errors import RecordError, WindowError
from ecglens.readers import open_record, read_record
from ecglens.records import Record
from ecglens.signals import resample
from ecglens.windows import (
    WindowRule,
    Windows,
    concatenate_windows,
    count_windows,
    cut_record,
    window_blocks,
)
from tests.cli.collection import write_record
from tests.signals_of import beats, record_of

PIECE = "ecglens.windows.cutting._PIECE"
RATES = [(360.0, 125.0), (250.0, 125.0), (128.0, 125.0), (1000.0, 125.0), (100.0, 360.0),
         (125.0, 125.0), (249.89, 125.0)]  # fmt: skip
QUICK = settings(max_examples=12)


def assert_same(one: Windows, other: Windows) -> None:
    for name in ("X", "start_s", "labels", "subjects", "databases", "records", "leads"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.fixture
def short_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a minute be many pieces."""
    monkeypatch.setattr(PIECE, 700)


@QUICK
@given(
    seconds=st.floats(10.0, 80.0),
    size=st.integers(1, 9),
    hop_s=st.sampled_from([0.5, 1.0, 3.3, 5.0, 13.0]),
    rates=st.sampled_from(RATES),
)
def test_blocks_are_the_windows_of_the_record(
    short_pieces: None, seconds: float, size: int, hop_s: float, rates: tuple[float, float]
) -> None:
    record = record_of("N", seconds, rates[0])
    rule = WindowRule(length_s=5.0, hop_s=hop_s, fs=rates[1])
    blocks = list(window_blocks(record, rule, size))
    whole = cut_record(record, rule)
    assert_same(concatenate_windows(blocks), whole)
    assert [len(block) for block in blocks[:-1]] == [size] * (len(blocks) - 1)
    assert 0 < len(blocks[-1]) <= size
    assert count_windows(record, rule) == len(whole)


@pytest.mark.parametrize("rates", RATES)
def test_no_seam_is_left_between_pieces(
    rates: tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    record = record_of("N", 60.0, rates[0])
    rule = WindowRule(length_s=1.0, fs=rates[1])
    monkeypatch.setattr(PIECE, 700)
    pieced = cut_record(record, rule).X.ravel()
    whole = resample(record.signal[0], *rates)[: pieced.size]
    assert len(pieced) > 700
    # The level taken off before filtering is that of a piece: it shows at the very ends only.
    ends = round(0.2 * rates[1])
    np.testing.assert_allclose(pieced[ends:-ends], whole[ends:-ends], atol=2e-5)
    np.testing.assert_allclose(pieced, whole, atol=0.05)


@given(
    gaps=st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 3000)), min_size=1, max_size=4),
    rates=st.sampled_from(RATES[:-1]),
)
@QUICK
def test_missing_samples_stay_missing_across_pieces(
    gaps: list[tuple[int, int]], rates: tuple[float, float]
) -> None:
    record = record_of("N", 60.0, rates[0])
    for start, length in gaps:
        record.signal[0, start : start + length] = np.nan
    rule = WindowRule(length_s=1.0, fs=rates[1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PIECE, 10**9)
        whole = cut_record(record, rule).X.ravel()
        patch.setattr(PIECE, 700)
        pieced = cut_record(record, rule).X.ravel()
    np.testing.assert_array_equal(np.isnan(pieced), np.isnan(whole))
    # Only within the filter's reach of a gap it matters how far the gap was seen; elsewhere the
    # level of a piece leaves less than 1 uV.
    reach = 12 * max(1, round(rates[1] / rates[0]))
    far = np.convolve(np.isnan(whole), np.ones(2 * reach + 1), mode="same") < 0.5
    far[:reach] = far[-reach:] = False
    np.testing.assert_allclose(pieced[far], whole[far], atol=1e-3)


@pytest.mark.parametrize("fs", [100, 360])
def test_a_record_on_disk_gives_the_windows_of_a_record_in_memory(
    tmp_path: Path, short_pieces: None, fs: int
) -> None:
    signal = beats(47, fs)
    signal[fs * 12 : fs * 15] = np.nan
    path = write_record(tmp_path, "r", signal, [(0.0, "N")], fs=fs)
    for hop_s in (None, 1.7):
        rule = WindowRule(hop_s=hop_s)
        assert_same(cut_record(open_record(path), rule), cut_record(read_record(path), rule))
        blocks = list(window_blocks(open_record(path), rule, 2))
        assert_same(concatenate_windows(blocks), cut_record(read_record(path), rule))


def test_only_the_stretch_that_a_block_needs_is_read(short_pieces: None) -> None:
    record = record_of("N", 600.0)
    read: list[tuple[int, int]] = []

    class Watched(Record):
        def _read(self, start, stop, rows):
            read.append((start, stop))
            return super()._read(start, stop, rows)

    watched = Watched(**{name: getattr(record, name) for name in record.__dataclass_fields__})
    blocks = window_blocks(watched, WindowRule(fs=100), 2)
    next(blocks)
    assert max(stop for _, stop in read) < 20 * 100 + 2 * 700
    assert sum(1 for _ in blocks) == 29
    assert max(stop - start for start, stop in read) < 700 + 100
    assert all(b[0] <= a[1] for a, b in itertools.pairwise(read)), "in order, without holes"


def test_several_leads_follow_each_other() -> None:
    record = record_of("N", 35.0)
    two = replace(record, signal=np.repeat(record.signal, 2, 0), leads=record.leads * 2)
    blocks = list(window_blocks(two, WindowRule(leads="all"), 2))
    assert [len(block) for block in blocks] == [2, 1, 2, 1]
    assert_same(concatenate_windows(blocks), cut_record(two, WindowRule(leads="all")))


def test_nothing_to_cut() -> None:
    record = record_of("N", 4.0)
    assert count_windows(record, WindowRule()) == 0
    with pytest.raises(WindowError, match="shorter than one window of 10 s"):
        next(window_blocks(record, WindowRule()))
    with pytest.raises(RecordError, match="has no lead 'V1'"):
        next(window_blocks(record, WindowRule(leads="V1")))
