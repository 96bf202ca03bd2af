"""Which layer, pooling and head: one row each, under the same protocols and folds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone

from ecglens.classifiers import pca_components
from ecglens.errors import UsageError, suggest
from ecglens.evaluation.checks import PROTOCOLS, check_protocols
from ecglens.evaluation.metrics import Score
from ecglens.evaluation.protocols import Progress, evaluate
from ecglens.evaluation.results import SHORT_TITLES, TITLES, Evaluation
from ecglens.evaluation.tables import align, counted, number

FeatureKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class SweepRow:
    """One layer, pooling and head.

    Attributes:
        layer: name of the layer.
        pooling: name of the pooling.
        head: name of the head, a key of ``heads``.
        n_features: length of a window's vector.
        n_components: components its PCA was asked to make, None where it makes no fixed number.
        scores: accuracy and macro-F1 by column, for example ``"subject macro-F1"``.
    """

    layer: str
    pooling: str
    head: str
    n_features: int
    n_components: int | None
    scores: dict[str, Score]

    def to_dict(self) -> dict[str, str | int | float | None]:
        """Return a flat row for JSON or CSV; None stands for NaN.

        Scores have keys such as ``subject_macro_f1``, ``subject_macro_f1_low`` and
        ``subject_macro_f1_high``.
        """
        row: dict[str, str | int | float | None] = {
            "layer": self.layer,
            "pooling": self.pooling,
            "head": self.head,
            "n_features": self.n_features,
            "n_components": self.n_components,
        }
        for name, score in self.scores.items():
            key = name.lower().replace(" ", "_").replace("-", "_")
            for part, value in score.to_dict().items():
                row[key if part == "value" else f"{key}_{part}"] = value
        return row


@dataclass(frozen=True, eq=False)
class Sweep:
    """Layers, poolings and heads under the same folds.

    Attributes:
        rows: in network order, then in the order poolings and heads were given.
        protocols: in the order they were asked for.
        n_windows: number of windows.
        n_subjects: number of subjects.
        n_splits: number of folds.
        random_state: seed of the folds.
        notes: what limits the figures, in words for the user.
    """

    rows: tuple[SweepRow, ...]
    protocols: tuple[str, ...]
    n_windows: int
    n_subjects: int
    n_splits: int
    random_state: int
    notes: tuple[str, ...] = field(default=())

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the scores each row has."""
        return tuple(
            f"{protocol} {score}"
            for protocol in self.protocols
            for score in ("accuracy", "macro-F1")
        )

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers in network order."""
        return tuple(dict.fromkeys(row.layer for row in self.rows))

    def best(self, by: str = "subject macro-F1") -> SweepRow:
        """Return the row with the highest value of a column; the first of equals.

        The figure of the best of many rows is a little too good, because the row was chosen on
        the folds it is measured on; people kept apart give the honest one.

        Args:
            by: one of :attr:`columns`.

        Raises:
            UsageError: the sweep has no such column.
        """
        if by not in self.columns:
            raise UsageError(
                f"the sweep has no column {by!r}; it has {', '.join(self.columns)}"
                f"{suggest(by, self.columns)}"
            )
        return max(self.rows, key=lambda row: row.scores[by].value)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; None stands for NaN."""
        return {
            "protocols": {name: TITLES[name] for name in self.protocols},
            "n_windows": self.n_windows,
            "n_subjects": self.n_subjects,
            "n_splits": self.n_splits,
            "random_state": self.random_state,
            "notes": list(self.notes),
            "rows": [row.to_dict() for row in self.rows],
        }

    def format_table(self) -> str:
        """Return all rows as text, ``*`` behind the best of each column."""
        best = {name: self.best(name) for name in self.columns}
        upper, lower = [""] * 5, ["layer", "pooling", "head", "features", "PCA"]
        for protocol in self.protocols:
            upper += ["", SHORT_TITLES[protocol] + " ", ""]
            lower += ["accuracy ", "macro-F1 ", "95 % limits"]
        lines = [
            f"{counted(self.n_windows, 'window')} of {counted(self.n_subjects, 'subject')}, "
            f"{self.n_splits} folds, seed {self.random_state}; * best of its column",
            *[f"  {TITLES[name]}" for name in self.protocols],
            "",
            *align([upper, lower, *[self._cells(row, best) for row in self.rows]], left=3),
        ]
        return "\n".join([*lines, *[f"note: {note}" for note in self.notes]])

    def _cells(self, row: SweepRow, best: Mapping[str, SweepRow]) -> list[str]:
        """Return the cells of one row."""
        components = "-" if row.n_components is None else str(row.n_components)
        cells = [row.layer, row.pooling, row.head, str(row.n_features), components]
        for name in self.columns:
            score = row.scores[name]
            cells.append(number(score.value) + ("*" if best[name] is row else " "))
            if name.endswith("macro-F1"):
                cells.append(f"{number(score.low)}-{number(score.high)}")
        return cells


def sweep_layers(
    features: Mapping[FeatureKey, npt.ArrayLike],
    labels: npt.ArrayLike,
    subjects: npt.ArrayLike,
    *,
    heads: Mapping[str, Any],
    layer_order: Sequence[str] | None = None,
    protocols: Sequence[str] = PROTOCOLS,
    n_splits: int = 10,
    random_state: int = 0,
    n_bootstrap: int = 1000,
    n_jobs: int | None = 1,
    progress: Progress | None = None,
) -> Sweep:
    """Cross-validate every head on the features of every layer and pooling.

    A number of PCA components that is more than a layer has features is lowered to the number
    of features, so that one head fits shallow and deep layers; the row and a note say so.

    Args:
        features: by (layer, pooling), each of shape (n, d); entries are read one at a time, so
            a mapping that loads them from disk holds one in memory.
        labels: class of each window, shape (n,).
        subjects: person of each window, shape (n,).
        heads: unfitted classifiers by name.
        layer_order: the layers from the image to the end of the network; by default as they
            first occur in ``features``.
        protocols: as in :func:`evaluate`.
        n_splits: number of folds.
        random_state: seed of the folds and limits.
        n_bootstrap: draws of subjects behind the limits.
        n_jobs: folds fitted at the same time.
        progress: called with the folds done and all folds of the sweep, after each fold.

    Raises:
        UsageError: there are no features or heads, or ``layer_order`` misses a layer.
        EvaluationError: the windows cannot support the evaluation.
    """
    asked = tuple(dict.fromkeys([protocols] if isinstance(protocols, str) else protocols))
    check_protocols(asked, n_splits)
    keys = _ordered(features, layer_order)
    if not heads:
        raise UsageError("a sweep needs one head or more, got none; give heads={'name': pipeline}")
    cross_validate = partial(
        evaluate,
        labels=labels,
        subjects=subjects,
        protocols=asked,
        n_splits=n_splits,
        random_state=random_state,
        n_bootstrap=n_bootstrap,
        n_jobs=n_jobs,
    )
    return _swept(features, keys, heads, cross_validate, progress)


def _swept(
    features: Mapping[FeatureKey, npt.ArrayLike],
    keys: Sequence[FeatureKey],
    heads: Mapping[str, Any],
    cross_validate: Callable[..., Evaluation],
    progress: Progress | None,
) -> Sweep:
    """Evaluate every key with every head and collect the rows."""
    rows: list[SweepRow] = []
    notes: dict[str, None] = {}
    n_rows = len(keys) * len(heads)
    for layer, pooling in keys:
        X = np.asarray(features[layer, pooling])
        for head, classifier in heads.items():
            fitting, note = fitted_to(classifier, X, layer, pooling, head)
            evaluation = cross_validate(
                X, classifier=fitting, progress=_shifted(progress, len(rows), n_rows)
            )
            notes.update(dict.fromkeys([*note, *evaluation.notes]))
            scores = _scores(evaluation)
            components = pca_components(fitting)
            rows.append(SweepRow(layer, pooling, head, X.shape[1], components, scores))
    return Sweep(
        rows=tuple(rows),
        protocols=tuple(evaluation.results),
        n_windows=evaluation.n_windows,
        n_subjects=evaluation.n_subjects,
        n_splits=evaluation.n_splits,
        random_state=evaluation.random_state,
        notes=tuple(notes),
    )


def _scores(evaluation: Evaluation) -> dict[str, Score]:
    """Return the columns of one row."""
    scores = {}
    for name, result in evaluation.results.items():
        scores[f"{name} accuracy"] = result.accuracy
        scores[f"{name} macro-F1"] = result.macro_f1
    return scores


def _ordered(features: Mapping[FeatureKey, Any], order: Sequence[str] | None) -> list[FeatureKey]:
    """Return the keys in network order."""
    keys = list(features)
    if not keys:
        raise UsageError("a sweep needs the features of one layer or more, got none")
    present = list(dict.fromkeys(layer for layer, _ in keys))
    layers = present if order is None else list(order)
    missing = [layer for layer in present if layer not in layers]
    if missing:
        raise UsageError(
            f"layer_order misses {', '.join(missing)}; it must name every layer of the features"
        )
    return sorted(keys, key=lambda key: layers.index(key[0]))


def fitted_to(
    classifier: Any, X: npt.NDArray[Any], layer: str, pooling: str, head: str
) -> tuple[Any, list[str]]:
    """Return the classifier with no more PCA components than features, and what was changed."""
    wanted = pca_components(classifier)
    if wanted is None or X.ndim != 2 or wanted <= X.shape[1]:
        return classifier, []
    lowered = clone(classifier).set_params(pca__n_components=X.shape[1])
    return lowered, [
        f"{layer} ({pooling}) has {X.shape[1]} features, so PCA of {head} keeps "
        f"{X.shape[1]} components instead of {wanted}"
    ]


def _shifted(progress: Progress | None, rows_done: int, n_rows: int) -> Progress | None:
    """Return a progress callback that counts the folds of the whole sweep."""
    if progress is None:
        return None
    return lambda done, folds: progress(rows_done * folds + done, n_rows * folds)
