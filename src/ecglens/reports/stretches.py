"""The ECG around the start of an episode, above the images the network sees."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ecglens.images import ImageSettings, make_images
from ecglens.plots import row_ticks
from ecglens.plots.examples import IMAGE_COLOURS
from ecglens.prediction import UNREADABLE, Episode, Timeline
from ecglens.records import Recording
from ecglens.reports.strips import clock
from ecglens.reports.time_plots import Curve, Panel, TimePlot, palette_png
from ecglens.reports.words import CLASS_NAMES, duration
from ecglens.signals import unreadable_reasons
from ecglens.windows import read_padded

FloatArray = npt.NDArray[np.float64]

_BEFORE, _AFTER = 1, 2  # windows
_MOST_POINTS_HZ = 200.0
_COLOURS = 64
# The ordinary waves fill the panel: what is larger than nearly all of them is cut off.
_USUAL = (0.3, 99.7)


def stretch_plot(
    timeline: Timeline, record: Recording, episode: Episode, image: ImageSettings
) -> TimePlot:
    """Return one window before and two windows behind the start of an episode.

    Where windows overlap, an episode may start less than a window before the end of the record or
    of what can be read there: then the windows end there, and the start lies within the last one.
    Only this stretch of the record is read. Of the leads that were judged the one with the most
    readable windows is drawn, the first of equals. Images are drawn window by window, as the
    network sees them, black where a window cannot be read.

    Raises:
        RecordError: the record's file can no longer be decoded.
    """
    n_samples = round(timeline.length_s * record.fs)
    first, n_windows = _place(episode.start_s, n_samples, timeline, record)
    row, signal = _most_readable(
        record, timeline.rows_in(record), first, first + n_windows * n_samples, n_windows
    )
    start_s = first / record.fs
    end_s = start_s + len(signal) / record.fs
    lead = record.leads[row]
    name = CLASS_NAMES.get(episode.label, "")
    marks = [(episode.start_s, f"{episode.label} begins")]
    if start_s < episode.end_s < end_s:
        marks.append((episode.end_s, "ends"))
    return TimePlot(
        (
            _trace(signal, start_s, record.fs, lead.unit),
            _picture(signal.reshape(n_windows, n_samples), record.fs, image),
        ),
        start_s,
        end_s,
        alt=f"ECG and spectrogram around {clock(episode.start_s)}, where {episode.label} begins.",
        title=f"{episode.label}{', ' if name else ''}{name}, {clock(episode.start_s)}",
        caption=f"Lead {lead.name}; the episode lasts {duration(episode.duration_s)}.",
        label=episode.label,
        marks=marks,
    )


def _place(
    onset_s: float, n_samples: int, timeline: Timeline, record: Recording
) -> tuple[int, int]:
    """Return the first sample of the windows that surround a moment, and how many there are.

    A window begins at the moment, or as much earlier as it must to be whole and readable.
    """
    # At the record's own rate the last window that was judged may end a little behind it.
    judged = math.ceil((timeline.start_s[-1] + timeline.length_s) * record.fs)
    end = max(record.n_samples, judged)
    latest_s = min(onset_s, _last_readable_s(onset_s, timeline))
    middle = max(0, min(round(latest_s * record.fs), end - n_samples))
    starts = [middle + k * n_samples for k in range(-_BEFORE, _AFTER)]
    inside = [at for at in starts if at >= 0 and at + n_samples <= end]
    return inside[0], len(inside)


def _last_readable_s(onset_s: float, timeline: Timeline) -> float:
    """Return the start of the last window before the first behind a moment that is unreadable."""
    middles = timeline.start_s + timeline.length_s / 2
    lost = np.flatnonzero((middles > onset_s) & (timeline.labels == UNREADABLE))
    return float(timeline.start_s[max(0, lost[0] - 1)]) if len(lost) else math.inf


def _most_readable(
    record: Recording, rows: Sequence[int], start: int, stop: int, n_windows: int
) -> tuple[int, npt.NDArray[np.float32]]:
    """Return the row with the most readable windows in a stretch, and the stretch of it."""
    signals = read_padded(record, start, stop, rows)
    windows = signals.reshape(len(rows) * n_windows, -1)
    readable = unreadable_reasons(windows, record.fs).reshape(len(rows), n_windows) == ""
    best = int(readable.sum(axis=1).argmax())
    return rows[best], signals[best]


def _trace(signal: npt.NDArray[np.float32], start_s: float, fs: float, unit: str) -> Panel:
    times, values = _thinned(start_s + np.arange(len(signal)) / fs, signal.astype(np.float64), fs)
    low, high = _limits(values[np.isfinite(values)])
    ticks = tuple((at, f"{at:g}".replace("-", "\u2212")) for at in _round_steps(low, high))
    return Panel(unit, 8.0, low, high, ticks, curves=(Curve(times, values),))


def _limits(values: FloatArray) -> tuple[float, float]:
    """Return bottom and top of a panel in which the ordinary waves are large."""
    if not len(values):
        return -1.0, 1.0
    usual_low, usual_high = np.percentile(values, _USUAL)
    reach = 0.2 * (usual_high - usual_low)
    low = max(float(values.min()), float(usual_low - reach))
    high = min(float(values.max()), float(usual_high + reach))
    margin = 0.06 * (high - low) or 0.5
    return low - margin, high + margin


def _round_steps(low: float, high: float) -> list[float]:
    """Return two to five round numbers between two others."""
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= rough)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [round(number * step, 12) for number in range(first, last + 1)]


def _thinned(times: FloatArray, values: FloatArray, fs: float) -> tuple[FloatArray, FloatArray]:
    """Keep the least and the greatest of neighbouring samples where there are too many."""
    joined = 2 * math.ceil(fs / _MOST_POINTS_HZ)
    if joined == 2:
        return times, values
    n = len(values) // joined
    blocks = values[: n * joined].reshape(n, joined)
    missing = ~np.isfinite(blocks)
    least = np.where(missing, np.inf, blocks).argmin(axis=1)
    most = np.where(missing, -np.inf, blocks).argmax(axis=1)
    places = np.sort(np.stack([least, most], axis=1), axis=1) + joined * np.arange(n)[:, None]
    return times[places.ravel()], values[places.ravel()]


def _picture(windows: npt.NDArray[np.float32], fs: float, settings: ImageSettings) -> Panel:
    readable = unreadable_reasons(windows, fs) == ""
    images = np.zeros((len(windows), settings.height, settings.width), dtype=np.float32)
    if readable.any():
        images[readable] = make_images(windows[readable], fs, settings)[:, 0]
    levels = np.rint(np.concatenate(list(images), axis=1) * (_COLOURS - 1)).astype(np.uint8)
    ticks = row_ticks(settings.row_hz(), row_lag_s=settings.row_lag_s())
    return Panel("Hz", 8.0, ticks=tuple(ticks), png=palette_png(levels, _palette()))


@lru_cache(maxsize=1)
def _palette() -> npt.NDArray[np.uint8]:
    from matplotlib import colormaps

    shares = colormaps[IMAGE_COLOURS](np.linspace(0, 1, _COLOURS))[:, :3]
    return np.asarray(np.rint(255 * shares), dtype=np.uint8)
