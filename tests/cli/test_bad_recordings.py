"""Recordings that are wrong in ways of their own: what ``ecglens predict`` says of each."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import edfio
import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from ecglens.databases.synthetic import make_patients, make_record
from ecglens.databases.wfdb_saving import save_wfdb
from ecglens.prediction import Timeline, predict_record
from ecglens.readers import open_record, read_record
from tests.cli.collection import FS, Outcome, Program, write_record
from tests.signals_of import beats
from tests.test_prediction import MODEL

Predict = Callable[..., Outcome]
Labels = list[str]
SIGNAL = beats(40, FS)


@pytest.fixture
def predict(ecglens: Program, model: Path) -> Predict:
    return lambda *words: ecglens("predict", *words, "--model", model)


def labels_of(predict: Predict, *words: object) -> tuple[list[str], list[str], list[str]]:
    """Return labels, reasons and notes of the windows of one recording."""
    done = predict(*words, "--json")
    assert (done.code, done.err) == (0, "")
    (said,) = done.json["records"]
    windows = said["windows"]
    return (
        [window["label"] for window in windows],
        [window["reason"] for window in windows],
        said["summary"]["notes"],
    )


def refused(predict: Predict, path: Path, *words: object) -> str:
    """Return what is said of a recording that is refused, after the checks that all need."""
    done = predict(path, *words)
    assert done.code == 3
    lines = done.err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"ecglens: {path}: ")
    assert lines[1] == "ecglens: 1 of 1 recordings failed"
    assert done.out == ""
    return lines[0].removeprefix(f"ecglens: {path}: ")


def write_table(folder: Path, head: str, rows: list[str]) -> Path:
    path = folder / "r.csv"
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


def plain(values: npt.ArrayLike) -> list[str]:
    return [f"{value:.3f}" for value in np.asarray(values)]


class TestWrongRate:
    """A person of 78 beats/min, with another rate in the header than that of the samples."""

    @pytest.fixture
    def judge(self, tmp_path: Path) -> Callable[[float], Timeline]:
        def judge(factor: float) -> Timeline:
            patient = make_patients(5)[4]
            made = make_record(patient, [("N", 160.0)], fs=250)
            wrong = replace(made, fs=250 * factor, rhythms=(), record_id="r")
            return predict_record(MODEL, open_record(save_wfdb(wrong, tmp_path)))

        return judge

    def test_right(self, judge: Callable[[float], Timeline]) -> None:
        assert judge(1).notes == ()

    @pytest.mark.parametrize(("factor", "seen"), [(2, 155), (0.5, 38)])
    def test_by_two_hearts_tell(
        self, judge: Callable[[float], Timeline], factor: float, seen: float
    ) -> None:
        (note,) = judge(factor).notes
        assert note == (
            f"the median heart rate is {seen}/min, which is doubtful; "
            "is the sampling rate right (--fs)?"
        )

    def test_four_times_too_slow_beats_are_wide(self, judge: Callable[[float], Timeline]) -> None:
        low, note = judge(0.25).notes
        assert "its figures do not hold here" in low
        assert note.endswith("as if read too slowly; is the sampling rate right (--fs)?")

    def test_by_four_it_looks_like_noise(self, judge: Callable[[float], Timeline]) -> None:
        timeline = judge(4)
        assert set(zip(timeline.labels, timeline.reasons, strict=True)) == {
            ("unreadable", "muscle")
        }


class TestSignals:
    def test_a_stretch_of_nan_is_missing(self, predict: Predict, tmp_path: Path) -> None:
        signal = SIGNAL.copy()
        signal[1100:2300] = np.nan
        labels, reasons, _ = labels_of(predict, write_record(tmp_path, "r", signal))
        assert reasons == ["", "missing", "missing", ""]
        assert labels[1:3] == ["unreadable"] * 2
        assert "unreadable" not in (labels[0], labels[3])

    def test_a_clipped_signal_is_saturated(self, predict: Predict, tmp_path: Path) -> None:
        slow = np.sin(np.arange(4000) / FS * 2 * np.pi * 1.1)
        path = write_record(tmp_path, "r", np.clip(3 * slow, -0.4, 0.4))
        labels, reasons, _ = labels_of(predict, path)
        assert set(zip(labels, reasons, strict=True)) == {("unreadable", "saturated")}

    def test_eight_bits_are_enough(self, predict: Predict, tmp_path: Path) -> None:
        fine = labels_of(predict, write_record(tmp_path, "r", SIGNAL))
        steps = np.round(np.clip(SIGNAL * 50, -128, 127)) / 50
        coarse = labels_of(predict, write_record(tmp_path, "r", steps, gain=50))
        assert coarse == fine

    def test_a_negative_gain_turns_the_signal(self, predict: Predict, tmp_path: Path) -> None:
        header = write_record(tmp_path, "r", SIGNAL)
        upright, labels = read_record(header), labels_of(predict, header)
        text = header.read_text()
        assert "1000.0(0)/mV" in text
        header.write_text(text.replace("1000.0(0)/mV", "-1000.0(0)/mV"))
        np.testing.assert_array_equal(read_record(header).signal, -upright.signal)
        assert labels_of(predict, header) == labels

    def test_a_physical_range_that_falls_turns_the_signal(
        self, predict: Predict, tmp_path: Path
    ) -> None:
        for name, (low, high) in {"up": (-5, 5), "down": (5, -5)}.items():
            signal = SIGNAL if name == "up" else -SIGNAL
            made = edfio.EdfSignal(
                signal.astype(np.float64), FS, label="ECG II", physical_dimension="mV",
                physical_range=(-5, 5),
            )  # fmt: skip
            edfio.Edf([made]).write(tmp_path / f"{name}.edf")
            whole = bytearray((tmp_path / f"{name}.edf").read_bytes())
            at = 256 + 16 + 80 + 8
            whole[at : at + 16] = f"{low:<8}{high:<8}".encode()
            (tmp_path / f"{name}.edf").write_bytes(bytes(whole))
        up, down = (read_record(tmp_path / f"{name}.edf").signal for name in ("up", "down"))
        np.testing.assert_allclose(down, up, atol=2e-4)
        assert labels_of(predict, tmp_path / "down.edf") == labels_of(predict, tmp_path / "up.edf")

    @pytest.mark.parametrize(
        ("text", "message"),
        [("", "r.csv is empty; give a recording"), ("II\n", "r.csv has no rows of numbers")],
    )
    def test_no_sample_in_a_table(
        self, predict: Predict, tmp_path: Path, text: str, message: str
    ) -> None:
        (tmp_path / "r.csv").write_text(text)
        assert message in refused(predict, tmp_path / "r.csv", "--fs", FS)

    def test_no_sample_in_a_record(self, predict: Predict, tmp_path: Path) -> None:
        header = write_record(tmp_path, "r", SIGNAL)
        header.write_text(header.read_text().replace(f"r 1 {FS} 4000", f"r 1 {FS} 0"))
        header.with_suffix(".dat").write_bytes(b"")
        assert "r.hea has no samples; a record needs at least one" in refused(predict, header)

    def test_no_sample_in_an_edf(self, predict: Predict, tmp_path: Path) -> None:
        path = tmp_path / "r.edf"
        edfio.Edf([edfio.EdfSignal(SIGNAL.astype(np.float64), FS, label="ECG")]).write(path)
        whole = path.read_bytes()[:512]
        path.write_bytes(whole[:236] + b"0       " + whole[244:])
        assert "r.edf holds no samples" in refused(predict, path)


class TestLeadNames:
    @pytest.mark.parametrize(
        "head", ["Ableitung II", "dérivation II", "отведение II", "EKG II", "lead ii"]
    )
    def test_other_languages_name_the_same_lead(
        self, predict: Predict, tmp_path: Path, head: str
    ) -> None:
        path = write_table(tmp_path, f"V1,{head}", [f"0.001,{text}" for text in plain(SIGNAL)])
        done = predict(path, "--fs", FS, "--leads", "II")
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith(f"r, lead {head}, 0.7 min")

    def test_unknown_names_are_leads_too(self, predict: Predict, tmp_path: Path) -> None:
        path = write_table(tmp_path, "Καρδιά", plain(SIGNAL))
        assert predict(path, "--fs", FS).out.startswith("r, lead Καρδιά, 0.7 min")
        said = refused(predict, path, "--fs", FS, "--leads", "II")
        assert "record 'r' has no lead 'II'; it has Καρδιά" in said

    def test_no_names(self, predict: Predict, tmp_path: Path) -> None:
        first, *rest = plain(SIGNAL)
        path = write_table(tmp_path, first, rest)
        assert predict(path, "--fs", FS).out.startswith("r, lead lead1, 0.7 min")


class TestAnnotations:
    def test_what_is_damaged_is_missed_only_where_it_is_needed(
        self, ecglens: Program, predict: Predict, tmp_path: Path
    ) -> None:
        header = write_record(tmp_path / "in", "r", SIGNAL, [(0.0, "N")])
        out = tmp_path / "out"
        assert predict(header, "--out", out).code == 0
        header.with_suffix(".atr").write_bytes(b"")
        labels, _, notes = labels_of(predict, header)
        assert len(labels) == 4
        assert "the annotation file r.atr cannot be read; no rhythm is taken from it" in notes
        for done in (
            ecglens("windows", header.parent, "--out", tmp_path / "w.npz"),
            ecglens("score", out, "--reference", header.parent),
        ):
            assert done.code == 3
            assert "r.atr is not a whole WFDB annotation file: it does not end" in done.error

    def test_a_header_without_a_signal_is_passed_over(
        self, ecglens: Program, tmp_path: Path
    ) -> None:
        write_record(tmp_path, "r", SIGNAL, [(0.0, "N")])
        (tmp_path / "lost.hea").write_text("lost 0 250\n")
        done = ecglens("windows", tmp_path, "--out", tmp_path / "w.npz")
        assert (done.code, done.err) == (0, "")
        assert (
            "declares no signals"
            in ecglens("windows", tmp_path / "lost", "--out", tmp_path / "w.npz").error
        )


class TestFormats:
    def test_an_edf_of_annotations_alone(self, predict: Predict, tmp_path: Path) -> None:
        notes = [edfio.EdfAnnotation(1.0, None, "AFIB")]
        edfio.Edf([], annotations=notes).write(tmp_path / "r.edf")
        said = refused(predict, tmp_path / "r.edf")
        assert "holds annotations but no signal; give the file of the recording" in said

    def test_dicom_without_a_waveform(self, predict: Predict, tmp_path: Path) -> None:
        found = pydicom.Dataset()
        found.file_meta = FileMetaDataset()
        found.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        kind = "1.2.840.10008.5.1.4.1.1.9.1.1"
        found.file_meta.MediaStorageSOPClassUID = found.SOPClassUID = kind
        found.file_meta.MediaStorageSOPInstanceUID = found.SOPInstanceUID = "1.2.3"
        found.save_as(tmp_path / "r.dcm", enforce_file_format=True)
        said = refused(predict, tmp_path / "r.dcm")
        assert "r.dcm is DICOM, but holds no waveform (12-lead ECG Waveform Storage)" in said

    @pytest.mark.timeout(240)
    def test_an_xml_bomb(self, predict: Predict, tmp_path: Path) -> None:
        layers = "".join(
            f'<!ENTITY {b} "{f"&{a};" * 10}">'
            for a, b in zip("abcdefghi", "bcdefghij", strict=True)
        )
        path = tmp_path / "r.xml"
        path.write_text(
            f'<?xml version="1.0"?><!DOCTYPE AnnotatedECG [<!ENTITY a "ha">{layers}]>'
            '<AnnotatedECG xmlns="urn:hl7-org:v3"><id>&j;</id></AnnotatedECG>'
        )
        assert "declares a document type or entities" in refused(predict, path)

    def test_words_in_a_table(self, predict: Predict, tmp_path: Path) -> None:
        path = write_table(tmp_path, "II", [*plain(SIGNAL[:2000]), "artefact"])
        said = refused(predict, path, "--fs", FS)
        assert "r.csv, line 2002 holds 'artefact'; below the header all cells must be" in said

    def test_decimal_commas(self, predict: Predict, tmp_path: Path) -> None:
        rows = [f"{text};{text}".replace(".", ",") for text in plain(SIGNAL)]
        comma = labels_of(predict, write_table(tmp_path, "I;II", rows), "--fs", FS)
        rows = [f"{text},{text}" for text in plain(SIGNAL)]
        assert labels_of(predict, write_table(tmp_path, "I,II", rows), "--fs", FS) == comma

    def test_decimal_commas_between_commas(self, predict: Predict, tmp_path: Path) -> None:
        rows = [text.replace(".", ",") for text in plain(SIGNAL)]
        said = refused(predict, write_table(tmp_path, "II", rows), "--fs", FS)
        assert "line 2 has 2 values where 1 are expected; every row needs one value per" in said
        assert said.endswith("decimal commas need semicolons or tabs between columns")


class TestAccess:
    def test_no_permission(
        self, predict: Predict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = edfio.EdfSignal(SIGNAL.astype(np.float64), FS, label="ECG II")
        edfio.Edf([made]).write(tmp_path / "r.edf")
        shutil.copy(tmp_path / "r.edf", tmp_path / "no-ending")
        paths = [
            tmp_path / "r.edf",
            tmp_path / "no-ending",
            write_table(tmp_path, "II", plain(SIGNAL)),
            write_record(tmp_path, "w", SIGNAL),
        ]
        opened = Path.open

        def closed(path: Path, *how: object, **more: object) -> object:
            if path.parent == tmp_path:
                raise PermissionError(13, "Permission denied")
            return opened(path, *how, **more)  # type: ignore[call-overload]

        # The mode of a file does not stop root, who runs tests too.
        monkeypatch.setattr(Path, "open", closed)
        for path in paths:
            said = refused(predict, path, *(("--fs", FS) if path.suffix == ".csv" else ()))
            assert said == f"cannot read {path}: Permission denied; ask for permission"


@pytest.mark.slow
def test_a_thousand_files_with_ten_bad_ones(ecglens: Program, model: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    header = write_record(tmp_path, "one", beats(10, FS))
    signal = header.with_suffix(".dat").read_bytes()
    for number in range(1000):
        path = folder / f"r{number:04d}.hea"
        path.write_text(header.read_text().replace("one", path.stem))
        path.with_suffix(".dat").write_bytes(signal[: 100 if number % 100 == 7 else None])
    asked = ("predict", folder, "--model", model, "--out", out, "--explained", 0)
    done = ecglens(*asked)
    assert done.code == 9
    assert "ecglens: error: 10 of 1000 recordings failed, the rest are done" in done.err
    assert len(done.err.splitlines()) == 11
    assert done.out.splitlines()[-1] == "1000 recordings: 990 done, 0 done before, 10 failed"
    with (out / "records.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == [f"r{number:04d}" for number in range(1000)]
    failed = [number for number, row in enumerate(rows) if row["status"] == "failed"]
    assert failed == list(range(7, 1000, 100))
    assert len(list(out.glob("*/summary.json"))) == 990
    assert "0 done, 990 done before, 10 failed" in ecglens(*asked).out
