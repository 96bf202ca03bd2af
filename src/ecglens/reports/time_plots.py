"""Panels over one time axis that can be stretched in a browser without any script.

The axis is drawn in shares of its width, so that a wider one shows the same in more detail, and
texts and strokes keep their size.
"""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from ecglens.records import runs_of
from ecglens.reports.blocks import Block, Span
from ecglens.reports.strips import TICKS_S, clock

FloatArray = npt.NDArray[np.float64]

ZOOMS = (1, 3, 8)
"""How many times the width of the page a plot may have; style.css knows the same."""

_MOST_TICKS = 7
_HEIGHT = 1000  # of a panel, in its own steps
_LETTER = 1.4  # width of a letter on a narrow page, in per cent of the page's width


class Curve(NamedTuple):
    """Values over time, or an area between two values.

    Attributes:
        times_s: rising, shape (n,).
        values: shape (n,); NaN leaves a gap.
        lower: None draws a line; else the lower edge of an area, shape (n,).
        width_s: time that a value stands for: as long is a value drawn that has no neighbour.
    """

    times_s: FloatArray
    values: FloatArray
    lower: FloatArray | None = None
    width_s: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """What is drawn over the time of a plot, from back to front.

    Attributes:
        name: of the vertical axis, with its unit.
        height_rem: in heights of a letter.
        low: value at the bottom.
        high: value at the top.
        ticks: values and what is written there.
        png: a picture over the whole panel, as the bytes of a PNG file.
        spans: labels over time, as high as the panel.
        curves: lines and areas.
    """

    name: str
    height_rem: float
    low: float = 0.0
    high: float = 1.0
    ticks: Sequence[tuple[float, str]] = ()
    png: bytes = b""
    spans: Sequence[Span] = ()
    curves: Sequence[Curve] = ()


@dataclass(frozen=True, slots=True)
class TimePlot(Block):
    """Panels above each other.

    Attributes:
        panels: from top to bottom.
        start_s: time at the left edge, in seconds of the record.
        end_s: at the right edge.
        alt: what is to be seen, for those who cannot see it.
        title: above it.
        caption: below it.
        label: a class whose colour stands before the title.
        marks: moments with a name.
    """

    template: ClassVar[str] = "time_plot.html"
    panels: Sequence[Panel]
    start_s: float
    end_s: float
    alt: str
    title: str = ""
    caption: str = ""
    label: str = ""
    marks: Sequence[tuple[float, str]] = ()

    def share(self, time_s: float) -> float:
        """Return where a moment lies, in per cent of the width."""
        return 100 * (time_s - self.start_s) / (self.end_s - self.start_s)


class Tick(NamedTuple):
    """A mark on the time axis.

    Attributes:
        at: where, in per cent of the width.
        text: the time.
        level: from which step of :data:`ZOOMS` on there is room for it, from 1.
    """

    at: float
    text: str
    level: int


def ticks_of(plot: TimePlot) -> list[Tick]:
    """Return round times, more of them for every step of zoom."""
    length_s = plot.end_s - plot.start_s
    levels: dict[int, int] = {}
    step = 0
    for level, zoom in enumerate(ZOOMS, 1):
        fits = [s for s in TICKS_S if length_s / s <= _MOST_TICKS * zoom and (step % s == 0)]
        step = fits[0] if fits else step or TICKS_S[-1]
        first, last = math.ceil(plot.start_s / step - 1e-9), math.floor(plot.end_s / step + 1e-9)
        for number in range(first, last + 1):
            levels.setdefault(number * step, level)
    return [Tick(plot.share(at), clock(at), level) for at, level in sorted(levels.items())]


class Name(NamedTuple):
    """The name of a mark.

    Attributes:
        at: where the mark stands, in per cent of the width.
        text: the name.
        before: whether it stands before the mark, as there is no room behind.
    """

    at: float
    text: str
    before: bool


def names_of(plot: TimePlot) -> list[Name]:
    """Return the names of the marks of a plot, each on the side on which there is room."""
    places = [*(plot.share(at) for at, _ in plot.marks), 100.0]
    names = []
    for (_, text), at, following in zip(plot.marks, places, places[1:], strict=False):
        needed = _LETTER * len(text)
        names.append(Name(at, text, following - at < needed <= at))
    return names


class Path(NamedTuple):
    """A curve in the steps of its panel.

    Attributes:
        d: as the attribute of an SVG path.
        area: whether it is filled.
    """

    d: str
    area: bool


def width_of(plot: TimePlot) -> int:
    """Return how many steps wide a panel of the plot is: two for each of the most values."""
    longest = max((len(c.values) for p in plot.panels for c in p.curves), default=0)
    return max(1000, 2 * longest)


def paths_of(plot: TimePlot, panel: Panel) -> Iterator[Path]:
    """Yield the curves of a panel; its top left corner is (0, 0)."""
    for curve in panel.curves:
        pieces = [_path(_outline(piece, plot, panel)) for piece in _pieces(curve)]
        if pieces:
            yield Path("".join(pieces), curve.lower is not None)


def _pieces(curve: Curve) -> Iterator[Curve]:
    """Yield what lies between the gaps of a curve; a value alone becomes two, its width apart."""
    known = np.isfinite(curve.values)
    if curve.lower is not None:
        known &= np.isfinite(curve.lower)
    for first, last in runs_of(known):
        part = np.arange(first, last)
        times_s = curve.times_s[part]
        if len(part) == 1 and curve.width_s:
            part = part.repeat(2)
            times_s = curve.times_s[part] + curve.width_s * np.array([-0.5, 0.5])
        lower = None if curve.lower is None else curve.lower[part]
        yield Curve(times_s, curve.values[part], lower)


def _outline(piece: Curve, plot: TimePlot, panel: Panel) -> list[tuple[int, int]]:
    """Return the points of a line, or those around an area, in the steps of a panel."""
    shares = (piece.times_s - plot.start_s) / (plot.end_s - plot.start_s)
    x = np.rint(np.clip(shares, 0.0, 1.0) * width_of(plot)).astype(np.int64).tolist()
    points = list(zip(x, _steps(piece.values, panel), strict=True))
    if piece.lower is not None:
        points += list(zip(x, _steps(piece.lower, panel), strict=True))[::-1]
    return points


def height_at(panel: Panel, value: float) -> float:
    """Return where a value lies, in per cent of the panel's height from the bottom."""
    return 100 * (value - panel.low) / (panel.high - panel.low)


def _steps(values: FloatArray, panel: Panel) -> list[int]:
    share = (panel.high - np.asarray(values, dtype=np.float64)) / (panel.high - panel.low)
    steps: list[int] = np.rint(np.clip(share, 0.0, 1.0) * _HEIGHT).astype(np.int64).tolist()
    return steps


def _path(points: Sequence[tuple[int, int]]) -> str:
    """Return points as a path, relative to each other and without a needless character."""
    (x, y), *others = points
    words = [f"M{x} {y}l"]
    for to_x, to_y in others or [(x, y)]:
        step_x, step_y = to_x - x, to_y - y
        gap = "" if step_x < 0 or len(words) == 1 else " "
        words.append(f"{gap}{step_x}{'' if step_y < 0 else ' '}{step_y}")
        x, y = to_x, to_y
    return "".join(words)


def png_url(png: bytes) -> str:
    """Return a PNG file as an address that holds it."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def palette_png(values: npt.ArrayLike, colours: npt.ArrayLike) -> bytes:
    """Return an image of few colours as a PNG file.

    Args:
        values: which colour a pixel has, shape (height, width), row 0 at the top.
        colours: red, green and blue from 0 to 255, shape (n, 3), n up to 256.
    """
    pixels = np.asarray(values, dtype=np.uint8)
    height, width = pixels.shape
    # Each row begins with the number of its filter: none.
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels], axis=1)
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    palette = np.asarray(colours, dtype=np.uint8).tobytes()
    chunks = ((b"IHDR", head), (b"PLTE", palette), (b"IDAT", zlib.compress(rows.tobytes(), 9)))
    body = b"".join(_chunk(kind, data) for kind, data in (*chunks, (b"IEND", b"")))
    return b"\x89PNG\r\n\x1a\n" + body


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
