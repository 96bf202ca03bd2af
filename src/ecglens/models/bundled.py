"""The models that come with the package, by name."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

from ecglens.guarded import is_regular

SUFFIX = ".ecglens"


def bundled_models() -> dict[str, Path]:
    """Return the file of each model that comes with the package, by name."""
    folder = Path(str(resources.files("ecglens.models"))) / "bundled_files"
    paths = {path.stem: path for path in folder.glob(f"*{SUFFIX}")}
    return dict(sorted(paths.items()))


def find_model(source: str | os.PathLike[str]) -> Path:
    """Return the file that a path or the name of a model of the package means.

    A name is one word without a suffix, such as ``rhythm4``; a file that is there under that very
    name goes before it.

    Args:
        source: path of a model file, or a name of :func:`bundled_models`.
    """
    path = Path(source)
    if is_regular(path) or str(source) != path.name:
        return path
    return bundled_models().get(path.name, path)
