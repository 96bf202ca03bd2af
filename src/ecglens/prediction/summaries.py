"""A timeline in figures: burden, reasons, signal quality and heart rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ecglens.decisions import INCONCLUSIVE, UNREADABLE

if TYPE_CHECKING:
    from ecglens.prediction.timeline import Episode, Timeline

PULSELESS = frozenset({"VF", "VFL", "VFIB"})
"""Classes in which there are no beats to count: what looks like a rate is none."""

_QUANTILES = {"p5": 5, "median": 50, "p95": 95}
_DIGITS = 3


def summarise(timeline: Timeline) -> dict[str, Any]:
    """Return what :meth:`Timeline.summary` says."""
    episodes = timeline.episodes
    covered_s = sum(episode.duration_s for episode in episodes)
    labels = [*timeline.classes, INCONCLUSIVE, UNREADABLE]
    by_label = {label: [e for e in episodes if e.label == label] for label in labels}
    seconds = {label: sum(e.duration_s for e in mine) for label, mine in by_label.items()}
    readable_s = covered_s - seconds[UNREADABLE]
    share = {
        label: value / (covered_s if label == UNREADABLE else readable_s or covered_s)
        for label, value in seconds.items()
    }
    return {
        "record": timeline.record_id,
        "lead": timeline.lead,
        "duration_s": timeline.duration_s,
        "covered_s": covered_s,
        "readable_s": readable_s,
        "seconds": seconds,
        "share": share,
        "burden": {label: _burden(mine, share[label]) for label, mine in by_label.items()},
        "reasons": {label: _reasons(timeline, label) for label in (INCONCLUSIVE, UNREADABLE)},
        "quality": _spread(timeline.quality),
        "heart_rate": _spread(timeline.heart_rate[_has_beats(timeline)]),
        "n_episodes": len(episodes),
        "notes": list(timeline.notes),
    }


def _burden(episodes: Sequence[Episode], share: float) -> dict[str, Any]:
    longest = max(episodes, key=lambda episode: episode.duration_s, default=None)
    return {
        "percent": round(100 * share, _DIGITS),
        "minutes": round(sum(episode.duration_s for episode in episodes) / 60, _DIGITS),
        "n_episodes": len(episodes),
        "longest_s": 0.0 if longest is None else round(longest.duration_s, _DIGITS),
        "longest_start_s": None if longest is None else round(longest.start_s, _DIGITS),
    }


def _reasons(timeline: Timeline, label: str) -> dict[str, float]:
    """Return seconds by reason, the most frequent first."""
    there = timeline.labels == label
    reasons, stretches = timeline.reasons[there], timeline.stretch_s[there]
    seconds = {
        str(reason): round(float(stretches[reasons == reason].sum()), _DIGITS)
        for reason in np.unique(reasons)
    }
    return dict(sorted(seconds.items(), key=lambda item: (-item[1], item[0])))


def _has_beats(timeline: Timeline) -> npt.NDArray[np.bool_]:
    return ~np.isin(timeline.labels, [UNREADABLE, *PULSELESS])


def _spread(values: npt.NDArray[np.float64]) -> dict[str, Any]:
    """Return the least, the greatest and some between; None where there is no number at all."""
    known = values[np.isfinite(values)]
    if not len(known):
        return dict.fromkeys(("min", *_QUANTILES, "max")) | {"n_windows": 0}
    between = np.percentile(known, list(_QUANTILES.values()))
    figures = [known.min(), *between, known.max()]
    names = ("min", *_QUANTILES, "max")
    return {
        **{name: round(float(x), _DIGITS) for name, x in zip(names, figures, strict=True)},
        "n_windows": len(known),
    }
