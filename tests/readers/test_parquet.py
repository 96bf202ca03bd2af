"""Parquet, written by pyarrow."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.readers.damage import count_refused
from tests.readers.test_source import check_stretches

from ecglens.errors import RecordError
from ecglens.readers import find_records, open_record, parquet, read_record

N = 1000
SIGNAL = np.random.default_rng(0).normal(size=(2, N)).astype(np.float32)


def write(path: Path, rows_per_group: int = 300, **columns: object) -> Path:
    table = pa.table(columns)
    pq.write_table(table, path, row_group_size=rows_per_group)
    return path


@pytest.mark.parametrize("rows_per_group", [1, 7, 300, 5000])
def test_columns_are_leads(tmp_path: Path, rows_per_group: int) -> None:
    columns = {"time": np.arange(N) / 250, "II (uV)": SIGNAL[0] * 1000, "V1_mV": SIGNAL[1]}
    path = write(tmp_path / "a.parquet", rows_per_group, **columns)
    record = read_record(path)
    assert (record.lead_names, record.fs, record.notes) == (("II", "V1"), 250.0, ())
    np.testing.assert_allclose(record.signal, SIGNAL, rtol=1e-6)
    check_stretches(open_record(path), record, [1, 299, 300, 301, 999])


def test_nulls_are_missing_and_whole_numbers_taken(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.pq", II=pa.array([1, None, 3], pa.int16()), V1=[0.5, float("nan"), 2]
    )
    record = read_record(path, fs=100)
    np.testing.assert_array_equal(record.signal, [[1, np.nan, 3], [0.5, np.nan, 2]])


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_time_stamps_give_the_rate(tmp_path: Path, unit: str) -> None:
    step = {"s": 0, "ms": 4, "us": 4000, "ns": 4_000_000}[unit]
    start = 1_700_000_000 * {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    stamps = pa.array(start + np.arange(N) * step, pa.timestamp(unit))
    path = write(tmp_path / "a.parquet", when=stamps, II=SIGNAL[0])
    if unit == "s":
        with pytest.raises(RecordError, match="the time column must rise"):
            read_record(path)
        return
    record = read_record(path)
    assert (record.fs, record.lead_names) == (250.0, ("II",))


def test_an_index_of_pandas_is_no_lead(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", II=SIGNAL[0], __index_level_0__=np.arange(N) / 200)
    assert read_record(path).fs == 200
    path = write(tmp_path / "b.parquet", II=SIGNAL[0], __index_level_0__=np.arange(N))
    assert read_record(path, fs=100).lead_names == ("II",)


def test_other_columns_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "a.bin", II=SIGNAL[0], resp=SIGNAL[1], note=["x"] * N)
    record = read_record(path, fs=100)
    assert record.lead_names == ("II",)
    assert record.notes[:2] == (
        "left out, no numbers: note", "left out, not an ECG voltage: resp",
    )  # fmt: skip
    write(tmp_path / "labels.parquet", record=["a"], label=["AFIB"])
    assert [found.name for found in find_records(tmp_path)] == ["a.bin"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"II": SIGNAL[0]}, "has no sampling rate; give fs"),
        ({"time": np.arange(9) / 9}, "has no column of numbers beside time, only time"),
        ({"note": ["x"]}, "has no column of numbers beside time, only note"),
        ({"time": [0.0, 0.1, 0.5], "II": [1.0, 2.0, 3.0]}, "the time column is not even"),
        ({"time": [0.0, 1e-9], "II": [1.0, 2.0]}, r"states a sampling rate of 1e\+09 Hz"),
        ({"time": np.zeros(0), "II": np.zeros(0)}, "the time column must rise"),
        ({f"x{i}": [1.0] for i in range(300)}, "has 300 columns of numbers; a column is a lead"),
    ],
)
def test_refused(tmp_path: Path, columns: dict[str, object], message: str) -> None:
    with pytest.raises(RecordError, match=message):
        read_record(write(tmp_path / "a.parquet", **columns))


def test_no_rows(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="holds no samples"):
        read_record(write(tmp_path / "a.parquet", II=np.zeros(0)), fs=100)


@pytest.mark.parametrize("limit", ["most_values", "_ALWAYS_FITS"])
def test_a_small_file_of_many_equal_rows_is_refused(
    tmp_path: Path, monkeypatch, limit: str
) -> None:
    columns = {f"V{i}": pa.repeat(0.0, 100_000) for i in range(8)}
    path = write(tmp_path / "a.parquet", 100_000, **columns)
    assert open_record(path, fs=100).n_samples == 100_000
    monkeypatch.setattr(parquet, limit, (lambda _: 100) if limit == "most_values" else 100)
    monkeypatch.setattr(parquet, "MAX_PACKING", 1 / 1000)
    with pytest.raises(RecordError, match="declares 100000 rows of 8 columns in"):
        open_record(path, fs=100)


def test_without_pyarrow_the_cure_is_named(tmp_path: Path, monkeypatch) -> None:
    path = write(tmp_path / "a.parquet", II=SIGNAL[0])
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(RecordError, match=r"needs pyarrow; install ecglens\[parquet\]"):
        read_record(path, fs=100)
    assert find_records(tmp_path) == [path]


def test_damage_gives_our_errors_only(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", 50, time=np.arange(100) / 250, II=SIGNAL[0, :100])
    assert count_refused(path) > 40
