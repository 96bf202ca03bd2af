"""What the demo is asked for and what it found."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ecglens import __version__
from ecglens.databases.synthetic.seeds import check_seed
from ecglens.demo.words import REHEARSAL, SHIPPED, WHY
from ecglens.errors import UsageError
from ecglens.evaluation import EpisodeMatch, Evaluation, agreement, match_episodes
from ecglens.models import RhythmModel
from ecglens.prediction import Timeline
from ecglens.records import Record
from ecglens.reports.words import NORMAL, RESEARCH_USE
from ecglens.windows import Windows

Span = tuple[float, float, str]


@dataclass(frozen=True)
class DemoSettings:
    """What the demo is asked for.

    Attributes:
        n_patients: virtual patients to learn from, 12 to 1000, with four minutes of ECG each.
        hours: length of the Holter in hours, 0.1 to 24.
        backbone: name of the network, or path of an ONNX file.
        random_state: seed of everything, a whole number from 0.

    Raises:
        UsageError: a value is out of its range.
    """

    n_patients: int = 40
    hours: float = 1.0
    backbone: str = "ecglens-s"
    random_state: int = 0

    def __post_init__(self) -> None:
        if not 12 <= self.n_patients <= 1000:
            raise UsageError(f"patients must be from 12 to 1000, got {self.n_patients}")
        if not 0.1 <= self.hours <= 24:
            raise UsageError(f"hours must be from 0.1 to 24, got {self.hours:g}")
        check_seed(self.random_state)

    @property
    def command(self) -> str:
        """The command line that asks for this, but for where it writes."""
        numbers = f"--patients {self.n_patients} --hours {self.hours:g}"
        backbone = shlex.quote(self.backbone)
        seed = self.random_state
        return f"ecglens demo {numbers} --random-state {seed} --backbone {backbone}"


@dataclass(frozen=True, eq=False)
class DemoResult:
    """What the demo found.

    Attributes:
        settings: what was asked for.
        windows: labelled windows of the virtual patients.
        evaluation: pooled and subject-wise.
        model: trained on all of them.
        record: the Holter of another virtual patient, as read from its file.
        truth: what rhythm it was made with, as classes.
        timeline: what the model says of it.
        shipped: what the model that comes with ecglens says of it.
        precision: of the network, ``"bf16"`` or ``"fp32"``.
    """

    settings: DemoSettings
    windows: Windows
    evaluation: Evaluation
    model: RhythmModel
    record: Record
    truth: Sequence[Span]
    timeline: Timeline
    shipped: Timeline
    precision: str

    @property
    def by_shipped(self) -> DemoResult:
        """The same with the findings of the model that comes with ecglens."""
        return replace(self, timeline=self.shipped)

    @property
    def matches(self) -> tuple[EpisodeMatch, ...]:
        """Episodes other than normal rhythm: made and predicted ones."""
        predicted = [
            (one.start_s, one.end_s, one.label)
            for one in self.timeline.episodes
            if one.label in self.model.classes
        ]
        return match_episodes(_abnormal(self.truth), _abnormal(predicted))

    @property
    def found(self) -> dict[str, tuple[int, int]]:
        """Of each class but normal rhythm, the episodes that were found and those there were."""
        counts = {name: [0, 0] for name in self.model.classes if name != NORMAL}
        for match in self.matches:
            if match.reference is not None:
                counts[match.label][0] += match.found
                counts[match.label][1] += 1
        return {name: (found, there) for name, (found, there) in counts.items()}

    @property
    def n_false(self) -> int:
        """Predicted episodes where there was nothing of the class."""
        return sum(match.reference is None for match in self.matches)

    @property
    def right_share(self) -> float:
        """Share of the Holter's annotated time that was called what it is."""
        spans = [(one.start_s, one.end_s, one.label) for one in self.timeline.episodes]
        return agreement(self.truth, spans)

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as plain values for JSON."""
        backbone = self.model.backbone
        annotated = {
            name: sum(end - start for start, end, label in self.truth if label == name)
            for name in self.model.classes
        }
        return {
            "ecglens": __version__,
            "command": self.settings.command,
            "note": f"{REHEARSAL} {WHY} {RESEARCH_USE}",
            "backbone": {
                "name": backbone.name,
                "weights": backbone.weights,
                "sha256": backbone.sha256,
                "precision": self.precision,
            },
            "recipe": self.model.recipe.to_dict(),
            "evaluation": self.evaluation.to_dict(),
            "holter": {"true_seconds": annotated, **self._findings()},
            "holter_by_shipped_model": {"model": SHIPPED, **self.by_shipped._findings()},
        }

    def _findings(self) -> dict[str, Any]:
        return {
            **self.timeline.summary(),
            "right_share": round(self.right_share, 6),
            "episodes_found": {name: list(counts) for name, counts in self.found.items()},
            "false_episodes": self.n_false,
        }


def _abnormal(spans: Sequence[Span]) -> list[Span]:
    return [span for span in spans if span[2] != NORMAL]
