"""What a reproduction found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ecglens import __version__
from ecglens.evaluation import Sweep, SweepRow
from ecglens.evaluation.tables import align, number
from ecglens.reproduction.figures import Figures, Row
from ecglens.reproduction.words import CONTROLS, PAPER, PAPER_ACCURACY, assumptions


@dataclass(frozen=True)
class LayerFigures:
    """One layer under both protocols.

    Attributes:
        layer: its name.
        n_features: length of a window's vector.
        n_components: principal components kept.
        rows: pooled and subject-wise.
    """

    layer: str
    n_features: int
    n_components: int
    rows: tuple[Row, ...]

    def of(self, protocol: str) -> Figures | None:
        """Return the figures of a protocol, None where it was not possible."""
        return next((row.figures for row in self.rows if row.key.endswith(f"/{protocol}")), None)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "layer": self.layer,
            "n_features": self.n_features,
            "n_components": self.n_components,
            "rows": [row.to_dict() for row in self.rows],
        }

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> LayerFigures:
        """Undo :meth:`to_dict`."""
        return cls(
            layer=str(table["layer"]),
            n_features=int(table["n_features"]),
            n_components=int(table["n_components"]),
            rows=tuple(Row.from_dict(row) for row in table["rows"]),
        )


@dataclass(frozen=True, eq=False)
class Reproduction:
    """All that was found, ready to be shown.

    Attributes:
        layers: in network order.
        preset_layer: the preset's own layer, chosen before anything was seen; None where the
            network has no such layer.
        controls: rows by the name of the control.
        databases: windows and people by database and class.
        settings: what was measured with, JSON-ready.
        plan: databases and records, JSON-ready; empty where windows were given.
        notes: what limits the figures, in words for the user.
        random_state: seed.
        n_splits: number of folds.
    """

    layers: tuple[LayerFigures, ...]
    preset_layer: str | None
    controls: Mapping[str, Sequence[Row]]
    databases: Sequence[Mapping[str, Any]]
    settings: Mapping[str, Any]
    plan: Sequence[Mapping[str, Any]]
    notes: Sequence[str]
    random_state: int
    n_splits: int

    @property
    def best(self) -> LayerFigures:
        """The layer with the highest pooled accuracy, as a paper would choose it."""
        return best_layer(self.layers)

    @property
    def classes(self) -> tuple[str, ...]:
        """The patterns that were told apart."""
        figures = self.best.of("pooled")
        return () if figures is None else figures.classes

    @property
    def assumptions(self) -> tuple[tuple[str, str, str], ...]:
        """Setting, what was taken, and whether the paper's abstract says so."""
        figures = self.best.of("pooled")
        n_windows = 0 if figures is None else figures.n_windows
        components = [layer.n_components for layer in self.layers]
        return assumptions(self.settings, self.n_splits, n_windows, self.classes, components)

    @property
    def sweep(self) -> Sweep:
        """The layers for the figure of them."""
        protocols = [
            name for name in ("pooled", "subject") if all(each.of(name) for each in self.layers)
        ]
        rows = tuple(
            SweepRow(
                each.layer, "mean", "svm-rbf", each.n_features, each.n_components,
                {
                    f"{name} {score}": getattr(figures, attribute)
                    for name in protocols
                    if (figures := each.of(name)) is not None
                    for score, attribute in (("accuracy", "accuracy"), ("macro-F1", "macro_f1"))
                },
            )
            for each in self.layers
        )  # fmt: skip
        pooled = self.best.of("pooled")
        n_windows, n_subjects = (pooled.n_windows, pooled.n_subjects) if pooled else (0, 0)
        counts = (n_windows, n_subjects, self.n_splits, self.random_state)
        return Sweep(rows, tuple(protocols), *counts)

    def sections(self) -> list[tuple[str, list[Row]]]:
        """Return the table: headings, and the rows below each."""
        best = self.best
        found = [(f"As the paper: best of {len(self.layers)} layers, {best.layer}", [*best.rows])]
        preset = next((each for each in self.layers if each.layer == self.preset_layer), None)
        if preset is not None and preset is not best:
            found.append((f"The preset's layer, {preset.layer}", [*preset.rows]))
        found += [(CONTROLS[name][0], [*rows]) for name, rows in self.controls.items()]
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values for JSON; None stands for NaN."""
        return {
            "ecglens": __version__,
            "paper": {"citation": PAPER, "accuracy": PAPER_ACCURACY},
            "settings": dict(self.settings),
            "assumptions": [list(row) for row in self.assumptions],
            "plan": list(self.plan),
            "databases": [dict(row) for row in self.databases],
            "best_layer": self.best.layer,
            "preset_layer": self.preset_layer,
            "layers": [each.to_dict() for each in self.layers],
            "controls": {
                name: [row.to_dict() for row in rows] for name, rows in self.controls.items()
            },
            "notes": list(self.notes),
        }

    def format_table(self) -> str:
        """Return the table as text, the paper's figure first."""
        names = [f"sens. {name}" for name in self.classes]
        lines = [["", "windows", "people", "accuracy", "macro-F1", *names]]
        lines.append(["the paper, pooled", "near 7000", "?", f"{PAPER_ACCURACY:.4f}"])
        for heading, rows in self.sections():
            lines.append([heading])
            lines += [[f"  {row.title}", *cells(row, self.classes)] for row in rows]
        return "\n".join(align(lines))


def best_layer(layers: Sequence[LayerFigures]) -> LayerFigures:
    """Return the layer with the highest pooled accuracy; the first of equals."""

    def accuracy(each: LayerFigures) -> float:
        figures = each.of("pooled")
        return -1.0 if figures is None else figures.accuracy.value

    return max(layers, key=accuracy)


def cells(row: Row, classes: Sequence[str]) -> list[str]:
    """Return the cells of a row behind its title; ``-`` stands for what there is not."""
    figures = row.figures
    if figures is None:
        return ["-", "-", "-", "-"]
    found = [str(figures.n_windows), str(figures.n_subjects)]
    found += [str(figures.accuracy), str(figures.macro_f1)]
    for name in classes:
        score = figures.sensitivity.get(name)
        found.append("-" if score is None else number(score.value))
    return found
