"""EDF, EDF+ and BDF: made by hand byte by byte, and by edfio, which reads them independently."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import edfio
import numpy as np
import pytest
from tests.readers.damage import count_refused
from tests.readers.test_source import check_stretches

from ecglens.errors import RecordError
from ecglens.labels import list_label_maps, load_label_map
from ecglens.readers import find_records, open_record, read_record
from ecglens.readers.edf_annotations import RHYTHMS

FS = 200
N_RECORDS, PER_RECORD = 12, 50


def field(value: object, width: int) -> bytes:
    return str(value).encode("latin-1").ljust(width)


def signal(label: str = "ECG II", **changed: object) -> dict[str, object]:
    given: dict[str, object] = {"label": label, "unit": "uV", "low": -3000, "high": 3000}
    given |= {"lowest": -30000, "highest": 30000, "per_record": PER_RECORD}
    return given | changed


def header(signals: list[dict[str, object]], *, bdf: bool = False, **changed: object) -> bytes:
    given: dict[str, object] = {"patient": "X X X X", "size": 256 * (len(signals) + 1), "mark": ""}
    given |= {"n_records": N_RECORDS, "record_s": PER_RECORD / FS, "n_signals": len(signals)}
    given |= changed
    fixed = (b"\xffBIOSEMI" if bdf else field(0, 8)) + field(given["patient"], 80)
    fixed += field("Startdate 02-MAR-2002", 80) + field("02.03.02", 8) + field("10.00.00", 8)
    for name, width in (("size", 8), ("mark", 44), ("n_records", 8), ("record_s", 8)):
        fixed += field(given[name], width)
    fixed += field(given["n_signals"], 4)
    widths = {"label": 16, "": 80, "unit": 8, "low": 8, "high": 8, "lowest": 8, "highest": 8}
    widths |= {"filter": 80, "per_record": 8, "reserved": 32}
    columns = [field(s.get(name, ""), width) for name, width in widths.items() for s in signals]
    return fixed + b"".join(columns)


def counts(n_signals: int = 1, per_record: int = PER_RECORD) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(-30000, 30000, (N_RECORDS, n_signals, per_record), dtype=np.int32)


def write(path: Path, signals: list[dict[str, object]] | None = None, **changed: object) -> Path:
    signals = signals or [signal()]
    path.write_bytes(header(signals, **changed) + counts(len(signals)).astype("<i2").tobytes())
    return path


def tal(onset: float, *texts: str, duration: float | None = None) -> bytes:
    lasting = b"" if duration is None else b"\x15%g" % duration
    return (
        b"%+g" % onset + lasting + b"\x14" + b"".join(t.encode() + b"\x14" for t in texts) + b"\0"
    )


def write_plus(path: Path, lists: list[bytes], *, mark: str = "EDF+D", **changed: object) -> Path:
    room = 100
    signals = [signal(), signal("EDF Annotations", unit="", per_record=room // 2)]
    ecg = counts().astype("<i2")
    body = b"".join(ecg[i, 0].tobytes() + raw.ljust(room, b"\0") for i, raw in enumerate(lists))
    changed = {"mark": mark, "n_records": len(lists), **changed}
    path.write_bytes(header(signals, **changed) + body)
    return path


def in_mv(digital: np.ndarray) -> np.ndarray:
    return digital * 0.1 / 1000


def test_counts_become_mv(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.edf", [signal(), signal("Lead V1", unit="\xb5V"), signal("V5", unit="mV")]
    )
    record = read_record(path)
    assert (record.lead_names, record.fs, record.notes) == (("II", "V1", "V5"), 200.0, ())
    assert record.subject_id == f"{tmp_path.name}-a"
    expected = in_mv(counts(3).swapaxes(0, 1).reshape(3, -1)) * [[1], [1], [1000]]
    np.testing.assert_allclose(record.signal, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", ["EDF", "BDF"])
def test_as_edfio_writes_and_reads_it(tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(1)
    made = getattr(edfio, kind.title())
    one = getattr(edfio, f"{kind.title()}Signal")
    path = tmp_path / f"a.{kind.lower()}"
    signals = [
        one(rng.uniform(-2, 2, 2000), 250, label=f"ECG {lead}", physical_dimension="mV",
            physical_range=(-2, 2))
        for lead in ("I", "aVF")
    ]  # fmt: skip
    made(
        signals,
        data_record_duration=0.5,
        annotations=[edfio.EdfAnnotation(1, 2, "AFIB"), edfio.EdfAnnotation(4, None, "AFL")],
    ).write(path)
    record = read_record(path)
    assert (record.lead_names, record.fs) == (("I", "aVF"), 250.0)
    read = getattr(edfio, f"read_{kind.lower()}")(path)
    np.testing.assert_allclose(record.signal, [s.data for s in read.signals], rtol=1e-6, atol=1e-7)
    resolution = 4 / 2 ** (16 if kind == "EDF" else 24)
    np.testing.assert_allclose(record.signal, [s.data for s in signals], atol=resolution + 3e-7)
    assert [(s.start_s, s.end_s, s.rhythm) for s in record.rhythms] == [(1, 3, "AFIB")]
    assert record.notes == ("1 annotations name a rhythm, but not how long it lasts; ignored",)
    check_stretches(open_record(path), record, [1, 124, 125, 126, 1999])


def test_24_bits_keep_their_sign(tmp_path: Path) -> None:
    signals = [signal(lowest=-(2**23), highest=2**23 - 1, low=-(2**23), high=2**23 - 1)]
    numbers = [-(2**23), -1, 0, 1, 2**23 - 1]
    body = b"".join(n.to_bytes(3, "little", signed=True) for n in numbers)
    data = header(signals, bdf=True, n_records=1, record_s=0.025).replace(b"50   ", b"5    ")
    (tmp_path / "a.bdf").write_bytes(data + body)
    found = read_record(tmp_path / "a.bdf").signal[0]
    np.testing.assert_allclose(found, np.array(numbers) / 1000, rtol=1e-6)


def test_an_inverted_physical_range_turns_the_signal(tmp_path: Path) -> None:
    upright = read_record(write(tmp_path / "a.edf")).signal
    turned = read_record(write(tmp_path / "b.edf", [signal(low=3000, high=-3000)])).signal
    np.testing.assert_array_equal(turned, -upright)


def test_gaps_are_missing_samples(tmp_path: Path) -> None:
    # Records of 0.25 s; the third starts 1 s late, the fourth a rounding error early.
    onsets = [0.5, 0.75, 2.0, 2.2499]
    path = write_plus(tmp_path / "a.edf", [tal(onset, "") for onset in onsets])
    record = read_record(path)
    assert record.n_samples == 400
    assert [(gap.start_s, gap.end_s) for gap in record.gaps] == [(0.5, 1.5)]
    data = in_mv(counts()[:4].reshape(-1))
    np.testing.assert_allclose(record.signal[0, :100], data[:100], atol=1e-6)
    np.testing.assert_allclose(record.signal[0, 300:], data[100:], atol=1e-6)
    check_stretches(open_record(path), record, [60, 99, 150, 300, 320])
    as_continuous = write_plus(tmp_path / "c.edf", [tal(t, "") for t in onsets], mark="EDF+C")
    assert read_record(as_continuous).n_samples == 200


def test_rhythms_of_annotations(tmp_path: Path) -> None:
    lists = [
        tal(10, "") + tal(10.1, "(N"),
        tal(10.25, "") + tal(10.3, "(AFIB", "note"),
        tal(10.5, "") + tal(10.5, "N") + tal(10.6, "(AFIB)") + tal(10.6, "AFIB", duration=0.05),
        tal(10.75, "") + tal(10.8, "(N") + tal(10.8, "VT"),
    ]
    record = read_record(write_plus(tmp_path / "a.edf", lists, patient="MCH-7 F 02-MAY-1951 Ann"))
    found = [(round(s.start_s, 6), round(s.end_s, 6), s.rhythm) for s in record.rhythms]
    expected = [(0.1, 0.3, "N"), (0.3, 0.8, "AFIB"), (0.6, 0.65, "AFIB"), (0.8, 1.0, "N")]
    assert found == expected
    assert record.notes == ("1 annotations name a rhythm, but not how long it lasts; ignored",)


def test_every_change_ends_the_rhythm_before(tmp_path: Path) -> None:
    lists = [
        tal(0, "") + tal(0, "(AFIB") + tal(0.2, "("),
        tal(0.25, "") + tal(0.3, "(AFIB") + tal(0.4, "(J"),
        tal(0.5, "") + tal(0.6, "(SVARR") + tal(0.7, "(XYZ"),
        tal(0.75, "") + tal(0.8, "(SVT") + tal(0.9, "(N", duration=0.05),
    ]
    record = read_record(write_plus(tmp_path / "a.edf", lists))
    assert [(round(s.start_s, 6), round(s.end_s, 6), s.rhythm) for s in record.rhythms] == [
        (0.0, 0.2, "AFIB"), (0.3, 0.4, "AFIB"), (0.4, 0.6, "J"), (0.6, 0.7, "SVARR"),
        (0.8, 0.9, "SVTA"), (0.9, 0.95, "N"),
    ]  # fmt: skip
    assert record.notes == ("1 annotations change to a rhythm that is not known; none is claimed",)


@pytest.mark.parametrize("name", list_label_maps())
def test_every_label_map_knows_the_rhythms(name: str) -> None:
    known = load_label_map(name)
    words = {word for words in known.classes.values() for word in words} | known.ignored
    assert words == RHYTHMS


def test_a_patient_is_one_subject_without_being_named(tmp_path: Path) -> None:
    lists = [tal(0, "")]
    of = {
        name: read_record(write_plus(tmp_path / f"{name}.edf", lists, patient=patient)).subject_id
        for name, patient in (("a", "MCH-7 F X Ann"), ("b", "MCH-7 X X X"), ("c", "X F X X"))
    }
    assert of["a"] == of["b"] != of["c"] == f"{tmp_path.name}-c"
    assert of["a"].startswith("patient-")
    assert "MCH" not in of["a"]


def test_the_choice_of_signals(tmp_path: Path) -> None:
    path = write(tmp_path / "a.edf", [signal("EEG C3"), signal("EKG"), signal("Resp")])
    record = read_record(path)
    assert (record.lead_names, record.notes) == (
        ("EKG",),
        ("left out, not called ECG: EEG C3, Resp",),
    )
    record = read_record(write(tmp_path / "b.edf", [signal("Kanal 1"), signal("SpO2", unit="%")]))
    assert record.lead_names == ("Kanal 1",)
    assert "no signal is called ECG; taken: Kanal 1" in record.notes
    record = read_record(write(tmp_path / "c.edf", [signal("", unit="")]))
    assert record.lead_names == ("lead1",)
    assert "no unit is given; mV is assumed" in record.notes
    record = read_record(write(tmp_path / "d.edf", [signal(unit="adu")]))
    assert record.leads[0].unit == "adu"
    with pytest.raises(RecordError, match=r"holds no ECG lead, only Resp ECG"):
        read_record(write(tmp_path / "f.edf", [signal("Resp ECG")]))
    with pytest.raises(RecordError, match=r"holds no ECG lead, only EEG C3 \(uV\), Resp \(uV\)"):
        read_record(write(tmp_path / "e.edf", [signal("EEG C3"), signal("Resp")]))


@pytest.mark.parametrize(
    ("labels", "leads", "left_out"),
    [
        (["DI", "DII", "DIII", "aVR", "V1"], ("I", "II", "III", "aVR", "V1"), ""),
        (["D2", "V1", "Resp"], ("II", "V1"), "Resp"),
        (["EEG EKG1-REF", "EEG FP1-REF"], ("EEG EKG1-REF",), "EEG FP1-REF"),
        (["EEG ECG", "EEG C3", "EMG chin"], ("EEG ECG",), "EEG C3, EMG chin"),
    ],
)
def test_signals_that_a_word_makes_an_ecg(
    tmp_path: Path, labels: list[str], leads: tuple[str, ...], left_out: str
) -> None:
    record = read_record(write(tmp_path / "a.edf", [signal(label) for label in labels]))
    assert record.lead_names == leads
    notes = (f"left out, not called ECG: {left_out}",) if left_out else ()
    assert record.notes == notes


def test_slower_signals_are_left_out(tmp_path: Path) -> None:
    body = b"".join(np.full(75, i, "<i2").tobytes() for i in range(N_RECORDS))
    signals = [signal("ECG slow", per_record=25), signal("ECG fast")]
    (tmp_path / "a.edf").write_bytes(header(signals) + body)
    record = read_record(tmp_path / "a.edf")
    assert (record.lead_names, record.fs, record.n_samples) == (("ECG fast",), 200.0, 600)
    assert record.notes == ("left out, sampled slower than the others: ECG slow",)


def test_a_file_that_was_never_closed(tmp_path: Path) -> None:
    record = read_record(write(tmp_path / "a.edf", n_records=-1))
    assert record.n_samples == N_RECORDS * PER_RECORD
    assert record.notes == ("the header was never completed; the 12 data records found are taken",)
    short = read_record(write(tmp_path / "b.edf", n_records=2))
    assert (short.n_samples, short.notes) == (
        100, ("10 data records behind the declared end are left out",)
    )  # fmt: skip


def test_the_ending_does_not_matter(tmp_path: Path) -> None:
    for name in ("holter.dat", "holter2", "holter3.csv", "holter4.npy"):
        assert read_record(write(tmp_path / name)).lead_names == ("II",)
    assert len(find_records(tmp_path)) == 4


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"n_records": 13}, "declares 13 data records, but holds 12; the file is cut short"),
        ({"n_records": "many"}, "gives 'many' as number of data records"),
        ({"n_records": 0}, "holds no samples"),
        ({"n_signals": 0}, "declares 0 signals in a header of 512 bytes"),
        ({"n_signals": 9999}, "declares 9999 signals in a header of 512 bytes"),
        ({"size": 768}, "declares 1 signals in a header of 768 bytes"),
        ({"record_s": 0}, "data records of 0 s"),
        ({"record_s": 1e-7}, "states a sampling rate of 5e[+]08 Hz"),
        ({"record_s": 86400}, "states a sampling rate of 0.000578704 Hz"),
        ({"record_s": "nan"}, "gives 'nan' as number of seconds a data record"),
        ({"record_s": -1}, "gives '-1' as number of seconds"),
        ({"mark": "EDF+D"}, "is discontinuous, but its data record 1 does not tell"),
    ],
)
def test_refused_headers(tmp_path: Path, changed: dict[str, object], message: str) -> None:
    with pytest.raises(RecordError, match=message):
        read_record(write(tmp_path / "a.edf", **changed))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"lowest": 5, "highest": 5}, "'ECG II' maps 5 to 5 to -3000 to 3000 uV; the digital"),
        ({"lowest": 5, "highest": -5}, "the digital range must rise"),
        ({"low": 1, "high": 1}, "the physical one differ"),
        ({"low": "?"}, "maps -30000 to 30000 to nan to 3000"),
        ({"per_record": "x"}, "gives 'x' as number of samples a record of 'ECG II'"),
        ({"per_record": 0}, "data records without samples"),
        ({"per_record": 99999999}, "declares 12 data records, but holds 0"),
    ],
)
def test_refused_signals(tmp_path: Path, changed: dict[str, object], message: str) -> None:
    with pytest.raises(RecordError, match=message):
        read_record(write(tmp_path / "a.edf", [signal(**changed)]))


@pytest.mark.parametrize(
    ("onsets", "message"),
    [
        ([0, 0.25, 0.3], "data record 3 starts before the one in front of it ends"),
        ([0, 1e12], "more than 33554432 values"),
        ([0, None], "its data record 2 does not tell when it starts"),
    ],
)
def test_refused_onsets(tmp_path: Path, onsets: list[float | None], message: str) -> None:
    lists = [b"" if onset is None else b"%+f\x14\x14\0" % onset for onset in onsets]
    with pytest.raises(RecordError, match=message):
        read_record(write_plus(tmp_path / "a.edf", lists))


def test_annotations_alone_are_no_recording(tmp_path: Path) -> None:
    data = header([signal("EDF Annotations")], mark="EDF+C", record_s=0, n_records=1)
    (tmp_path / "a.edf").write_bytes(data + tal(0, "").ljust(100, b"\0"))
    with pytest.raises(RecordError, match="holds annotations but no signal; give the file of the"):
        read_record(tmp_path / "a.edf")


def test_a_file_cut_short_later_on(tmp_path: Path) -> None:
    path = write(tmp_path / "a.edf")
    source = open_record(path)
    path.write_bytes(path.read_bytes()[:-700])
    assert source.read(0, 100).shape == (1, 100)
    with pytest.raises(RecordError, match="is cut short since it was opened"):
        source.read(500, 600)
    path.unlink()
    with pytest.raises(RecordError, match=r"cannot read .*a\.edf: No such file"):
        source.read(0, 10)


def test_a_stretch_of_a_day_takes_the_memory_of_a_stretch(tmp_path: Path) -> None:
    path = tmp_path / "day.edf"
    with path.open("wb") as file:
        file.write(header([signal(), signal("V1")], n_records=345_600))
        file.truncate(file.tell() + 345_600 * 200)
    tracemalloc.start()
    try:
        source = open_record(path)
        assert source.duration_s == 86_400
        assert source.read(source.n_samples - 1000, source.n_samples).shape == (2, 1000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**20


def test_damage_gives_our_errors_only(tmp_path: Path) -> None:
    lists = [tal(i / 4 + (i > 2), "") + tal(i / 4, "(N") for i in range(4)]
    assert count_refused(write_plus(tmp_path / "a.edf", lists), cuts=60, flips=240) > 80


def test_the_recording_of_a_device_is_the_same_as_its_table(real_data: Path) -> None:
    folder = real_data / "formats" / "edf"
    (path,) = find_records(folder)
    record = read_record(path)
    assert (record.signal.shape, record.fs, record.lead_names[3]) == ((12, 37855), 800.0, "aVR")
    table = read_record(folder / "0000050.ECG.csv", fs=800).signal
    # 16 bits from -1000 to 1000 mV, of which the table holds the counts.
    np.testing.assert_allclose(record.signal[:6], (table + 0.5) * 2000 / 65535, atol=1e-4)
