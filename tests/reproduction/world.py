"""Five small databases, each written as PhysioNet's of that name is, with its own recorder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecglens.databases import find_database
from ecglens.readers.wfdb_signals import quiet_wfdb
from ecglens.reproduction.sources import Source, spread
from tests.databases.server import Server
from tests.signals_of import beats, fibrillation

SECONDS = 110.0
N_RECORDS = 4
SMALL_SOURCES = (
    Source("nsrdb", ("N",), n_records=N_RECORDS, minutes=10),
    Source("afdb", ("AF",), n_records=N_RECORDS, minutes=60),
    Source("vfdb", ("VF",), n_records=N_RECORDS),
    Source("cudb", ("VF",), n_records=N_RECORDS),
    Source("edb", ("ST",), n_records=N_RECORDS, minutes=60, leads="all"),
)
Notes = list[tuple[float, str, str]]
Signal = npt.NDArray[np.float32]


def names_of(database: str) -> tuple[str, ...]:
    entry = find_database(database)
    there = [name for name in entry.records if name not in entry.no_signal]
    return spread(there, N_RECORDS)


def write_world(top: Path) -> Path:
    """Write all records; each has the class its database is made for, and N where that has it."""
    for database in ("nsrdb", "afdb", "vfdb", "cudb", "edb"):
        folder = top / database
        folder.mkdir(parents=True)
        for number, name in enumerate(names_of(database)):
            _write(folder, name, database, seed=len(database) * 100 + number)
    return top


def serve_world(server: Server, top: Path) -> None:
    for folder in top.iterdir():
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        server.add(folder.name, "1.0.0", files)


def _write(folder: Path, name: str, database: str, seed: int) -> None:
    fs = {"nsrdb": 128}.get(database, 250)
    half = SECONDS / 2
    normal, other = beats(half, fs, seed=seed), _other(database, half, fs, seed)
    signal = np.concatenate([normal, other])
    leads = [signal, np.roll(signal, 7)] if database == "edb" else [signal]
    notes: dict[str, Notes] = {
        "nsrdb": [(0.2, "N", ""), (50.0, "S", ""), (SECONDS - 0.2, "N", "")],
        "afdb": [(0.0, "+", "(N"), (half, "+", "(AFIB")],
        "vfdb": [(0.0, "+", "(N"), (half, "+", "(VF")],
        "cudb": [(1.0, "N", ""), (half, "[", ""), (SECONDS - 1, "]", "")],
        "edb": [(0.0, "+", "(N"), (half, "s", "(ST0-"), (SECONDS - 1, "s", "ST0-)")],
    }
    with quiet_wfdb() as wfdb:
        wfdb.wrsamp(
            name, fs=fs, units=["mV"] * len(leads), sig_name=["V4", "MLIII"][: len(leads)],
            fmt=["16"] * len(leads), p_signal=np.stack(leads, axis=1).astype(float),
            adc_gain=[1000.0] * len(leads), baseline=[0] * len(leads), write_dir=str(folder),
        )  # fmt: skip
        times, symbols, texts = zip(*notes[database], strict=True)
        wfdb.wrann(
            name, "atr", np.array([round(t * fs) for t in times]), list(symbols),
            aux_note=list(texts), write_dir=str(folder),
        )  # fmt: skip


def _other(database: str, seconds: float, fs: float, seed: int) -> Signal:
    """Return the second half of a record: what the database is made for."""
    if database == "nsrdb":
        return beats(seconds, fs, seed=seed + 50)
    if database == "afdb":
        return beats(seconds, fs, jitter=0.6, rate_hz=1.7, seed=seed)
    if database == "edb":
        step = np.exp(-np.arange(round(0.3 * fs)) / (0.1 * fs))
        made = beats(seconds, fs, seed=seed + 50)
        lowered = made - 0.06 * np.convolve(made, step)[: made.size]
        return np.asarray(lowered, dtype=np.float32)
    return fibrillation(seconds, fs, hz=4.5, seed=seed)
