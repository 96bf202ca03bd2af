"""Catalogue entries from TOML."""

from __future__ import annotations

import re
import tomllib
import warnings
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, NoReturn

from ecglens.databases.catalogue.entry import Database, LabelRule, LabelTable
from ecglens.errors import UsageError, suggest
from ecglens.guarded import parse_toml
from ecglens.readers.wfdb_rhythms import USUAL, Convention

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_TABLES = ("subjects", "annotations", "table")


def parse_database(text: str, where: str) -> Database:
    """Read one entry.

    The keys are the attributes of :class:`Database`, with ``[subjects]`` (groups of records by
    the person's name, ``pattern``, ``[subjects.shared]``), ``[annotations]`` (``description`` and
    the attributes of :class:`ecglens.readers.wfdb_rhythms.Convention`) and ``[table]`` with
    ``[[table.rules]]`` (the attributes of :class:`LabelTable`). ``name`` and ``address`` are
    needed, all else is not.

    Raises:
        UsageError: the text is no TOML, or a key or value breaks these rules.
    """
    try:
        table = parse_toml(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"database entry {where} is not TOML: {error}") from error
    plain = {f.name for f in fields(Database)} - {
        "groups", "subject_pattern", "shared", "convention", "table", "annotations",
    }  # fmt: skip
    reader = _Reader(where)
    reader.know(table, [*plain, *_TABLES], "")
    values: dict[str, Any] = {key: reader.plain(table, key) for key in table if key in plain}
    for needed in ("name", "address"):
        if not values.get(needed):
            raise UsageError(f"database entry {where} has no {needed}; give {needed} = ...")
    _check_name_and_address(values["name"], values["address"], where)
    _check_endings(values.get("endings", Database.endings), where)
    people = reader.table(table, "subjects")
    notes = reader.table(table, "annotations")
    return Database(
        **values,
        groups=reader.groups(people),
        subject_pattern=reader.pattern(people),
        shared=reader.texts(people, "shared"),
        convention=reader.convention(notes),
        annotations=reader.text(notes, "description"),
        table=reader.label_table(table),
    )


def _check_name_and_address(name: str, address: str, where: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"database entry {where}: name {name!r} cannot name a folder; use letters, digits, "
            "dots, hyphens and underscores"
        )
    if not re.fullmatch(r"https?://[^\s?#]+/", address):
        raise UsageError(
            f"database entry {where}: address {address!r} must start with https:// and end with "
            "a slash"
        )


def _check_endings(endings: tuple[str, ...], where: str) -> None:
    """A record is told by its header, so that without one nothing would be fetched."""
    if "hea" not in endings:
        raise UsageError(
            f"database entry {where}: 'endings' must have \"hea\", the headers without which there "
            f"are no records, got {list(endings)}; put it in, without a dot"
        )


class _Reader:
    """Reads values of the types that :class:`Database` has, and names the entry in errors."""

    def __init__(self, where: str) -> None:
        self._where = where

    def know(self, table: Mapping[str, Any], known: list[str], part: str) -> None:
        """Refuse keys that nothing reads."""
        for key in table:
            if key not in known:
                raise UsageError(
                    f"database entry {self._where}: unknown key {part}{key!r}"
                    f"{suggest(key, known)}; known are {', '.join(sorted(known))}"
                )

    def plain(self, table: Mapping[str, Any], key: str) -> Any:
        """Return a value of the type of the attribute of this name."""
        kind = {f.name: str(f.type) for f in fields(Database)}[key]
        if kind == "float":
            return self.number(table, key)
        if kind == "int":
            return self.count(table, key)
        return self.text(table, key) if kind == "str" else self.words(table, key)

    def text(self, table: Mapping[str, Any], key: str) -> str:
        value = table.get(key, "")
        if key == "taken":  # TOML has dates
            return str(value)
        if not isinstance(value, str):
            self._refuse(key, "a text", value)
        return value

    def number(self, table: Mapping[str, Any], key: str) -> float:
        value = table.get(key, 0)
        if not isinstance(value, int | float) or isinstance(value, bool) or not value >= 0:
            self._refuse(key, "a number from 0 up", value)
        return float(value)

    def count(self, table: Mapping[str, Any], key: str) -> int:
        value = table.get(key, 0)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            self._refuse(key, "a whole number from 0 up", value)
        return int(value)

    def words(self, table: Mapping[str, Any], key: str) -> tuple[str, ...]:
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self._refuse(key, "a list of texts", value)
        return tuple(value)

    def table(self, table: Mapping[str, Any], key: str) -> dict[str, Any]:
        value = table.get(key, {})
        if not isinstance(value, dict):
            self._refuse(key, "a table", value)
        return value

    def texts(self, table: Mapping[str, Any], key: str) -> dict[str, str]:
        value = self.table(table, key)
        return {name: self.text(value, name) for name in value}

    def groups(self, people: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        return {k: self.words(people, k) for k in people if k not in ("pattern", "shared")}

    def pattern(self, people: Mapping[str, Any]) -> str:
        pattern = self.text(people, "pattern")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # of what Python will read otherwise one day
                groups = re.compile(pattern).groups
        except (re.error, Warning, OverflowError, RecursionError) as error:
            raise UsageError(
                f"database entry {self._where}: subjects.pattern {pattern!r} is no pattern: {error}"
            ) from error
        if pattern and not groups:
            self._refuse("pattern", "one with a group for the person", pattern)
        return pattern

    def convention(self, notes: Mapping[str, Any]) -> Convention:
        self.know(
            notes,
            ["description", "annotators", "names", "elsewhere", "to_last_mark"],
            "annotations.",
        )
        to_last = notes.get("to_last_mark", False)
        if not isinstance(to_last, bool):
            self._refuse("to_last_mark", "true or false", to_last)
        annotators = self.words(notes, "annotators") or USUAL.annotators
        for ending in annotators:
            if not re.fullmatch(r"\w+", ending):
                self._refuse("annotators", "endings such as 'atr'", ending)
        return Convention(
            annotators=annotators,
            names=self.texts(notes, "names"),
            elsewhere=self.text(notes, "elsewhere"),
            to_last_mark=to_last,
        )

    def label_table(self, entry: Mapping[str, Any]) -> LabelTable | None:
        table = self.table(entry, "table")
        if not table:
            return None
        self.know(table, [f.name for f in fields(LabelTable)], "table.")
        rules = table.get("rules", [])
        if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
            self._refuse("rules", "[[table.rules]]", rules)
        return LabelTable(
            files=self.words(table, "files"),
            columns=self.words(table, "columns"),
            record=self.words(table, "record") or ("record",),
            label=self.text(table, "label") or "label",
            subject=self.text(table, "subject"),
            rules=tuple(
                LabelRule(self.text(rule, "rhythm"), frozenset(self.words(rule, "any")))
                for rule in rules
            ),
        )

    def _refuse(self, key: str, wanted: str, value: object) -> NoReturn:
        raise UsageError(f"database entry {self._where}: {key!r} must be {wanted}, got {value!r}")
