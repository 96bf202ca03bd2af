"""What studies start from: windows that can be judged, their features, and people."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecglens.backbones import Backbone
from ecglens.cache import FeatureStore
from ecglens.errors import UsageError, WindowError
from ecglens.features import EngineSettings, Extractor, Output, concatenate_outputs
from ecglens.images import ImageSettings
from ecglens.recipes import Recipe
from ecglens.signals import unreadable_reasons
from ecglens.steps import Step
from ecglens.windows import Windows, is_windows_table, load_windows, load_windows_table

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Describing:
    """What runs the network for a study, and where features are kept.

    Attributes:
        engine: of the network.
        store: of features; None keeps none.
    """

    engine: EngineSettings = field(default_factory=EngineSettings)
    store: FeatureStore | None = None

    def features(
        self, windows: Windows, recipe: Recipe, backbone: Backbone, step: Step | None = None
    ) -> FloatArray:
        """Return the recipe's features of the windows, shape (n_windows, n_features)."""
        return self.outputs(windows, recipe.outputs(), recipe.image, backbone, step)

    def outputs(
        self,
        windows: Windows,
        outputs: tuple[Output, ...],
        image: ImageSettings,
        backbone: Backbone,
        step: Step | None = None,
    ) -> FloatArray:
        """Return the features of some outputs, shape (n_windows, n_features)."""
        extractor = Extractor(backbone, outputs, image, self.engine, self.store)
        return concatenate_outputs(extractor.run(windows.X, windows.fs, progress=step))


def read_study_windows(path: str | Path) -> Windows:
    """Read windows of ``ecglens windows``, or a table of windows of several rates.

    Raises:
        WindowError: it is neither.
    """
    return load_windows_table(path) if is_windows_table(path) else load_windows(path)


def usable_windows(windows: Windows) -> tuple[Windows, tuple[str, ...]]:
    """Return the windows that have a label and an image, and notes on those left out.

    Raises:
        WindowError: none is left.
    """
    labelled = windows.labels != ""
    readable = unreadable_reasons(windows.X, windows.fs) == ""
    notes = [
        f"{int(out.sum())} of {len(windows)} windows are left out: they {why}"
        for out, why in ((~labelled, "have no label"), (labelled & ~readable, "cannot be read"))
        if out.any()
    ]
    if not (labelled & readable).any():
        raise WindowError(
            f"none of {len(windows)} windows has a label and a signal; a study needs such windows"
        )
    return windows.subset(labelled & readable), tuple(notes)


def thin_out(windows: Windows, per_subject: int, random_state: int) -> Windows:
    """Return at most so many windows of each class of each person, picked by chance.

    Raises:
        UsageError: ``per_subject`` is under 1.
    """
    if per_subject < 1:
        raise UsageError(f"windows per subject must be 1 or more, got {per_subject}")
    rng = np.random.default_rng(random_state)
    order = rng.permutation(len(windows))
    mine = np.char.add(np.char.add(windows.subjects, "\n"), windows.labels)
    taken: dict[str, int] = {}
    kept = []
    for i in order.tolist():
        taken[mine[i]] = taken.get(mine[i], 0) + 1
        if taken[mine[i]] <= per_subject:
            kept.append(i)
    return windows.subset(np.array(sorted(kept), dtype=np.intp))
