"""The windows of a timeline as a Parquet file."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ecglens.errors import UsageError
from ecglens.files import write_atomically
from ecglens.readers.parquet import OWN_KEY

_TEXTS = ("label", "reason")


def check_parquet() -> Any:
    """Return pyarrow.

    Raises:
        UsageError: it is not installed.
    """
    try:
        importlib.import_module("pyarrow.parquet")
        return importlib.import_module("pyarrow")
    except ImportError as error:
        raise UsageError(
            "tables of windows as Parquet need pyarrow; install ecglens[parquet] or take csv"
        ) from error


def write_parquet(path: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    """Write columns of texts and of numbers or None, whole or not at all.

    Raises:
        UsageError: pyarrow is not installed.
        OutputError: the file cannot be written.
    """
    pyarrow = check_parquet()
    parquet = importlib.import_module("pyarrow.parquet")
    kinds = [pyarrow.string() if name in _TEXTS else pyarrow.float64() for name in columns]
    schema = pyarrow.schema(
        [pyarrow.field(name, kind) for name, kind in zip(columns, kinds, strict=True)],
        metadata={OWN_KEY: b"windows"},
    )
    arrays = [pyarrow.array(v, type=k) for v, k in zip(columns.values(), kinds, strict=True)]
    table = pyarrow.Table.from_arrays(arrays, schema=schema)
    write_atomically(path, lambda file: parquet.write_table(table, file))
