"""The decision on a record: each window's label, and why it has no class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ecglens.decisions.rejecting import RejectRule
from ecglens.decisions.smoothing import RhythmChange
from ecglens.decisions.words import INCONCLUSIVE, SEVERAL_CLASSES, UNREADABLE, FloatArray, StrArray
from ecglens.errors import UsageError


@dataclass(frozen=True, eq=False)
class Decision:
    """What is said of each window of a record.

    Attributes:
        labels: a class, ``"inconclusive"`` or ``"unreadable"``, shape (n_windows,).
        reasons: ``""`` for a class, else why it is none: ``"several classes"``, ``"no class"`` or
            ``"unlike training"``, or the reason why the window is unreadable.
        posteriors: class probabilities given all windows, shape (n_windows, n_classes); NaN where
            unreadable. What a row lacks to 1 is the probability of no class.
    """

    labels: StrArray
    reasons: StrArray
    posteriors: FloatArray


def decide(
    probabilities: npt.ArrayLike,
    distances: npt.ArrayLike,
    unreadable: npt.ArrayLike,
    hop_s: float,
    rule: RejectRule,
    change: RhythmChange,
) -> Decision:
    """Decide on all windows of one lead of one record.

    Args:
        probabilities: calibrated, shape (n_windows, n_classes); NaN where unreadable.
        distances: from training, shape (n_windows,); NaN where unreadable.
        unreadable: why a window cannot be judged, ``""`` where it can.
        hop_s: from one window's start to the next in seconds.
        rule: which windows are claimed, each by itself.
        change: how rhythms change.

    Raises:
        UsageError: shapes or classes do not fit, ``hop_s`` is not positive, or a readable window
            has no probabilities.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    d = np.asarray(distances, dtype=np.float64)
    why = np.asarray(unreadable).astype(str)
    _check(p, d, why, hop_s, rule, change)
    readable = why == ""
    labels = np.where(readable, INCONCLUSIVE, UNREADABLE).astype(object)
    reasons, posteriors = why.astype(object), p.copy()
    if readable.any():
        own = np.full(len(p), "", dtype="U16")
        own[readable] = rule.judge(p[readable], d[readable])
        if change.does_nothing:
            names = np.array(rule.classes)[rule.claimed(np.nan_to_num(p))]
            said = np.where(own == "", names, "")
        else:
            masked = np.where(readable[:, None], p, np.nan)
            said, posteriors = change.read(masked, own, hop_s, others=rule.rejects)
            posteriors[~readable] = np.nan
        sure = readable & (said != "")
        labels[sure] = said[sure]
        unsure = readable & (said == "")
        reasons[unsure] = _reasons_of_runs(own, unsure)
    return Decision(labels.astype(np.str_), reasons.astype(np.str_), posteriors)


def _reasons_of_runs(own: StrArray, unsure: npt.NDArray[np.bool_]) -> StrArray:
    """Return a reason for each inconclusive window.

    One that was claimed by itself has that of the nearest one that was not, in its run.
    """
    at = np.flatnonzero(unsure)
    run = np.cumsum(np.diff(at, prepend=at[:1] - 2) > 1)
    reasons = own[at].astype("U16")
    for number in np.unique(run[reasons == ""]):
        mine = np.flatnonzero(run == number)
        given = mine[reasons[mine] != ""]
        for i in mine[reasons[mine] == ""]:
            nearest = given[np.abs(given - i).argmin()] if len(given) else None
            # Windows that were each claimed, for classes that take turns.
            reasons[i] = SEVERAL_CLASSES if nearest is None else own[at[nearest]]
    return reasons


def _check(
    p: FloatArray,
    d: FloatArray,
    why: StrArray,
    hop_s: float,
    rule: RejectRule,
    change: RhythmChange,
) -> None:
    if p.ndim != 2 or d.shape != (len(p),) or why.shape != (len(p),):
        raise UsageError(
            f"probabilities have shape {p.shape}, distances {d.shape}, unreadable {why.shape}; "
            "they must be (n_windows, n_classes), (n_windows,) and (n_windows,)"
        )
    if rule.classes != change.classes or p.shape[1] != len(rule.classes):
        raise UsageError(
            f"{p.shape[1]} columns of probabilities, a rule for {', '.join(rule.classes)} and a "
            f"rhythm change for {', '.join(change.classes)}; they must be of the same classes"
        )
    if not 0 < hop_s < np.inf:
        raise UsageError(f"hop_s must be positive, got {hop_s:g} s")
    if not np.isfinite(p[why == ""]).all():
        raise UsageError("a readable window has no probabilities; give the reason it has none")
