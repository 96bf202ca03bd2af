"""One signal in every format is one record; whole folders of formats are found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import edfio
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.io
from tests.readers.test_aecg import lead, series
from tests.readers.test_aecg import write as write_aecg
from tests.readers.test_dicom import channel, group
from tests.readers.test_dicom import write as write_dicom
from tests.readers.test_matlab import write as write_matlab
from tests.readers.test_source import check_stretches
from tests.signals_of import beats

from ecglens.errors import RecordError
from ecglens.readers import find_records, open_record, read_record
from ecglens.readers.registry import FORMATS

FS, LEADS = 250, ("II", "V5")
SIGNAL = np.stack([beats(8, FS), 0.5 * beats(8, FS, seed=1)]).astype(np.float64)
# One microvolt a count, so that formats of 16 bits hold the same.
COUNTS = np.rint(SIGNAL * 1000).astype(np.int16)


def edf(path: Path) -> None:
    make = (edfio.Bdf, edfio.BdfSignal) if path.suffix == ".bdf" else (edfio.Edf, edfio.EdfSignal)
    signals = [
        make[1](row, FS, label=f"ECG {name}", physical_dimension="mV", physical_range=(-3, 3))
        for row, name in zip(SIGNAL, LEADS, strict=True)
    ]
    make[0](signals, data_record_duration=1).write(path)


def dicom(path: Path) -> None:
    channels = [channel(f"Lead {name}", ChannelSensitivity=1) for name in LEADS]
    write_dicom(path, group(COUNTS, channels, SamplingFrequency=FS))


def aecg(path: Path) -> None:
    rows = [
        lead(f"MDC_ECG_LEAD_{name}", " ".join(map(str, row)), scale="1")
        for name, row in zip(LEADS, COUNTS, strict=True)
    ]
    step = '<value><increment value="4" unit="ms"/></value>'
    write_aecg(path, series(*rows, times=step))


def wfdb(path: Path) -> None:
    COUNTS.T.astype("<i2").tofile(path.with_suffix(".dat"))
    lines = [f"{path.stem}.dat 16 1000/mV 16 0 0 0 0 {name}" for name in LEADS]
    path.write_text("\n".join([f"{path.stem} 2 {FS} {COUNTS.shape[1]}", *lines, ""]))


def table(path: Path) -> None:
    columns = [np.arange(SIGNAL.shape[1]) / FS, *SIGNAL]
    if path.suffix == ".parquet":
        pq.write_table(pa.table(dict(zip(("time", *LEADS), columns, strict=True))), path)
        return
    sign = "\t" if path.suffix == ".tsv" else ","
    header = sign.join(("time", *LEADS))
    np.savetxt(path, np.stack(columns, 1), fmt="%.8g", delimiter=sign, header=header, comments="")


def matlab(path: Path) -> None:
    version = "7.3" if path.stem == "hdf" else "5 packed"
    write_matlab(path, version, signal=SIGNAL, fs=float(FS))


def numpy(path: Path) -> None:
    if path.suffix == ".npz":
        np.savez(path, signal=SIGNAL, fs=FS, leads=LEADS, units="mV")
    else:
        np.save(path, SIGNAL)


WRITERS: dict[str, tuple[Callable[[Path], None], float]] = {
    "e.edf": (edf, 6 / 2**16),
    "b.bdf": (edf, 6 / 2**24 + 1e-6),
    "d.dcm": (dicom, 0.00051),
    "x.xml": (aecg, 0.00051),
    "w.hea": (wfdb, 0.00051),
    "c.csv": (table, 1e-6),
    "t.tsv": (table, 1e-6),
    "p.parquet": (table, 1e-6),
    "m.mat": (matlab, 1e-6),
    "hdf.mat": (matlab, 1e-6),
    "z.npz": (numpy, 1e-6),
    "n.npy": (numpy, 1e-6),
}


@pytest.mark.parametrize("name", WRITERS)
def test_the_same_samples_in_every_format(tmp_path: Path, name: str) -> None:
    write, resolution = WRITERS[name]
    write(tmp_path / name)
    given = FS if name.endswith(".npy") else None
    record = read_record(tmp_path / name, fs=given)
    np.testing.assert_allclose(record.signal, SIGNAL, atol=resolution)
    assert record.fs == FS
    assert record.lead_names == (("lead1", "lead2") if name[-3:] in ("npy", "mat") else LEADS)
    assert {lead.unit for lead in record.leads} == {"mV"}
    check_stretches(open_record(tmp_path / name, fs=given), record, [1, 249, 250, 1000, 1999])


def test_every_format_is_found_once_in_a_folder(tmp_path: Path) -> None:
    for name, (write, _) in WRITERS.items():
        write(tmp_path / name)
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(100))
    (tmp_path / "letter.docx").write_bytes(b"PK\x03\x04" + bytes(100))
    (tmp_path / "config.xml").write_text("<config/>")
    (tmp_path / "program").write_bytes(b"\x7fELF" + bytes(100))
    (tmp_path / "empty.dat").touch()
    assert [path.name for path in find_records(tmp_path)] == sorted(WRITERS)
    suffixes = {suffix for known in FORMATS for suffix in known.suffixes}
    assert suffixes - {Path(name).suffix for name in WRITERS} == {".dicom", ".pq"}


@pytest.mark.parametrize("ending", [".csv", ".hdr", ".mat", ""])
@pytest.mark.parametrize("name", ["e.edf", "b.bdf", "d.dcm", "x.xml", "m.mat", "p.parquet"])
def test_a_wrong_ending_still_reads(tmp_path: Path, name: str, ending: str) -> None:
    WRITERS[name][0](tmp_path / name)
    renamed = (tmp_path / name).rename(tmp_path / f"other{ending}")
    assert read_record(renamed).signal.shape == SIGNAL.shape
    assert find_records(tmp_path) == [renamed]


def test_files_of_one_name_are_one_recording(tmp_path: Path) -> None:
    for ending in (".csv", ".npz", ".edf"):
        WRITERS[{".csv": "c.csv", ".npz": "z.npz", ".edf": "e.edf"}[ending]][0](
            tmp_path / f"day{ending}"
        )
    assert [path.name for path in find_records(tmp_path)] == ["day.edf"]
    (tmp_path / "other").mkdir()
    table(tmp_path / "other" / "day.csv")
    assert len(find_records(tmp_path)) == 2
    wfdb(tmp_path / "day.hea")
    scipy.io.savemat(tmp_path / "day.mat", {"val": COUNTS})
    assert [path.name for path in find_records(tmp_path)] == ["day.hea", "day.csv"]


@pytest.mark.parametrize("ending", sorted({s for known in FORMATS for s in known.suffixes}))
def test_text_with_any_ending_is_refused_with_a_reason(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    path.write_text("Dear colleague, thank you for the recording. " * 40)
    with pytest.raises(RecordError, match=path.name):
        read_record(path)
