"""Columns without a name that count samples or tell the time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecglens.errors import RecordError
from ecglens.readers import read_record

ECG = np.random.default_rng(0).normal(size=400).round(3)


def table(folder: Path, columns: Sequence[Sequence[object]], header: str | None = None) -> Path:
    lines = [",".join(str(cell) for cell in row) for row in zip(*columns, strict=True)]
    (folder / "a.csv").write_text("\n".join([header, *lines] if header is not None else lines))
    return folder / "a.csv"


@pytest.mark.parametrize("first", [0, 1, 7])
@pytest.mark.parametrize("header", [",II,V5", '"","II","V5"', "Unnamed: 0,II,V5", None])
def test_an_index_is_left_out(tmp_path: Path, header: str | None, first: int) -> None:
    path = table(tmp_path, [range(first, first + 400), ECG, -ECG], header)
    record = read_record(path, fs=250)
    np.testing.assert_allclose(record.signal, [ECG, -ECG], rtol=1e-6)
    assert record.lead_names == (("II", "V5") if header else ("lead1", "lead2"))
    assert (
        "column 1 has no name and rises by 1 a row; it is taken as an index, not as a lead"
        in record.notes
    )
    with pytest.raises(RecordError, match=r"has no sampling rate; give fs"):
        read_record(path)


@pytest.mark.parametrize("header", [",II", None])
@pytest.mark.parametrize("fs", [250, 360, 128])
@pytest.mark.parametrize("digits", [3, 6])
def test_unnamed_times_give_the_rate(
    tmp_path: Path, header: str | None, fs: int, digits: int
) -> None:
    path = table(tmp_path, [[f"{5 + i / fs:.{digits}f}" for i in range(400)], ECG], header)
    record = read_record(path)
    assert (record.fs, record.n_leads) == (fs, 1)
    np.testing.assert_allclose(record.signal[0], ECG, rtol=1e-6)
    assert any(f"it is taken as time in seconds ({fs} Hz)" in note for note in record.notes)
    assert read_record(path, fs=fs * 1.005).fs == fs * 1.005
    with pytest.raises(RecordError, match=rf"like time in seconds at {fs} Hz, but fs=.* was given"):
        read_record(path, fs=fs * 1.02)


@pytest.mark.parametrize("step", [4, 0.2, 1e-6, 2.5])
def test_other_steps_are_not_seconds(tmp_path: Path, step: float) -> None:
    path = table(tmp_path, [[f"{i * step:.6f}" for i in range(400)], ECG])
    assert read_record(path, fs=360).n_leads == 1
    with pytest.raises(RecordError, match="has no sampling rate"):
        read_record(path)


def test_an_index_before_a_time_column(tmp_path: Path) -> None:
    times = [f"{i * 0.004:.3f}" for i in range(400)]
    for header in (",time,II", None):
        record = read_record(table(tmp_path, [range(400), times, ECG], header))
        assert (record.fs, record.n_leads) == (250.0, 1)


@pytest.mark.parametrize("header", [None, "II"])
def test_one_column_stays_the_signal(tmp_path: Path, header: str | None) -> None:
    record = read_record(table(tmp_path, [range(50)], header), fs=100)
    np.testing.assert_array_equal(record.signal, [range(50)])


def test_the_last_column_beside_time_stays_the_signal(tmp_path: Path) -> None:
    times = [f"{i * 0.01:.2f}" for i in range(50)]
    record = read_record(table(tmp_path, [times, range(50)], "time,"))
    np.testing.assert_array_equal(record.signal, [range(50)])


def test_named_ramps_and_later_columns_are_leads(tmp_path: Path) -> None:
    assert read_record(table(tmp_path, [range(400), ECG], "I,II"), fs=250).n_leads == 2
    assert read_record(table(tmp_path, [ECG, range(400)]), fs=250).n_leads == 2


@pytest.mark.parametrize(
    "column",
    [
        [0, 1, 2, 3, 5],
        [4, 3, 2, 1, 0],
        [0, 0, 0, 0, 0],
        [0, 1, "", 3, 4],
        [0, 1, 2, 3, 4.02],
        [-1e308, 0, 1e308, "inf", 1],
    ],
)
def test_uneven_columns_are_leads(tmp_path: Path, column: list[object]) -> None:
    record = read_record(table(tmp_path, [column, ECG[:5]]), fs=250)
    assert record.n_leads == 2


@settings(max_examples=15)
@given(seed=st.integers(0, 999), drift=st.floats(0, 0.01), rows=st.integers(10, 300))
def test_an_ecg_is_never_taken_for_an_index(
    tmp_path: Path, seed: int, drift: float, rows: int
) -> None:
    rng = np.random.default_rng(seed)
    t = np.arange(rows)
    beat = np.exp(-0.5 * ((t % 200 - 5) / 2.0) ** 2)
    signal = (beat + drift * t + rng.normal(scale=0.005, size=rows)).round(3)
    record = read_record(table(tmp_path, [signal, -signal]), fs=250)
    np.testing.assert_allclose(record.signal[0], signal, rtol=1e-6)
