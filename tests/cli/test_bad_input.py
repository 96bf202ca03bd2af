"""Recordings, windows and options that cannot be used: the code, the rule and the cure."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ecglens.readers.registry import LOOKED_FOR
from ecglens.windows import load_windows, save_windows
from tests.cli.collection import FS, Program, write_collection, write_record
from tests.signals_of import beats, fibrillation

NOT_LISTED = f"it reads {LOOKED_FOR}"


@pytest.fixture(params=["windows", "predict"])
def read(request: pytest.FixtureRequest, ecglens: Program, model: Path, tmp_path: Path) -> Program:
    """Let a verb read recordings; ``predict`` says the same and counts what failed."""
    if request.param == "windows":
        return lambda *words: ecglens("windows", *words, "--out", tmp_path / "out" / "w.npz")
    return lambda *words: ecglens("predict", *words, "--model", model)


@pytest.fixture(autouse=True)
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


class TestRecordings:
    def test_missing(self, read: Program, tmp_path: Path) -> None:
        done = read(tmp_path / "none")
        assert done.code == 3
        assert f"no such file or record: {tmp_path / 'none'}" in done.err
        assert "Traceback" not in done.err

    def test_no_ecg(self, read: Program, tmp_path: Path, tiny: Path) -> None:
        done = read(tiny)
        assert done.code == 3
        assert f"tiny.onnx is of no format that ecglens reads; {NOT_LISTED}" in done.err
        assert "Traceback" not in done.err

    def test_words_in_a_table(self, read: Program, tmp_path: Path) -> None:
        path = tmp_path / "words.csv"
        path.write_text("name,place\nAnna,Bern\n")
        done = read(path)
        assert done.code == 3
        assert "words.csv, line 2 holds 'Anna'; below the header all cells must be numbers" in (
            done.err
        )

    def test_a_header_without_its_signal(self, read: Program, tmp_path: Path) -> None:
        header = write_record(tmp_path / "r", "r", beats(20, FS), [(0.0, "N")])
        header.with_suffix(".dat").unlink()
        done = read(header)
        assert done.code == 3
        assert "r.dat" in done.err
        assert "Traceback" not in done.err

    def test_a_signal_that_is_cut_short(self, read: Program, tmp_path: Path) -> None:
        header = write_record(tmp_path / "r", "r", beats(20, FS), [(0.0, "N")])
        whole = header.with_suffix(".dat").read_bytes()
        header.with_suffix(".dat").write_bytes(whole[:1001])
        done = read(header)
        assert done.code == 3
        assert "r.hea declares 2000 samples, but r.dat holds 500" in done.err
        assert "cut short or the header wrong: get both again" in done.err

    @pytest.mark.parametrize("rate", ["0", "-100", "nan", "1e99"])
    def test_a_rate_that_is_none(self, read: Program, tmp_path: Path, rate: str) -> None:
        header = write_record(tmp_path / "r", "r", beats(20, FS), [(0.0, "N")])
        header.write_text(header.read_text().replace(f"r 1 {FS} ", f"r 1 {rate} "))
        done = read(header)
        assert done.code == 3
        assert "r.hea" in done.err
        assert "Traceback" not in done.err

    def test_a_table_without_a_rate(self, read: Program, tmp_path: Path) -> None:
        path = tmp_path / "r.csv"
        path.write_text("\n".join(f"{v:.3f}" for v in beats(20, FS)))
        done = read(path)
        assert done.code == 3
        assert "r.csv" in done.err
        assert "--fs" in done.err

    @pytest.mark.parametrize("fs", ["0", "-5", "nan", "inf"])
    def test_a_rate_of_nothing_asked_for(self, read: Program, tmp_path: Path, fs: str) -> None:
        path = tmp_path / "r.csv"
        path.write_text("\n".join(f"{v:.3f}" for v in beats(20, FS)))
        done = read(path, "--fs", fs)
        assert done.code == 2
        assert "fs must be from 10 to 100000 Hz, got" in done.err
        assert "Traceback" not in done.err

    def test_an_empty_folder(self, read: Program, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        done = read(tmp_path / "empty")
        assert done.code == 3
        assert done.error.startswith(f"no record in {tmp_path / 'empty'}; looked for WFDB")

    @pytest.mark.parametrize("leads", [",", ""])
    def test_no_lead_at_all(self, read: Program, tmp_path: Path, leads: str) -> None:
        header = write_record(tmp_path / "r", "r", beats(20, FS), [(0.0, "N")])
        done = read(header, "--leads", leads)
        assert done.code == 2
        assert f"--leads {leads!r} names no lead" in done.error

    def test_a_lead_that_is_not_there(self, read: Program, tmp_path: Path) -> None:
        header = write_record(tmp_path / "r", "r", beats(20, FS), [(0.0, "N")])
        done = read(header, "--leads", "V5")
        assert done.code == 3
        assert "record 'r' has no lead 'V5'; it has II" in done.err


class TestWindows:
    @pytest.mark.parametrize(("value", "reason"), [(np.nan, "missing"), (0.0, "flat")])
    def test_nothing_readable(
        self, ecglens: Program, tmp_path: Path, out: Path, value: float, reason: str
    ) -> None:
        header = write_record(tmp_path, "r", np.full(3000, value), [(0.0, "N")])
        done = ecglens("windows", header, "--out", out / "w.npz")
        assert done.code == 4
        assert "1 record(s) gave no window" in done.error
        assert f"left out: 3 unreadable window(s) ({reason}); check" in done.error
        assert list(out.iterdir()) == []

    def test_shorter_than_a_window(self, ecglens: Program, tmp_path: Path, out: Path) -> None:
        header = write_record(tmp_path, "r", beats(9, FS), [(0.0, "N")])
        done = ecglens("windows", header, "--out", out / "w.npz")
        assert done.code == 4
        assert "1 record(s) gave no window of the classes N, AF, VF, ST" in done.error
        assert "left out: 1 record(s) shorter than a window; check" in done.error

    def test_predicting_what_is_shorter_than_a_window(
        self, ecglens: Program, tmp_path: Path, model: Path
    ) -> None:
        header = write_record(tmp_path, "r", beats(9, FS))
        done = ecglens("predict", header, "--model", model)
        assert done.code == 4
        assert "record 'r' lasts 9.0 s, shorter than one window of 10 s" in done.err

    def test_a_rhythm_the_map_does_not_know(
        self, ecglens: Program, tmp_path: Path, out: Path
    ) -> None:
        header = write_record(tmp_path, "r", beats(30, FS), [(0.0, "AFIBB")])
        done = ecglens("windows", header, "--out", out / "w.npz")
        assert done.code == 4
        assert "label map 'rhythm4' does not know rhythm 'AFIBB'; did you mean 'AFIB'?" in (
            done.error
        )
        assert "[classes]" in done.error

    def test_records_without_annotations(self, ecglens: Program, tmp_path: Path, out: Path) -> None:
        header = write_record(tmp_path, "r", beats(30, FS))
        done = ecglens("windows", header, "--out", out / "w.npz")
        assert done.code == 4
        assert "rhythms annotated are none; left out: 1 record(s) of no class; check" in done.error

    def test_excluding_everyone(self, ecglens: Program, tmp_path: Path, out: Path) -> None:
        header = write_record(tmp_path, "r", beats(30, FS), [(0.0, "N")])
        done = ecglens("windows", header, "--exclude", "r", "--out", out / "w.npz")
        assert done.code == 4
        assert done.error == "--exclude r leaves no window; exclude fewer records"

    def test_excluding_a_stranger(self, ecglens: Program, windows: Path, out: Path) -> None:
        done = ecglens("windows", windows, "--exclude", "s99", "--out", out / "w.npz")
        assert done.code == 2
        assert "--exclude s99: no window is of that record; did you mean 's09'?" in done.error

    def test_windows_beside_records(
        self, ecglens: Program, windows: Path, collection: Path, out: Path
    ) -> None:
        done = ecglens("windows", windows, collection, "--out", out / "w.npz")
        assert done.code == 2
        assert "windows.npz holds windows; give it alone" in done.error

    def test_a_damaged_file_of_windows(
        self, ecglens: Program, windows: Path, tmp_path: Path, out: Path
    ) -> None:
        small = tmp_path / "w.npz"
        save_windows(load_windows(windows).subset(np.array([0])), small)
        whole = small.read_bytes()
        for size in np.linspace(1, len(whole) - 1, 8).astype(int):
            small.write_bytes(whole[:size])
            done = ecglens("windows", small, "--out", out / "w.npz")
            assert done.code in (3, 4), size
            assert "w.npz" in done.error
        directory = whole.index(b"PK\x01\x02")
        for at in range(directory, len(whole), 11):
            small.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
            done = ecglens("windows", small, "--out", out / "w.npz")
            if done.code:
                assert done.code in (3, 4), at
                assert "w.npz" in done.error

    def test_a_pickle_in_a_file_of_windows(
        self, ecglens: Program, windows: Path, tmp_path: Path, out: Path
    ) -> None:
        with np.load(windows, allow_pickle=False) as found:
            arrays = dict(found)
        arrays["labels"] = arrays["labels"].astype(object)
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        (tmp_path / "w.npz").write_bytes(buffer.getvalue())
        done = ecglens("windows", tmp_path / "w.npz", "--out", out / "w.npz")
        assert done.code == 4
        assert "is not a windows file of ecglens; make one with 'ecglens windows'" in done.error

    def test_a_recording_in_an_npz_is_no_file_of_windows(
        self, ecglens: Program, tmp_path: Path, out: Path
    ) -> None:
        (tmp_path / "w.npz").write_bytes(b"PK\x03\x04 nothing")
        done = ecglens("windows", tmp_path / "w.npz", "--out", out / "w.npz")
        assert done.code == 3
        with zipfile.ZipFile(tmp_path / "w.npz", "w") as archive:
            archive.writestr("readme.txt", "hello")
        assert ecglens("windows", tmp_path / "w.npz", "--out", out / "w.npz").code == 3


class TestEvaluation:
    """Too few people or classes; ``train`` says the same with and without an evaluation."""

    @pytest.fixture
    def made(self, tmp_path: Path) -> Path:
        return tmp_path / "made"

    def test_one_class(
        self, ecglens: Program, made: Path, network: tuple[str, ...], out: Path
    ) -> None:
        write_collection(made, {"a": "N", "b": "N", "c": "N"}, 20.0)
        quick = (*network, "--pca", 0, "--folds", 2)
        for words in (
            ("evaluate", made, *quick),
            ("layers", made, *quick),
            ("train", made, *quick, "--out", out / "m.ecglens"),
            ("train", made, *quick, "--no-evaluate", "--out", out / "m.ecglens"),
        ):
            done = ecglens(*words)
            assert done.code == 5
            assert "class" in done.error
            assert "two" in done.error
            assert "add windows of another" in done.error
        assert list(out.iterdir()) == []

    def test_fewer_people_than_folds(
        self, ecglens: Program, windows: Path, network: tuple[str, ...], out: Path
    ) -> None:
        for verb, more in (("evaluate", ()), ("train", ("--out", out / "m.ecglens"))):
            done = ecglens(verb, windows, *network, "--pca", 0, "--folds", 13, *more)
            assert done.code == 5
            assert "there are 12 subjects; 13 subject-wise folds need 13 people" in done.error
            assert "use 12 folds or add records of other people" in done.error

    def test_a_class_of_one_person(
        self, ecglens: Program, made: Path, network: tuple[str, ...], out: Path
    ) -> None:
        write_collection(made, {"a": "N", "b": "N", "c": "VF"}, 40.0)
        quick = (*network, "--pca", 0, "--folds", 2)
        done = ecglens("evaluate", made, *quick)
        assert done.code == 5
        assert "class 'VF' comes from one subject (made-c)" in done.error
        assert "leave 'VF' out or add another person" in done.error
        done = ecglens("train", made, *quick, "--no-evaluate", "--out", out / "m.ecglens")
        assert done.code == 5
        assert "class 'VF' has 1 subject" in done.error
        assert "add subjects" in done.error

    def test_more_components_than_features(
        self, ecglens: Program, windows: Path, network: tuple[str, ...]
    ) -> None:
        one = ("--layers", "stage1", "--pooling", "mean")
        done = ecglens("evaluate", windows, *network, *one, "--pca", 99)
        assert done.code == 5
        assert "PCA is to make 99 components of 4 features" in done.error
        assert done.error.endswith("or less (--pca 4)")


class TestNetworks:
    @pytest.mark.parametrize(
        ("options", "code", "message"),
        [
            (("--layers", "stage9"), 6, "tiny has no layer 'stage9'; did you mean 'stage3'?"),
            (("--pooling", "maen"), 2, "unknown pooling 'maen'; did you mean 'mean'?"),
            (("--layers", ","), 2, "no layer to extract; name one or more"),
            (("--head", "svm-rfb"), 2, "unknown head 'svm-rfb'; known are"),
            (("--head", "experts"), 2, "experts needs handmade measures"),
            (("--recipe", "salem"), 2, "unknown recipe 'salem'; did you mean 'salem2018'?"),
            (("--weights", "random"), 2, "an ONNX file brings its own weights"),
        ],
    )
    def test_words_that_name_nothing(
        self,
        ecglens: Program,
        windows: Path,
        network: tuple[str, ...],
        options: tuple[str, ...],
        code: int,
        message: str,
    ) -> None:
        done = ecglens("evaluate", windows, *network, "--pca", 0, *options)
        assert done.code == code
        assert message in done.error

    def test_maps_and_heads(
        self, ecglens: Program, windows: Path, collection: Path, network: tuple[str, ...], out: Path
    ) -> None:
        done = ecglens("windows", collection, "--map", "rythm4", "--out", out / "w.npz")
        assert done.code == 2
        assert "no label map 'rythm4'; did you mean 'rhythm4'?" in done.error
        done = ecglens("layers", windows, *network, "--heads", "lda,knnn")
        assert done.code == 2
        assert "did you mean 'knn'?" in done.error
        done = ecglens("layers", windows, *network, "--heads", " , ")
        assert done.code == 2
        assert done.error.startswith("--heads ' , ' names no head; known are svm-rbf, ")

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (("--backbone", "none.onnx"), "cannot read backbone none.onnx: No such file"),
            (("--backbone", "a/b"), "unknown backbone 'a/b'; give ecglens-s, a timm network"),
            (
                ("--backbone", "densenet121", "--weights", "none.safetensors"),
                "cannot read weights none.safetensors: No such",
            ),
            (
                ("--backbone", "densenet121", "--weights", "weights.pt"),
                "weights 'weights.pt' are unknown; give imagenet",
            ),
        ],
    )
    def test_networks_that_cannot_be_had(
        self, ecglens: Program, windows: Path, options: tuple[str, ...], message: str
    ) -> None:
        for words in (("evaluate", windows), ("layers", windows)):
            done = ecglens(*words, *options)
            assert done.code == 6
            assert message in done.error

    def test_weights_for_a_network_that_was_not_named(
        self, ecglens: Program, windows: Path
    ) -> None:
        done = ecglens("evaluate", windows, "--weights", "densenet121.safetensors")
        assert done.code == 2
        assert "ecglens-s has weights of its own" in done.error
        assert "--backbone densenet121" in done.error

    def test_a_network_that_is_none(
        self, ecglens: Program, windows: Path, tiny: Path, tmp_path: Path
    ) -> None:
        whole = tiny.read_bytes()
        damaged = tmp_path / "damaged.onnx"
        for data in (b"", b"hello", whole[: len(whole) // 2]):
            damaged.write_bytes(data)
            done = ecglens("backbones", damaged)
            assert done.code == 6
            assert "damaged" in done.error

    @pytest.mark.slow  # imports torch and timm
    def test_timm_names_and_weights(self, ecglens: Program, windows: Path, tmp_path: Path) -> None:
        pytest.importorskip("timm", reason="needs ecglens[timm]")
        done = ecglens("backbones", "densenet12", "--weights", "random")
        assert done.code == 6
        assert "timm has no network 'densenet12'; did you mean 'densenet121'?" in done.error
        path = tmp_path / "w.safetensors"
        path.write_bytes(b"\x80\x04 no tensors")
        done = ecglens("backbones", "resnet18", "--weights", path)
        assert done.code == 6
        assert "cannot read weights" in done.error
        assert "give a whole .safetensors file" in done.error


def test_a_lead_of_two_rhythms_is_cut_at_the_change(
    ecglens: Program, tmp_path: Path, out: Path
) -> None:
    signal = np.concatenate([beats(25, FS), fibrillation(25, FS)])
    write_record(tmp_path, "r", signal, [(0.0, "N"), (25.0, "VF")])
    said = ecglens("windows", tmp_path / "r", "--out", out / "w.npz", "--json").json
    assert [(row["class"], row["windows"]) for row in said["classes"]] == [("N", 2), ("VF", 2)]


class TestSubjects:
    def test_records_of_one_person_can_be_named(
        self, ecglens: Program, collection: Path, tmp_path: Path
    ) -> None:
        table = tmp_path / "people.csv"
        table.write_text("record,subject\ns00,ann\ns01, ann\nt00,eve\n")
        out = tmp_path / "w.npz"
        done = ecglens("windows", collection, "--subjects", table, "--exclude", "s00", "--out", out)
        assert done.code == 0
        assert not {"s00", "s01"} & set(load_windows(out).records)
        assert "people.csv: 10 of 12 records have no line and keep their own subject" in done.err
        assert "people.csv: 1 of 3 lines are of no record read" in done.err

    def test_names_with_an_ending_are_refused(
        self, ecglens: Program, collection: Path, tmp_path: Path
    ) -> None:
        table = tmp_path / "people.csv"
        table.write_text("record,subject\ns00.hea,ann\ns01.hea,ann\n")
        done = ecglens("windows", collection, "--subjects", table, "--out", tmp_path / "w.npz")
        assert done.code == 2
        assert "no record is called 's00.hea'; did you mean 's00'?" in done.error
        assert not (tmp_path / "w.npz").exists()

    @pytest.mark.parametrize("text", ["", "record,person\ns00,ann\n", "record,subject\ns00,\n"])
    def test_a_table_without_the_columns(
        self, ecglens: Program, collection: Path, tmp_path: Path, text: str
    ) -> None:
        table = tmp_path / "people.csv"
        table.write_text(text)
        done = ecglens("windows", collection, "--subjects", table, "--out", tmp_path / "w.npz")
        assert done.code == 2
        assert "every line needs a record and a subject" in done.error

    def test_a_table_that_is_not_there(
        self, ecglens: Program, collection: Path, tmp_path: Path
    ) -> None:
        table = tmp_path / "none.csv"
        done = ecglens("windows", collection, "--subjects", table, "--out", tmp_path / "w.npz")
        assert done.code == 2
        assert "cannot read subjects" in done.error


@pytest.mark.parametrize(
    "option", [("--map", "af"), ("--length-s", 5), ("--leads", "V5"), ("--fs-out", 250)]
)
def test_options_without_effect_on_windows_are_refused(
    ecglens: Program, windows: Path, tmp_path: Path, option: tuple[object, ...]
) -> None:
    done = ecglens("windows", windows, *option, "--out", tmp_path / "w.npz")
    assert done.code == 2
    assert f"so {option[0]} has no effect" in done.error
