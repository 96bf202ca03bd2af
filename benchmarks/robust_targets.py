"""What is read in the matrix: each target's good file, its damages and its hostile inputs."""

from __future__ import annotations

import contextlib
import functools
import io
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import robust_files as files
from robust_damage import DAMAGES, damages
from robust_files import write_files
from robust_hostile import (
    MODEL_SPECIALS,
    NETWORK_SPECIALS,
    PLACES,
    WFDB_SPECIALS,
    Special,
)
from robust_worker import Outcome, Try, Watch, attempt, limit_memory

SPECIAL = "special"


@dataclass(frozen=True)
class Target:
    """Something that reads a file.

    Attributes:
        name: of the target.
        sample: makes the good file.
        read: reads a file; whatever it raises but errors of ecglens is a fault.
        specials: inputs that are not damaged but hostile.
        gigabytes: limit of the address space.
        share: how many inputs it gets, in parts of the usual number.
    """

    name: str
    sample: Callable[[], files.Sample]
    read: Callable[[Path], object]
    specials: Sequence[Special] = ()
    gigabytes: float = 3.0
    share: float = 1.0

    def warmed(self) -> Target:
        """Read the good file once, so that all modules are there; return the target."""
        sample = self.good()
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_files(folder, sample.files)
            self.read(folder / sample.opened)
        return self

    def outcome(self, item: Try, top: Path, watch: Watch) -> Outcome:
        """Read the input of a try in an empty folder."""
        limit_memory(self.gigabytes)
        folder, spare = top / "in", top / "tmp"
        folder.mkdir()
        spare.mkdir()
        tempfile.tempdir = str(spare)
        try:
            path = self.prepare(folder, item.kind, item.number)
            return attempt(item.words, lambda: self.read(path), watch, folder, spare)
        finally:
            tempfile.tempdir = None

    def good(self) -> files.Sample:
        """Return the good file."""
        return files.made(self.sample)

    def tries(self, n_tries: int, seed: int) -> Iterator[Try]:
        """Yield all hostile inputs, and damages up to a number."""
        for number in range(len(self.specials)):
            yield Try(self.name, SPECIAL, number)
        wanted = max(0, n_tries - len(self.specials))
        for kind, number in damages(self.good().whole, wanted, seed):
            yield Try(self.name, kind, number)

    def prepare(self, folder: Path, kind: str, number: int) -> Path:
        """Write an input to a folder and return what is to be read."""
        sample = self.good()
        if kind == SPECIAL:
            return self.specials[number].prepare(folder, sample)
        write_files(folder, sample.with_data(DAMAGES[kind](sample.whole, number)))
        return folder / sample.opened


def read_recording(path: Path) -> None:
    """Look for recordings in the folder, read the one, and check what was read."""
    from ecglens.errors import RecordError
    from ecglens.readers import files_of, find_records, read_record

    try:
        find_records(path.parent)
        files_of(path)
    except RecordError:
        pass
    record = read_record(path, fs=files.FS if path.suffix == ".npy" else None)
    record.known_rhythms()
    shape = (len(record.leads), record.n_samples)
    if record.signal.shape != shape or min(shape) < 1 or np.isinf(record.signal).any():
        raise AssertionError(f"a strange record was read: {record.signal.shape}")
    " ".join([*record.lead_names, *record.notes, record.subject_id]).encode()


def _read_windows(path: Path) -> None:
    from ecglens.windows import load_windows

    windows = load_windows(path)
    " ".join(windows.subjects.tolist()).encode()


def _read_features(path: Path) -> None:
    from ecglens.cache import FeatureStore

    store = FeatureStore(path.parent)
    folder = path.parent / "aa"
    folder.mkdir()
    path.rename(folder / "aa.npy")
    block = store.load("aa", 4)
    if block is not None and block.shape[0] != 4:
        raise AssertionError(f"a strange block was read: {block.shape}")


def _features_file() -> files.Sample:
    buffer = io.BytesIO()
    np.save(buffer, files.wave(4, 40).astype(np.float16))
    return files.one("f.npy", buffer.getvalue())


def _read_label_map(path: Path) -> None:
    from ecglens.labels import load_label_map

    found = load_label_map(path)
    for rhythms in found.classes.values():
        found.class_of(rhythms[0])


def _read_database(path: Path) -> None:
    from ecglens.databases import find_database

    find_database(path).person_of("r1")


def _read_subjects(path: Path) -> None:
    from ecglens.cli.work import read_subjects

    read_subjects(path)


def _read_config(path: Path) -> None:
    """Let a verb take its options from a file; what typer refuses is refused."""
    import click
    import typer.main

    from ecglens.cli.app import make_app
    from ecglens.errors import UsageError

    words = ["windows", "--config", str(path), "--help"]
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            typer.main.get_command(make_app()).main(words, standalone_mode=False)
    except click.ClickException as error:
        raise UsageError(error.format_message()) from error


def _read_network(path: Path) -> None:
    from ecglens.backbones import load_backbone

    backbone = load_backbone(path, image_size=(32, 48))
    if not backbone.layers:
        raise AssertionError("a network without layers was read")


def _run_network(path: Path) -> None:
    """Load a network and run it on two images."""
    from ecglens.backbones import load_backbone, make_engine

    backbone = load_backbone(path, image_size=(32, 48))
    height, width = backbone.image_size
    engine = make_engine(backbone, [backbone.layers[-1].name], precision="fp32", threads=1)
    engine.run(np.zeros((2, 3, height, width), dtype=np.float32))


def _read_model(path: Path) -> None:
    """Load a model and judge features with it; the network itself is not run."""
    from ecglens.models import load_model

    model = load_model(path)
    n_features = getattr(model.head, "n_features_in_", 1)
    features = np.zeros((2, min(int(n_features), 100_000)), dtype=np.float32)
    p = np.asarray(model.head.predict_proba(features))
    if p.shape != (2, len(model.classes)):
        raise AssertionError(f"strange probabilities: {p.shape}")


def _model_part(name: str) -> files.Sample:
    return files.model_part(files.model_bytes(), name)


def _head_part(schema: bool) -> files.Sample:
    """Return a model of which the head's description, or its arrays, are damaged."""
    members = files.members_of(files.model_bytes())
    head = files.members_of(members["head.skops"])
    names = [name for name in head if (name == "schema.json") == schema]
    ends = np.cumsum([len(head[name]) for name in names]).tolist()

    def pack(data: bytes) -> bytes:
        parts = zip(names, [0, *ends[:-1]], [*ends[:-1], len(data)], strict=True)
        changed = {name: data[start:end] for name, start, end in parts}
        return files.rehashed({**members, "head.skops": files.zip_of({**head, **changed})})

    inner = b"".join(head[name] for name in names)
    return files.Sample("m.ecglens", "m.ecglens", {"m.ecglens": pack(inner)}, inner, pack)


def _one(name: str, make: Callable[[], bytes]) -> Callable[[], files.Sample]:
    return lambda: files.one(name, make())


def _recordings() -> list[Target]:
    return [
        Target(
            name, make, read_recording, (*PLACES, *(WFDB_SPECIALS if name == "wfdb header" else ()))
        )
        for name, make in files.RECORDINGS.items()
    ]


def _tables() -> list[Target]:
    made: dict[str, tuple[str, bytes, Callable[[Path], Any]]] = {
        "label map": ("map.toml", files.LABEL_MAP, _read_label_map),
        "database entry": ("db.toml", files.DATABASE, _read_database),
        "config": ("c.toml", files.CONFIG, _read_config),
        "subjects": ("s.csv", files.SUBJECTS, _read_subjects),
    }
    return [
        Target(name, functools.partial(files.one, file, data), read, PLACES)
        for name, (file, data, read) in made.items()
    ]


def _models() -> list[Target]:
    more: dict[str, Any] = {"gigabytes": 8.0, "share": 0.5}
    return [
        Target("model file", _one("m.ecglens", files.model_bytes), _read_model, MODEL_SPECIALS,
               **more),
        Target("model manifest", lambda: _model_part("manifest.json"), _read_model, **more),
        Target("model network", lambda: _model_part("backbone.onnx"), _read_model, **more),
        Target("model distance", lambda: _model_part("distance_axes.npy"), _read_model, **more),
        Target("model head, description", lambda: _head_part(True), _read_model, **more),
        Target("model head, arrays", lambda: _head_part(False), _read_model, **more),
        Target("onnx", _one("n.onnx", files.network_file), _read_network, NETWORK_SPECIALS, **more),
        Target("onnx, run", _one("n.onnx", files.network_file), _run_network,
               gigabytes=8.0, share=0.25),
    ]  # fmt: skip


def _all() -> dict[str, Target]:
    own = [
        Target("windows", _one("w.npz", files.windows_file), _read_windows),
        Target("feature cache", _features_file, _read_features),
    ]
    return {target.name: target for target in (*_recordings(), *own, *_tables(), *_models())}


TARGETS: Mapping[str, Target] = _all()
