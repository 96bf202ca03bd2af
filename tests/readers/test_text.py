"""CSV and TSV."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ecglens.errors import RecordError
from ecglens.readers import find_records, read_record
from ecglens.readers.text import holds_numbers

QUICK = settings(max_examples=15)
NAN = float("nan")


def csv_of(folder: Path, text: str, name: str = "a.csv") -> Path:
    (folder / name).write_bytes(text.encode())
    return folder / name


@pytest.mark.parametrize("delimiter", [",", ";", "\t", " ", ", ", "   "])
@pytest.mark.parametrize("header", [True, False])
def test_delimiters(tmp_path: Path, delimiter: str, header: bool) -> None:
    rows = [["I", "II"]] * header + [["1.5", "-2"], ["3e-1", ".25"], ["0", "1"]]
    path = csv_of(tmp_path, "\n".join(delimiter.join(row) for row in rows))
    record = read_record(path, fs=100)
    np.testing.assert_allclose(record.signal, [[1.5, 0.3, 0], [-2, 0.25, 1]])
    assert record.lead_names == (("I", "II") if header else ("lead1", "lead2"))
    assert record.notes == ("no unit is given; mV is assumed",)
    assert not record.leads[0].in_mv


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_decimal_comma(tmp_path: Path, delimiter: str) -> None:
    path = csv_of(tmp_path, f"I{delimiter}II\n1,5{delimiter}2\n-0,25{delimiter}{delimiter}\n")
    with pytest.raises(RecordError, match="line 3 has 3 values where 2 are expected"):
        read_record(path, fs=100)
    path = csv_of(tmp_path, f"I{delimiter}II\n1,5{delimiter}2\n-0,25{delimiter}\n")
    np.testing.assert_array_equal(read_record(path, fs=100).signal, [[1.5, -0.25], [2, NAN]])


def test_quotes_hold_the_decimal_comma(tmp_path: Path) -> None:
    path = csv_of(tmp_path, 'I,II\n"1,5","2,5"\n"3,5","4,5"\n')
    np.testing.assert_array_equal(read_record(path, fs=100).signal, [[1.5, 3.5], [2.5, 4.5]])


@pytest.mark.parametrize(
    ("header", "name", "unit", "mv"),
    [
        ("II (uV)", "II", "mV", 1e-3),
        ("II [µV]", "II", "mV", 1e-3),
        ("ecg_mV", "ecg", "mV", 1.0),
        ("ecg_uv", "ecg", "mV", 1e-3),
        ("V1 (V)", "V1", "mV", 1e3),
        ("ECG (adc)", "ECG", "adc", 1.0),
        ("my_lead", "my_lead", "mV", 1.0),
        ("'MLII'", "MLII", "mV", 1.0),
    ],
)
def test_units_in_the_header(tmp_path: Path, header: str, name: str, unit: str, mv: float) -> None:
    record = read_record(csv_of(tmp_path, f"{header}\n1\n2\n"), fs=100)
    np.testing.assert_allclose(record.signal, [[mv, 2 * mv]], rtol=1e-6)
    assert [(lead.name, lead.unit) for lead in record.leads] == [(name, unit)]


@pytest.mark.parametrize(
    ("column", "step"),
    [("time", 0.004), ("t", 0.004), ("Time (s)", 0.004), ("time_ms", 4), ("t [ms]", 4)],
)
def test_time_column_gives_the_rate(tmp_path: Path, column: str, step: float) -> None:
    rows = "".join(f"{7 + i * step:.4f},{i}\n" for i in range(50))
    path = csv_of(tmp_path, f"{column},II\n{rows}")
    record = read_record(path)
    assert (record.fs, record.lead_names) == (250.0, ("II",))
    with pytest.raises(RecordError, match="250 Hz by its own account, but fs=360 Hz"):
        read_record(path, fs=360)


def test_rounded_times_mean_whole_hertz(tmp_path: Path) -> None:
    rows = "".join(f"{i / 360:.3f},{i}\n" for i in range(700))
    assert read_record(csv_of(tmp_path, f"time,II\n{rows}")).fs == 360.0


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([0, 1, 2, 9], "the time column is not even; row 3 is"),
        ([3, 2, 1, 0], "must rise and have no empty cells"),
        ([0, "", 2, 3], "must rise and have no empty cells"),
        ([0, 1, 2, 3], "states a sampling rate of 1 Hz"),
    ],
)
def test_bad_time_columns(tmp_path: Path, times: list[object], message: str) -> None:
    rows = "".join(f"{t},1\n" for t in times)
    with pytest.raises(RecordError, match=message):
        read_record(csv_of(tmp_path, f"time,II\n{rows}"))


def test_sample_numbers_are_left_out(tmp_path: Path) -> None:
    record = read_record(csv_of(tmp_path, "'sample #','MLII','V5'\n0,1,2\n1,3,4\n"), fs=360)
    assert record.lead_names == ("MLII", "V5")
    assert "the column of sample numbers is left out" in record.notes


def test_other_signals_are_left_out(tmp_path: Path) -> None:
    record = read_record(csv_of(tmp_path, "II,Pleth,ABP (mmHg)\n1,2,3\n1,2,3\n"), fs=100)
    assert record.lead_names == ("II",)
    assert "left out, not an ECG voltage: Pleth, ABP (mmHg)" in record.notes


def test_missing_and_infinite(tmp_path: Path) -> None:
    path = csv_of(tmp_path, "I,II\n,1\nnan,NaN\nNA,-inf\n1e39,\n")
    record = read_record(path, fs=100)
    np.testing.assert_array_equal(record.signal, [[NAN] * 4, [1, NAN, NAN, NAN]])
    assert "2 infinite samples are taken as missing" in record.notes


def test_empty_columns_at_the_end(tmp_path: Path) -> None:
    record = read_record(csv_of(tmp_path, "1,2,,,\n3,,,,\n"), fs=100)
    np.testing.assert_array_equal(record.signal, [[1, 3], [2, NAN]])
    assert "3 empty columns at the end are left out" in record.notes
    named = read_record(csv_of(tmp_path, "I,II,\n1,,\n3,,\n"), fs=100)
    np.testing.assert_array_equal(named.signal, [[1, 3], [NAN, NAN]])


def test_too_large_for_mv(tmp_path: Path) -> None:
    record = read_record(csv_of(tmp_path, "II\n100\n-3000\n"), fs=100)
    assert "values reach 3000 mV, too much for an ECG; name the unit" in record.notes


def test_comments_bom_crlf_and_blank_lines(tmp_path: Path) -> None:
    path = csv_of(tmp_path, "\ufeff# made by x\r\n\r\nI,II\r\n1,2\r\n\r\n3,4")
    np.testing.assert_array_equal(read_record(path, fs=100).signal, [[1, 3], [2, 4]])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("II\n\n1\n2\n\n \n3\n\n4\n\n\n", [1, 2, NAN, NAN, 3, NAN, 4]),
        ("1\n# a remark\n2\n\n3\n", [1, 2, NAN, 3]),
        ('II\n1\n2\n""\n3\n', [1, 2, NAN, 3]),
        ("NA\nnan\n1\n2\n", [NAN, NAN, 1, 2]),
        # As on Windows, where some programs end lines with CR CR LF.
        ("II\r\r\n1\r\r\n2\r\r\n3\r\r\n", [1, 2, 3]),
        ("1\n\n\n2\n\n\n3", [1, 2, 3]),
    ],
)
def test_blank_lines_of_a_column_are_missing(
    tmp_path: Path, text: str, expected: list[float]
) -> None:
    (tmp_path / "a.csv").write_bytes(text.encode())
    np.testing.assert_array_equal(read_record(tmp_path / "a.csv", fs=100).signal, [expected])
    assert find_records(tmp_path) == [tmp_path / "a.csv"]


def test_rows_without_a_sample(tmp_path: Path) -> None:
    columns = [[1, NAN, 3], [2, NAN, 4]]
    for text in ("I\tII\n1\t2\n\t\n3\t4\n\t\t\n", "1,2\n\n,\n3,4\n", "nan;NA\n1;2\n3;4"):
        signal = read_record(csv_of(tmp_path, text), fs=100).signal
        expected = [[NAN, 1, 3], [NAN, 2, 4]] if text.startswith("nan") else columns
        np.testing.assert_array_equal(signal, expected)


def test_blank_lines_take_no_memory_without_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecglens.readers.assembly._ALWAYS_FITS", 1000)
    path = csv_of(tmp_path, "1\n2\n" + "\n" * 999 + "3\n")
    with pytest.raises(RecordError, match="has over 1000 rows, most of them blank"):
        read_record(path, fs=100)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("I,II\n1,2\n3,oops\n", r"a\.csv, line 3 holds 'oops'; below the header all cells"),
        ("I\n1\n" + "x" * 99 + "\n", r"line 3 holds 'x{27}\.\.\.'"),
        ("I\n1\n1_000\n", "line 3 holds '1_000'"),
        ("I\n1\n0x10\n", "line 3 holds '0x10'"),
        ("1,2\n3,4\n5\n", "line 3 has 1 values where 2 are expected"),
        ("1,2,3\n,\n", "line 2 has 2 values where 3 are expected"),
        ("1,2\n3\n", "line 1 holds '1,2'; below the header"),
        ("I,II\n", "has no rows of numbers"),
        ("# x\n\n", "has no rows; a record needs"),
        ("I\n1\n" + "1" * 70000, "line 3 has over 65536 characters"),
        (",".join(["1"] * 300) + "\n", "has 300 columns and 1 rows; .*transpose it"),
        ("record,label\na,AFIB\n", "line 2 holds 'a'"),
        ("I\n" + "1\n" * 9000 + "\0\n", "line 9002 holds a NUL byte"),
    ],
)
def test_refused_tables(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RecordError, match=message):
        read_record(csv_of(tmp_path, text), fs=100)


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "I\n1\n".encode("utf-16")])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_not_text(tmp_path: Path, data: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(RecordError, match="is not text; a table must be saved as UTF-8"):
        read_record(tmp_path / name, fs=100)


def test_fs_is_needed(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"a\.csv has no sampling rate; give fs \(command line"):
        read_record(csv_of(tmp_path, "1\n2\n"))


@QUICK
@given(
    signal=hnp.arrays(
        np.float32, (7, 3), elements=st.floats(-40, 40, width=32) | st.just(NAN)
    ).filter(lambda x: not np.isnan(x[:, 2]).all())
)
def test_round_trip(tmp_path: Path, signal: np.ndarray) -> None:
    path = tmp_path / "r.csv"
    np.savetxt(path, signal, delimiter=",", header="I,II,III", comments="", fmt="%.9g")
    np.testing.assert_array_equal(read_record(path, fs=250).signal, signal.T)


@QUICK
@given(noise=st.binary(min_size=1, max_size=200))
def test_noise_gives_records_or_record_errors(tmp_path: Path, noise: bytes) -> None:
    (tmp_path / "n.csv").write_bytes(noise)
    holds_numbers(tmp_path / "n.csv")
    with contextlib.suppress(RecordError):
        assert read_record(tmp_path / "n.csv", fs=100).n_samples > 0


def test_a_file_eight_times_as_long_takes_about_eight_times_as_long(tmp_path: Path) -> None:
    block = "".join(f"{i % 977 / 100},{i % 13},,-{i % 7}.25\n" for i in range(10_000))
    used = []
    for n in (2, 16):
        path = csv_of(tmp_path, block * n)
        start = time.process_time()
        assert read_record(path, fs=500).signal.shape == (4, n * 10_000)
        used.append(time.process_time() - start)
    # 64 times the work if any step went through what was read before.
    assert used[1] < 25 * used[0]
