"""The commands of the matrix: the words of each, the inputs it takes, and where it writes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import robust_files as files
import robust_materials as materials
from robust_files import FS, RECORDINGS, Sample
from robust_hostile import (
    IN_FOLDERS,
    MODEL_SPECIALS,
    NETWORK_SPECIALS,
    PLACES,
    WFDB_SPECIALS,
    Special,
)
from robust_materials import LENGTH_S, SECONDS, material

Make = Callable[[], Sample]
FILE, FOLDER, NOTHING = "file", "folder", ""


@dataclass(frozen=True)
class Role:
    """An input of a command.

    Attributes:
        variants: what may be given, by name; the first is given where another role is damaged.
        specials: hostile inputs for the variant named.
        inside: whether the folder is named to the command, and not the file in it.
        served: whether the address of a server is named that has the files.
    """

    variants: Mapping[str, Make]
    specials: Mapping[str, Sequence[Special]] = field(default_factory=dict)
    inside: bool = False
    served: bool = False


@dataclass(frozen=True)
class Command:
    """A command that is tried.

    Attributes:
        words: the command line; ``{role}`` stands for an input, ``{out}`` for what it writes.
        roles: its inputs.
        out: what it writes: a file, a folder or nothing.
        name: of the file or folder that it writes.
        share: how many tries it gets, in parts of the usual number.
    """

    words: str
    roles: Mapping[str, Role]
    out: str = NOTHING
    name: str = "out"
    share: float = 1.0

    @property
    def verb(self) -> list[str]:
        """The words that name the command: one, or two where it has verbs of its own."""
        return self.words.split()[: 2 if self.words.startswith(("study", "model")) else 1]


def _n(seconds: int = SECONDS) -> int:
    return FS * seconds


def _renamed(make: Make) -> Make:
    return lambda: materials.renamed(make())


LONG: dict[str, Make] = {
    "wfdb header": lambda: materials.wfdb("r.hea"),
    "wfdb signal": lambda: materials.wfdb("r.dat"),
    "wfdb annotation": lambda: materials.wfdb("r.atr"),
    "edf": _renamed(lambda: files.edf(n_records=SECONDS)),
    "edf+d": _renamed(lambda: files.edf(mark="EDF+D", n_records=SECONDS)),
    "bdf": _renamed(lambda: files.edf(bdf=True, n_records=SECONDS)),
    "dicom": _renamed(lambda: files.dicom(_n())),
    "aecg": _renamed(lambda: files.aecg(_n(6))),
    "matlab 5": _renamed(lambda: files.matlab(packed=False, n_samples=_n())),
    "matlab 7": _renamed(lambda: files.matlab(packed=True, n_samples=_n())),
    "csv": _renamed(lambda: files.text(",", _n(6))),
    "tsv": _renamed(lambda: files.text("\t", _n(6))),
    "npy": _renamed(lambda: files.npy(1, _n())),
    "npz": _renamed(lambda: files.npz(n_samples=_n())),
    "npz packed": _renamed(lambda: files.npz(packed=True, n_samples=_n())),
    "parquet": _renamed(lambda: files.parquet(_n())),
}
"""Recordings that are long enough for windows."""

SHORT = {name: make for name, make in RECORDINGS.items() if name not in LONG}
_OF_WFDB = {"wfdb header": (*PLACES, *WFDB_SPECIALS)}
RECORD = Role({**LONG, **SHORT}, {**dict.fromkeys(LONG, PLACES), **_OF_WFDB})
ANNOTATED = Role(
    {name: make for name, make in LONG.items() if name.startswith(("wfdb", "edf+"))}, _OF_WFDB
)
RECORDS = Role(LONG, _OF_WFDB, inside=True)


def _one(name: str, make: Callable[[], bytes]) -> Make:
    return lambda: files.one(name, make())


def _role(name: str, make: Callable[[], bytes], what: str = "file") -> Role:
    return Role({what: _one(name, make)}, {what: PLACES})


def _model_part(name: str) -> Make:
    return lambda: files.model_part(material("m.ecglens"), name)


MODEL = Role(
    {
        "file": _one("m.ecglens", lambda: material("m.ecglens")),
        "manifest": _model_part("manifest.json"),
        "network": _model_part("backbone.onnx"),
        "head": _model_part("head.skops"),
        "axes": _model_part("distance_axes.npy"),
    },
    {"file": MODEL_SPECIALS},
)
NETWORK = Role({"onnx": _one("n.onnx", files.network_file)}, {"onnx": NETWORK_SPECIALS})
WINDOWS = Role(
    {"file": _one("w.npz", lambda: material("w.npz")), **{k: LONG[k] for k in ("wfdb header",)}},
    {"file": PLACES},
)
STUDIED = _role("w.npz", lambda: material("w.npz"))
MAP = _role("map.toml", lambda: materials.LABEL_MAP)
CONFIG = _role("c.toml", lambda: materials.CONFIG)
SUBJECTS = _role("s.csv", lambda: materials.SUBJECTS)
RESULTS = Role(
    {
        name: functools.partial(materials.results, name)
        for name in ("r/episodes.csv", "r/summary.json", "r/windows.csv", "records.csv")
    },
    {"r/episodes.csv": IN_FOLDERS, "r/summary.json": IN_FOLDERS},
    inside=True,
)
SERVED = Role(
    {
        "SHA256SUMS.txt": functools.partial(materials.served, "SHA256SUMS.txt"),
        "RECORDS": functools.partial(materials.served, "RECORDS"),
        **{
            f"{name}, told": functools.partial(materials.served, name, told=True)
            for name in ("RECORDS", "r.hea", "r.dat", "r.atr")
        },
        "r.dat, not told": functools.partial(materials.served, "r.dat"),
    },
    served=True,
)  # fmt: skip
DATA = Role(
    {
        name: functools.partial(materials.data_folder, f"afdb/04015.{name}")
        for name in ("hea", "dat", "atr")
    },
    inside=True,
)
ENTRY = _role("db.toml", lambda: materials.database("https://example.org/mine/"))

_NETWORK = "--backbone {network} --layers stage2 --pooling mean --cache cache"
_QUICK = "--folds 2 --bootstrap 3"
_HEAD = "--head lda --pca 4"
_CUT = f"--length-s {LENGTH_S} --fs-out {FS} --fs {FS} --map {{map}}"

COMMANDS: Mapping[str, Command] = {
    "windows": Command(
        f"windows {{record}} --out {{out}} {_CUT} --subjects {{subjects}} --config {{config}}",
        {"record": RECORD, "map": MAP, "subjects": SUBJECTS, "config": CONFIG}, FILE, "w.npz", 2.0,
    ),
    "windows, folder": Command(
        f"windows {{record}} --out {{out}} {_CUT}", {"record": RECORDS, "map": MAP}, FILE, "w.npz",
    ),
    "features": Command(
        f"features {{windows}} --out {{out}} {_NETWORK} --config {{config}}",
        {"windows": WINDOWS, "network": NETWORK, "config": CONFIG}, FILE, "f.npz",
    ),
    "evaluate": Command(
        f"evaluate {{windows}} --out {{out}} {_NETWORK} {_HEAD} {_QUICK}",
        {"windows": WINDOWS, "network": NETWORK}, FOLDER, share=0.7,
    ),
    "layers": Command(
        f"layers {{windows}} --out {{out}} {_NETWORK} --heads lda --pca 4 {_QUICK}",
        {"windows": WINDOWS, "network": NETWORK}, FOLDER,
    ),
    "train": Command(
        f"train {{windows}} --out {{out}} {_NETWORK} {_HEAD} {_QUICK} --config {{config}}",
        {"windows": WINDOWS, "network": NETWORK, "config": CONFIG}, FILE, "t.ecglens",
    ),
    "predict": Command(
        f"predict {{record}} --model {{model}} --out {{out}} --leads first --fs {FS} --explained 1",
        {"record": RECORD, "model": MODEL}, FOLDER, share=2.0,
    ),
    "predict, folder": Command(
        f"predict {{record}} {{more}} --model {{model}} --out {{out}} --fs {FS} --explained 0",
        {"record": RECORDS, "model": MODEL, "more": Role({"edf": files.edf})}, FOLDER,
    ),
    "explain": Command(
        f"explain {{record}} --at 3 --model {{model}} --out {{out}} --fs {FS}",
        {"record": RECORD, "model": MODEL}, FILE, "why.png",
    ),
    "score": Command(
        "score {results} --reference {record} --map {map} --out {out} --bootstrap 3",
        {"results": RESULTS, "record": ANNOTATED, "map": MAP}, FOLDER,
    ),
    "score, annotator": Command(
        "score {results} --reference {record} --annotator atr --map {map} --out {out} "
        "--bootstrap 3",
        {"results": ANNOTATED, "record": ANNOTATED, "map": MAP}, FOLDER, share=0.5,
    ),
    "model verify": Command("model verify {model}", {"model": MODEL}),
    "model card": Command("model card {model}", {"model": MODEL}, share=0.5),
    "backbones": Command("backbones {network} --image-size 32", {"network": NETWORK}, share=0.5),
    "databases": Command("databases {entry} --data data", {"entry": ENTRY}, share=0.5),
    "fetch": Command(
        "fetch {entry} --to {out} --mirror {served}", {"entry": ENTRY, "served": SERVED}, FOLDER,
    ),
    "reproduce, dry": Command(
        "reproduce salem2018 --quick --dry-run --data {data} --backbone {network}",
        {"data": DATA, "network": NETWORK}, share=0.5,
    ),
    "reproduce": Command(
        "reproduce salem2018 --quick --windows {windows} --out {out} --backbone {network} "
        f"--layers stage2 --n-windows 40 --without AF,ST --cache cache {_QUICK}",
        {"windows": STUDIED, "network": NETWORK}, FOLDER, share=0.5,
    ),
    "study learning-curve": Command(
        "study learning-curve {windows} --out {out} --backbone {network} --cache cache "
        f"--levels 1,2 --draws 1 --learners backbone,handmade {_QUICK}",
        {"windows": STUDIED, "network": NETWORK}, FOLDER, share=0.5,
    ),
    "study databases": Command(
        f"study databases {{windows}} --out {{out}} {_NETWORK} {_QUICK}",
        {"windows": STUDIED, "network": NETWORK}, FOLDER, share=0.5,
    ),
    "study stress": Command(
        f"study stress {{windows}} --out {{out}} {_NETWORK} {_QUICK} --kinds gain "
        "--config {config}",
        {"windows": STUDIED, "network": NETWORK, "config": CONFIG}, FOLDER, share=0.5,
    ),
    "demo": Command(
        "demo --patients 12 --hours 0.1 --backbone {network} --out {out}",
        {"network": NETWORK}, FOLDER, share=0.3,
    ),
}  # fmt: skip
