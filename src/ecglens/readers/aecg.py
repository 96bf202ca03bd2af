"""HL7 annotated ECG (aECG, ANSI/HL7 V3 ECG R1): series of sequences in XML."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
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
    mv_per_unit,
    subject_of,
)
from ecglens.readers.source import ArraySamples, RecordSource

ROOT = "AnnotatedECG"
MAX_BYTES = 2**26  # a hundred times the file of ten seconds of twelve leads
MAX_ELEMENTS = 2**17
_TIME_CODES = frozenset({"TIME_ABSOLUTE", "TIME_RELATIVE"})
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "min": 60.0}


@dataclass(frozen=True)
class SequenceSet:
    """Leads sampled together; ``signal`` has shape (n_leads, n_samples), in ``unit`` of a lead."""

    kind: str
    fs: float
    leads: tuple[LeadName, ...]
    signal: npt.NDArray[np.float32]

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return float(self.signal.shape[1] / self.fs)


def is_aecg(head: bytes) -> bool:
    """Tell whether a file that starts with these bytes is aECG."""
    text = head.decode("utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin-1", "replace")
    return text.lstrip("\ufeff\u00ef\u00bb\u00bf \t\r\n").startswith("<") and f"<{ROOT}" in text


def says_aecg(path: Path) -> bool:
    """Tell whether an XML file is aECG; never raises."""
    try:
        with path.open("rb") as file:
            return is_aecg(file.read(4096))
    except OSError:
        return False


def open_aecg(path: Path, fs: float | None) -> RecordSource:
    """Open an aECG file; it is read into memory.

    The longest set of sequences of a rhythm series is taken, the others are noted. Derived series
    (representative beats) are no recording.

    Args:
        path: the file.
        fs: Hz; a file states its own.

    Raises:
        RecordError: the file is damaged, declares entities, is no aECG, or has no sequence of a
            lead with its times.
    """
    root = _parse(path)
    sets = [found for series in root.iter("series") for found in _sets(path, series)]
    if not sets:
        raise RecordError(
            f"{path} has no sequence set with a lead; an aECG recording needs a series with one: "
            "get the whole file"
        )
    taken = max(sets, key=lambda found: (found.kind == "RHYTHM", found.duration_s))
    notes = [
        f"left out, another sequence set: {found.kind} of {found.duration_s:.4g} s"
        for found in sets
        if found is not taken
    ]
    if taken.kind != "RHYTHM":
        notes.append(f"there is no rhythm series; taken: {taken.kind}")
    kept, said = choose_leads(taken.leads, str(path))
    return make_source(
        path,
        ArraySamples(lambda: taken.signal, kept),
        [taken.leads[i] for i in kept],
        agree_on_fs(taken.fs, fs, str(path)),
        notes=[*notes, *said],
        subject_id=subject_of(_patient(root)),
    )


def _parse(path: Path) -> Any:
    """Return the root element, names without their namespaces."""
    from defusedxml import ElementTree
    from defusedxml.common import DefusedXmlException

    if path.stat().st_size > MAX_BYTES:
        raise RecordError(f"{path} has over {MAX_BYTES} bytes; that is no aECG recording")
    try:
        with path.open("rb") as file:
            events = ElementTree.iterparse(file, ["start"], forbid_dtd=True)
            root = None
            for number, (_, element) in enumerate(events):
                root = element if root is None else root
                element.tag = str(element.tag).rpartition("}")[2]
                if number >= MAX_ELEMENTS:
                    raise RecordError(f"{path} has over {MAX_ELEMENTS} elements; that is no aECG")
    except DefusedXmlException as error:
        raise RecordError(
            f"{path} declares a document type or entities; an aECG recording has none and they "
            "are not followed"
        ) from error
    except (SyntaxError, ValueError, LookupError, OSError) as error:
        raise RecordError(f"{path} is not whole XML: {error}; get it again") from error
    if root is None or root.tag != ROOT:
        name = "nothing" if root is None else str(root.tag)
        raise RecordError(f"{path} is XML with {name!r}, not {ROOT!r}; ecglens reads HL7 aECG")
    return root


def _patient(root: Any) -> str:
    found = root.find(".//trialSubject/id")
    if found is None:
        return ""
    return "|".join(filter(None, (found.get("root"), found.get("extension"))))


def _sets(path: Path, series: Any) -> Iterator[SequenceSet]:
    code = series.find("code")
    kind = "" if code is None else str(code.get("code"))
    for found in series.iterfind("component/sequenceSet"):
        sequences = [
            (str(code.get("code")), sequence.find("value"))
            for sequence in found.iterfind("component/sequence")
            if (code := sequence.find("code")) is not None
        ]
        times = [value for name, value in sequences if name in _TIME_CODES]
        leads = [(name, value) for name, value in sequences if name not in _TIME_CODES]
        if leads:
            yield _set(path, kind, times, leads)


def _set(path: Path, kind: str, times: list[Any], leads: list[tuple[str, Any]]) -> SequenceSet:
    increment = times[0].find("increment") if times and times[0] is not None else None
    if increment is None:
        raise RecordError(
            f"{path} has leads without a time sequence that gives an increment; each sequence set "
            "needs one: get the whole file"
        )
    step_s = _value(path, increment) * _SECONDS.get(increment.get("unit", "s"), math.nan)
    if len(leads) > MAX_LEADS:
        raise RecordError(f"{path} has {len(leads)} leads in a set, over {MAX_LEADS}")
    fs = file_fs(1 / step_s if step_s else math.nan, str(path))
    rows = [_lead(path, name, value) for name, value in leads]
    lengths = {name: len(values) for (name, _), (_, values) in zip(leads, rows, strict=True)}
    if len(set(lengths.values())) != 1 or 0 in lengths.values():
        found = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise RecordError(
            f"{path} has sequences of these lengths: {found}; those of a set must be equally long "
            "and not empty: get the whole file"
        )
    signal = np.stack([values for _, values in rows])
    return SequenceSet(kind, fs, tuple(lead for lead, _ in rows), signal)


def _lead(path: Path, name: str, value: Any) -> tuple[LeadName, npt.NDArray[np.float32]]:
    """Return the name and the values of a sequence: ``origin + scale * digits``, in its unit."""
    parts = {} if value is None else {part.tag: part for part in value}
    if not {"origin", "scale", "digits"} <= parts.keys():
        raise RecordError(
            f"{path}: {name} is no list of origin, scale and digits (SLIST_PQ); ecglens reads only "
            "these"
        )
    unit = parts["scale"].get("unit", "")
    origin, scale = _value(path, parts["origin"]), _value(path, parts["scale"])
    of_origin, of_scale = mv_per_unit(parts["origin"].get("unit", unit)), mv_per_unit(unit)
    if of_origin is not None and of_scale is not None:
        origin *= of_origin / of_scale
    digits = _digits(path, name, parts["digits"].text or "")
    with np.errstate(over="ignore", invalid="ignore"):  # infinities are missing samples
        values = (origin + scale * digits).astype(np.float32)
    return LeadName(plain_lead(name), unit), values


def _digits(path: Path, name: str, text: str) -> npt.NDArray[np.float64]:
    if not text.strip():
        return np.zeros(0)
    try:
        with warnings.catch_warnings():
            # NumPy warns where it stops at what is no number.
            warnings.simplefilter("error")
            return np.fromstring(text, dtype=np.float64, sep=" ")
    except (ValueError, DeprecationWarning) as error:
        raise RecordError(
            f"{path}: {name} has digits that are no numbers; the file is damaged: get it again"
        ) from error


def _value(path: Path, element: Any) -> float:
    try:
        number = float(element.get("value", ""))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise RecordError(
            f"{path} gives {element.get('value')!r} as {element.tag}; it must be a number: correct "
            "the file"
        )
    return number
