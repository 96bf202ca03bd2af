"""Windows: slices of records that get one decision each."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ecglens.databases import subject_of
from ecglens.errors import UsageError, WindowError
from ecglens.files import write_atomically
from ecglens.labels import LabelMap
from ecglens.npy import read_array
from ecglens.records import Record, check_fs
from ecglens.signals import fill_gaps, resample, unreadable_reasons

FloatArray = npt.NDArray[np.float32]
StrArray = npt.NDArray[np.str_]
Index = npt.NDArray[np.intp] | npt.NDArray[np.bool_]
LeadChoice = str | Sequence[str]

_FORMAT = "ecglens-windows-1"
_TEXTS = ("labels", "subjects", "databases", "records", "leads")
_PER_WINDOW = (*_TEXTS, "start_s")


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of one length and one sampling rate, with where each came from.

    Attributes:
        X: float32, shape (n_windows, n_samples), in mV; NaN marks missing samples.
        fs: sampling rate in Hz.
        labels: class of each window, ``""`` where it has none; shape (n_windows,), as below.
        subjects: the person.
        databases: the collection.
        records: the recording.
        leads: the lead.
        start_s: start within the recording in seconds, float64.

    Raises:
        WindowError: shapes disagree or there is no window.
    """

    X: FloatArray
    fs: float
    labels: StrArray
    subjects: StrArray
    databases: StrArray
    records: StrArray
    leads: StrArray
    start_s: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        check_fs(self.fs, "windows")
        if self.X.ndim != 2 or self.X.shape[1] == 0:
            raise WindowError(f"X has shape {self.X.shape}; it must be (n_windows, n_samples)")
        for name in _PER_WINDOW:
            shape = getattr(self, name).shape
            if shape != (len(self.X),):
                raise WindowError(f"{name} has shape {shape} for {len(self.X)} windows")

    def __len__(self) -> int:
        return len(self.X)

    @property
    def length_s(self) -> float:
        """Length of each window in seconds."""
        return int(self.X.shape[1]) / self.fs

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes that occur, in alphabetical order."""
        return tuple(str(label) for label in np.unique(self.labels) if label)

    def subset(self, index: Index) -> Windows:
        """Return the windows that a mask or an index array picks."""
        picked: dict[str, Any] = {name: getattr(self, name)[index] for name in _PER_WINDOW}
        return replace(self, X=self.X[index], **picked)


def concatenate_windows(parts: Sequence[Windows]) -> Windows:
    """Join windows of one length and rate.

    Raises:
        WindowError: nothing to join, or lengths or rates differ.
    """
    if not parts:
        raise WindowError("no windows to join; give at least one set")
    shapes = {(part.fs, part.X.shape[1]) for part in parts}
    if len(shapes) > 1:
        said = ", ".join(f"{n} samples at {fs:g} Hz" for fs, n in sorted(shapes))
        raise WindowError(f"windows differ ({said}); make them with one length and one fs")
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in _PER_WINDOW
    }
    return replace(parts[0], X=np.concatenate([part.X for part in parts]), **joined)


@dataclass(frozen=True)
class WindowRule:
    """How records are cut.

    Attributes:
        length_s: length of a window in seconds, 1 to 600.
        hop_s: from one window's start to the next in seconds; None means ``length_s``.
        purity: share of a window that must carry its class, 0 (exclusive) to 1; the other part
            must not carry a second class. 1 means the whole window.
        fs: common sampling rate of the windows in Hz.
        leads: ``"first"``, ``"all"``, or names in order of preference (the first that a record
            has is used).

    Raises:
        UsageError: a value is out of its range.
    """

    length_s: float = 10.0
    hop_s: float | None = None
    purity: float = 1.0
    fs: float = 125.0
    leads: LeadChoice = "first"

    def __post_init__(self) -> None:
        check_fs(self.fs, "windows")
        if not 1 <= self.length_s <= 600:
            raise UsageError(f"window length must be from 1 to 600 s, got {self.length_s:g} s")
        if not 0 < self.hop <= 600 or self.hop_samples < 1:
            raise UsageError(f"hop must be over 0 and up to 600 s, got {self.hop:g} s")
        if not 0 < self.purity <= 1:
            raise UsageError(f"purity must be over 0 and up to 1, got {self.purity:g}")

    @property
    def hop(self) -> float:
        """Hop in seconds, resolved."""
        return self.length_s if self.hop_s is None else self.hop_s

    @property
    def n_samples(self) -> int:
        """Samples of one window."""
        return round(self.length_s * self.fs)

    @property
    def hop_samples(self) -> int:
        """Samples from one window's start to the next."""
        return round(self.hop * self.fs)


def cut_record(record: Record, rule: WindowRule) -> Windows:
    """Cut a record into windows without labels; unreadable ones are kept.

    Raises:
        WindowError: the record is shorter than one window.
        RecordError: it lacks the leads asked for.
    """
    parts = [_cut_lead(record, row, rule) for row in _rows(record, rule.leads)]
    return concatenate_windows(parts)


def make_windows(
    records: Iterable[Record],
    label_map: LabelMap,
    rule: WindowRule | None = None,
    *,
    subjects: Mapping[str, str] | None = None,
    progress: Callable[[Record, int], None] | None = None,
) -> Windows:
    """Cut annotated records into labelled, readable windows.

    A window gets a class when at least ``rule.purity`` of it lies in rhythm spans of that class
    and no other class touches it. Windows without a class, unreadable windows and records shorter
    than a window are left out.

    Args:
        records: annotated recordings; read one at a time when this is a generator.
        label_map: from rhythms to classes.
        rule: how to cut; ten seconds without overlap at 125 Hz by default.
        subjects: the person of each record by record id, for collections where several records
            are of one person; others keep the subject their reader and database give.
        progress: called after each record with the number of windows it gave.

    Raises:
        WindowError: no record gave a window, or the map does not know a rhythm.
    """
    rule = rule or WindowRule()
    parts: list[Windows] = []
    rhythms: set[str] = set()
    left_out: Counter[str] = Counter()
    n_records = 0
    for record in records:
        n_records += 1
        rhythms.update(span.rhythm for span in record.rhythms)
        part = _labelled(record, label_map, rule, left_out)
        if part is not None and subjects and record.record_id in subjects:
            part = replace(part, subjects=np.full(len(part), subjects[record.record_id]))
        if part is not None and len(part):
            parts.append(part)
        if progress is not None:
            progress(record, 0 if part is None else len(part))
    if not parts:
        found = ", ".join(sorted(rhythms)) or "none"
        lost = ", ".join(f"{n} {what}" for what, n in left_out.items()) or "nothing"
        raise WindowError(
            f"{n_records} record(s) gave no window of the classes {', '.join(label_map.classes)}: "
            f"rhythms annotated are {found}; left out: {lost}; "
            "check the annotations, the label map, the length and the signal"
        )
    return concatenate_windows(parts)


def _labelled(
    record: Record,
    label_map: LabelMap,
    rule: WindowRule,
    left_out: Counter[str],
) -> Windows | None:
    """Return the labelled, readable windows of a record; count what is left out, by reason."""
    spans = _class_spans(record, label_map)
    too_short = round(record.duration_s * rule.fs) < rule.n_samples
    if not spans or too_short:
        left_out["record(s) shorter than a window" if spans else "record(s) of no class"] += 1
        return None
    windows = cut_record(record, rule)
    labels = _labels(windows.start_s, windows.length_s, spans, rule.purity)
    reasons = unreadable_reasons(windows.X, windows.fs)
    left_out.update("window(s) not of one class" for label in labels if label == "")
    left_out.update(
        f"unreadable window(s) ({reason})"
        for label, reason in zip(labels, reasons, strict=True)
        if label and reason
    )
    return replace(windows, labels=labels).subset((labels != "") & (reasons == ""))


def _class_spans(record: Record, label_map: LabelMap) -> list[tuple[float, float, str]]:
    spans = []
    for span in record.rhythms:
        try:
            label = label_map.class_of(span.rhythm)
        except WindowError as error:
            raise WindowError(
                f"record {record.record_id!r} at {span.start_s:.1f} s: {error}"
            ) from error
        if label is not None:
            spans.append((span.start_s, span.end_s, label))
    return spans


def _labels(
    start_s: npt.NDArray[np.float64],
    length_s: float,
    spans: Sequence[tuple[float, float, str]],
    purity: float,
) -> StrArray:
    """Return the class that covers enough of each window, or "" (see :func:`make_windows`)."""
    classes = sorted({label for _, _, label in spans})
    cover = np.zeros((len(start_s), len(classes)))
    for begin, end, label in spans:
        shared = np.minimum(end, start_s + length_s) - np.maximum(begin, start_s)
        cover[:, classes.index(label)] += np.clip(shared, 0, None)
    # Annotations sit on samples of another rate, so a whole window may miss 1 ms of cover.
    tolerance = 1e-3
    pure = cover.max(axis=1) >= purity * length_s - tolerance
    alone = (cover > tolerance).sum(axis=1) == 1
    names = np.array(classes)[cover.argmax(axis=1)]
    return np.where(pure & alone, names, "")


def _rows(record: Record, leads: LeadChoice) -> list[int]:
    if leads == "first":
        return [0]
    if leads == "all":
        return list(range(record.n_leads))
    wanted = [leads] if isinstance(leads, str) else list(leads)
    names = {name.casefold() for name in record.lead_names}
    present = [lead for lead in wanted if lead.casefold() in names]
    return [record.lead_index(present[0] if present else wanted[0])]


def _cut_lead(record: Record, row: int, rule: WindowRule) -> Windows:
    signal = _at_rate(record.signal[row], record.fs, rule.fs)
    if len(signal) < rule.n_samples:
        raise WindowError(
            f"record {record.record_id!r} lasts {record.duration_s:.1f} s, shorter than one window "
            f"of {rule.length_s:g} s; use longer recordings or shorter windows"
        )
    slices = np.lib.stride_tricks.sliding_window_view(signal, rule.n_samples)
    X = np.array(slices[:: rule.hop_samples])
    n_windows = len(X)

    def same(text: str) -> StrArray:
        return np.full(n_windows, text, dtype=f"<U{max(1, len(text))}")

    return Windows(
        X=X,
        fs=rule.fs,
        labels=same(""),
        subjects=same(subject_of(record)),
        databases=same(record.database),
        records=same(record.record_id),
        leads=same(record.lead_names[row]),
        start_s=np.arange(n_windows, dtype=np.float64) * (rule.hop_samples / rule.fs),
    )


def _at_rate(signal: FloatArray, fs: float, fs_out: float) -> FloatArray:
    """Resample one lead; samples nearest to missing ones stay missing."""
    missing = ~np.isfinite(signal)
    if not missing.any():
        return resample(signal, fs, fs_out)
    filled = fill_gaps(np.where(missing, np.nan, signal))
    moved = resample(filled, fs, fs_out).copy()
    nearest = np.minimum(np.round(np.arange(len(moved)) * (fs / fs_out)), len(signal) - 1)
    moved[missing[nearest.astype(np.intp)]] = np.nan
    return moved


def balance_windows(windows: Windows, per_class: int, *, random_state: int = 0) -> Windows:
    """Pick up to ``per_class`` windows of each class, spread over subjects as evenly as they allow.

    Subjects with few windows give all of them; the rest is shared out among the others. Within a
    subject the pick is random. The order of the windows is kept.

    Raises:
        UsageError: ``per_class`` is below 1.
    """
    if per_class < 1:
        raise UsageError(f"windows per class must be 1 or more, got {per_class}")
    rng = np.random.default_rng(random_state)
    picked: list[int] = []
    for label in windows.classes:
        mine = np.flatnonzero(windows.labels == label)
        groups = [mine[windows.subjects[mine] == s] for s in np.unique(windows.subjects[mine])]
        for group, share in zip(groups, _shares([len(g) for g in groups], per_class), strict=True):
            picked.extend(rng.choice(group, size=share, replace=False).tolist())
    return windows.subset(np.array(sorted(picked), dtype=np.intp))


def _shares(sizes: Sequence[int], total: int) -> list[int]:
    """Share ``total`` out: nobody gets more than its size, and the smallest share is largest."""
    shares = [0] * len(sizes)
    left = min(total, sum(sizes))
    order = sorted(range(len(sizes)), key=lambda i: sizes[i])
    for rank, i in enumerate(order):
        shares[i] = min(sizes[i], left // (len(sizes) - rank))
        left -= shares[i]
    return shares


def save_windows(windows: Windows, path: str | Path) -> None:
    """Write windows to an uncompressed ``.npz`` that :func:`load_windows` reads.

    Raises:
        OutputError: the file cannot be written.
    """
    arrays: dict[str, Any] = {f.name: np.asarray(getattr(windows, f.name)) for f in fields(windows)}

    def write(file: BinaryIO) -> None:
        np.savez(file, format=np.array(_FORMAT), **arrays)

    write_atomically(Path(path), write)


def load_windows(path: str | Path) -> Windows:
    """Read windows that :func:`save_windows` wrote; nothing in the file is executed.

    Raises:
        WindowError: no such file, or it was not written by :func:`save_windows`.
    """
    path = Path(path)
    if not path.is_file():
        raise WindowError(f"no such windows file: {path}; make one with 'ecglens windows'")
    foreign = f"{path} is not a windows file of ecglens; make one with 'ecglens windows'"
    try:
        arrays = dict(_members(path, foreign))
        if str(arrays.pop("format", "")) != _FORMAT:
            raise WindowError(foreign)
        return Windows(
            X=np.asarray(arrays["X"], dtype=np.float32),
            fs=float(arrays["fs"]),
            start_s=np.asarray(arrays["start_s"], dtype=np.float64),
            **{name: np.asarray(arrays[name], dtype=np.str_) for name in _TEXTS},
        )
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        EOFError,
        RuntimeError,
        zipfile.BadZipFile,
    ) as error:
        raise WindowError(f"{foreign} ({error})") from error


def _members(path: Path, foreign: str) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Yield the arrays; only stored members are accepted, so memory is bounded by the file."""
    with zipfile.ZipFile(path) as archive:
        if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
            raise WindowError(foreign)
        for info in archive.infolist():
            # A directory may claim any size; the file itself is the bound.
            size = min(info.file_size, info.compress_size, path.stat().st_size)
            try:
                array = read_array(partial(archive.open, info), size)
            except ValueError as error:
                raise ValueError(f"{info.filename} {error}") from error
            yield info.filename.removesuffix(".npy"), array
