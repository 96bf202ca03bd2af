"""A server with a small database in the layout of the MIT-BIH Arrhythmia Database."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tests.databases.server import Server, serving

TOP = "/files/mitdb/1.0.0/"
# One annotation, "+" with the text "(N", as bytes of the MIT format.
RHYTHM = bytes([5, 28 << 2, 2, 63 << 2]) + b"(N" + b"\0\0"


def record_files(name: str, samples: int = 2000) -> dict[str, bytes]:
    counts = (200 * np.sin(np.arange(samples) / 9 + len(name))).astype("<i2")
    header = f"{name} 1 360 {samples}\n{name}.dat 16 200/mV 16 0 0 0 0 MLII\n"
    return {
        f"{name}.hea": header.encode(),
        f"{name}.dat": counts.tobytes(),
        f"{name}.atr": RHYTHM,
        f"{name}.xws": b"not wanted",
    }


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Serves mitdb with records 100, 101 and 201."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    with serving() as served:
        files = {"RECORDS": b"100\n101\n201\n", "x_mitdb/x_100.hea": b"not wanted"}
        for record in ("100", "101", "201"):
            files |= record_files(record)
        served.add("mitdb", "1.0.0", files)
        yield served
