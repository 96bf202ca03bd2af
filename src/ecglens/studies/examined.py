"""Models that judge windows of people they were not trained on: of folds, or of a file."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from ecglens.backbones import Backbone
from ecglens.backbones.precision import resolve_precision
from ecglens.databases import name_of_record
from ecglens.decisions import DEFAULT_ALPHA
from ecglens.errors import EvaluationError, LeakError
from ecglens.evaluation import subject_folds
from ecglens.evaluation.metrics import check_draws
from ecglens.features import EngineSettings, Extractor
from ecglens.models import RhythmModel, find_model, fit_model, load_model
from ecglens.recipes import Recipe
from ecglens.steps import Steps, quiet
from ecglens.studies.cells import cell_key
from ecglens.studies.learners import Index
from ecglens.studies.material import Describing
from ecglens.windows import Windows

_NAMED_AT_MOST = 5


@dataclass(frozen=True)
class StressSettings:
    """How stress is measured.

    Attributes:
        folds: subject-wise; each is trained on clean windows of the other people.
        n_bootstrap: draws of people behind the 95 % limits.
        random_state: seed of folds, heads, noise and limits.
    """

    folds: int = 5
    n_bootstrap: int = 1000
    random_state: int = 0

    def __post_init__(self) -> None:
        check_draws(self.n_bootstrap)


class Examined(Protocol):
    """Models that judge windows of people they were not trained on."""

    @property
    def identity(self) -> str:
        """A name for all that decides what they say."""

    @property
    def title(self) -> str:
        """The models in words."""

    @property
    def classes(self) -> tuple[str, ...]:
        """What they tell apart."""

    def extractor(self) -> Extractor:
        """Images and network."""

    def judges(self) -> Sequence[tuple[RhythmModel, Index]]:
        """Each model with the windows it may judge; every window is in one of them."""


@dataclass(eq=False)
class FoldModels:
    """A model of every fold, trained when the first is asked for.

    Args:
        windows: clean, labelled, readable windows.
        recipe: of the models, fitted to the network.
        backbone: the network.
        describing: what runs the network, and where the clean features are kept.
        settings: folds and seed.
        steps: told of progress.

    Raises:
        EvaluationError: the windows cannot support the folds.
    """

    windows: Windows
    recipe: Recipe
    backbone: Backbone
    describing: Describing
    settings: StressSettings
    steps: Steps = quiet

    def __post_init__(self) -> None:
        self._folds = subject_folds(
            self.windows.labels,
            self.windows.subjects,
            n_splits=self.settings.folds,
            random_state=self.settings.random_state,
        )
        with self.steps("features") as step:
            self._features = self.describing.features(
                self.windows, self.recipe, self.backbone, step
            )
        self._judges: list[tuple[RhythmModel, Index]] = []

    @property
    def identity(self) -> str:
        """A name for features, recipe and folds."""
        seed = self.settings.random_state
        return cell_key(self._features, self.recipe.to_dict(), self.settings.folds, seed)

    @property
    def title(self) -> str:
        """Recipe and network."""
        return f"{self.recipe.name} on {self.backbone.name}"

    @property
    def classes(self) -> tuple[str, ...]:
        """Those of the windows."""
        return self.windows.classes

    def extractor(self) -> Extractor:
        """Return images and network, without a store: stressed features are used once."""
        outputs, image = self.recipe.outputs(), self.recipe.image
        return Extractor(self.backbone, outputs, image, self.describing.engine)

    def judges(self) -> Sequence[tuple[RhythmModel, Index]]:
        """Train the models where it is not done yet, and return them."""
        if not self._judges:
            with self.steps("training") as step:
                for number, (train, test) in enumerate(self._folds):
                    self._judges.append((self._trained(train), test))
                    step(number + 1, len(self._folds))
        return self._judges

    def _trained(self, train: Index) -> RhythmModel:
        wanted = self.recipe.pca
        # The smallest part that components are sought in is half of the training windows.
        pca = min(wanted, len(train) // 2) if isinstance(wanted, int) else wanted
        return fit_model(
            self.windows.subset(train),
            self._features[train],
            replace(self.recipe, pca=pca),
            self.backbone,
            alpha=DEFAULT_ALPHA,
            smooth=False,
            random_state=self.settings.random_state,
        )


@dataclass(eq=False)
class SavedModel:
    """A model of a file, which judges all windows.

    Args:
        path: the file, or the name of a model that comes with ecglens.
        windows: clean, labelled, readable windows of people it was not trained on.
        engine: what runs its network.

    Raises:
        ModelFileError: the file is no model.
        LeakError: the model was trained on people of the windows.
        EvaluationError: windows have classes that the model does not know, or another length.
    """

    path: Path
    windows: Windows
    engine: EngineSettings = field(default_factory=EngineSettings)

    def __post_init__(self) -> None:
        path = find_model(self.path)
        self._model = load_model(path, engine=self.engine)
        self._sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        self._check_length()
        self._check_people()
        self._check_classes()

    def _check_length(self) -> None:
        has, takes = self.windows.length_s, self._model.length_s
        if abs(has - takes) > 0.5 / self.windows.fs:
            raise EvaluationError(
                f"windows last {has:g} s and {self.path.name} takes {takes:g} s; cut windows of "
                "that length"
            )

    def _check_people(self) -> None:
        people, records = self._model.training_subjects, self._model.training_records
        names = map(name_of_record, self.windows.databases, self.windows.records)
        known = sorted(
            {
                person
                for person, record in zip(self.windows.subjects.tolist(), names, strict=True)
                if person in people or record in records
            }
        )
        if known:
            named = ", ".join(known[:_NAMED_AT_MOST])
            more = f" and {len(known) - _NAMED_AT_MOST} more" if len(known) > _NAMED_AT_MOST else ""
            raise LeakError(
                f"{self.path.name} was trained on {len(known)} of the people of the windows "
                f"({named}{more}); what it says of them tells nothing of new ones; give windows "
                "of other people"
            )

    def _check_classes(self) -> None:
        strange = sorted(set(self.windows.classes) - set(self._model.classes))
        if strange:
            raise EvaluationError(
                f"windows have classes that {self.path.name} does not know: {', '.join(strange)}; "
                f"it knows {', '.join(self._model.classes)}; leave the others out"
            )

    @property
    def identity(self) -> str:
        """A name for the file's content and for what runs its network."""
        one = self.engine
        precision = resolve_precision(one.engine, one.precision)
        return cell_key(self._sha256, one.engine, one.device, precision)

    @property
    def title(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def classes(self) -> tuple[str, ...]:
        """Those of the model."""
        return self._model.classes

    def extractor(self) -> Extractor:
        """Return images and network of the model."""
        return self._model.extractor

    def judges(self) -> Sequence[tuple[RhythmModel, Index]]:
        """Return the model with all windows."""
        return [(self._model, np.arange(len(self.windows)))]
