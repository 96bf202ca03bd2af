"""Hostile model files: each is refused with its own reason, and nothing of it runs."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecglens.errors import ModelFileError
from ecglens.models import load_model, verify_model

robust_files = pytest.importorskip("robust_files")  # conftest.py makes its folder known
HOSTILE = pytest.importorskip("robust_models").HOSTILE


@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_refused_with_its_reason(name: str, small_model: Path, tmp_path: Path) -> None:
    members = robust_files.members_of(small_model.read_bytes())
    path = tmp_path / "bad.ecglens"
    path.write_bytes(HOSTILE[name].make(members))
    with pytest.raises(ModelFileError, match=HOSTILE[name].reason) as caught:
        load_model(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 2000
    assert sorted(tmp_path.iterdir()) == [path]


def test_the_good_one_is_not_refused(small_model: Path, tmp_path: Path) -> None:
    members = robust_files.members_of(small_model.read_bytes())
    path = tmp_path / "good.ecglens"
    path.write_bytes(robust_files.rehashed(members))
    model = load_model(path)
    p = model.head.predict_proba(np.zeros((3, 12), dtype=np.float32))
    assert p.shape == (3, 2)
    assert verify_model(path).verified


def test_loading_runs_no_code_and_opens_nothing_else(small_model: Path, tmp_path: Path) -> None:
    load_model(small_model)  # all modules are imported from here on
    seen: list[str] = []
    armed = False

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if not armed:
            return
        if event in ("subprocess.Popen", "os.system", "os.exec", "socket.connect", "import"):
            seen.append(f"{event} {arguments[0]}")
        elif event == "open" and str(arguments[0]) != str(path):
            seen.append(f"open {arguments[0]}")
        elif event == "exec":
            seen.append(f"exec {arguments[0].co_filename}")

    sys.addaudithook(hook)  # it cannot be taken away, only disarmed
    path = tmp_path / "m.ecglens"
    files = [small_model.read_bytes(), *_hostile(small_model)]
    for data in files:
        armed = False
        path.write_bytes(data)
        armed = True
        with contextlib.suppress(ModelFileError):
            load_model(path)
    armed = False
    # Modules that are there are looked up again by name; others would come from the file.
    strange = [what for what in seen if what.partition("import ")[2] not in sys.modules]
    own = ("sklearn", "skops", "numpy", "scipy", "<string>", "<frozen")
    assert [what for what in strange if not any(word in what for word in own)] == []


def _hostile(small_model: Path) -> list[bytes]:
    members = robust_files.members_of(small_model.read_bytes())
    names = (
        "a pickle beside the head", "a pickle as the head", "a type that is not trusted",
        "a function as a type", "weights in another file", "a link as member",
    )  # fmt: skip
    return [HOSTILE[name].make(members) for name in names]
