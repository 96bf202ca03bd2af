"""Small good files of every kind that ecglens reads, made by code, to be damaged.

A :class:`Sample` is what lies in a folder and which file of it is named to the reader.
"""

from __future__ import annotations

import functools
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from ecglens.windows import Windows

# Names a file that :func:`model_file` made before, which takes some seconds.
MODEL_VARIABLE = "ECGLENS_ROBUST_MODEL"
FS = 100
N_SAMPLES = 300
GENERAL_ECG = "1.2.840.10008.5.1.4.1.1.9.1.2"


@dataclass(frozen=True)
class Sample:
    """Files of a folder by their names, of which ``opened`` is read and ``damaged`` is damaged.

    Where ``inner`` is given, it is damaged, and ``pack`` makes the file of what is left of it: so
    what lies behind a checksum or a compression is reached too.
    """

    opened: str
    damaged: str
    files: Mapping[str, bytes] = field(repr=False)
    inner: bytes | None = field(default=None, repr=False)
    pack: Callable[[bytes], bytes] = field(default=bytes, repr=False)

    def with_data(self, data: bytes) -> dict[str, bytes]:
        """Return the files with other content in place of the damaged one's."""
        return {**self.files, self.damaged: self.pack(data)}

    @property
    def whole(self) -> bytes:
        """The content that is to be damaged."""
        return self.files[self.damaged] if self.inner is None else self.inner


def write_files(folder: Path, content: Mapping[str, bytes]) -> None:
    """Write files, whose names may have folders."""
    for name, data in content.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)


@functools.cache
def made(make: Callable[[], Sample]) -> Sample:
    """Return a sample, made once."""
    return make()


def one(name: str, data: bytes) -> Sample:
    """Return a sample of one file."""
    return Sample(name, name, {name: data})


def wave(n_leads: int = 1, n_samples: int = N_SAMPLES) -> npt.NDArray[np.float64]:
    """Return leads in mV, shape (n_leads, n_samples)."""
    time = np.arange(n_samples) / FS
    return np.stack([np.sin(7 * time * (1 + lead)) for lead in range(n_leads)])


def _counts(n_leads: int = 1, n_samples: int = N_SAMPLES) -> npt.NDArray[np.int16]:
    return np.rint(200 * wave(n_leads, n_samples)).astype(np.int16)


def annotation(first: int = 5, change: int = 20, step: int = 40, n_beats: int = 3) -> bytes:
    """Return AF, beats, a normal rhythm, as many beats and an end, in the MIT format.

    Args:
        first: sample of the first rhythm.
        change: samples from the last beat of AF to the second rhythm.
        step: samples from beat to beat.
        n_beats: of each rhythm.
    """

    def mark(code: int, later: int, text: bytes = b"") -> bytes:
        found = (code << 10 | later).to_bytes(2, "little")
        if text:
            found += (63 << 10 | len(text)).to_bytes(2, "little") + text + b"\0" * (len(text) % 2)
        return found

    beats = mark(1, step) * n_beats
    return mark(28, first, b"(AFIB\0") + beats + mark(28, change, b"(N\0") + beats + b"\0\0"


def _wfdb(damaged: str) -> Sample:
    header = (
        f"r 2 {FS} {N_SAMPLES} 10:00:00 01/02/2003\n"
        "r.dat 16 200(0)/mV 16 0 0 0 0 II\nr.dat 16 200(0)/mV 16 0 0 0 0 V1\n# a comment\n"
    )
    data = np.ascontiguousarray(_counts(2).T).astype("<i2").tobytes()
    files = {"r.hea": header.encode(), "r.dat": data, "r.atr": annotation()}
    return Sample("r.hea", damaged, files)


def _wfdb_segments() -> Sample:
    part = f"a 1 {FS} {N_SAMPLES}\na.dat 16 200/mV 16 0 0 0 0 II\n"
    whole = f"m/3 1 {FS} {2 * N_SAMPLES + 50}\na {N_SAMPLES}\n~ 50\na {N_SAMPLES}\n"
    data = _counts().astype("<i2").tobytes()
    return Sample(
        "m.hea", "m.hea", {"m.hea": whole.encode(), "a.hea": part.encode(), "a.dat": data}
    )


def _wfdb_packed(storage: str, n_bytes: int, damaged: str) -> Sample:
    header = f"p 1 {FS} 200\np.dat {storage} 200/mV 16 0 0 0 0 II\n"
    data = np.random.default_rng(0).integers(0, 256, n_bytes, dtype=np.uint8).tobytes()
    return Sample("p.hea", damaged, {"p.hea": header.encode(), "p.dat": data})


def _wfdb_flac() -> Sample:
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, _counts()[0], FS, format="FLAC", subtype="PCM_16")
    header = f"f 1 {FS} {N_SAMPLES}\nf.dat 516 200/mV 16 0 0 0 0 II\n"
    return Sample("f.hea", "f.dat", {"f.hea": header.encode(), "f.dat": buffer.getvalue()})


def edf(*, bdf: bool = False, mark: str = "", n_records: int = 3) -> Sample:
    """Return an EDF (or BDF) file of data records of one second; with a mark, annotations."""
    width = 3 if bdf else 2
    signals = [("ECG II", "uV", -3000, 3000, -30000, 30000, FS)]
    if mark:
        signals.append((f"{mark[:3]} Annotations", "", -1, 1, -32768, 32767, 24))

    def cell(value: object, size: int) -> bytes:
        return str(value).encode("latin-1").ljust(size)

    head = (b"\xffBIOSEMI" if bdf else cell(0, 8)) + cell("X X X X", 80)
    head += cell("Startdate 02-MAR-2002", 80) + cell("02.03.02", 8) + cell("10.00.00", 8)
    head += cell(256 * (len(signals) + 1), 8) + cell(mark, 44) + cell(n_records, 8) + cell(1, 8)
    head += cell(len(signals), 4)
    for place, size in ((0, 16), (None, 80), (1, 8), (2, 8), (3, 8), (4, 8), (5, 8), (None, 80)):
        head += b"".join(cell("" if place is None else s[place], size) for s in signals)
    head += b"".join(cell(s[6], 8) for s in signals) + cell("", 32 * len(signals))
    counts = np.rint(20000 * wave(1, FS * n_records)[0]).astype("<i4").view(np.uint8)
    body = b""
    for record in range(n_records):
        body += counts.reshape(-1, 4)[record * FS : (record + 1) * FS, :width].tobytes()
        if mark:
            lists = f"+{record}\x14\x14\0+{record}.5\x15{0.25}\x14AFIB\x14\0".encode()
            body += lists.ljust(24 * width, b"\0")
    return one("e.bdf" if bdf else "e.edf", head + body)


def dicom(n_samples: int = N_SAMPLES) -> Sample:
    """Return a DICOM waveform."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    def coded(meaning: str, value: str) -> list[Dataset]:
        item = Dataset()
        item.CodeValue, item.CodeMeaning, item.CodingSchemeDesignator = value, meaning, "MDC"
        return [item]

    channel, group, found = Dataset(), Dataset(), Dataset()
    channel.ChannelSourceSequence = coded("Lead II", "1")
    channel.ChannelSensitivityUnitsSequence = coded("unit", "uV")
    channel.ChannelSensitivity, channel.ChannelBaseline = 2.5, 0
    channel.ChannelSensitivityCorrectionFactor = 1
    group.WaveformOriginality, group.MultiplexGroupLabel = "ORIGINAL", "RHYTHM"
    group.NumberOfWaveformChannels, group.NumberOfWaveformSamples = 1, n_samples
    group.SamplingFrequency, group.ChannelDefinitionSequence = FS, [channel]
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 16, "SS"
    group.add_new("WaveformData", "OW", _counts(1, n_samples).tobytes())
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    found.file_meta.MediaStorageSOPClassUID = found.SOPClassUID = GENERAL_ECG
    found.file_meta.MediaStorageSOPInstanceUID = found.SOPInstanceUID = "1.2.3"
    found.PatientID, found.WaveformSequence = "4711", [group]
    buffer = io.BytesIO()
    found.save_as(buffer, enforce_file_format=True)
    return one("d.dcm", buffer.getvalue())


def aecg(n_samples: int = 60) -> Sample:
    """Return an HL7 annotated ECG."""
    digits = " ".join(map(str, _counts(1, n_samples)[0].tolist()))
    times = '<value><head value="20021122091000"/><increment value="0.01" unit="s"/></value>'
    lead = (
        '<component><sequence><code code="MDC_ECG_LEAD_II"/><value><origin value="0" unit="uV"/>'
        f'<scale value="2.5" unit="uV"/><digits>{digits}</digits></value></sequence></component>'
    )
    inside = f'<component><sequence><code code="TIME_ABSOLUTE"/>{times}</sequence></component>'
    text = (
        '<?xml version="1.0" encoding="utf-8"?><AnnotatedECG xmlns="urn:hl7-org:v3"><component>'
        f'<series><code code="RHYTHM"/><component><sequenceSet>{inside}{lead}</sequenceSet>'
        "</component></series></component></AnnotatedECG>"
    )
    return one("x.xml", text.encode())


def matlab(*, packed: bool, version: str = "5", n_samples: int = 100) -> Sample:
    """Return a MATLAB file of version 4 or 5, or 7 where it is packed."""
    from scipy.io import savemat

    buffer = io.BytesIO()
    table = {"val": _counts(2, n_samples), "fs": float(FS), "gain": 200.0}
    savemat(buffer, table, format=version, do_compression=packed)
    return one("m.mat", buffer.getvalue())


def _matlab_73() -> Sample:
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w", userblock_size=512) as file:
        file.create_dataset("val", data=_counts(2, 100).T, compression="gzip")
        file["fs"] = np.array([[float(FS)]])
        file["val"].attrs["MATLAB_class"] = np.bytes_(b"int16")
    head = b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM"
    return one("h.mat", head.ljust(512, b"\0") + buffer.getvalue()[512:])


def text(sign: str, n_samples: int = 60) -> Sample:
    """Return a table of text with a time column and a sign between the columns."""
    rows = [f"time_s{sign}II (uV){sign}V1 (mV)"]
    signal = wave(2, n_samples)
    rows += [f"{i / FS:.2f}{sign}{1000 * a:.1f}{sign}{b:.4f}" for i, (a, b) in enumerate(signal.T)]
    return one("t.csv" if sign == "," else "t.tsv", "\n".join(rows).encode())


def npy(n_leads: int = 2, n_samples: int = N_SAMPLES) -> Sample:
    """Return an NPY file of a recording."""
    buffer = io.BytesIO()
    np.save(buffer, wave(n_leads, n_samples).astype(np.float32))
    return one("n.npy", buffer.getvalue())


def npz(*, packed: bool = False, n_samples: int = 60) -> Sample:
    """Return an NPZ file of a recording."""
    buffer = io.BytesIO()
    save = np.savez_compressed if packed else np.savez
    save(
        buffer,
        signal=_counts(2, n_samples),
        fs=np.array(float(FS)),
        leads=np.array(["II", "V1"]),
        gain=np.array(200.0),
        subject=np.array("s1"),
    )
    return one("z.npz", buffer.getvalue())


def parquet(n_samples: int = 200) -> Sample:
    """Return a Parquet table of a recording."""
    import pyarrow
    import pyarrow.parquet

    signal = wave(2, n_samples)
    table = pyarrow.table({"time": np.arange(n_samples) / FS, "II": signal[0], "V1": signal[1]})
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(table, buffer, row_group_size=64)
    return one("q.parquet", buffer.getvalue())


RECORDINGS: Mapping[str, Callable[[], Sample]] = {
    "wfdb header": lambda: _wfdb("r.hea"),
    "wfdb signal": lambda: _wfdb("r.dat"),
    "wfdb annotation": lambda: _wfdb("r.atr"),
    "wfdb segments": _wfdb_segments,
    "wfdb format 212": lambda: _wfdb_packed("212", 300, "p.dat"),
    "wfdb format 8": lambda: _wfdb_packed("8", 200, "p.hea"),
    "wfdb flac": _wfdb_flac,
    "edf": edf,
    "edf+d": lambda: edf(mark="EDF+D"),
    "bdf": lambda: edf(bdf=True),
    "dicom": dicom,
    "aecg": aecg,
    "matlab 4": lambda: matlab(packed=False, version="4"),
    "matlab 5": lambda: matlab(packed=False),
    "matlab 7": lambda: matlab(packed=True),
    "matlab 7.3": _matlab_73,
    "csv": lambda: text(","),
    "tsv": lambda: text("\t"),
    "npy": npy,
    "npz": npz,
    "npz packed": lambda: npz(packed=True),
    "parquet": parquet,
}

LABEL_MAP = b"""name = "mine"
description = "two classes"
[classes]
N = ["N", "SBR"]
AF = ["AFIB", "AFL"]
[ignore]
rhythms = ["NOISE"]
"""
DATABASE = b"""name = "mine"
address = "https://example.org/mine/"
title = "A database"
version = "1.0.0"
fs = 250
n_records = 2
records = ["r1", "r2"]
taken = 2026-01-02
[subjects]
pattern = "r(\\\\d)"
p1 = ["r1"]
[subjects.shared]
r2 = "mitdb/100"
[annotations]
description = "rhythms"
annotators = ["atr"]
names = {AF = "AFIB"}
to_last_mark = true
[table]
files = ["labels.csv"]
record = ["name"]
label = "label"
[[table.rules]]
rhythm = "AFIB"
any = ["AF"]
"""
CONFIG = b"""json = true
random-state = 3
[windows]
length-s = 10.0
leads = "first"
"""
SUBJECTS = b"record,subject\nr,person1\nm,person2\n"


def windows_file() -> bytes:
    """Return a file of windows as :func:`ecglens.windows.save_windows` writes it."""
    from ecglens.windows import Windows, save_windows

    n = 4
    words = {name: np.array([f"{name}{i % 2}" for i in range(n)]) for name in _TEXTS}
    windows = Windows(
        X=wave(n, 10 * FS).astype(np.float32),
        fs=float(FS),
        start_s=np.arange(n, dtype=np.float64) * 10,
        **{**words, "labels": np.array(["N", "AF"] * 2)},
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "w.npz")
        save_windows(windows, path)
        return path.read_bytes()


_TEXTS = ("labels", "subjects", "records", "databases", "leads")


@functools.cache
def network_file() -> bytes:
    """Return a small ONNX network of three layers: convolutions with an activation each."""
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    nodes, weights, source, n_in = [], [], "images", 3
    for number, n_out in enumerate((4, 6, 8), 1):
        kernel = random.normal(0, (2 / (9 * n_in)) ** 0.5, (n_out, n_in, 3, 3))
        weights.append(numpy_helper.from_array(kernel.astype(np.float32), f"w{number}"))
        sizes = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
        nodes.append(helper.make_node("Conv", [source, f"w{number}"], [f"c{number}"], **sizes))
        nodes.append(helper.make_node("Relu", [f"c{number}"], [f"stage{number}"]))
        source, n_in = f"stage{number}", n_out
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, 32, 48])
    outputs = [
        helper.make_tensor_value_info(
            f"stage{number}", TensorProto.FLOAT, ["n", n_out, 32 >> number, 48 >> number]
        )
        for number, n_out in enumerate((4, 6, 8), 1)
    ]
    graph = helper.make_graph(nodes, "small", [images], outputs, weights)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(made.SerializeToString())


def wave_windows(seconds: int = 10, n_windows: int = 32, per_person: int = 4) -> Windows:
    """Return windows of waves of two kinds, a slow one called N and a fast one called VF."""
    from ecglens.windows import Windows

    random = np.random.default_rng(0)
    n, time = n_windows, np.arange(seconds * FS) / FS
    labels = np.array(["N", "VF"] * (n // 2))
    rates = np.where(labels == "N", 1.5, 5.0)[:, None] + random.uniform(-0.3, 0.3, (n, 1))
    people = np.array([f"p{i // per_person}" for i in range(n)])
    return Windows(
        X=np.sin(2 * np.pi * rates * time).astype(np.float32),
        fs=float(FS),
        start_s=np.zeros(n),
        labels=labels,
        subjects=people,
        records=people,
        databases=np.full(n, "made"),
        leads=np.full(n, "II"),
    )


def model_file(head: str = "svm-memory", *, seconds: int = 10) -> bytes:
    """Return a model file of a small network, trained on waves of two kinds."""
    from ecglens.backbones import load_backbone
    from ecglens.images import IMAGE_PRESETS, ImageSettings
    from ecglens.models import save_model, train_model
    from ecglens.recipes import Recipe

    settings = IMAGE_PRESETS["default"].sized(32, 48).to_dict()
    with tempfile.TemporaryDirectory() as folder:
        network, out = Path(folder, "small.onnx"), Path(folder, "m.ecglens")
        network.write_bytes(network_file())
        backbone = load_backbone(network, image_size=(32, 48))
        recipe = Recipe(
            "small", ImageSettings.from_dict(settings), "small", ("stage2",), ("meanstd",), head
        )
        save_model(train_model(wave_windows(seconds), recipe, backbone), out)
        return out.read_bytes()


def model_bytes() -> bytes:
    """Return a model file: the one that the environment names, or one made now."""
    named = os.environ.get(MODEL_VARIABLE)
    return Path(named).read_bytes() if named else model_file()


def members_of(data: bytes) -> dict[str, bytes]:
    """Return the members of a zip by name."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zip_of(members: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip of members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return buffer.getvalue()


def model_part(whole: bytes, name: str) -> Sample:
    """Return a model of which one member is damaged; the hashes follow."""
    members = members_of(whole)

    def pack(data: bytes) -> bytes:
        changed = {**members, name: data}
        return zip_of(changed) if name == "manifest.json" else rehashed(changed)

    return Sample("m.ecglens", "m.ecglens", {"m.ecglens": whole}, members[name], pack)


def rehashed(members: Mapping[str, bytes], **manifest: object) -> bytes:
    """Return a model file whose manifest is right about its members, or changed on purpose."""
    import hashlib

    table = json.loads(members["manifest.json"])
    table["sha256"] = {
        name: hashlib.sha256(data).hexdigest()
        for name, data in members.items()
        if name != "manifest.json"
    }
    return zip_of(
        {
            "manifest.json": json.dumps(table | manifest).encode(),
            **{name: data for name, data in members.items() if name != "manifest.json"},
        }
    )
