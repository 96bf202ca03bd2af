"""Hand-made recordings for the reader tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

WriteWfdb = Callable[..., Path]


@pytest.fixture
def write_wfdb(tmp_path: Path) -> WriteWfdb:
    """Write a one-lead format 16 record, with any header text; return the header."""

    def write(
        header: str | None = None, *, name: str = "rec", samples: int = 1000, data: bytes = b""
    ) -> Path:
        counts = (200 * np.sin(np.arange(samples) / 9)).astype("<i2")
        (tmp_path / f"{name}.dat").write_bytes(data or counts.tobytes())
        text = header or f"{name} 1 250 {samples}\n{name}.dat 16 200/mV 16 0 0 0 0 II\n"
        path = tmp_path / f"{name}.hea"
        path.write_text(text, encoding="utf-8")
        return path

    return write
