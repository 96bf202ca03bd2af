"""read_record and find_records: which file is read how, and which are not records."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ecglens.errors import RecordError, UsageError
from ecglens.readers import find_records, read_record


@pytest.mark.parametrize("ending", ["", ".hea", ".dat"])
@pytest.mark.parametrize("kind", [str, Path])
def test_three_names_of_a_wfdb_record(write_wfdb, ending: str, kind: type) -> None:
    stem = write_wfdb().with_suffix("")
    record = read_record(kind(f"{stem}{ending}"))
    assert (record.record_id, record.fs, record.n_samples) == ("rec", 250.0, 1000)
    assert record.database == stem.parent.name
    assert record.subject_id == f"{record.database}-rec"


def test_relative_path_has_the_folder_as_database(write_wfdb, monkeypatch) -> None:
    header = write_wfdb()
    monkeypatch.chdir(header.parent)
    assert read_record("rec").database == header.parent.name


@pytest.mark.parametrize(
    ("folder", "database"),
    [("mitdb/1.0.0", "mitdb"), ("mitdb-1.0.0", "mitdb-1.0.0"), ("x/1", "1"), ("x/v1.0", "v1.0")],
)
def test_a_folder_named_by_a_version_is_no_database(
    tmp_path: Path, folder: str, database: str
) -> None:
    path = tmp_path / folder / "a.npy"
    path.parent.mkdir(parents=True)
    np.save(path, np.zeros(100))
    record = read_record(path, fs=100)
    assert (record.database, record.subject_id) == (database, f"{database}-a")


def test_record_name_with_a_dot(write_wfdb) -> None:
    header = write_wfdb(name="day.1")
    assert read_record(header.with_suffix("")).record_id == "day.1"


@pytest.mark.parametrize(
    "name", ["none", "none.hea", "none.dat", "none.csv", "none.npz", "n" * 300]
)
def test_missing(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecordError, match=f"^no such file or record: .*{name}$"):
        read_record(tmp_path / name)


@pytest.mark.parametrize(
    "url", ["s3://bucket/rec", "http://host/rec.hea", "https://host/a.csv", "gs://b/r", "file:///r"]
)
def test_urls_are_refused(url: str) -> None:
    with pytest.raises(RecordError, match="is not a local file; download it"):
        read_record(url)
    with pytest.raises(RecordError, match="is not a local file; download it"):
        read_record(Path(url))


@pytest.mark.parametrize("name", ["folder", "folder.hea", "folder.csv"])
def test_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(RecordError, match="is a folder, not a record; name one record in it"):
        read_record(tmp_path / name)


@pytest.mark.parametrize("name", ["a.hea", "a.csv", "a.tsv", "a.npy", "a.npz"])
def test_empty_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(RecordError, match="is empty; give a recording"):
        read_record(tmp_path / name)


def test_unknown_format_names_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "a.docx").write_bytes(b"PK")
    with pytest.raises(
        RecordError, match=r"no format that ecglens reads; .*WFDB .*EDF .*NPY .*CSV"
    ):
        read_record(tmp_path / "a.docx")


def test_dat_without_header(tmp_path: Path) -> None:
    (tmp_path / "a.dat").write_bytes(b"12")
    with pytest.raises(RecordError, match=r"a\.dat has no header a\.hea beside it"):
        read_record(tmp_path / "a.dat")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.timeout(120)
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.csv")
    with pytest.raises(RecordError, match="is not a regular file"):
        read_record(tmp_path / "a.csv")


def test_nul_in_the_path() -> None:
    with pytest.raises(RecordError, match="holds a NUL character"):
        read_record("a\0.csv")


@pytest.mark.parametrize("fs", [0.0, -1.0, float("nan"), 1e9])
def test_impossible_fs_is_a_usage_error(tmp_path: Path, fs: float) -> None:
    with pytest.raises(UsageError, match="fs must be from 10 to 100000 Hz"):
        read_record(tmp_path / "a.csv", fs=fs)


def test_annotator_needs_wfdb(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(100))
    with pytest.raises(UsageError, match="annotator='atr' needs a WFDB record"):
        read_record(tmp_path / "a.npy", fs=100, annotator="atr")


def test_find_records(write_wfdb, tmp_path: Path) -> None:
    write_wfdb(name="b")
    for name in ("a.csv", "sub/c.tsv", ".hidden.csv", ".git/d.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1\t2\n3\t4\n")
    np.save(tmp_path / "sub" / "e.npy", np.zeros(9))
    (tmp_path / "labels.csv").write_text("record,label\na,AFIB\n")
    (tmp_path / "notes.txt").write_text("hello")
    found = [path.relative_to(tmp_path).as_posix() for path in find_records(tmp_path)]
    assert found == ["a.csv", "b.hea", "sub/c.tsv", "sub/e.npy"]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (("format", "X", "labels"), r"w\.npz holds windows .*to 'ecglens features', 'evaluate'"),
        (("features", "labels"), "holds features that 'ecglens features' wrote, not a recording"),
    ],
)
def test_files_of_this_program_are_not_records(
    tmp_path: Path, members: tuple[str, ...], message: str
) -> None:
    np.savez(tmp_path / "rec.npz", signal=np.zeros(500), format="mine", X=1, fs=100)
    (tmp_path / "damaged.npz").write_bytes(b"PK")
    np.savez(tmp_path / "w.npz", **dict.fromkeys(members, np.zeros(3)))
    assert [path.name for path in find_records(tmp_path)] == ["damaged.npz", "rec.npz"]
    assert read_record(tmp_path / "rec.npz").n_samples == 500
    with pytest.raises(RecordError, match=message):
        read_record(tmp_path / "w.npz", fs=100)


def test_find_records_skips_links_that_lead_out(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (outside / "x.csv").write_text("1\n")
    (inside / "y.csv").write_text("1\n")
    (inside / "x.csv").symlink_to(outside / "x.csv")
    (inside / "z.csv").symlink_to(inside / "y.csv")
    (inside / "folder").symlink_to(outside, target_is_directory=True)
    assert [path.name for path in find_records(inside)] == ["y.csv", "z.csv"]


def test_segments_are_not_records(write_wfdb, tmp_path: Path) -> None:
    for name in ("m1", "m2"):
        write_wfdb(name=name)
    (tmp_path / "m.hea").write_text("m/2 1 250 2000\nm1 1000\nm2 1000\n")
    assert [path.name for path in find_records(str(tmp_path))] == ["m.hea"]


def test_annotations_without_a_signal_are_no_record(write_wfdb, tmp_path: Path) -> None:
    write_wfdb(name="a")
    (tmp_path / "b.hea").write_text("# of a tape that was lost\nb 0 250 9205760\n")
    (tmp_path / "c.hea").write_text("c 0 250\n")
    np.savez(tmp_path / "c.npz", signal=np.zeros(500), fs=100)
    assert [path.name for path in find_records(tmp_path)] == ["a.hea", "c.npz"]
    with pytest.raises(RecordError, match=r"b\.hea declares no signals"):
        read_record(tmp_path / "b")


def test_a_damaged_header_is_listed(tmp_path: Path) -> None:
    (tmp_path / "bad.hea").write_text("nonsense")
    assert [path.name for path in find_records(tmp_path)] == ["bad.hea"]


def test_no_records(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"no record in .*; looked for WFDB \(\.hea\), EDF"):
        find_records(tmp_path)
    with pytest.raises(RecordError, match="it is not there; give a folder"):
        find_records(tmp_path / "none")
    (tmp_path / "f").touch()
    with pytest.raises(RecordError, match="it is a file, not a folder"):
        find_records(tmp_path / "f")


def test_reading_a_table_loads_neither_wfdb_nor_pandas(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1\n2\n")
    code = (
        "import sys; from ecglens.readers import read_record; read_record('a.csv', fs=100); "
        "sys.exit(bool({'wfdb', 'pandas', 'fsspec'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False)
    assert done.returncode == 0
