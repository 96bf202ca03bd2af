"""Good inputs of commands, made once and kept in a folder that the environment names.

Records last 12 s and windows 3 s, so that a command that gets them does all of its work.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

import robust_files as files
from robust_files import FS, Sample, write_files

VARIABLE = "ECGLENS_ROBUST_MATERIALS"
LENGTH_S, SECONDS = 3, 12
RECORD = "r"
LABEL_MAP = b"""name = "mine"
description = "three classes"
[classes]
N = ["N", "SBR"]
AF = ["AFIB", "AFL"]
VF = ["VF"]
[ignore]
rhythms = ["NOISE"]
"""
CONFIG = b"""random-state = 3
[train]
smooth = true
[study.stress]
bootstrap = 2
"""
SUBJECTS = b"record,subject\nr,person1\nm,person2\np,person3\n"
REFERENCES = b"record,start_s,end_s,label\nr,0,6,AF\nr,6,12,N\n"


def make_materials(folder: Path) -> None:
    """Write all materials into a folder, and name it in the environment."""
    from ecglens.batch import BatchSettings, predict_files
    from ecglens.windows import save_windows

    folder.mkdir(exist_ok=True)
    (folder / "n.onnx").write_bytes(files.network_file())
    (folder / "m.ecglens").write_bytes(files.model_file(seconds=LENGTH_S))
    windows = files.wave_windows(LENGTH_S, 24, 2)
    two = np.repeat(["made", "other"], len(windows) // 2)
    save_windows(replace(windows, databases=two), folder / "w.npz")
    write_files(folder / "records", wfdb("r.hea").files)
    found = predict_files(
        folder / "m.ecglens",
        [folder / "records" / "r.hea"],
        folder / "results",
        settings=BatchSettings("first", explained=0),
    )
    with contextlib.closing(found):
        for result in found:
            if result.error is not None:
                raise result.error
    os.environ[VARIABLE] = str(folder)


@functools.cache
def material(name: str) -> bytes:
    """Return the bytes of a material."""
    return Path(os.environ[VARIABLE], name).read_bytes()


def tree_of(folder: Path) -> Iterator[Path]:
    """Yield all that is no folder under a folder, links not followed."""
    for place, _, names in os.walk(folder):
        for name in names:
            yield Path(place, name)


def wfdb(damaged: str) -> Sample:
    """Return an annotated WFDB record, half of it AF and half of it normal."""
    n = FS * SECONDS
    header = f"r 1 {FS} {n}\nr.dat 16 200(0)/mV 16 0 0 0 0 II\n# a comment\n"
    counts = np.rint(200 * files.wave(1, n)[0]).astype("<i2").tobytes()
    marks = files.annotation(first=1, change=40, step=80, n_beats=7)
    parts = {"r.hea": header.encode(), "r.dat": counts, "r.atr": marks}
    return Sample("r.hea", damaged, parts)


def renamed(sample: Sample) -> Sample:
    """Return a sample of one file under the record's name."""
    ending = Path(sample.opened).suffix
    return files.one(f"{RECORD}{ending}", sample.files[sample.opened])


def results(damaged: str) -> Sample:
    """Return a folder of results of predict, of which a file is damaged."""
    top = Path(os.environ[VARIABLE], "results")
    found = {str(path.relative_to(top)): path.read_bytes() for path in tree_of(top)}
    return Sample(".", damaged, {name: data for name, data in found.items() if name[0] != "."})


def data_folder(damaged: str) -> Sample:
    """Return a folder of databases with a record of one of them."""
    record = wfdb("r.hea").files
    parts = {f"afdb/04015{Path(name).suffix}": data for name, data in record.items()}
    header = parts["afdb/04015.hea"].replace(b"r 1", b"04015 1").replace(b"r.dat", b"04015.dat")
    return Sample(".", damaged, {**parts, "afdb/04015.hea": header})


def sums_of(content: Mapping[str, bytes]) -> bytes:
    """Return a list of checksums as PhysioNet has it."""
    import hashlib

    lines = [f"{hashlib.sha256(data).hexdigest()} {name}\n" for name, data in content.items()]
    return "".join(lines).encode()


def served(damaged: str, *, told: bool = False) -> Sample:
    """Return what a server has of a database of one record.

    Args:
        damaged: the file that is damaged.
        told: whether the list of checksums is right about the damaged file.
    """
    parts = {**wfdb("r.hea").files, "RECORDS": b"r\n"}
    whole = {**parts, "SHA256SUMS.txt": sums_of(parts)}
    if not told:
        return Sample(".", damaged, whole)

    class Told(Sample):
        def with_data(self, data: bytes) -> dict[str, bytes]:
            changed = {**parts, damaged: data}
            return {**changed, "SHA256SUMS.txt": sums_of(changed)}

    return Told(".", damaged, whole)


def database(address: str) -> bytes:
    """Return the entry of a database of one's own."""
    return files.DATABASE.replace(b'["r1", "r2"]', b'["r"]').replace(
        b"https://example.org/mine/", address.encode()
    )
