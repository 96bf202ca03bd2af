"""What is asked of a reproduction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ecglens.errors import UsageError
from ecglens.recipes import Recipe, find_recipe
from ecglens.reproduction.words import CLASSES


@dataclass(frozen=True)
class ReproductionSettings:
    """What is asked for; what is None is chosen by ``quick``.

    Attributes:
        data: folder with folders of databases that are here; nothing is fetched then.
        to: folder that databases are fetched into; None for the usual one.
        mirror: address that has the databases as ``https://physionet.org/files/`` has them.
        windows: file of labelled windows to take instead of databases.
        quick: few records, few windows, the small network, five folds.
        backbone: name of the network; None for the preset's, or ``"ecglens-s"`` when quick.
        weights: of the network (:func:`ecglens.load_backbone`).
        layers: layers to try; None for all of the network.
        folds: None for ten, or five when quick.
        bootstrap: draws of people behind the limits; None for 1,000, or 200 when quick.
        n_windows: windows of the experiment; None for 7,000, or 800 when quick.
        without: classes that are left out, for collections that have none of them.
        cache: folder of computed features; None for the usual one.
        jobs: files fetched at once, 1 to 4.
        random_state: seed of all randomness.

    Raises:
        UsageError: values are out of range or do not go together.
    """

    data: Path | None = None
    to: Path | None = None
    mirror: str | None = None
    windows: Path | None = None
    quick: bool = False
    backbone: str | None = None
    weights: str = "imagenet"
    layers: tuple[str, ...] | None = None
    folds: int | None = None
    bootstrap: int | None = None
    n_windows: int | None = None
    without: tuple[str, ...] = ()
    cache: Path | None = None
    jobs: int = 3
    random_state: int = 0

    def __post_init__(self) -> None:
        if self.windows is not None and (self.data or self.to or self.mirror):
            raise UsageError(
                "windows from a file need no database; leave out --data, --to and --mirror, or "
                "--windows"
            )
        if self.data is not None and (self.to or self.mirror):
            raise UsageError(
                "--data names folders that are here, so nothing is fetched; leave out --to and "
                "--mirror, or --data"
            )
        for name in self.without:
            if name not in CLASSES:
                raise UsageError(
                    f"no class {name!r} to leave out; the experiment has {', '.join(CLASSES)}"
                )
        if len(self.classes) < 2:
            raise UsageError(f"without {', '.join(self.without)} fewer than two classes are left")
        if self.total < 40:
            raise UsageError(f"windows must be 40 or more, got {self.total}; the paper has 7000")

    @property
    def classes(self) -> tuple[str, ...]:
        """The patterns that are told apart."""
        return tuple(name for name in CLASSES if name not in self.without)

    @property
    def n_splits(self) -> int:
        """Number of folds, resolved."""
        return self.folds or (5 if self.quick else 10)

    @property
    def n_bootstrap(self) -> int:
        """Draws behind the limits, resolved."""
        return self.bootstrap if self.bootstrap is not None else (200 if self.quick else 1000)

    @property
    def total(self) -> int:
        """Windows of the experiment, resolved."""
        return self.n_windows if self.n_windows is not None else (800 if self.quick else 7000)

    @property
    def beside(self) -> int:
        """Windows of each other class of a database that the controls get."""
        return max(20, self.total // 20)

    @property
    def recipe(self) -> Recipe:
        """The paper's preset with the network asked for."""
        recipe = find_recipe("salem2018")
        name = self.backbone or ("ecglens-s" if self.quick else recipe.backbone)
        return recipe if name == recipe.backbone else replace(recipe, backbone=name)
