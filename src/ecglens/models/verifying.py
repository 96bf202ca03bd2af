"""What a model file says of itself, and whether that is true."""

from __future__ import annotations

import hashlib
import platform
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ecglens.errors import ModelFileError, UsageError
from ecglens.guarded import kind_of, read_text
from ecglens.models.bundled import find_model
from ecglens.models.cards import check_card
from ecglens.models.files import model_of_parts, read_parts, refuse_larger

DIGEST_SUFFIX = ".sha256"
"""Of the file beside a model that may tell its digest, as sha256sum writes it."""

_HEX = re.compile(r"[0-9a-fA-F]{64}")
_MAX_DIGEST_BYTES = 4096


@dataclass(frozen=True)
class Member:
    """A part of a model file: its size in bytes and its digest."""

    name: str
    n_bytes: int
    sha256: str


@dataclass(frozen=True)
class ModelReport:
    """What is known of a model file.

    Attributes:
        path: of the file.
        n_bytes: its size.
        sha256: its digest.
        expected: what the digest was compared with, by where that came from; empty where it was
            compared with nothing.
        members: the parts, with digests that are those of the manifest unless there are faults.
        manifest: what the file says of itself, without the card; empty where it cannot be read.
        card: on whom and on what it was trained.
        versions_here: of the packages that the file names, ``""`` where one is not installed.
        faults: why it does not verify; empty where it does.
    """

    path: Path
    n_bytes: int
    sha256: str
    expected: Mapping[str, str] = field(default_factory=dict)
    members: tuple[Member, ...] = ()
    manifest: Mapping[str, Any] = field(default_factory=dict)
    card: Mapping[str, Any] = field(default_factory=dict)
    versions_here: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[str, ...] = ()

    @property
    def verified(self) -> bool:
        """Whether all digests are right and the model loads here."""
        return not self.faults

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready values."""
        members = [asdict(member) for member in self.members]
        table = {name: getattr(self, name) for name in ("n_bytes", "sha256")}
        plain = {name: dict(getattr(self, name)) for name in ("expected", "manifest", "card")}
        return {
            "path": str(self.path),
            **table,
            "verified": self.verified,
            "faults": list(self.faults),
            "members": members,
            **plain,
            "versions_here": dict(self.versions_here),
        }


def verify_model(source: str | Path, *, sha256: str | None = None) -> ModelReport:
    """Check a model file: its digest, those of its parts, and whether it loads.

    A digest tells that a file is the one that was published; who published it, it does not tell.
    The digest is compared with ``sha256`` and with the file ``<name>.sha256`` beside it, where they
    are given. Nothing in the file is executed.

    Args:
        source: path of the file, or the name of a model that comes with ecglens.
        sha256: digest that the file must have: 64 hexadecimal digits, in any case.

    Raises:
        UsageError: ``sha256`` is not a digest.
        ModelFileError: there is no such file, or it cannot be read.
    """
    if sha256 is not None and not _HEX.fullmatch(sha256):
        raise UsageError(f"sha256={sha256[:80]!r} is no SHA-256; give its 64 hexadecimal digits")
    path = find_model(source)
    n_bytes, digest = _digest_of(path)
    expected, faults = _expected(path)
    expected |= {} if sha256 is None else {"given": sha256.lower()}
    faults += [
        f"the file has the SHA-256 {digest}, not {wanted} ({where}); get it again from "
        "where you trust it"
        for where, wanted in expected.items()
        if wanted != digest
    ]
    report = ModelReport(path, n_bytes, digest, expected, faults=tuple(faults))
    return _with_content(report)


def read_card(source: str | Path) -> dict[str, Any]:
    """Return the card of a model file, on whom and on what it was trained; hashes are checked.

    Raises:
        ModelFileError: no such file, or it is damaged, foreign or from a newer ecglens.
    """
    path = find_model(source)
    manifest, _ = read_parts(path)
    try:
        return check_card(manifest.get("card"))
    except UsageError as error:
        raise ModelFileError(f"{path} is damaged: {error}; train or copy it again") from error


def _digest_of(path: Path) -> tuple[int, str]:
    """Return the size and the SHA-256 of a file."""
    try:
        if kind_of(path) and not path.is_file():
            raise ModelFileError(f"{path} is not a regular file; give a model file")
        n_bytes = path.stat().st_size
        refuse_larger(path, n_bytes)
        with path.open("rb") as file:
            return n_bytes, hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        reason = error.strerror or str(error)
        raise ModelFileError(f"cannot read {path}: {reason}; check the path") from error


def _expected(path: Path) -> tuple[dict[str, str], list[str]]:
    """Return what the file beside it says, and what is wrong with that."""
    beside = path.with_name(path.name + DIGEST_SUFFIX)
    if not kind_of(beside):
        return {}, []
    try:
        words = read_text(beside, _MAX_DIGEST_BYTES).split()
    except (OSError, UnicodeDecodeError) as error:
        return {}, [f"cannot read {beside.name}: {getattr(error, 'strerror', None) or error}"]
    if not words or not _HEX.fullmatch(words[0]):
        return {}, [f"{beside.name} does not start with a SHA-256; write it with sha256sum"]
    return {beside.name: words[0].lower()}, []


def _with_content(report: ModelReport) -> ModelReport:
    """Add what the file says of itself, and the faults of that."""
    members: tuple[Member, ...] = ()
    manifest: dict[str, Any] = {}
    faults = list(report.faults)
    try:
        manifest, parts = read_parts(report.path)
        members = tuple(
            Member(name, len(data), manifest["sha256"][name]) for name, data in parts.items()
        )
        model_of_parts(report.path, manifest, parts)
    except ModelFileError as error:
        faults.append(str(error))
    card = manifest.pop("card", None)
    versions = manifest.get("versions")
    return ModelReport(
        report.path,
        report.n_bytes,
        report.sha256,
        report.expected,
        members,
        manifest,
        card if isinstance(card, dict) else {},
        {name: _version_here(name) for name in versions} if isinstance(versions, dict) else {},
        tuple(faults),
    )


def _version_here(package: str) -> str:
    if package == "python":
        return platform.python_version()
    try:
        return version(package)
    except (PackageNotFoundError, ValueError):
        return ""
