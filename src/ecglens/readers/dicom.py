"""DICOM waveforms: 12-lead, general and ambulatory ECG, after DICOM PS3.3, C.10.9."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecglens.errors import RecordError
from ecglens.lead_names import plain_lead
from ecglens.readers.assembly import (
    MAX_LEADS,
    LeadName,
    agree_on_fs,
    choose_leads,
    file_fs,
    make_source,
    subject_of,
)
from ecglens.readers.source import RecordSource
from ecglens.records import FloatArray

MARK_AT, MARK = 128, b"DICM"
_WAVEFORM_STORAGE = "1.2.840.10008.5.1.4.1.1.9."
# Voice, EEG, EOG, EMG and the like; haemodynamics and electrophysiology often hold an ECG.
_NOT_ECG_STORAGE = tuple(_WAVEFORM_STORAGE + end for end in ("4.", "5.", "6.", "7.", "8."))
_DEFLATED = "1.2.840.10008.1.2.1.99"
_BIG_ENDIAN = "1.2.840.10008.1.2.2"  # retired, but not gone
_STORED = {"SB": "i1", "UB": "u1", "SS": "i2", "US": "u2", "SL": "i4", "UL": "u4"}


@dataclass(frozen=True)
class Channel:
    """A lead and how its counts become its unit: ``counts * scale + baseline``."""

    lead: LeadName
    scale: float
    baseline: float


@dataclass(frozen=True)
class Group:
    """A multiplex group: leads sampled together; ``counts`` has shape (n_samples, n_leads)."""

    label: str
    original: bool
    fs: float
    counts: npt.NDArray[np.integer]
    padding: int | None
    channels: tuple[Channel, ...]

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.counts) / self.fs

    @property
    def described(self) -> str:
        """What it is, for messages."""
        kind = "original" if self.original else "derived"
        return f"{self.label or 'no name'} ({kind}, {self.duration_s:.4g} s)"


def is_dicom(head: bytes) -> bool:
    """Tell whether a file that starts with these bytes is DICOM."""
    return head[MARK_AT : MARK_AT + 4] == MARK


def holds_waveform(path: Path) -> bool:
    """Tell whether a DICOM file says that it is a waveform rather than an image; never raises."""
    try:
        with path.open("rb") as file:
            return _WAVEFORM_STORAGE.encode() in file.read(4096)
    except OSError:
        return False


def open_dicom(path: Path, fs: float | None) -> RecordSource:
    """Open a DICOM waveform; its samples are read into memory, as they are stored.

    The longest original group is taken, as the rhythm beside a median beat; others are noted.
    Padding values are missing samples.

    Args:
        path: the file.
        fs: Hz; a file states its own.

    Raises:
        RecordError: the file is damaged, holds no waveform, or none that is an ECG.
    """
    groups, patient = _read(path)
    taken = max(groups, key=lambda group: (group.original, group.duration_s))
    notes = [f"left out, another waveform: {g.described}" for g in groups if g is not taken]
    if not taken.original:
        notes.append(f"the waveform is derived, not as recorded: {taken.described}")
    leads = [channel.lead for channel in taken.channels]
    kept, said = choose_leads(leads, str(path))
    return make_source(
        path,
        DicomSamples(taken, kept),
        [leads[i] for i in kept],
        agree_on_fs(file_fs(taken.fs, str(path)), fs, str(path)),
        notes=[*notes, *said],
        subject_id=subject_of(patient),
        look=False,
    )


class DicomSamples:
    """Samples of some channels of a group; padding is NaN."""

    def __init__(self, group: Group, kept: Sequence[int]) -> None:
        self._group = group
        self._kept = tuple(kept)
        self.n_samples = len(group.counts)

    def read(self, start: int, stop: int, rows: Sequence[int]) -> FloatArray:
        """Return samples [start, stop) of some leads; see :class:`Samples`."""
        found = np.empty((len(rows), stop - start), dtype=np.float32)
        for place, row in enumerate(rows):
            channel = self._group.channels[self._kept[row]]
            counts = self._group.counts[start:stop, self._kept[row]]
            with np.errstate(over="ignore", invalid="ignore"):  # infinities are missing samples
                found[place] = counts * channel.scale + channel.baseline
            if self._group.padding is not None:
                found[place, counts == self._group.padding] = np.nan
        return found


def _read(path: Path) -> tuple[list[Group], str]:
    """Return the groups of a file and the patient's number."""
    import pydicom

    try:
        # pydicom warns of much that does not matter here.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            meta = pydicom.filereader.read_file_meta_info(path)
            syntax = str(meta.get("TransferSyntaxUID", ""))
            if syntax == _DEFLATED:
                raise RecordError(f"{path} is a deflated DICOM file; save it uncompressed")
            found = pydicom.dcmread(path, stop_before_pixels=True)
            _check_kind(path, found)
            order = ">" if syntax == _BIG_ENDIAN else "<"
            groups = [_group(path, item, order) for item in found.WaveformSequence]
            return groups, str(found.get("PatientID", "") or "")
    except RecordError:
        raise
    except Exception as error:
        raise RecordError(
            f"cannot read {path} as DICOM: {type(error).__name__}: {error}; the file is damaged: "
            "get it again"
        ) from error


def _check_kind(path: Path, found: Any) -> None:
    kind = found.get("SOPClassUID", "")
    name = getattr(kind, "name", "") or "a file of unknown kind"
    if not found.get("WaveformSequence"):
        raise RecordError(
            f"{path} is DICOM, but holds no waveform ({name}); give a file of waveform storage"
        )
    if str(kind).startswith(_NOT_ECG_STORAGE):
        raise RecordError(f"{path} is DICOM, but no ECG ({name}); give a recording with an ECG")


def _group(path: Path, item: Any, order: str) -> Group:
    """Return a group whose samples are stored in the byte order ``<`` or ``>``."""
    interpretation = str(item.WaveformSampleInterpretation)
    bits = int(item.WaveformBitsAllocated)
    dtype = np.dtype(order + _STORED.get(interpretation, "V1"))
    if interpretation not in _STORED or bits != 8 * dtype.itemsize:
        raise RecordError(
            f"{path} stores samples as {interpretation!r} of {bits} bits; ecglens reads "
            f"{', '.join(_STORED)} of 8, 16 and 32 bits: save it so"
        )
    n_samples, n_leads = int(item.NumberOfWaveformSamples), int(item.NumberOfWaveformChannels)
    definitions = item.ChannelDefinitionSequence
    if not (0 < n_leads <= MAX_LEADS and len(definitions) == n_leads):
        raise RecordError(
            f"{path} has {n_leads} channels and describes {len(definitions)}; a waveform has 1 to "
            f"{MAX_LEADS}, each described: the file is damaged, get it again"
        )
    data, wanted = item.WaveformData, n_samples * n_leads * dtype.itemsize
    if len(data) < wanted or n_samples == 0:
        raise RecordError(
            f"{path} declares {n_samples} samples of {n_leads} leads and holds {len(data)} bytes "
            f"of {max(wanted, 1)}; the file is cut short: get it again"
        )
    return Group(
        label=str(item.get("MultiplexGroupLabel", "") or ""),
        original=str(item.get("WaveformOriginality", "ORIGINAL")) == "ORIGINAL",
        fs=file_fs(float(item.SamplingFrequency), str(path)),
        counts=np.frombuffer(data, dtype, count=n_samples * n_leads).reshape(n_samples, n_leads),
        padding=_padding(item.get("WaveformPaddingValue"), dtype),
        channels=tuple(_channel(path, each, f"lead{i + 1}") for i, each in enumerate(definitions)),
    )


def _padding(value: Any, dtype: np.dtype[Any]) -> int | None:
    if value is None or isinstance(value, int):
        return value
    return int(np.frombuffer(value, dtype, count=1)[0])


def _channel(path: Path, item: Any, unnamed: str) -> Channel:
    source = (item.get("ChannelSourceSequence") or [{}])[0]
    name = str(source.get("CodeMeaning", "") or item.get("ChannelLabel", "") or unnamed)
    sensitivity = item.get("ChannelSensitivity")
    if sensitivity is None:
        return Channel(LeadName(plain_lead(name), "counts"), 1.0, 0.0)
    units = (item.get("ChannelSensitivityUnitsSequence") or [{}])[0]
    scale = float(sensitivity) * float(item.get("ChannelSensitivityCorrectionFactor") or 1.0)
    baseline = float(item.get("ChannelBaseline") or 0.0)
    if not (math.isfinite(scale) and math.isfinite(baseline) and scale):
        raise RecordError(
            f"{path}: {name!r} has a sensitivity of {scale:g} and a baseline of {baseline:g}; they "
            "must be finite and the sensitivity not 0: correct the file"
        )
    unit = str(units.get("CodeValue", "") or "units unknown")
    return Channel(LeadName(plain_lead(name), unit), scale, baseline)
