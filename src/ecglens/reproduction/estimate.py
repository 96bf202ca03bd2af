"""How long it will take and how much disk it needs, before anything is begun."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ecglens.backbones import Backbone
from ecglens.classifiers import make_classifier
from ecglens.errors import OutputError
from ecglens.features import EngineSettings, Extractor
from ecglens.guarded import kind_of
from ecglens.recipes import Recipe
from ecglens.reproduction.settings import ReproductionSettings
from ecglens.threads import one_blas_core

_TIMED_WINDOWS, _TIMED_FIT = 32, 600
_WINDOW_S = 10
_SPARE = 1.1


@dataclass(frozen=True)
class Estimate:
    """What a run is going to take, roughly.

    Attributes:
        n_windows: windows of the experiment and of the controls, at most.
        fetch_mb: what is to be fetched.
        features_mb: features that are kept.
        windows_mb: windows that are kept.
        windows_per_s: of the network on this machine, measured now.
        features_s: seconds for all features.
        folds_s: seconds for all folds.
    """

    n_windows: int
    fetch_mb: float
    features_mb: float
    windows_mb: float
    windows_per_s: float
    features_s: float
    folds_s: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "n_windows": self.n_windows,
            "fetch_mb": round(self.fetch_mb, 1),
            "features_mb": round(self.features_mb, 1),
            "windows_mb": round(self.windows_mb, 1),
            "windows_per_s": round(self.windows_per_s, 1),
            "features_s": round(self.features_s),
            "folds_s": round(self.folds_s),
        }

    def in_words(self) -> str:
        """Return the estimate in a line or two."""
        disk = self.features_mb + self.windows_mb
        fetched = f"{self.fetch_mb:,.0f} MB to fetch, " if self.fetch_mb else "nothing to fetch, "
        return (
            f"{fetched}{disk:,.0f} MB of windows and features\n"
            f"about {_minutes(self.features_s)} for features ({self.windows_per_s:.0f} windows/s "
            f"on this machine now), about {_minutes(self.folds_s)} for folds"
        )


def estimate(
    settings: ReproductionSettings,
    recipe: Recipe,
    backbone: Backbone,
    fetch_mb: float,
    n_windows: int | None = None,
) -> Estimate:
    """Time the network and the head for a moment and reckon the whole from it.

    Args:
        settings: what is asked for.
        recipe: with the layers that are tried.
        backbone: the network.
        fetch_mb: what is to be fetched.
        n_windows: where the windows are here already; none are added for the controls then.
    """
    main, everything = _counts(settings, n_windows)
    channels = [backbone.layer(layer).channels for layer in recipe.layers]
    speed = _windows_per_s(recipe, backbone)
    fold_s = _fold_s(max(channels)) * (main / _TIMED_FIT) ** 2
    n_protocols = 2 * len(channels) + 2 * 3 + 4
    # All layers once, the common band once, random weights once.
    passes = everything + everything + main
    values = everything * (sum(channels) + max(channels)) + main * max(channels)
    return Estimate(
        n_windows=everything,
        fetch_mb=fetch_mb,
        features_mb=4 * values / 1e6,
        windows_mb=4 * everything * recipe.image.fs * _WINDOW_S / 1e6,
        windows_per_s=speed,
        features_s=passes / speed,
        folds_s=n_protocols * settings.n_splits * fold_s,
    )


def _counts(settings: ReproductionSettings, n_windows: int | None) -> tuple[int, int]:
    """Return the windows of the experiment, and those with what the controls get beside it."""
    if n_windows is not None:
        main = n_windows if settings.n_windows is None else min(n_windows, settings.n_windows)
        return main, main
    # Up to two further classes of each of up to seven databases.
    return settings.total, settings.total + 14 * settings.beside


def refuse_full_disk(found: Estimate, to: Path, out: Path, cache: Path) -> None:
    """Check that there is room for what is to be written.

    Raises:
        OutputError: there is not.
    """
    needs = ((to, found.fetch_mb), (out, found.windows_mb), (cache, found.features_mb))
    by_disk: dict[int, list[tuple[Path, float]]] = {}
    for place, megabytes in needs:
        there = _existing(place)
        by_disk.setdefault(there.stat().st_dev, []).append((there, megabytes))
    for each in by_disk.values():
        needed = _SPARE * sum(megabytes for _, megabytes in each)
        free = shutil.disk_usage(each[0][0]).free / 1e6
        if needed > free:
            places = ", ".join(dict.fromkeys(str(place) for place, _ in each))
            raise OutputError(
                f"{needed:,.0f} MB are needed and {free:,.0f} MB are free on the disk of {places}; "
                "make room, choose another disk (--to, --out, --cache), or begin with --quick"
            )


def _existing(place: Path) -> Path:
    """Return the nearest folder above a place that is there."""
    place = place.absolute()
    while not kind_of(place) and place != place.parent:
        place = place.parent
    return place


def _windows_per_s(recipe: Recipe, backbone: Backbone) -> float:
    outputs: Sequence[tuple[str, str]] = [(layer, "mean") for layer in recipe.layers]
    extractor = Extractor(backbone, outputs, recipe.image, EngineSettings())
    n_samples = round(_WINDOW_S * recipe.image.fs)
    X = np.random.default_rng(0).normal(size=(_TIMED_WINDOWS, n_samples)).astype(np.float32)
    extractor.run(X[:4], recipe.image.fs)  # compiles the network
    start = time.perf_counter()
    extractor.run(X, recipe.image.fs)
    return _TIMED_WINDOWS / max(time.perf_counter() - start, 1e-6)


def _fold_s(n_features: int) -> float:
    """Return the seconds that the head takes for a fold of some hundred windows."""
    rng = np.random.default_rng(0)
    kinds = np.arange(_TIMED_FIT) % 4
    X = rng.normal(size=(_TIMED_FIT, n_features))
    X[np.arange(_TIMED_FIT), kinds] += 3
    head = make_classifier("svm-rbf", pca=min(128, n_features))
    with one_blas_core():
        head.fit(X, kinds.astype(str))  # loads what it needs before the clock starts
        start = time.perf_counter()
        head.fit(X, kinds.astype(str)).predict(X)
        return time.perf_counter() - start


def _minutes(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"
