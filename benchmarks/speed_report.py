"""From rates to tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from speed_machine import GFLOP as PRODUCT_GFLOP

Key = tuple[str, ...]
WINDOW_S = 10
STAGES = ("read", "filter", "image", "network", "head", "signal to features")


def format_report(found: Mapping[str, Any]) -> str:
    """Return the whole report of ``benchmarks/speed.py`` as Markdown.

    Args:
        found: what ``speed.measure`` returns.
    """
    rates: dict[Key, float] = {tuple(row["what"]): row["per_second"] for row in found["rates"]}
    parts = [
        format_machine(found["machine"], found["date"], found["command"]),
        format_stages(rates),
        format_routes(rates),
        format_networks(rates, found["multiply_adds"]),
        format_growth(found["growth"]),
        format_skipped(found["skipped"]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def format_machine(machine: Mapping[str, Any], date: str, command: str) -> str:
    """Return one paragraph on command, date, machine and versions."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    precisions = " and ".join(machine["precisions"])
    return (
        f"`{command}`, {date}, {machine['cores']} core(s) of {machine['processor']} "
        f"({precisions}); Python {machine['python']}, {versions}."
    )


def format_stages(rates: Mapping[Key, float]) -> str:
    """Return the stages of the route: those that every network shares, its own, and the whole."""
    rows: list[list[str]] = []
    for key, rate in rates.items():
        match key:
            case ("stage", stage, *network):
                rows.append([stage, *network, *[""] * (2 - len(network)), *_rate(rate)])
            case ("network", network, "ecglens", precision):
                rows.append(["network", network, precision, *_rate(rate)])
            case ("route", "ecglens", network, precision):
                rows.append(["signal to features", network, precision, *_rate(rate)])
    rows.sort(key=lambda row: STAGES.index(row[0]))
    return table(["stage", "network", "precision", "windows/s", "hours of ECG/s"], rows)


def format_routes(rates: Mapping[Key, float]) -> str:
    """Return whole routes from signal to features beside the usual one."""
    usual = {key[2]: rate for key, rate in rates.items() if key[:2] == ("route", "usual")}
    rows = []
    for key, rate in rates.items():
        if key[0] != "route":
            continue
        _, route, network, precision = key
        ratios = [f"{rate / other:.1f} x {name}" for name, other in usual.items()]
        rows.append([route, network, precision, _number(rate), ", ".join(ratios)])
    head = ["route", "network", "precision", "windows/s", "times the usual route"]
    return table(head, rows)


def format_networks(rates: Mapping[Key, float], multiply_adds: Mapping[str, int]) -> str:
    """Return the networks alone, and how near they come to the machine's matrix product.

    A multiply-add counts as two operations.
    """
    rows: list[list[str]] = []
    limits: dict[str, float] = {}
    for key, rate in rates.items():
        match key:
            case ("matrix", library, precision):
                gflop = rate * PRODUCT_GFLOP
                limits[precision] = max(gflop, limits.get(precision, 0.0))
                rows.append(["matrix product", library, precision, "", _number(gflop), ""])
            case ("network", name, engine, precision):
                gflop = rate * 2 * multiply_adds[name] / 1e9
                share = f"{gflop / limits[precision]:.0%}"
                rows.append([name, engine, precision, _number(rate), _number(gflop), share])
    head = ["network", "engine", "precision", "windows/s", "GFLOP/s", "of matrix product"]
    return table(head, rows)


def format_growth(growth: Sequence[Mapping[str, Any]]) -> str:
    """Return time and memory by length of the recording."""
    rows = [
        [
            f"{row['hours']:g}",
            str(row["windows"]),
            f"{row['seconds']:.1f}",
            _number(row["windows"] / row["seconds"]),
            "" if row["peak_mb"] is None else f"{row['peak_mb']:.0f}",
        ]
        for row in growth
    ]
    return table(["hours of ECG", "windows", "seconds", "windows/s", "peak memory (MB)"], rows)


def format_skipped(skipped: Iterable[Mapping[str, str]]) -> str:
    """Return what was not measured, and why."""
    return "\n".join(f"- not measured: {row['what']} ({row['why']})" for row in skipped)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table, or nothing where there are no rows."""
    if not rows:
        return ""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    rule = ["-" * width for width in widths]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in (head, rule, *rows)
    )


def _rate(windows_per_s: float) -> list[str]:
    return [_number(windows_per_s), f"{windows_per_s * WINDOW_S / 3600:.2f}"]


def _number(value: float) -> str:
    """Return three digits that count, without an exponent."""
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"
