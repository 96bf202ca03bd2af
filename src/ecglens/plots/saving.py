"""Figures as files: whole or not there, and the same bytes for the same figure."""

from __future__ import annotations

import hashlib
import io
import re
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from ecglens.errors import UsageError, suggest
from ecglens.files import write_atomically

# Without these entries matplotlib writes its version and the time into the file.
_METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Creator": None, "Date": None, "Format": None, "Type": None},
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
    content = render_figure(figure, check_figure(path))
    write_atomically(path, lambda file: file.write(content))


def check_figure(path: Path) -> str:
    """Return the kind of figure that the suffix of a path stands for.

    Raises:
        UsageError: the suffix is none of .png, .svg and .pdf.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in _METADATA:
        raise UsageError(
            f"cannot save a figure as {path.name!r}: the suffix must be "
            f".{', .'.join(_METADATA)}{suggest(kind, _METADATA)}"
        )
    return kind


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
    _prepare(figure)
    content = io.BytesIO()
    # The salt replaces random names inside an SVG; it is in force for this call alone.
    with matplotlib.rc_context({"svg.hashsalt": "ecglens"}):
        figure.savefig(content, format=kind, dpi=DOTS_PER_INCH, metadata=_METADATA[kind])
    return content.getvalue()


def _prepare(figure: Figure) -> None:
    """Give a figure something to be drawn on, and take its texts as they are.

    Matplotlib reads what stands between two dollar signs as a formula, and names may hold such.
    """
    FigureCanvasAgg(figure)
    for text in figure.findobj(Text):
        if isinstance(text, Text):
            text.set_parse_math(False)


def render_inline(figure: Figure) -> str:
    """Return a figure as an SVG element to stand inside an HTML page.

    Its text stays text, without a font of its own; its ground is transparent; its ids hold a hash
    of the figure, so that those of two figures on a page do not meet.

    Args:
        figure: a figure of one of the ``plot_`` functions.
    """
    content = io.BytesIO()
    _prepare(figure)
    with matplotlib.rc_context({"svg.hashsalt": "ecglens", "svg.fonttype": "none"}):
        figure.savefig(content, format="svg", transparent=True, metadata=_METADATA["svg"])
    svg = content.getvalue().decode()
    svg = svg[svg.index("<svg") :]
    own = hashlib.sha256(svg.encode()).hexdigest()[:8]
    svg = re.sub(r' width="[\d.]+pt" height="[\d.]+pt"', "", svg, count=1)
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r" font-family: [^;]*;", "", svg)
    return re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>f{own}-", svg).strip()
