"""From a window, or an episode of a record, to what spoke for its class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from ecglens.errors import UsageError, WindowError, suggest
from ecglens.explanation.activation import activation, linear_score, map_weights
from ecglens.explanation.occlusion import occlusion
from ecglens.explanation.scores import score_of
from ecglens.models import RhythmModel
from ecglens.prediction import Episode, Timeline
from ecglens.records import Recording
from ecglens.signals import fill_gaps, unreadable_reasons
from ecglens.windows import WindowRule, count_windows, read_padded

Floats = npt.NDArray[np.float64]

METHODS = ("auto", "activation", "occlusion")
MOST = 2 / 3
"""Share of what speaks for a class that :meth:`Explanation.evidence` looks for."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where most of what speaks for a class lies.

    Attributes:
        start_s: start of the shortest stretch that holds two thirds of it, in the record's seconds.
        end_s: its end.
        low_hz: lower edge of the narrowest band of rows that holds two thirds of what lies in the
            spectrogram; None where nothing does.
        high_hz: upper edge.
        repetition_share: share of it that lies in the correlogram, in how QRS complexes repeat; 0
            where the image has none.
    """

    start_s: float
    end_s: float
    low_hz: float | None
    high_hz: float | None
    repetition_share: float = 0.0


@dataclass(frozen=True, eq=False)
class Explanation:
    """Which part of one window's image spoke for a class, and which against it.

    The score is the log of the class's probability less the mean log of the others', in nats
    (for two classes the log-odds).

    Attributes:
        label: the class.
        probability: of the class, 0 to 1.
        score: of the class.
        baseline: what the heat counts from: ``heat.sum() == score - baseline``, but for rounding.
            None with occlusion, whose heat has no such sum.
        heat: float64 (height, width), nats a point: above 0 it spoke for the class, below against.
        image: float32 (height, width) in [0, 1], the first channel of what the network saw.
        frequencies_hz: of the rows of the spectrogram, which come first, falling; they need not be
            evenly spaced.
        times_s: middle of the columns in the record's seconds, shape (width,).
        method: ``"activation"`` or ``"occlusion"``.
        signal: the window, short gaps bridged, shape (n_samples,).
        fs: its rate in Hz.
        start_s: its start in the record in seconds.
        record_id: of the record, ``""`` where none was named.
        lead: of the record, likewise.
        lags_s: of the rows of the correlogram, if there are any, below the spectrogram, rising. A
            column of it tells of more time than its place: of all that is compared.
        unit: of the signal.
    """

    label: str
    probability: float
    score: float
    baseline: float | None
    heat: Floats
    image: npt.NDArray[np.float32]
    frequencies_hz: Floats
    times_s: Floats
    method: str
    signal: npt.NDArray[np.float32]
    fs: float
    start_s: float = 0.0
    record_id: str = ""
    lead: str = ""
    lags_s: Floats = field(default_factory=lambda: np.empty(0))
    unit: str = "mV"

    @property
    def time_course(self) -> Floats:
        """Heat of each column, summed over its rows, in nats, shape (width,)."""
        return np.asarray(self.heat.sum(axis=0))

    @property
    def end_s(self) -> float:
        """End of the window in the record in seconds."""
        return self.start_s + len(self.signal) / self.fs

    def evidence(self) -> Evidence | None:
        """Return where most of what speaks for the class lies; None where nothing does."""
        spoke_for = np.maximum(self.heat, 0.0)
        if not spoke_for.any():
            return None
        first, last = _narrowest(spoke_for.sum(axis=0))
        spectral, repeating = np.split(spoke_for.sum(axis=1), [len(self.frequencies_hz)])
        low_hz: float | None = None
        high_hz: float | None = None
        if spectral.any():
            top, bottom = _narrowest(spectral)
            low_hz = float(self.frequencies_hz[bottom - 1])
            high_hz = float(self.frequencies_hz[top])
        column_s = (self.end_s - self.start_s) / len(self.times_s)
        return Evidence(
            start_s=self.start_s + first * column_s,
            end_s=self.start_s + last * column_s,
            low_hz=low_hz,
            high_hz=high_hz,
            repetition_share=float(repeating.sum() / spoke_for.sum()),
        )

    def sentence(self) -> str:
        """Say in words where the evidence lies."""
        found = self.evidence()
        if found is None:
            return f"nothing in the image speaks for {self.label}"
        said = (
            f"most of what speaks for {self.label} lies at {found.start_s:.1f} to "
            f"{found.end_s:.1f} s"
        )
        if found.low_hz is not None and found.high_hz is not None:
            said += f", {found.low_hz:.1f} to {found.high_hz:.1f} Hz"
        if not len(self.lags_s):
            return said
        return f"{said}; {found.repetition_share:.0%} of it in how QRS complexes repeat"


def _narrowest(mass: Floats) -> tuple[int, int]:
    """Return [first, last) of the shortest run, the first of equals, that holds most of a mass."""
    sums = np.concatenate([[0.0], np.cumsum(mass)])
    # The last place of all is reached whatever the rounding of the sums.
    lasts = np.searchsorted(sums[1:], np.minimum(sums[:-1] + MOST * sums[-1], np.inf)) + 1
    lengths = np.where(lasts <= len(mass), lasts - np.arange(len(mass)), len(mass) + 1)
    first = int(lengths.argmin())
    return first, int(lasts[first])


def explain_window(
    model: RhythmModel,
    x: npt.ArrayLike,
    fs: float,
    label: str | None = None,
    *,
    method: str = "auto",
    start_s: float = 0.0,
    record_id: str = "",
    lead: str = "",
) -> Explanation:
    """Find which part of a window's image spoke for a class.

    Args:
        model: trained model.
        x: one window in mV, shape (n_samples,); up to 2 % may be NaN and is bridged.
        fs: its rate in Hz.
        label: the class; None takes the likeliest.
        method: ``"activation"`` (exact; the head must be linear and every pooling an average),
            ``"occlusion"`` (any model), or ``"auto"``: the first where it can be had.
        start_s: where the window begins in its record, for the axis.
        record_id: name of the record, for the title.
        lead: name of the lead, for the title.

    Returns:
        The explanation. It is of this model's decision, not of the heart.

    Raises:
        UsageError: the method is unknown or cannot be had, the label is no class of the model, or
            ``x`` is not one window.
        UnreadableWindowError: the window is flat or missing.
        WindowError: it has another length than those of training.
    """
    window = _one_window(x)
    _check_method(method)
    probabilities = model.predict_proba(window[None], fs)[0]
    column = int(probabilities.argmax()) if label is None else class_index(model, label)
    image = model.extractor.draw(window[None], fs)
    measures = model.extractor.measure(window[None], fs)
    features = model.extractor.run_images(image, measures)
    heat, baseline = _heat(model, image, measures, column, method)
    width = image.shape[-1]
    return Explanation(
        label=model.classes[column],
        probability=float(probabilities[column]),
        score=float(score_of(model.head, features, column)[0]),
        baseline=baseline,
        heat=heat,
        image=image[0, 0],
        frequencies_hz=model.recipe.image.row_hz(),
        times_s=start_s + (np.arange(width) + 0.5) / width * len(window) / fs,
        method="occlusion" if baseline is None else "activation",
        signal=fill_gaps(np.where(np.isfinite(window), window, np.nan)),
        fs=fs,
        start_s=start_s,
        record_id=record_id,
        lead=lead,
        lags_s=model.recipe.image.row_lag_s(),
    )


def _one_window(x: npt.ArrayLike) -> npt.NDArray[np.float32]:
    window = np.asarray(x, dtype=np.float32)
    if window.ndim != 1:
        raise UsageError(f"x must be one window, (n_samples,), got shape {window.shape}")
    return window


def _check_method(method: str) -> None:
    if method not in METHODS:
        raise UsageError(
            f"unknown method {method!r}; choose {', '.join(METHODS)}{suggest(method, METHODS)}"
        )


def _no_activation(model: RhythmModel) -> str:
    return (
        f"no exact activation for head {model.recipe.head!r} on poolings "
        f"{', '.join(model.recipe.pooling)}: the head must be svm-linear, logistic or lda and "
        "every pooling an average (mean, bands<k>, time<k>), without handmade measures; take "
        "method='occlusion'"
    )


def class_index(model: RhythmModel, label: str) -> int:
    """Return the column of a class.

    Raises:
        UsageError: the model has no such class.
    """
    if label not in model.classes:
        raise UsageError(
            f"{label!r} is no class of this model{suggest(label, model.classes)}; "
            f"it has {', '.join(model.classes)}"
        )
    return model.classes.index(label)


def _heat(
    model: RhythmModel,
    image: npt.NDArray[np.float32],
    measures: npt.NDArray[np.float32] | None,
    column: int,
    method: str,
) -> tuple[Floats, float | None]:
    """Return the heat of an image and what it counts from, which occlusion has not.

    Raises:
        UsageError: the method is ``"activation"`` and cannot be had.
    """
    exact = None if method == "occlusion" else _activation(model, image, column)
    if exact is not None:
        return exact
    if method == "activation":
        raise UsageError(_no_activation(model))
    return occlusion(model.extractor, model.head, image, column, measures=measures), None


def _activation(
    model: RhythmModel, image: npt.NDArray[np.float32], column: int
) -> tuple[Floats, float] | None:
    """Return exact heat and what it counts from, or None where the model has none."""
    linear = linear_score(model.head, column)
    if linear is None:
        return None
    weights = map_weights(*linear, model.extractor.outputs, model.backbone)
    if weights is None:
        return None
    height, width = image.shape[2:]
    heat = activation(weights, model.extractor.run_maps(image), (height, width))
    return heat, float(score_of(model.head, linear[1][None], column)[0])


def explain_episode(
    model: RhythmModel,
    record: Recording,
    timeline: Timeline,
    episode: Episode,
    *,
    lead: str | int | None = None,
    method: str = "auto",
) -> Explanation:
    """Explain the window of an episode that was surest of the episode's class.

    Only that stretch of the record is read.

    Args:
        model: the one that judged the record.
        record: the recording, in memory or on disk.
        timeline: what the model said of it.
        episode: one of ``timeline.episodes``, of a class of the model.
        lead: name or position of the lead; by default the first of those that were judged that
            can be read in that window.
        method: as for :func:`explain_window`.

    Raises:
        UsageError: the episode is of no class (inconclusive or unreadable), or has no window of
            the timeline.
        UnreadableWindowError: no such lead can be read there at the record's own rate; the window
            was judged of another lead, or at the model's rate.
        RecordError: the record has no such lead, or its file cannot be decoded.
    """
    column = class_index(model, episode.label)
    middles = timeline.start_s + timeline.length_s / 2
    inside = (middles >= episode.start_s) & (middles < episode.end_s)
    shares = np.where(inside, timeline.probabilities[:, column], np.nan)
    if np.isnan(shares).all():
        raise UsageError(
            f"no window of record {timeline.record_id!r} was judged from {episode.start_s:g} to "
            f"{episode.end_s:g} s; take an episode of its timeline"
        )
    start_s = float(timeline.start_s[int(np.nanargmax(shares))])
    if lead is None:
        lead = _readable_row(record, timeline.rows_in(record), *_place(model, record, start_s))
    return explain_record(model, record, start_s, episode.label, lead=lead, method=method)


def _readable_row(record: Recording, rows: Sequence[int], first: int, n_samples: int) -> int:
    """Return the first row that can be read in a window, the first of all where none can."""
    windows = read_padded(record, first, first + n_samples, rows)
    return rows[int((unreadable_reasons(windows, record.fs) == "").argmax())]


def _place(model: RhythmModel, record: Recording, start_s: float) -> tuple[int, int]:
    """Return the first sample of a window, moved so that it lies within, and how many it has."""
    n_samples = round(model.length_s * record.fs)
    return max(0, min(round(start_s * record.fs), record.n_samples - n_samples)), n_samples


def explain_record(
    model: RhythmModel,
    record: Recording,
    start_s: float,
    label: str | None = None,
    *,
    lead: str | int = 0,
    method: str = "auto",
) -> Explanation:
    """Explain the window of a record that begins at a moment; only that stretch is read.

    Args:
        model: trained model.
        record: the recording, in memory or on disk.
        start_s: start of the window in seconds; it is moved so that the window lies within.
        label: as for :func:`explain_window`, and so is ``method``.
        lead: name or position of the lead.
        method: see there.

    Raises:
        WindowError: the record is shorter than a window.
        RecordError: it has no such lead, or its file cannot be decoded.
    """
    if count_windows(record, WindowRule(length_s=model.length_s, fs=model.fs)) == 0:
        raise WindowError(
            f"record {record.record_id!r} lasts {record.duration_s:.1f} s, shorter than one window "
            f"of {model.length_s:g} s; use longer recordings"
        )
    row = record.lead_index(lead)
    first, n_samples = _place(model, record, start_s)
    explanation = explain_window(
        model,
        read_padded(record, first, first + n_samples, [row])[0],
        record.fs,
        label,
        method=method,
        start_s=first / record.fs,
        record_id=record.record_id,
        lead=record.lead_names[row],
    )
    return replace(explanation, unit=record.leads[row].unit)
