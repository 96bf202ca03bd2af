"""Figures of windows: the ECG and the image the network sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ecglens.errors import UsageError
from ecglens.plots.style import (
    DASHES,
    GRID,
    INK,
    MARK,
    SMALL_PT,
    new_figure,
    set_title,
    tidy,
)
from ecglens.records import check_fs

FloatArray = npt.NDArray[np.float64]

IMAGE_COLOURS = "magma"
_STRETCH_IN = (4.6, 2.9)
_LAGS_S = (1.0, 2.0)


def plot_examples(
    windows_by_class: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike]],
    fs: float,
    length_s: float,
    row_hz: npt.ArrayLike,
    frequency_ticks: Sequence[float] | None = None,
    *,
    row_lag_s: npt.ArrayLike = (),
) -> Figure:
    """Draw one window per class: the ECG and beside it the image the network sees.

    Args:
        windows_by_class: by class, the signal in mV, shape (n_samples,), and one channel of its
            image in [0, 1], shape (height, width), row 0 being the highest frequency.
        fs: sampling rate of the signals in Hz.
        length_s: length of the windows in seconds.
        row_hz: frequency of each row of the spectrogram in Hz, falling; see
            ``ImageSettings.row_hz``.
        frequency_ticks: where the frequency axis is labelled, in Hz; by default round numbers.
        row_lag_s: lag of each row of the correlogram below it in seconds, rising; see
            ``ImageSettings.row_lag_s``. Empty where the images have none.

    Raises:
        UsageError: there is no window, an array has another shape, or ``fs`` is out of range.
    """
    if not windows_by_class:
        raise UsageError("there is no window to draw; give one per class")
    check_fs(fs)
    figure = new_figure(1.35 * len(windows_by_class) + 0.45)
    rows = figure.subplots(
        len(windows_by_class), 2, squeeze=False, sharex=True, width_ratios=[1.5, 1]
    )
    for (left, right), (name, (signal, image)) in zip(rows, windows_by_class.items(), strict=True):
        _draw_trace(left, name, np.asarray(signal, dtype=np.float64), fs)
        _draw_image(right, name, np.asarray(image, dtype=np.float64), length_s)
        label_rows(right, row_hz, frequency_ticks, row_lag_s)
    for axes in rows[-1]:
        axes.set_xlim(0, length_s)
        axes.set_xlabel("seconds")
    figure.align_ylabels()
    return figure


def plot_stretch(
    windows: npt.ArrayLike,
    images: npt.ArrayLike,
    fs: float,
    row_hz: npt.ArrayLike,
    *,
    row_lag_s: npt.ArrayLike = (),
    origin_s: float = 0.0,
    marks: Mapping[str, float] | None = None,
) -> Figure:
    """Draw neighbouring windows: the ECG and below it the images the network sees.

    Args:
        windows: consecutive windows in mV, shape (n_windows, n_samples).
        images: one channel of each image in [0, 1], shape (n_windows, height, width), row 0 being
            the highest frequency.
        fs: sampling rate of the windows in Hz.
        row_hz: frequency of each row of the spectrogram in Hz, falling.
        row_lag_s: lag of each row of the correlogram below it in seconds, rising; empty where the
            images have none.
        origin_s: what the time axis shows at the first sample, in seconds.
        marks: moments to mark, on that axis, by name.

    Raises:
        UsageError: shapes disagree, there is no window, or ``fs`` is out of range.
    """
    signals = np.asarray(windows, dtype=np.float64)
    pictures = np.asarray(images, dtype=np.float64)
    if signals.ndim != 2 or pictures.ndim != 3 or not 0 < len(signals) == len(pictures):
        raise UsageError(
            f"windows have shape {signals.shape}, images {pictures.shape}; they must be "
            "(n_windows, n_samples) and (n_windows, height, width), one image per window"
        )
    check_fs(fs)
    figure = new_figure(_STRETCH_IN[1], width_in=_STRETCH_IN[0])
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[1, 1.25])
    seconds = origin_s + np.arange(signals.size) / fs
    upper.plot(seconds, signals.ravel(), color=INK, linewidth=0.8)
    upper.set_ylabel("mV")
    upper.margins(y=0.08)
    upper.grid(color=GRID, linewidth=0.6)
    upper.set_axisbelow(True)
    tidy(upper, spines=()).tick_params(length=0)
    _draw_images(lower, pictures, origin_s, signals.shape[1] / fs)
    label_rows(lower, row_hz, None, row_lag_s)
    for axes in (upper, lower):
        _draw_marks(axes, marks or {}, named=axes is upper)
    lower.set_xlim(origin_s, origin_s + signals.size / fs)
    lower.set_xlabel("seconds")
    figure.align_ylabels()
    return figure


def _draw_images(
    axes: Axes, images: npt.NDArray[np.float64], origin_s: float, length_s: float
) -> None:
    """Draw images side by side, with a thin line where one window ends and the next begins."""
    for number, image in enumerate(images):
        left = origin_s + number * length_s
        _draw_image(axes, "", image, length_s, left)
        if number:
            axes.axvline(left, color="white", linewidth=0.8)


def _draw_marks(axes: Axes, marks: Mapping[str, float], *, named: bool) -> None:
    """Draw moments as vertical lines; the first name stands to the left of its line."""
    in_time = sorted(marks.items(), key=lambda item: item[1])
    for number, (name, at) in enumerate(in_time):
        dashes = DASHES[list(marks).index(name) % len(DASHES)]
        axes.axvline(at, color=MARK, linewidth=1.4, linestyle=dashes)
        if named:
            left = number == 0 and len(in_time) > 1
            axes.annotate(
                name,
                (at, 1.0),
                (-3 if left else 3, 3),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                ha="right" if left else "left",
                fontsize=SMALL_PT,
                color=INK,
            )


def row_ticks(
    row_hz: npt.ArrayLike,
    ticks: Sequence[float] | None = None,
    row_lag_s: npt.ArrayLike = (),
) -> list[tuple[float, str]]:
    """Return where the rows of an image are labelled, from 0 (bottom) to 1 (top), and how.

    Args:
        row_hz: frequency of each row of the spectrogram in Hz, falling.
        ticks: frequencies to label; by default round ones that stand far enough apart.
        row_lag_s: lag of each row of the correlogram below it in seconds, rising, or empty.
    """
    rows_hz = np.asarray(row_hz, dtype=np.float64)[::-1]
    lags_s = np.asarray(row_lag_s, dtype=np.float64)
    edge = len(lags_s) / (len(rows_hz) + len(lags_s))
    places = np.linspace(edge, 1, len(rows_hz))
    chosen = _round_hz(rows_hz, places) if ticks is None else list(ticks)
    marks = [(float(np.interp(hz, rows_hz, places)), f"{hz:g}") for hz in chosen]
    for lag_s in _LAGS_S:
        if len(lags_s) and lags_s[0] <= lag_s <= lags_s[-1]:
            share = (lag_s - lags_s[0]) / (lags_s[-1] - lags_s[0])
            marks.append((edge * (1 - float(share)), f"{lag_s:g} s"))
    return marks


def label_rows(
    axes: Axes,
    row_hz: npt.ArrayLike,
    ticks: Sequence[float] | None,
    row_lag_s: npt.ArrayLike = (),
) -> None:
    """Label the rows of an image, which run from 0 to 1, and part its correlogram off."""
    places, texts = zip(*row_ticks(row_hz, ticks, row_lag_s), strict=True)
    axes.set_yticks(places, texts)
    n_lags = np.size(row_lag_s)
    if n_lags:
        axes.axhline(n_lags / (np.size(row_hz) + n_lags), color="white", linewidth=0.8)


def _round_hz(rows_hz: FloatArray, places: FloatArray) -> list[float]:
    """Return round frequencies that stand far enough apart on the axis."""
    kept: list[float] = []
    last = -1.0
    for hz in (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 40.0, 60.0, 80.0, 100.0, 200.0):
        place = float(np.interp(hz, rows_hz, places))
        if hz <= rows_hz[-1] and place - last >= 0.15:
            kept.append(hz)
            last = place
    return kept


def _draw_trace(axes: Axes, name: str, signal: FloatArray, fs: float) -> None:
    """Draw one window's ECG with the class as its title."""
    if signal.ndim != 1:
        raise UsageError(f"class {name!r}: a signal must be (n_samples,), got {signal.shape}")
    axes.plot(np.arange(len(signal)) / fs, signal, color=INK, linewidth=0.8)
    axes.set_ylabel("mV")
    axes.margins(y=0.08)
    tidy(axes)
    set_title(axes, name).set_fontweight("bold")


def _draw_image(
    axes: Axes, name: str, image: FloatArray, length_s: float, start_s: float = 0.0
) -> None:
    """Draw one channel of an image; its rows run from 0 to 1, whatever their frequencies."""
    if image.ndim != 2:
        raise UsageError(
            f"class {name!r}: an image must be (height, width), got {image.shape}; give one channel"
        )
    axes.imshow(
        image,
        cmap=IMAGE_COLOURS,
        vmin=0.0,
        vmax=1.0,
        aspect="auto",
        extent=(start_s, start_s + length_s, 0.0, 1.0),
        interpolation="nearest",
    )
    axes.set_ylabel("Hz")
    tidy(axes)
