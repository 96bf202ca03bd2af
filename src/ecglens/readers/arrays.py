"""NPY and NPZ: arrays of numbers, never of objects."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecglens.errors import RecordError, suggest
from ecglens.npy import AnyArray, map_array, read_array
from ecglens.readers.assembly import (
    MAX_LEADS,
    LeadName,
    agree_on_fs,
    choose_leads,
    file_fs,
    make_source,
)
from ecglens.readers.source import MAX_VALUES, ArraySamples, RecordSource

MAX_ARRAY_BYTES = 8 * MAX_VALUES
# Deflate packs at most 1,032 to 1; a real signal never comes close, a lead that is off might.
MAX_PACKING = 100
_ALWAYS_FITS = 2**26
_WANTED = "floats in mV"
MEMBERS = ("signal", "fs", "leads", "units", "subject", "gain")
# A first axis so many times longer than the second is time, not leads.
TALL = 8
# Members by which the files that this program writes are known, and what to do with such a file.
_OWN_FILES = {
    frozenset({"format.npy", "X.npy"}): (
        "holds windows that ecglens wrote, not a recording; give it alone to 'ecglens features', "
        "'evaluate', 'layers' or 'train'"
    ),
    frozenset({"features.npy", "labels.npy"}): (
        "holds features that 'ecglens features' wrote, not a recording; it is for other programs: "
        "give the recording or the windows file that it was made from"
    ),
}


def open_npy(path: Path, fs: float | None) -> RecordSource:
    """Open an NPY file: floats in mV, shape (n_samples,) or (n_leads, n_samples).

    A first axis much longer than the second is taken as time, with a note. Whole numbers are
    refused, because counts of a digitiser cannot be told from mV: save an NPZ with ``gain``.

    Args:
        path: the file.
        fs: Hz; always needed, an NPY file has none.

    Raises:
        RecordError: the file is damaged, or its array is not a signal.
    """
    return source_of(path, {"signal": _mapped(path)}, fs, lend=lambda: _mapped(path))


def open_npz(path: Path, fs: float | None) -> RecordSource:
    """Open an NPZ file; its arrays are read into memory.

    It holds ``signal`` (or one array of any name), shape (n_samples,) or (n_leads, n_samples), and
    may hold ``fs`` (Hz), ``leads`` (names), ``units`` (one, or one per lead; mV by default),
    ``subject`` and ``gain`` (counts per unit, one, or one per lead). Whole numbers need ``gain`` or
    ``units``.

    Args:
        path: the file.
        fs: Hz, only where the file has none.

    Raises:
        RecordError: the file is damaged, is a decompression bomb, holds objects, or its arrays do
            not fit together.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename: info for info in archive.infolist()}
            if said := _said_of(members):
                raise RecordError(f"{path} {said}")
            _check_packing(path, list(members.values()))
            arrays = {
                name.removesuffix(".npy"): _member(path, archive, info)
                for name, info in members.items()
            }
    except RecordError:
        raise
    except Exception as error:  # a damaged archive surfaces as one of many classes
        raise RecordError(f"{path} is not a whole NPZ file: {error}; save it again") from error
    return source_of(path, arrays, fs)


def may_be_record(path: Path) -> bool:
    """Tell whether a file is not one of windows or features of this program; never raises."""
    try:
        with zipfile.ZipFile(path) as archive:
            return not _said_of(archive.namelist())
    except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile):
        return True


def _said_of(members: Iterable[str]) -> str:
    found = set(members)
    if "signal.npy" in found:
        return ""
    return next((said for marks, said in _OWN_FILES.items() if marks <= found), "")


def _check_packing(path: Path, members: Sequence[zipfile.ZipInfo]) -> None:
    """Refuse a file whose members, of which each may lie about itself, unpack to far too much."""
    size, unpacked = path.stat().st_size, sum(info.file_size for info in members)
    if unpacked > min(MAX_ARRAY_BYTES, max(_ALWAYS_FITS, size * MAX_PACKING)):
        raise RecordError(f"{path} would unpack {size} bytes to {unpacked}; that is no recording")


def _member(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> AnyArray:
    data = archive.read(info)
    with _named_errors(path):
        return read_array(lambda: io.BytesIO(data), info.file_size, wanted=_WANTED)


def _mapped(path: Path) -> AnyArray:
    with _named_errors(path):
        return map_array(path, wanted=_WANTED)


@contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise RecordError(f"{path} {error}") from error
    except OSError as error:
        raise RecordError(f"cannot read {path}: {error.strerror or error}") from error


def source_of(
    path: Path,
    arrays: Mapping[str, AnyArray],
    given_fs: float | None,
    lend: Callable[[], AnyArray] | None = None,
    notes: Sequence[str] = (),
) -> RecordSource:
    """Describe the arrays of a file, named as in an NPZ file.

    Args:
        path: the file.
        arrays: see :func:`open_npz`.
        given_fs: Hz, or None.
        lend: gives the signal anew where it is not in memory.
        notes: what was assumed so far.

    Raises:
        RecordError: the arrays do not fit together.
    """
    signal = _signal(path, arrays)
    names = _words(path, arrays, "leads")
    turn, turned = _orientation(path, signal, len(names))
    n_leads = turn(signal).shape[0]
    leads = _leads(path, n_leads, names, _words(path, arrays, "units"))
    whole = signal.dtype.kind in "iu"
    if whole and not {"gain", "units"} & arrays.keys():
        raise RecordError(
            f"{path} holds whole numbers ({signal.dtype}), which may be counts; save floats in "
            "mV, or an NPZ file with gain (counts per mV) or units"
        )
    stated = _rate(path, arrays)
    rate = agree_on_fs(stated, given_fs, str(path))
    chosen, said = choose_leads(leads, str(path))
    gain = _gain(path, n_leads, arrays)
    subject = _words(path, arrays, "subject")
    if len(subject) > 1:
        raise RecordError(f"{path}: subject has {len(subject)} values; a record has one subject")
    give = lend or (lambda: signal)
    samples = ArraySamples(lambda: turn(give()), chosen, None if gain is None else gain[chosen])
    return make_source(
        path,
        samples,
        [leads[i] for i in chosen],
        rate,
        notes=[*notes, *turned, *said],
        subject_id=subject[0] if subject else "",
    )


def _signal(path: Path, arrays: Mapping[str, AnyArray]) -> AnyArray:
    others = [name for name in arrays if name not in MEMBERS]
    name = "signal" if "signal" in arrays else others[0] if len(others) == 1 else None
    if name is None:
        found = ", ".join(arrays) or "nothing"
        hint = next(filter(None, (suggest(other, ["signal"]) for other in others)), "")
        raise RecordError(f"{path} has no array 'signal', only {found}; name it so{hint}")
    array = arrays[name]
    if array.dtype.kind not in "fiu" or array.ndim not in (1, 2) or array.size == 0:
        raise RecordError(
            f"{path} holds {array.dtype} values of shape {array.shape}; a signal is floats of "
            "shape (n_samples,) or (n_leads, n_samples)"
        )
    return array


def _orientation(
    path: Path, signal: AnyArray, n_names: int
) -> tuple[Callable[[AnyArray], AnyArray], list[str]]:
    """Return what turns the signal to (n_leads, n_samples), and notes."""
    if signal.ndim == 1:
        return lambda array: array[np.newaxis], []
    rows, columns = signal.shape
    named = n_names == columns and n_names != rows
    turned = named or (n_names != rows and rows >= TALL * columns)
    n_leads = columns if turned else rows
    if n_leads > MAX_LEADS:
        raise RecordError(
            f"{path} has shape ({rows}, {columns}), which makes {n_leads} leads; the shape "
            f"must be (n_leads, n_samples) with at most {MAX_LEADS} leads"
        )
    if turned:
        return lambda array: array.T, [
            f"shape ({rows}, {columns}) is taken as (n_samples, n_leads)"
        ]
    return lambda array: array, []


def _words(path: Path, arrays: Mapping[str, AnyArray], name: str) -> list[str]:
    """Return the texts of a member, none where it is missing."""
    if name not in arrays:
        return []
    array = arrays[name]
    if array.dtype.kind == "S":
        array = np.char.decode(array.astype(np.bytes_), "utf-8", "replace")
    if array.dtype.kind not in ("U", "i", "u") or array.ndim > 1:
        raise RecordError(f"{path}: {name} holds {array.dtype} values; it must be text")
    try:
        words = [str(word) for word in array.reshape(-1)]
        "".join(words).encode()
    except (ValueError, SystemError) as error:  # NumPy's text may hold numbers of no character
        raise RecordError(f"{path}: {name} holds no text: {error}; save it again") from error
    return words


def _leads(path: Path, n_leads: int, names: list[str], units: list[str]) -> list[LeadName]:
    names = names or [f"lead{i + 1}" for i in range(n_leads)]
    units = units or [""]
    units = units * n_leads if len(units) == 1 else units
    for what, words in (("leads", names), ("units", units)):
        if len(words) != n_leads:
            raise RecordError(
                f"{path}: {what} has {len(words)} entries for {n_leads} leads; give one per lead"
            )
    return [LeadName(name, unit) for name, unit in zip(names, units, strict=True)]


def _rate(path: Path, arrays: Mapping[str, AnyArray]) -> float | None:
    if "fs" not in arrays:
        return None
    fs = arrays["fs"]
    if fs.dtype.kind not in "fiu" or fs.size != 1:
        raise RecordError(f"{path}: fs holds {fs.size} {fs.dtype} values; it must be one number")
    return file_fs(float(fs.reshape(-1)[0]), str(path))


def _gain(
    path: Path, n_leads: int, arrays: Mapping[str, AnyArray]
) -> npt.NDArray[np.float64] | None:
    """Return counts per unit of each lead, None where none are given."""
    if "gain" not in arrays:
        return None
    gain = arrays["gain"]
    if gain.dtype.kind not in "fiu" or gain.size not in (1, n_leads):
        raise RecordError(
            f"{path}: gain holds {gain.size} {gain.dtype} values for {n_leads} leads; give "
            "one number, or one per lead, in counts per mV"
        )
    per_lead = np.broadcast_to(gain.astype(np.float64).reshape(-1), n_leads)
    if not (np.isfinite(per_lead).all() and per_lead.all()):
        raise RecordError(f"{path}: gain must not be 0 or non-finite; correct it")
    return per_lead
