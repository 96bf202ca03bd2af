"""Covariances of feature maps beside the averages of the recipe ``default``, as a Markdown table.

    python benchmarks/covariances.py --data rhythm4_visible.npz --confirm

Supposed: which channels rise together over a picture tells more than how high each is. The points
of a map, spectrogram and correlogram apart, have a covariance of channels; it is seen along the
principal axes of the training windows' mean covariance, each scaled to 1 there, and its matrix
logarithm is the description (log-Euclidean; Barachant et al. 2012, doi 10.1109/TBME.2011.2172210).
Protocol and head are those of ``pictures.py``: choices on two thirds of the people, ``--confirm``
adds the third that was kept apart.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin

from ecglens.backbones import load_backbone
from ecglens.features import EngineSettings, Extractor, concatenate_outputs
from ecglens.recipes import Recipe
from ecglens.windows import Windows
from pictures import Features, Fitted, Variant, recipe_of, scored
from rhythm4 import read_rhythm4, readable
from studies import Index, row, scores_of, split_people

Matrices = npt.NDArray[np.float32]

N_SEEN = 64
"""Directions that a map's channels are seen along, by chance but the same for all windows."""

LEAST = 0.05
"""Added along each axis: of maps with few points some directions have no spread."""

AT_ONCE = 256


@dataclass(frozen=True)
class Trial:
    """One way to use covariances.

    Attributes:
        name: in words.
        n_axes: principal axes of each covariance; 0 for none.
        averages: whether the recipe's own features stand beside.
        pca: components of the head.
    """

    name: str
    n_axes: int
    averages: bool = True
    pca: int = 64


TRIALS = (
    Trial("default recipe", 0),
    Trial("covariances along 16 axes alone", 16, averages=False),
    Trial("covariances along 24 axes alone", 24, averages=False),
    Trial("covariances along 32 axes alone", 32, averages=False),
    Trial("covariances along 8 axes beside", 8),
    Trial("covariances along 16 axes beside", 16),
    Trial("covariances along 24 axes beside", 24),
    Trial("covariances along 32 axes beside", 32),
    Trial("covariances along 16 axes beside, 128 components", 16, pca=128),
)


def described(recipe: Recipe, windows: Windows) -> tuple[Features, Matrices]:
    """Return the recipe's features, and the covariances of each layer's two parts.

    Returns:
        Features, (n, d), and matrices, (n, 2 layers x 2 parts, N_SEEN, N_SEEN).
    """
    image = recipe.image
    extractor = Extractor(
        load_backbone("ecglens-s", image_size=(image.height, image.width)),
        recipe.outputs(),
        image,
        EngineSettings(precision="fp32"),
    )
    X = concatenate_outputs(extractor.run(windows.X, windows.fs))
    share = 1 - image.correlogram_rows / image.height
    parts = []
    for start in range(0, len(windows), AT_ONCE):
        drawn = extractor.draw(windows.X[start : start + AT_ONCE], windows.fs)
        maps = extractor.run_maps(drawn)
        parts.append(np.stack([c for m in maps.values() for c in _covariances(m, share)], axis=1))
    return X, np.concatenate(parts)


def _covariances(maps: Features, share: float) -> list[Matrices]:
    """Return the covariance of channels over the upper rows, and over the others."""
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.normal(size=(maps.shape[1], N_SEEN)))[0].astype(np.float32)
    found = []
    for part in np.split(maps, [round(share * maps.shape[2])], axis=2):
        points = part.reshape(len(part), part.shape[1], -1).transpose(0, 2, 1) @ axes
        points -= points.mean(axis=1, keepdims=True)
        found.append(points.transpose(0, 2, 1) @ points / points.shape[1])
    return found


class Logarithms:
    """Matrix logarithms of covariances along the principal axes of those it was fitted on."""

    def __init__(self, n_axes: int) -> None:
        self.n_axes = n_axes

    def fit(self, matrices: Matrices) -> Logarithms:
        """Find the axes of each part, (n, parts, k, k)."""
        spread, axes = np.linalg.eigh(matrices.mean(axis=0, dtype=np.float64))
        best = slice(-self.n_axes, None)
        self.axes_ = axes[..., best] / np.sqrt(np.maximum(spread[:, None, best], 1e-12))
        return self

    def transform(self, matrices: Matrices) -> Features:
        """Return the upper triangles of the logarithms, (n, parts k (k + 1) / 2)."""
        seen = self.axes_.transpose(0, 2, 1) @ matrices @ self.axes_
        spread, axes = np.linalg.eigh(seen + LEAST * np.eye(self.n_axes))
        logs = (axes * np.log(spread)[..., None, :]) @ np.swapaxes(axes, -1, -2)
        rows, columns = np.triu_indices(self.n_axes)
        weight = np.where(rows == columns, 1.0, np.sqrt(2.0))  # keeps distances
        return np.asarray(weight * logs[..., rows, columns], np.float32).reshape(len(seen), -1)


class WithCovariances(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """The recipe's classifier on averages and covariances; axes are those of training windows."""

    def __init__(self, recipe: Recipe, trial: Trial, n_averages: int, n_parts: int) -> None:
        self.recipe = recipe
        self.trial = trial
        self.n_averages = n_averages
        self.n_parts = n_parts

    def fit(self, X: Features, y: npt.NDArray[np.str_]) -> Any:
        """Fit on averages with flat matrices behind them, (n, n_averages + parts k k)."""
        if self.trial.n_axes:
            self.logarithms_ = Logarithms(self.trial.n_axes).fit(self._matrices(X))
        self.head_ = self.recipe.classifier().fit(self._described(X), y)
        return self

    def predict(self, X: Features) -> npt.NDArray[np.str_]:
        """Return the classes."""
        return np.asarray(self.head_.predict(self._described(X)))

    def _matrices(self, X: Features) -> Matrices:
        return X[:, self.n_averages :].reshape(len(X), self.n_parts, N_SEEN, N_SEEN)

    def _described(self, X: Features) -> Features:
        blocks = [X[:, : self.n_averages]] if self.trial.averages else []
        if self.trial.n_axes:
            blocks.append(self.logarithms_.transform(self._matrices(X)))
        return np.concatenate(blocks, axis=1)


def rows_of(
    trial: Trial, X: Features, matrices: Matrices, windows: Windows, confirm: bool
) -> list[str]:
    """Return the lines of one trial."""
    recipe = recipe_of(Variant(trial.name, recipe={"pca": trial.pca}))
    every = np.concatenate([X, matrices.reshape(len(X), -1)], axis=1)

    def fit(recipe: Recipe, every: Features, windows: Windows, train: Index) -> Fitted:
        model = WithCovariances(recipe, trial, X.shape[1], matrices.shape[1])
        return model.fit(every[train], windows.labels[train])

    chosen, kept = split_people(windows)
    scores = scored(fit, recipe, every, windows, chosen)
    lines = [row(trial.name, "two thirds, mean of 3", scores.mean(axis=0))]
    if confirm:
        said = fit(recipe, every, windows, chosen).predict(every[kept])
        confirmed = np.array(scores_of(windows.labels[kept], said))
        lines.append(row(trial.name, "the third", confirmed))
    return lines


def main() -> int:
    """Print the table, a trial at a time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", help="rows whose name holds this text")
    parser.add_argument("--confirm", action="store_true", help="score the third too")
    args = parser.parse_args()
    windows = readable(read_rhythm4(args.data))
    X, matrices = described(recipe_of(Variant("default recipe")), windows)
    print("| change | people | macro-F1 | accuracy | sensitivity N AF VF ST |")
    print("|---|---|---|---|---|")
    for trial in TRIALS:
        if args.only is None or args.only in trial.name:
            lines = rows_of(trial, X, matrices, windows, args.confirm)
            print("\n".join(lines), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
