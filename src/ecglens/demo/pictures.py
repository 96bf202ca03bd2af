"""Pictures of the demo's report: ECG above the images, of training windows and of the Holter."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ecglens.demo.results import DemoResult
from ecglens.images import ImageSettings, make_images
from ecglens.plots import plot_stretch, render_inline
from ecglens.reports import Picture, clock
from ecglens.reports.words import CLASS_NAMES, NORMAL
from ecglens.signals import unreadable_reasons
from ecglens.windows import WindowRule, Windows, cut_record

_ONE_MARK_S = 0.5


def example_pictures(result: DemoResult) -> Iterator[Picture]:
    """Yield one window of each class with its image."""
    windows, settings = result.windows, result.model.recipe.image
    for label in windows.classes:
        # The middle window of the class: neither the first seconds of a record nor picked by hand.
        mine = windows.subset(windows.labels == label)
        middle = mine.subset(np.array([len(mine) // 2]))
        figure = plot_stretch(
            middle.X, _images(middle, settings), middle.fs, settings.row_hz(),
            row_lag_s=settings.row_lag_s(),
        )  # fmt: skip
        yield Picture(
            render_inline(figure),
            alt=f"Ten seconds of {_named(label)}: ECG above its spectrogram.",
            title=f"{label}, {_named(label)}",
            caption=f"{middle.subjects[0]}, from {clock(float(middle.start_s[0]))}",
            label=label,
        )


def onset_pictures(result: DemoResult) -> Iterator[Picture]:
    """Yield the surroundings of the start of one predicted episode of each class."""
    rule = WindowRule(length_s=result.model.length_s, fs=result.model.fs)
    windows = cut_record(result.record, rule)
    for label, (predicted_s, true_s) in sorted(_onsets(result).items()):
        yield _onset_picture(result, windows, label, predicted_s, true_s)


def _onsets(result: DemoResult) -> dict[str, tuple[float, float | None]]:
    """Return the predicted and true start of one episode of each class, found ones first."""
    onsets: dict[str, tuple[float, float | None]] = {}
    normal = {one.start_s for one in result.timeline.episodes if one.label == NORMAL}
    for match in sorted(result.matches, key=lambda match: not match.found):
        if match.predicted is None:
            continue
        starts, ends = (None, None) if match.reference is None else match.reference
        onsets.setdefault(match.label, (match.predicted[0], starts))
        if match.predicted[1] in normal:
            onsets.setdefault(NORMAL, (match.predicted[1], ends))
    return onsets


def _onset_picture(
    result: DemoResult, windows: Windows, label: str, predicted_s: float, true_s: float | None
) -> Picture:
    settings = result.model.recipe.image
    middle = int(np.searchsorted(windows.start_s, predicted_s - 1e-6))
    around = windows.subset(np.arange(max(0, middle - 1), min(len(windows), middle + 2)))
    origin_s = float(around.start_s[0]) - predicted_s
    end_s = origin_s + len(around) * around.length_s
    marks = {"predicted": 0.0}
    if true_s is not None and abs(true_s - predicted_s) < _ONE_MARK_S:
        marks = {"predicted and true": 0.0}
    elif true_s is not None and origin_s < true_s - predicted_s < end_s:
        marks["true"] = true_s - predicted_s
    figure = plot_stretch(
        np.nan_to_num(around.X), _images(around, settings), around.fs, settings.row_hz(),
        row_lag_s=settings.row_lag_s(), origin_s=origin_s, marks=marks,
    )  # fmt: skip
    said = "" if true_s is None else f"; it truly starts at {clock(round(true_s, 1))}"
    return Picture(
        render_inline(figure),
        alt=f"ECG and spectrogram around the predicted start of {_named(label)}.",
        title=f"{label}, {_named(label)}",
        caption=f"Predicted from {clock(predicted_s)} of the Holter{said}.",
        label=label,
    )


def _images(windows: Windows, settings: ImageSettings) -> npt.NDArray[np.float32]:
    """Return one channel of each window's image; black where a window cannot be read."""
    readable = unreadable_reasons(windows.X, windows.fs) == ""
    images = np.zeros((len(windows), settings.height, settings.width), dtype=np.float32)
    if readable.any():
        images[readable] = make_images(windows.X[readable], windows.fs, settings)[:, 0]
    return images


def _named(label: str) -> str:
    return CLASS_NAMES.get(label, label)
