"""skops without torch."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

# The one module of scikit-learn that imports torch; no estimator lies in it.
_TORCH_SHIM = "sklearn.externals.array_api_compat.torch"


def import_skops() -> ModuleType:
    """Return ``skops.io``.

    Its import makes scikit-learn import all of its modules. Where torch is installed, and not
    imported yet, that would load it too: 2 seconds and 450 MB that no step after it needs.
    """
    if "skops.io" not in sys.modules and not {"torch", _TORCH_SHIM} & sys.modules.keys():
        # None makes the import of the shim an ImportError, which the search passes over.
        sys.modules[_TORCH_SHIM] = None  # type: ignore[assignment]
        try:
            importlib.import_module("skops.io")
        finally:
            del sys.modules[_TORCH_SHIM]
    return importlib.import_module("skops.io")
