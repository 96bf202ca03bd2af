"""Which precision an engine will really use."""

from __future__ import annotations


def resolve_precision(engine: str, precision: str) -> str:
    """Return ``"bf16"`` or ``"fp32"`` for what :func:`make_engine` makes of ``"auto"``.

    Nothing is compiled, so that cached features can be found without a network.
    """
    if precision != "auto":
        return precision
    if engine != "openvino":
        return "fp32"
    import openvino

    from ecglens.backbones.openvino_engine import has_bf16

    return "bf16" if has_bf16(openvino.Core()) else "fp32"
