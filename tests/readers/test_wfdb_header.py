"""WFDB headers: real oddities are repaired with a note, hostile ones refused."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from ecglens.errors import RecordError
from ecglens.readers import read_record

LINE = "rec.dat 16 200/mV 16 0 0 0 0 II\n"


def one_lead(first: str) -> str:
    return f"{first}\n{LINE}"


@pytest.mark.parametrize(
    "when", ["2017-03-01 00:00:00", "2017-03-01", "01/03/2017 12:00:00", "12:00 1/3/2017 x"]
)
def test_date_in_another_order_is_dropped(write_wfdb, when: str) -> None:
    # CinC 2017 writes ISO dates, on which wfdb raises ValueError.
    header = write_wfdb(one_lead(f"rec 1 250 1000 {when}"))
    before = sorted(header.parent.iterdir())
    record = read_record(header)
    assert record.n_samples == 1000
    assert any(when[:10] in note and "ignored" in note for note in record.notes)
    assert sorted(header.parent.iterdir()) == before


@pytest.mark.parametrize("when", ["", "12:00:00", "12:00:00.5 01/03/2017", "25:61:61 31/02/2017"])
def test_usual_dates_need_no_note(write_wfdb, when: str) -> None:
    assert read_record(write_wfdb(one_lead(f"rec 1 250 1000 {when}"))).notes == ()


def test_comments_blank_lines_bom_and_crlf(write_wfdb) -> None:
    text = f"\ufeff# comment\r\n\r\nrec 1 250 1000\r\n# x\r\n{LINE}# y"
    assert read_record(write_wfdb(text)).n_samples == 1000


def test_other_name_in_the_header(write_wfdb) -> None:
    record = read_record(write_wfdb(one_lead("other 1 250 1000")))
    assert record.record_id == "rec"
    assert "the header calls the record 'other'" in record.notes[0]


@pytest.mark.parametrize("first", ["rec 1 250", "rec 1 250 0"])
def test_length_is_taken_from_the_file(write_wfdb, first: str) -> None:
    assert read_record(write_wfdb(one_lead(first))).n_samples == 1000


@pytest.mark.parametrize("rate", ["250", "250.0", "2.5e2", "250/500", "250/500(10)"])
def test_ways_to_write_the_rate(write_wfdb, rate: str) -> None:
    assert read_record(write_wfdb(one_lead(f"rec 1 {rate} 1000"))).fs == 250.0


def test_header_without_rate_needs_fs(write_wfdb) -> None:
    header = write_wfdb(one_lead("rec 1"))
    with pytest.raises(RecordError, match=r"rec\.hea has no sampling rate; give fs .*--fs"):
        read_record(header)
    assert read_record(header, fs=300).fs == 300


def test_contradicting_fs(write_wfdb) -> None:
    header = write_wfdb()
    assert read_record(header, fs=250).fs == 250
    with pytest.raises(
        RecordError, match=r"250 Hz by its own account, but fs=360 Hz .*leave fs out"
    ):
        read_record(header, fs=360)


@pytest.mark.parametrize("rate", ["0", "-250", "1e300", "1", "9e999"])
def test_impossible_rates(write_wfdb, rate: str) -> None:
    with pytest.raises(
        RecordError, match=r"states a sampling rate of .*an ECG has 10 to 100000 Hz"
    ):
        read_record(write_wfdb(one_lead(f"rec 1 {rate} 1000")))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Dear Sir or Madam,\nplease", "not a WFDB header: its first line is 'Dear Sir"),
        ("# only comments\n", "not a WFDB header"),
        ("rec\n", "not a WFDB header"),
        (one_lead("rec 1 fast 1000"), "sampling rate 'fast'; it must be a number"),
        (one_lead("rec 1 1.2.3 1000"), r"sampling rate '1\.2\.3'; it must be a number"),
        (one_lead("rec 1 250 -5"), "number of samples '-5'; it must be a whole number"),
        (one_lead("rec 1 250 1" + "0" * 30), "number of samples '10+'; it must be a whole"),
        ("rec 0 250 1000\n", "declares no signals"),
        (one_lead("rec 2 250 1000"), "declares 2 signals and describes 1; .*cut short"),
        ("rec 1 250 1000\nrec.dat\n", "must give a file and a storage format"),
        ("rec 1 250 1000\nrec.dat 16 much/mV\n", "gain 'much/mV'; it must be a number"),
        ("rec 1 250 1000\nrec.dat 16 1e999/mV\n", "gain '1e999/mV'; it must be a number"),
        ("rec 1 250 1000\nrec.dat 16 200/mV 16 x\n", "'x' in the signal line .* whole number"),
        ("rec 1 250 1000\nrec.dat 17 200/mV\n", "in format 17; ecglens reads 8, 16"),
        ("rec 1 250 1000\n~ 0 200/mV\n", "names no signal file"),
        ("rec 1 250 1000\ngone.dat 16 200/mV\n", "'gone.dat', which is not in its folder"),
        ("rec 1 250 1000\nrec.dat 516 200/mV\n", "is not a FLAC file"),
        ("rec 2 250 100\nrec.dat 16 200\nrec.dat 212 200\n", "two storage formats"),
        ("rec/2 1 250 1000\nrec 1000\n", "declares 2 segments and lists 1"),
        ("rec/0 1 250 1000\n", "declares 0 segments"),
        ("rec/1 1 250 1000\nrec many\n", "segment line 'rec many' must give a name and a length"),
        ("rec/1 1 250 1000\n~ 1000\n", "lists only gaps"),
        ("rec/1 1 250 1000\nrec 1000\n", "a segment with segments of its own"),
    ],
)
def test_refused_headers(write_wfdb, text: str, message: str) -> None:
    with pytest.raises(RecordError, match=message):
        read_record(write_wfdb(text))


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"a 1 250\n" * 600_000])
def test_not_a_text_header(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.hea").write_bytes(content)
    with pytest.raises(RecordError, match="not a WFDB header: it is not a short text file"):
        read_record(tmp_path / "a.hea")


@pytest.mark.parametrize("count", [10**12, 1001])
def test_declared_length_is_bounded_by_the_file(write_wfdb, count: int) -> None:
    header = write_wfdb(one_lead(f"rec 1 250 {count}"))
    tracemalloc.start()
    try:
        with pytest.raises(
            RecordError, match=rf"declares {count} samples, but rec\.dat holds 1000;"
        ):
            read_record(header)
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


def test_empty_signal_file(write_wfdb) -> None:
    header = write_wfdb(one_lead("rec 1 250"))
    header.with_suffix(".dat").write_bytes(b"")
    with pytest.raises(RecordError, match="has no samples"):
        read_record(header)


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "../rec.dat", "..", ".", "-", "sub/rec.dat", "C:rec.dat", "C:\\rec.dat",
     "\\\\host\\rec.dat", "http://host/rec.dat", "s3://bucket/rec.dat", "file:///etc/passwd"],
)  # fmt: skip
@pytest.mark.parametrize("what", ["signal", "segment"])
def test_names_that_lead_elsewhere(write_wfdb, name: str, what: str) -> None:
    text = f"rec 1 250 1000\n{name} 16 200/mV\n"
    if what == "segment":
        text = f"rec/1 1 250 1000\n{name} 1000\n"
    match = r"only files in the header's own folder|which is not in its folder"
    with pytest.raises(RecordError, match=match):
        read_record(write_wfdb(text))


def test_links_that_lead_elsewhere(write_wfdb, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "rec.hea").write_text(one_lead("rec 1 250 1000"))
    write_wfdb(name="secret")
    (inside / "rec.dat").symlink_to(tmp_path / "secret.dat")
    with pytest.raises(RecordError, match=r"'rec\.dat', a link that leads out of the folder"):
        read_record(inside / "rec")
    (inside / "rec.dat").unlink()
    (inside / "real.dat").write_bytes((tmp_path / "secret.dat").read_bytes())
    (inside / "rec.dat").symlink_to("real.dat")
    assert read_record(inside / "rec").n_samples == 1000


def test_network_is_never_used(write_wfdb, monkeypatch) -> None:
    import socket

    def refuse(*args: object, **options: object) -> None:
        pytest.fail("a reader opened a connection")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    folder = write_wfdb().parent / "a::http:"
    folder.mkdir()
    for ending in ("hea", "dat"):
        (folder / f"rec.{ending}").write_bytes((folder.parent / f"rec.{ending}").read_bytes())
    assert read_record(folder / "rec").n_samples == 1000
