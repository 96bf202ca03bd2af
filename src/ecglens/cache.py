"""Features on disk: computed once, found again by what they depend on."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecglens.errors import OutputError
from ecglens.files import make_folder, write_atomically
from ecglens.npy import read_array

FloatArray = npt.NDArray[np.float32]

# Raised whenever images, poolings or engines come to give other numbers.
_FORMAT = "ecglens-features-4"
_logger = logging.getLogger(__name__)


class FeatureStore:
    """A folder of feature blocks, each named by a hash of everything it depends on.

    A block is one layer and pooling of some consecutive windows. It is written whole or not at
    all, so a killed run goes on where it stopped, and several processes may share the folder.
    When the folder cannot be written, features are still computed; a log line says so once.
    Values that float16 holds exactly take two bytes each, others four; they come back the same.

    Args:
        folder: made when the first block is written.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._writable = True

    def key(self, X: npt.NDArray[Any], settings: Mapping[str, Any]) -> str:
        """Return the name of a block; see :meth:`keys`."""
        return self.keys(X, [settings])[0]

    def keys(self, X: npt.NDArray[Any], settings: Iterable[Mapping[str, Any]]) -> list[str]:
        """Return names of blocks of the same windows: SHA-256 over the windows and all settings.

        Args:
            X: the windows of the blocks; they are read once.
            settings: for each block JSON-ready values that decide the features (rate, image,
                network, output).
        """
        windows = hashlib.sha256(_FORMAT.encode())
        windows.update(json.dumps([list(X.shape), str(X.dtype)]).encode())
        windows.update(np.ascontiguousarray(X).data)
        names = []
        for each in settings:
            digest = windows.copy()
            digest.update(json.dumps(each, sort_keys=True).encode())
            names.append(digest.hexdigest())
        return names

    def load(self, key: str, n_windows: int) -> FloatArray | None:
        """Return the block (n_windows, n_features), or None when it is absent or damaged."""
        try:
            path = self._path(key)
            block = read_array(lambda: path.open("rb"), path.stat().st_size)
        except (OSError, ValueError):
            return None
        known = block.dtype in (np.float16, np.float32)
        if block.ndim != 2 or len(block) != n_windows or not known:
            return None
        if not np.isfinite(block).all():  # the extractor refuses such features
            return None
        return block.astype(np.float32, copy=False)

    def save(self, key: str, block: FloatArray) -> None:
        """Keep a block; a folder that cannot be written is noted, not raised."""
        if not self._writable:
            return
        path = self._path(key)
        half = as_half(block)
        kept = half if np.array_equal(half, block) else block
        try:
            make_folder(path.parent)
            write_atomically(path, lambda file: np.save(file, kept, allow_pickle=False))
        except OutputError as error:
            self._writable = False
            _logger.warning("features are not kept: %s", error)

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.npy"


def as_half(values: FloatArray) -> npt.NDArray[np.float16]:
    """Return the nearest float16 values; those beyond 65504 become infinite."""
    with np.errstate(over="ignore"):
        return values.astype(np.float16)


def rounded_to_half(values: FloatArray) -> FloatArray:
    """Round to what float16 holds; values beyond 65504 stay as they are."""
    half = as_half(values).astype(np.float32)
    return np.where(np.isfinite(half), half, values)
