"""What is known of one database."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ecglens.readers.wfdb_rhythms import USUAL, Convention


@dataclass(frozen=True)
class LabelRule:
    """A rhythm, and the labels of a table of which any one means it."""

    rhythm: str
    any: frozenset[str]


@dataclass(frozen=True)
class LabelTable:
    """A table (CSV) in which a database names the rhythm or the person of each record.

    Attributes:
        files: where it may lie below the database's folder, in order of preference.
        columns: names of its columns, for a table without a line of them.
        record: columns that hold the record's path or name.
        label: column of the labels: one word, or ``{'SR': 0.0, ...}`` as PTB-XL writes them.
        subject: column of the person, or ``""``.
        rules: from labels to a rhythm of the whole record; the first that applies decides.
    """

    files: tuple[str, ...]
    columns: tuple[str, ...] = ()
    record: tuple[str, ...] = ("record",)
    label: str = "label"
    subject: str = ""
    rules: tuple[LabelRule, ...] = ()

    def rhythm_of(self, labels: Iterable[str]) -> str:
        """Return the rhythm of a record with these labels, ``""`` where no rule applies."""
        there = set(labels)
        return next((rule.rhythm for rule in self.rules if rule.any & there), "")


@dataclass(frozen=True)
class Database:
    """A public database: where it is, what is in it and how it writes rhythms and people.

    Attributes:
        name: short name, as PhysioNet has it.
        address: of its files, with a slash at the end; ``SHA256SUMS.txt`` lies there.
        title, version, archive, licence, doi, citation: of the release; ``archive`` is the name
            of the folder that its ZIP file unpacks to, without the version.
        fs: sampling rate in Hz, 0 where it is not known.
        n_records, n_subjects: numbers of records and people, 0 where not known.
        leads: in words.
        hours: of recordings with signal, 0 where not known.
        signal_mb: size of the signal files in MB, from the documented number of samples; 0 where
            not known.
        endings: of the files of a record that are of use here; ``hea`` is among them.
        within: folder in which the records are; ``""`` means the top folder alone.
        records: their names; empty where there are too many to list.
        no_signal: records that have annotations alone.
        groups: records that are of one person, by the name of the group.
        subject_pattern: pattern of record names whose first group is the person, or ``""``.
        shared: records whose person is also in another database, as ``"edb/e0113"``.
        convention: how its WFDB annotation files are read.
        table: its table of labels, or None.
        annotations: in words.
        sources: where these facts were read.
        taken: when, as an ISO date.
        unverified: what could not be confirmed.
    """

    name: str
    address: str
    title: str = ""
    version: str = ""
    archive: str = ""
    licence: str = ""
    doi: str = ""
    citation: str = ""
    fs: float = 0.0
    n_records: int = 0
    n_subjects: int = 0
    leads: str = ""
    hours: float = 0.0
    signal_mb: float = 0.0
    endings: tuple[str, ...] = ("hea", "dat", "atr")
    within: str = ""
    records: tuple[str, ...] = ()
    no_signal: tuple[str, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    subject_pattern: str = ""
    shared: Mapping[str, str] = field(default_factory=dict)
    convention: Convention = USUAL
    table: LabelTable | None = None
    annotations: str = ""
    sources: tuple[str, ...] = ()
    taken: str = ""
    unverified: tuple[str, ...] = ()

    def person_of(self, record_id: str) -> str:
        """Return the person of a record within this database: a name, or the record's own."""
        for group, records in self.groups.items():
            if record_id in records:
                return group
        if self.subject_pattern and (found := re.fullmatch(self.subject_pattern, record_id)):
            return found[1]
        return record_id

    def is_named(self, folder: str) -> bool:
        """Tell whether a folder's name is this database's, also of a version or excerpt of it."""
        bare = re.sub(r"-\d+(\.\d+)+$|-first-[\d.]+-min$", "", folder.casefold())
        return bare in {self.name.casefold(), self.archive.casefold()} - {""}
