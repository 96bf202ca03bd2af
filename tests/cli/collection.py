"""Annotated WFDB records on disk, and the program run in this process."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecglens.readers.wfdb_signals import quiet_wfdb
from tests.signals_of import record_of

FS = 100
RHYTHMS = ("N", "AFIB", "VF")
N_PEOPLE = 12
SECONDS = 60.0
Span = tuple[float, str]


@dataclass(frozen=True)
class Outcome:
    """What one run of the program left: exit code, stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found

    @property
    def error(self) -> str:
        """The message, after a check that it is the one line that a person sees."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("ecglens: error: ")
        assert "Traceback" not in self.err
        return lines[0].removeprefix("ecglens: error: ")


Program = Callable[..., Outcome]


def write_record(
    folder: Path,
    name: str,
    signal: npt.ArrayLike,
    rhythms: Sequence[Span] = (),
    *,
    fs: int = FS,
    gain: float = 1000.0,
) -> Path:
    """Write one lead in mV with rhythm changes (start_s, rhythm) and return the header's path."""
    folder.mkdir(parents=True, exist_ok=True)
    values = np.asarray(signal, dtype=np.float64).reshape(-1, 1)
    with quiet_wfdb() as wfdb:
        wfdb.wrsamp(
            name, fs=fs, units=["mV"], sig_name=["II"], fmt=["16"], p_signal=values,
            adc_gain=[gain], baseline=[0], write_dir=str(folder),
        )  # fmt: skip
        if rhythms:
            samples = np.array([round(start * fs) for start, _ in rhythms])
            wfdb.wrann(
                name, "atr", samples, symbol=["+"] * len(rhythms),
                aux_note=[f"({rhythm}" for _, rhythm in rhythms], fs=fs, write_dir=str(folder),
            )  # fmt: skip
    return folder / f"{name}.hea"


def write_collection(folder: Path, people: Mapping[str, str], seconds: float = SECONDS) -> Path:
    """Write one record of one rhythm for each person; return the folder."""
    for seed, (name, rhythm) in enumerate(people.items()):
        made = record_of(rhythm, seconds, FS, seed=seed)
        write_record(folder, name, made.signal[0], [(0.0, rhythm)])
    return folder


def files_in(folder: Path) -> list[str]:
    """Names of all files under a folder, hidden and unfinished ones too."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
