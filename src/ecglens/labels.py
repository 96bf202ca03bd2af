"""Label maps: which annotated rhythm counts as which class."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from ecglens.errors import UsageError, WindowError, suggest
from ecglens.guarded import parse_toml, read_text

_MAX_BYTES = 1 << 20
RESERVED = ("", "inconclusive", "unreadable")


@dataclass(frozen=True)
class LabelMap:
    """From the rhythms of an annotation to the classes of a model.

    Attributes:
        name: of the map.
        classes: class name to the rhythms it is made of, in the order classes are reported.
        ignored: rhythms that belong to no class; they are the other part of a window that need not
            carry its class (``purity``), and by default no window has one.
        description: one line for people.

    Raises:
        UsageError: a rhythm stands in two places, or a class has no rhythm.
    """

    name: str
    classes: Mapping[str, tuple[str, ...]]
    ignored: frozenset[str] = frozenset()
    description: str = ""

    def __post_init__(self) -> None:
        if not self.classes:
            raise UsageError(f"label map {self.name!r} has no class; give one or more in [classes]")
        seen: dict[str, str] = dict.fromkeys(self.ignored, "ignore")
        for label, rhythms in self.classes.items():
            if label in RESERVED:
                raise UsageError(
                    f"label map {self.name!r}: {label!r} is what a window is called that has no "
                    "class; give the class another name"
                )
            if not rhythms:
                raise UsageError(f"label map {self.name!r}: class {label!r} has no rhythm")
            for rhythm in rhythms:
                if rhythm in seen:
                    raise UsageError(
                        f"label map {self.name!r}: rhythm {rhythm!r} stands under "
                        f"{seen[rhythm]!r} and {label!r}; a rhythm has one place"
                    )
                seen[rhythm] = label

    def class_of(self, rhythm: str) -> str | None:
        """Return the class of a rhythm, or None where the map ignores it.

        Raises:
            WindowError: the map does not know the rhythm.
        """
        for label, rhythms in self.classes.items():
            if rhythm in rhythms:
                return label
        if rhythm in self.ignored:
            return None
        known = [*self.ignored, *(r for rhythms in self.classes.values() for r in rhythms)]
        raise WindowError(
            f"label map {self.name!r} does not know rhythm {rhythm!r}{suggest(rhythm, known)}; "
            "put it under a class of [classes] or under rhythms of [ignore]"
        )


def list_label_maps() -> list[str]:
    """Return the names of the maps that come with ecglens."""
    folder = resources.files("ecglens") / "label_maps"
    return sorted(Path(entry.name).stem for entry in folder.iterdir() if entry.is_file())


def load_label_map(source: str | Path) -> LabelMap:
    """Read a label map: the name of a preset, or a TOML file.

    The file holds ``name`` and ``description`` (optional), a table ``[classes]`` of lists of
    rhythms, and ``[ignore]`` with a list ``rhythms``.

    Raises:
        UsageError: no such preset or file, or the file breaks these rules.
    """
    presets = list_label_maps()
    if str(source) in presets:
        entry = resources.files("ecglens") / "label_maps" / f"{source}.toml"
        return _parse(entry.read_text(encoding="utf-8"), str(source))
    path = Path(source)
    if path.suffix.lower() != ".toml":
        raise UsageError(
            f"no label map {str(source)!r}{suggest(str(source), presets)}; "
            f"presets are {', '.join(presets)}, anything else is the path of a .toml file"
        )
    try:
        text = read_text(path, _MAX_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot read label map {path}: {reason}") from error
    return _parse(text, path.stem)


def _parse(text: str, fallback_name: str) -> LabelMap:
    try:
        table = parse_toml(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"label map {fallback_name!r} is not TOML: {error}") from error
    known = ("name", "description", "classes", "ignore")
    for key in table:
        if key not in known:
            raise UsageError(
                f"label map {fallback_name!r} has unknown key {key!r}{suggest(key, known)}; "
                f"known are {', '.join(known)}"
            )
    classes, ignore = table.get("classes", {}), table.get("ignore", {})
    if not isinstance(classes, dict) or not isinstance(ignore, dict):
        raise UsageError(f"label map {fallback_name!r}: [classes] and [ignore] must be tables")
    return LabelMap(
        name=str(table.get("name", fallback_name)),
        classes={key: _strings(value, key, fallback_name) for key, value in classes.items()},
        ignored=frozenset(_strings(ignore.get("rhythms", []), "ignore", fallback_name)),
        description=str(table.get("description", "")),
    )


def _strings(value: object, key: str, name: str) -> tuple[str, ...]:
    if isinstance(value, Iterable) and not isinstance(value, str | Mapping):
        items = list(value)
        if all(isinstance(item, str) for item in items):
            return tuple(items)
    raise UsageError(f"label map {name!r}: {key!r} must be a list of rhythm names, got {value!r}")
