"""Records written as each database writes them, and what comes out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from ecglens.databases import find_records, open_record, read_record
from ecglens.databases import reading as reading_module
from ecglens.errors import RecordError, UsageError
from ecglens.labels import load_label_map
from ecglens.readers.wfdb_signals import quiet_wfdb
from ecglens.windows import WindowRule, make_windows

FS = 100
SECONDS = 40
Note = tuple[float, str, str]


def write(
    folder: Path,
    name: str,
    notes: Sequence[Note] = (),
    ending: str = "atr",
    leads: Sequence[str] = ("ECG",),
) -> Path:
    """Write a record of 40 s with notes (seconds, symbol, text) and return its header."""
    folder.mkdir(parents=True, exist_ok=True)
    wave = np.sin(np.arange(FS * SECONDS) / 9)
    with quiet_wfdb() as wfdb:
        wfdb.wrsamp(
            name, fs=FS, units=["mV"] * len(leads), sig_name=list(leads),
            fmt=["16"] * len(leads), p_signal=np.stack([wave] * len(leads), axis=1),
            adc_gain=[200.0] * len(leads), baseline=[0] * len(leads), write_dir=str(folder),
        )  # fmt: skip
        if notes:
            times, symbols, texts = zip(*notes, strict=True)
            wfdb.wrann(
                name, ending, np.array([round(t * FS) for t in times]), list(symbols),
                aux_note=list(texts), write_dir=str(folder),
            )  # fmt: skip
    return folder / f"{name}.hea"


def spans(path: Path, **options: str) -> list[tuple[float, float, str]]:
    return [(s.start_s, s.end_s, s.rhythm) for s in read_record(path, **options).rhythms]


def test_nsrdb_is_sinus_rhythm_from_the_first_beat_to_the_last(tmp_path: Path) -> None:
    beats = [(2.0, "N", ""), (3.0, "S", ""), (30.0, "N", "")]
    assert spans(write(tmp_path / "nsrdb", "16265", beats)) == [(2.0, 30.0, "NSR")]
    assert spans(write(tmp_path / "else", "16265", beats)) == []


def test_afdb(tmp_path: Path) -> None:
    notes = [(0.3, "+", "(N"), (10, "+", "(AFIB"), (20, "+", "(AFL"), (30, "+", "(J")]
    assert [name for *_, name in spans(write(tmp_path / "afdb", "04015", notes))] == [
        "N", "AFIB", "AFL", "J",
    ]  # fmt: skip
    old = write(tmp_path / "afdb", "04043", [(0, "+", "(AF")])
    assert spans(old) == [(0.0, 40.0, "AFIB")]


def test_ltafdb_ends_with_its_last_annotation(tmp_path: Path) -> None:
    notes = [(1, "+", "(N"), (9, '"', "MISSB"), (10, "+", "(AFIB"), (25, "N", "")]
    path = write(tmp_path / "ltafdb", "117", notes)
    assert spans(path) == [(1.0, 10.0, "N"), (10.0, 25.0, "AFIB")]


def test_vfdb_keeps_noise_apart(tmp_path: Path) -> None:
    notes = [(0, "+", "(VFIB\0"), (10, "+", "(NOISE"), (20, "+", "(VF"), (30, "+", "(NSR")]
    assert spans(write(tmp_path / "vfdb", "418", notes)) == [
        (0.0, 10.0, "VFIB"),
        (10.0, 20.0, "NOISE"),
        (20.0, 30.0, "VF"),
        (30.0, 40.0, "NSR"),
    ]


def test_cudb_with_brackets_alone_and_beside_rhythms(tmp_path: Path) -> None:
    beats = [(1, "N", ""), (10, "[", ""), (20, "]", ""), (30, "[", "")]
    assert spans(write(tmp_path / "cudb", "cu01", beats)) == [(10, 20, "VF"), (30, 40, "VF")]
    notes = [(0, "+", "(AF"), (10, "[", ""), (15, "+", "(VT"), (20, "]", "")]
    assert spans(write(tmp_path / "cudb", "cu02", notes)) == [
        (0.0, 10.0, "AFIB"),
        (10.0, 20.0, "VF"),
        (20.0, 40.0, "VT"),
    ]


def test_edb_gives_windows_by_lead(tmp_path: Path) -> None:
    notes = [(0, "+", "(N"), (10, "s", "(ST1-"), (12, "s", "AST1-200"), (30, "s", "ST1-)")]
    path = write(tmp_path / "edb", "e0103", notes, leads=("V4", "MLIII"))
    rule = WindowRule(length_s=10, fs=FS, leads="all")
    windows = make_windows([read_record(path)], load_label_map("rhythm4"), rule)
    columns = (windows.leads.tolist(), windows.start_s.tolist(), windows.labels.tolist())
    found = sorted(zip(*columns, strict=True))
    # While MLIII has an episode nothing is claimed of V4.
    assert found == [
        ("MLIII", 0.0, "N"), ("MLIII", 10.0, "ST"), ("MLIII", 20.0, "ST"), ("MLIII", 30.0, "N"),
        ("V4", 0.0, "N"), ("V4", 30.0, "N"),
    ]  # fmt: skip


def test_ltstdb_is_outside_episodes_what_has_no_episode(tmp_path: Path) -> None:
    folder = tmp_path / "ltstdb"
    notes = [(1, "s", "LRST0+0"), (10, "s", "(st0-60"), (20, "s", "st0-50)"), (35, "s", "LRST0+1")]
    write(folder, "s20011", [(0.5, "N", ""), (39, "N", "")])
    path = write(folder, "s20011", notes, "stb", leads=("ML2", "MV2"))
    assert spans(path) == [(1.0, 10.0, "NOST"), (10.0, 20.0, "ST-"), (20.0, 35.0, "NOST")]
    assert load_label_map("rhythm4").class_of("NOST") == "N"
    assert load_label_map("af").class_of("NOST") is None


def test_stdb_labels_nothing(tmp_path: Path) -> None:
    assert spans(write(tmp_path / "stdb", "300", [(1, "N", ""), (39, "~", "")])) == []


def test_challenge_2017(tmp_path: Path) -> None:
    training = tmp_path / "challenge-2017" / "1.0.0" / "training"
    rows = {"A00001": "N", "A00002": "A", "A00003": "O", "A00004": "~"}
    for name in [*rows, "A00005"]:
        write(training / "A00", name)
    lines = [f"A00/{name},{code}" for name, code in rows.items()]
    (training / "REFERENCE-v3.csv").write_text("\n".join(lines) + "\n")
    records = [read_record(path) for path in find_records(training)]
    assert [[s.rhythm for s in record.rhythms] for record in records] == [
        ["N"], ["AFIB"], ["OTHER"], ["NOISE"], [],
    ]  # fmt: skip
    assert {record.database for record in records} == {"challenge-2017"}
    assert records[0].rhythms[0].end_s == SECONDS
    assert records[0].subject_id == "challenge-2017-A00001"


PTBXL = """ecg_id,patient_id,filename_lr,filename_hr,scp_codes
1,15709.0,records100/00000/00001_lr,records500/00000/00001_hr,"{'NORM': 100.0, 'SR': 0.0}"
2,13243.0,records100/00000/00002_lr,records500/00000/00002_hr,"{'STD_': 0.0, 'AFIB': 0.0}"
3,15709.0,records100/00000/00003_lr,records500/00000/00003_hr,"{'NST_': 100.0, 'SR': 0.0}"
4,7,records100/00000/00004_lr,records500/00000/00004_hr,"{'IMI': 35.0, 'SR': 0.0}"
5,8,records100/00000/00005_lr,records500/00000/00005_hr,"{'LAFB': 100.0}"
"""


def test_ptb_xl(tmp_path: Path) -> None:
    root = tmp_path / "ptb-xl"
    for i in range(1, 6):
        write(root / "records500" / "00000", f"{i:05d}_hr", leads=("I", "II"))
    write(root / "records100" / "00000", "00001_lr")
    (root / "ptbxl_database.csv").write_text(PTBXL)
    records = [read_record(path) for path in find_records(root / "records500")]
    assert [[s.rhythm for s in record.rhythms] for record in records] == [
        ["N"], ["AFIB"], ["ST"], ["SR"], [],
    ]  # fmt: skip
    people = [record.subject_id for record in records]
    assert people == ["ptb-xl-15709", "ptb-xl-13243", "ptb-xl-15709", "ptb-xl-7", "ptb-xl-8"]
    slow = read_record(root / "records100" / "00000" / "00001_lr")
    assert (slow.subject_id, [s.rhythm for s in slow.rhythms]) == ("ptb-xl-15709", ["N"])


def test_a_recording_at_two_rates_counts_once(tmp_path: Path) -> None:
    root = tmp_path / "ptb-xl" / "1.0.3"
    fast = [write(root / "records500" / part, f"{part}_hr") for part in ("00000", "01000")]
    slow = [write(root / "records100" / part, f"{part}_lr") for part in ("00000", "01000")]
    own = write(tmp_path / "clinic" / "records100", "1_lr")
    np.savez(root / "mine.npz", signal=np.zeros(500), fs=100)
    assert find_records(tmp_path) == [own, root / "mine.npz", *fast]
    assert find_records(root / "records100") == slow
    for path in fast:
        path.unlink()
    assert find_records(root) == [root / "mine.npz", *slow]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ecg_id,patient_id\n1,2\n", "has no column 'filename_hr', only ecg_id, patient_id"),
        ("", "has no column 'filename_hr', only none"),
        ("\xff\xfe", "cannot read the table .*ptbxl_database.csv.*; get it again"),
    ],
)
def test_a_damaged_table(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path / "ptb-xl" / "records500", "1_hr")
    (tmp_path / "ptb-xl" / "ptbxl_database.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(RecordError, match=message):
        read_record(path)


def test_a_table_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_module, "MAX_TABLE_BYTES", 10)
    path = write(tmp_path / "ptb-xl" / "records500", "1_hr")
    (tmp_path / "ptb-xl" / "ptbxl_database.csv").write_text(PTBXL)
    with pytest.raises(RecordError, match="has over 10 bytes; it is no table of labels"):
        read_record(path)


def test_people_over_records_and_databases(tmp_path: Path) -> None:
    def person(database: str, name: str) -> str:
        return read_record(write(tmp_path / database, name)).subject_id

    assert person("ltstdb", "s20271") == person("ltstdb", "s20274") == "ltstdb-027"
    assert person("edb", "e0126") == "edb-e0123"
    # The same tape, by the header of s20301.
    assert person("ltstdb", "s20301") == person("edb", "e0125") == "edb-e0123"
    assert person("mit-bih-arrhythmia-database-1.0.0", "202") == "mitdb-201"


def test_the_database_may_be_named(tmp_path: Path) -> None:
    path = write(tmp_path / "mine", "202", [(0, "+", "(N")])
    assert read_record(path).subject_id == "mine-202"
    record = read_record(path, database="mitdb")
    assert (record.subject_id, record.database) == ("mitdb-201", "mitdb")
    own = tmp_path / "own.toml"
    own.write_text('name = "own"\naddress = "https://x.org/"\n[annotations]\nnames = {N = "NSR"}\n')
    assert spans(path, database=str(own)) == [(0.0, 40.0, "NSR")]
    with pytest.raises(UsageError, match="no database 'mitbd'"):
        read_record(path, database="mitbd")


def test_a_named_annotator_is_all_that_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "challenge-2017"
    path = write(folder / "training", "A00001", [(0, "+", "(VT")], "mine")
    (folder / "REFERENCE-v3.csv").write_text("A00001,N\n")
    assert spans(path) == [(0.0, 40.0, "N")]
    assert spans(path, annotator="mine") == [(0.0, 40.0, "VT")]


# Minutes of each rhythm in the records that are here, counted from what wfdb.rdann prints: the
# differences of the times of "+" (in cudb of "[" and "]"), added up by rhythm.
MINUTES = {
    "mitdb": {
        "AFIB": 82.85, "AFL": 0.80, "B": 38.92, "BII": 11.66, "IVR": 2.44, "N": 750.11,
        "NOD": 0.90, "P": 110.20, "SVTA": 1.67, "T": 18.72, "VFL": 2.40, "VT": 2.40,
    },
    "vfdb": {
        "AFIB": 17.21, "ASYS": 2.50, "B": 8.46, "BI": 70.18, "HGEA": 15.65, "N": 181.35,
        "NOD": 27.51, "NOISE": 85.35, "SBR": 0.54, "SVTA": 23.78, "VER": 0.91, "VF": 17.34,
        "VFIB": 8.66, "VFL": 6.60, "VT": 57.99,
    },
    "cudb": {"VF": 42.70},
}  # fmt: skip
AFIB_MINUTES = {"201": 10.10, "202": 9.77, "210": 29.50, "217": 4.21, "221": 29.28}


@pytest.mark.parametrize("name", MINUTES)
def test_minutes_of_real_records(real_data: Path, name: str) -> None:
    minutes: dict[str, float] = {}
    of_record: dict[str, float] = {}
    for path in find_records(real_data / name):
        record = open_record(path)
        for span in record.rhythms:
            length = (span.end_s - span.start_s) / 60
            minutes[span.rhythm] = minutes.get(span.rhythm, 0.0) + length
            if span.rhythm == "AFIB":
                of_record[record.record_id] = of_record.get(record.record_id, 0.0) + length
    assert minutes == pytest.approx(MINUTES[name], abs=0.006)
    if name == "mitdb":
        assert of_record == pytest.approx(AFIB_MINUTES, abs=0.006)
