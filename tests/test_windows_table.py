"""Tables of windows of several rates: read as they are, refused where they are damaged."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from ecglens.errors import WindowError
from ecglens.windows import is_windows_table, load_windows_table
from tests.signals_of import beats


def arrays() -> dict[str, np.ndarray]:
    signals = [np.round(1000 * beats(10, fs, seed=1)).astype(np.int16) for fs in (250, 50, 360)]
    return {
        "x_milli": np.concatenate(signals),
        "offset": np.cumsum([0, *map(len, signals)]),
        "fs": np.array([250, 50, 360]),
        "label": np.array(["N", "AF", "N"]),
        "database": np.array(["a", "b", "a"]),
        "subject": np.array(["p1", "p2", "p3"]),
        "record": np.array(["r1", "r2", "r3"]),
        "start_s": np.array([0, 10, 20]),
    }


def write(path: Path, **changes: np.ndarray) -> Path:
    np.savez_compressed(path, **{**arrays(), **changes})
    return path


def test_windows_come_to_one_rate(tmp_path: Path) -> None:
    path = write(tmp_path / "t.npz")
    assert is_windows_table(path)
    windows = load_windows_table(path)
    assert windows.X.shape == (3, 1250)
    assert windows.labels.tolist() == ["N", "AF", "N"]
    assert windows.subjects.tolist() == ["p1", "p2", "p3"]
    assert windows.start_s.tolist() == [0.0, 10.0, 20.0]
    # The same beats, whatever rate they were kept at.
    assert np.corrcoef(windows.X[0], windows.X[2])[0, 1] > 0.98
    assert load_windows_table(path, fs=100.0).X.shape == (3, 1000)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"offset": np.array([0, 10, 20])}, "3 rates for 2 windows"),
        ({"offset": np.array([0, 2500, 3000, 99999])}, "windows lie outside its"),
        ({"offset": np.array([0, 2500, 2500, 6600])}, "windows lie outside its"),
        ({"offset": np.array([0, 2500, 2600, 6600])}, "windows last 2 to .* s; cut them to one"),
        ({"fs": np.array([250, 0, 360])}, "rates of 0 to 360 Hz; an ECG has 10 to 100000 Hz"),
        ({"fs": np.array([1e-7] * 3)}, "rates of 1e-07 to 1e-07 Hz; an ECG has"),
        ({"fs": np.array([250, np.nan, 360])}, "rates of nan to nan Hz; an ECG has"),
        ({"label": np.array(["N"])}, "labels has shape"),
        ({"fs": np.array(["x"] * 3)}, "is not a table of windows"),
        ({"subject": np.array([object()] * 3)}, "is not a table of windows .*object"),
    ],
)
def test_damage_is_refused(tmp_path: Path, changes: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(WindowError, match=message):
        load_windows_table(write(tmp_path / "t.npz", **changes))


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "t.npz", x_milli=np.zeros(20_000_000, np.int16))
    with pytest.raises(WindowError, match=r"it unpacks to 4[0-9]* bytes"):
        load_windows_table(path)


def test_more_values_than_memory_may_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "t.npz")
    monkeypatch.setattr("ecglens.windows.tables.MAX_VALUES", 3 * 1250)
    assert load_windows_table(path).X.size == 3 * 1250
    with pytest.raises(WindowError, match=r"3 windows of 10 s at 126 Hz are more than 3750 values"):
        load_windows_table(path, fs=126.0)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "t.npz")
    assert not is_windows_table(tmp_path / "t.npz")
    with pytest.raises(WindowError, match="no such file"):
        load_windows_table(tmp_path / "t.npz")


def test_other_files(tmp_path: Path) -> None:
    other = tmp_path / "other.npz"
    np.savez(other, X=np.zeros(3))
    text = tmp_path / "text.npz"
    text.write_text("no archive")
    for path in (other, text, tmp_path / "none.npz"):
        assert not is_windows_table(path)
        with pytest.raises(WindowError, match=r"lacks x_milli|not a table|no such file"):
            load_windows_table(path)
