from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

CODE = """
import sys
from ecglens.lean_skops import import_skops
skops = import_skops()
assert "torch" not in sys.modules
known = skops.loads(skops.dumps(__import__("sklearn.svm").svm.SVC()))
assert type(known).__name__ == "SVC"
import sklearn.externals.array_api_compat.torch
assert "torch" in sys.modules
assert import_skops() is skops
"""


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs ecglens[timm]")
def test_skops_does_not_load_torch_and_nothing_else_is_kept_from_it() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
