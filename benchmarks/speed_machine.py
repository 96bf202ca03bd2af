"""What the machine is, and how fast it multiplies matrices: the limit of any network on it."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecglens.backbones.precision import resolve_precision
from ecglens.threads import usable_cores
from speed_jobs import Job

SIZE = 2048
"""Rows and columns of the matrices: a product is 17 GFLOP, and each takes 17 MB."""

GFLOP = 2 * SIZE**3 / 1e9
PACKAGES = ("numpy", "scipy", "openvino", "torch", "onnxruntime")


def describe_machine() -> dict[str, Any]:
    """Return processor, cores that may be used, precisions and versions, JSON-ready."""
    return {
        "processor": _processor(),
        "cores": usable_cores(),
        "precisions": list(precisions()),
        "python": platform.python_version(),
        "versions": {name: version for name in PACKAGES if (version := _version(name))},
    }


def precisions() -> tuple[str, ...]:
    """Return what OpenVINO computes in on this processor, fastest first."""
    return ("bf16", "fp32") if resolve_precision("openvino", "auto") == "bf16" else ("fp32",)


def matrix_jobs() -> list[Job]:
    """Return products of two matrices, by each library and precision."""
    rng = np.random.default_rng(0)
    A, B = (rng.normal(size=(SIZE, SIZE)).astype(np.float32) for _ in range(2))
    jobs = [_job("numpy", "fp32", lambda: A @ B)]
    return jobs + [_job("openvino", name, _openvino_product(A, B, name)) for name in precisions()]


def _job(library: str, precision: str, product: Callable[[], object]) -> Job:
    def run(n: int) -> None:
        for _ in range(n):
            product()

    return Job(("matrix", library, precision), run, unit=1, most=64)


def _openvino_product(
    A: npt.NDArray[np.float32], B: npt.NDArray[np.float32], precision: str
) -> Callable[[], object]:
    import openvino
    from openvino import opset13 as ops

    left = ops.parameter(A.shape, np.float32)
    product = ops.matmul(left, ops.constant(B), transpose_a=False, transpose_b=False)
    model = openvino.Model([product.output(0)], [left], "product")
    hint = "bf16" if precision == "bf16" else "f32"
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": hint})
    request = compiled.create_infer_request()
    return lambda: request.infer({0: A}, share_inputs=True, share_outputs=True)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
