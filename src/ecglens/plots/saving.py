"""Figures as files: whole or not there, and the same bytes for the same figure."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ecglens.errors import UsageError, suggest
from ecglens.files import write_atomically

# Without these entries matplotlib writes its version and the time into the file.
_METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Creator": None, "Date": None},
    "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
}
DOTS_PER_INCH = 150


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure as PNG, SVG or PDF, by the suffix of the path.

    Args:
        figure: a figure of one of the ``plot_`` functions.
        path: where it goes; its folder must exist.

    Raises:
        UsageError: the suffix is none of .png, .svg and .pdf.
        OutputError: the file cannot be written.
    """
    path = Path(path)
    kind = path.suffix.lower().removeprefix(".")
    if kind not in _METADATA:
        raise UsageError(
            f"cannot save a figure as {path.name!r}: the suffix must be "
            f".{', .'.join(_METADATA)}{suggest(kind, _METADATA)}"
        )
    content = render_figure(figure, kind)
    write_atomically(path, lambda file: file.write(content))


def render_figure(figure: Figure, kind: str = "png") -> bytes:
    """Return a figure as the bytes of a file.

    Args:
        figure: a figure of one of the ``plot_`` functions.
        kind: ``"png"`` (150 dots per inch), ``"svg"`` or ``"pdf"``.

    Raises:
        UsageError: ``kind`` is another.
    """
    if kind not in _METADATA:
        raise UsageError(
            f"a figure cannot be a {kind!r}; choose from {', '.join(_METADATA)}"
            f"{suggest(kind, _METADATA)}"
        )
    FigureCanvasAgg(figure)
    content = io.BytesIO()
    # The salt replaces random names inside an SVG; it is in force for this call alone.
    with matplotlib.rc_context({"svg.hashsalt": "ecglens"}):
        figure.savefig(content, format=kind, dpi=DOTS_PER_INCH, metadata=_METADATA[kind])
    return content.getvalue()
