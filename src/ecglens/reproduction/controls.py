"""The controls that the paper lacks: is it the rhythm that is told, or the recorder?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ecglens.backbones import load_backbone
from ecglens.errors import EvaluationError, UsageError
from ecglens.evaluation import leave_one_database_out, shuffle_labels
from ecglens.images import ImageSettings
from ecglens.reports.words import NORMAL
from ecglens.reproduction.band import common_image
from ecglens.reproduction.bench import Bench, Features, both_protocols
from ecglens.reproduction.figures import Figures, Row
from ecglens.threads import one_blas_core
from ecglens.windows import Windows

_FEWEST_WINDOWS, _FEWEST_PEOPLE = 20, 3


class Controls:
    """All controls on one layer of the network.

    Args:
        bench: what is measured with.
        layer: the layer.
        features: of that layer, of the windows of the experiment and then those beside it.
    """

    def __init__(self, bench: Bench, layer: str, features: Features) -> None:
        self._bench = bench
        self._layer = layer
        self._features = features
        self._main = bench.gathered.main
        self._all = bench.gathered.all
        self.image, self.edges = common_image(bench.recipe.image, self._all)

    def run(self) -> dict[str, list[Row]]:
        """Return the rows of every control, by its name."""
        return {
            "band": self._kept("band", self._band, image=self.image.to_dict()),
            "recorder": self._kept("recorder", self._recorder, image=self.image.to_dict()),
            "within": self._kept("within", self._within),
            "left-out": self._kept("left-out", self._left_out),
            "random": self._kept("random", self._random),
            "shuffled": self._kept("shuffled", self._shuffled),
        }

    def _kept(self, name: str, compute: Callable[[], list[Row]], **more: Any) -> list[Row]:
        """Return the rows of a control, from disk where they are there."""
        inputs = self._bench.inputs(self._all, layer=self._layer, **more)
        inputs["n_main"] = len(self._main)
        table = self._bench.stages.once(
            f"control-{name}", inputs, lambda: {"rows": [row.to_dict() for row in compute()]}
        )
        return [Row.from_dict(row) for row in table["rows"]]

    def _of_main(self) -> Features:
        return self._features[: len(self._main)]

    def _common(self, image: ImageSettings) -> Features:
        title = "features in the common band"
        return self._bench.features(self._all, [self._layer], title, image=image)[self._layer]

    def _band(self) -> list[Row]:
        features = self._common(self.image)[: len(self._main)]
        return both_protocols(self._bench, "band", "folds, common band", features, self._main)

    def _recorder(self) -> list[Row]:
        """Name the database of normal windows, before and after the common band."""
        normal = self._all.labels == NORMAL
        enough = [
            name
            for name in np.unique(self._all.databases[normal])
            if _suffice(self._all, normal & (self._all.databases == name))
        ]
        asked = normal & np.isin(self._all.databases, enough)
        if len(enough) < 2:
            why = f"fewer than two databases have {_FEWEST_PEOPLE} people with normal windows"
            return [Row("recorder", "subject-wise", None, why)]
        windows = self._all.subset(asked)
        rows = []
        for key, title, features in (
            ("as-it-is", f"as in the experiment, {len(enough)} databases", self._features),
            ("band", f"common rate and band, {len(enough)} databases", self._common(self.image)),
        ):
            rows += self._subject_wise(
                f"recorder/{key}", title, features[asked], windows, labels=windows.databases
            )
        return rows

    def _within(self) -> list[Row]:
        rows: list[Row] = []
        for database in np.unique(self._all.databases):
            here = self._all.databases == database
            classes = [
                name
                for name in np.unique(self._all.labels[here])
                if _suffice(self._all, here & (self._all.labels == name))
            ]
            for name in classes:
                if name == NORMAL or NORMAL not in classes:
                    continue
                asked = here & np.isin(self._all.labels, [name, NORMAL])
                rows += self._subject_wise(
                    f"within/{database}/{name}",
                    f"{database}: {name} against {NORMAL}",
                    self._features[asked],
                    self._all.subset(asked),
                )
        why = f"no database has {NORMAL} and another class of {_FEWEST_PEOPLE} people each"
        return rows or [Row("within", "subject-wise", None, why)]

    def _subject_wise(
        self, key: str, title: str, features: Features, windows: Windows, **changes: Any
    ) -> list[Row]:
        labels = changes.get("labels", windows.labels)
        scarce = min(len(np.unique(windows.subjects[labels == x])) for x in np.unique(labels))
        folds = max(2, min(self._bench.settings.n_splits, scarce))
        try:
            found = self._bench.evaluate(
                features, windows, f"folds, {key}", protocols=("subject",), n_splits=folds,
                **changes,
            )  # fmt: skip
        except EvaluationError as error:
            return [Row(key, title, None, str(error))]
        notes = (f"{folds} folds", *found.notes)
        return [Row(key, title, Figures.of(found.results["subject"], notes))]

    def _left_out(self) -> list[Row]:
        _, counts = np.unique(self._all.databases, return_counts=True)
        fewest = max(2, (len(self._all) - int(counts.max())) // 2)
        try:
            with self._bench.telling.steps("databases left out") as step, one_blas_core():
                found = leave_one_database_out(
                    self._features,
                    self._all.labels,
                    self._all.subjects,
                    self._all.databases,
                    classifier=self._bench.classifier(fewest, self._features.shape[1]),
                    random_state=self._bench.settings.random_state,
                    n_bootstrap=self._bench.settings.n_bootstrap,
                    progress=step,
                )
        except EvaluationError as error:
            return [Row("left-out", "one database left out", None, str(error))]
        rows = []
        for row in found.rows:
            notes = (f"{', '.join(row.untaught)}: no other database",) if row.untaught else ()
            figures = None if row.result is None else Figures.of(row.result, notes)
            rows.append(Row(f"left-out/{row.database}", row.database, figures, row.why_not))
        return rows

    def _random(self) -> list[Row]:
        settings = self._bench.settings
        height, width = self._bench.backbone.image_size
        try:
            network = load_backbone(
                settings.recipe.backbone,
                weights="random",
                image_size=(height, width),
                random_state=settings.random_state,
            )
        except UsageError as error:
            return [Row("random", "random weights", None, str(error))]
        title = "features of random weights"
        features = self._bench.features(self._main, [self._layer], title, backbone=network)
        return both_protocols(
            self._bench, "random", "folds, random weights", features[self._layer], self._main
        )

    def _shuffled(self) -> list[Row]:
        labels = shuffle_labels(self._main.labels, self._bench.settings.random_state)
        return both_protocols(
            self._bench, "shuffled", "folds, shuffled labels", self._of_main(), self._main,
            labels=labels,
        )  # fmt: skip


def _suffice(windows: Windows, mine: Any) -> bool:
    people = len(np.unique(windows.subjects[mine]))
    return int(mine.sum()) >= _FEWEST_WINDOWS and people >= _FEWEST_PEOPLE
