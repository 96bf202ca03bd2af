"""Scores of several records: gross, averaged, and with limits from drawing people."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ecglens.errors import EvaluationError
from ecglens.evaluation.metrics import check_draws
from ecglens.evaluation.recordings.aha import AhaRow
from ecglens.evaluation.recordings.ec57 import RATIOS, ClassCounts, RecordScore, average, gross
from ecglens.evaluation.tables import align, counted, number

_HEAD = ("", "annotated", "found", "Se", "predicted", "right", "+P", "time Se", "time +P")


@dataclass(frozen=True)
class RecordingScores:
    """Scores of records, each by people the model had not seen or whatever the caller gave.

    Attributes:
        classes: what was scored.
        records: one score per record.
        aha: the table for shockable rhythm, empty where none was asked for.
        n_bootstrap: draws of people behind the limits; 0 for none.
        random_state: seed of the draws.
        notes: what to mind about the figures, in words for the user.
    """

    classes: tuple[str, ...]
    records: tuple[RecordScore, ...]
    aha: tuple[AhaRow, ...] = ()
    n_bootstrap: int = 1000
    random_state: int = 0
    notes: tuple[str, ...] = ()

    def gross(self, label: str, *, claimed: bool = False) -> ClassCounts:
        """Return the sum over records; ``claimed`` leaves out time without a predicted class."""
        return gross(self._counts(label, claimed))

    def limits(self, label: str, ratio: str, *, claimed: bool = False) -> tuple[float, float]:
        """Return 95 % limits of a gross ratio from drawing people with replacement.

        NaN where fewer than two people bear on it, or no draw holds one of them.
        """
        people = sorted({score.subject for score in self.records})
        sums = np.zeros((len(people), 2))
        for score, counts in zip(self.records, self._counts(label, claimed), strict=True):
            sums[people.index(score.subject)] += [getattr(counts, name) for name in RATIOS[ratio]]
        if self.n_bootstrap == 0 or (sums[:, 1] > 0).sum() < 2:
            return math.nan, math.nan
        rng = np.random.default_rng(self.random_state)
        alike = np.full(len(people), 1 / len(people))
        part, whole = (rng.multinomial(len(people), alike, self.n_bootstrap) @ sums).T
        if not (whole > 0).any():
            return math.nan, math.nan
        low, high = np.percentile(part[whole > 0] / whole[whole > 0], [2.5, 97.5])
        return float(low), float(high)

    def _counts(self, label: str, claimed: bool) -> list[ClassCounts]:
        return [
            (score.counts_claimed if claimed else score.counts)[label] for score in self.records
        ]

    def format_table(self, *, per_record: bool = False) -> str:
        """Return the tables as text."""
        hours = sum(score.scored_s for score in self.records) / 3600
        abstained = sum(score.abstained_s for score in self.records) / 3600
        people = len({score.subject for score in self.records})
        lines = [
            f"{counted(len(self.records), 'record')} of {counted(people, 'person', 'people')}, "
            f"{hours:.2f} h compared, {abstained:.2f} h of it without a class",
            "",
            "episodes and durations, gross (95 % limits from drawing people)",
            *self._rows(claimed=False),
            "",
            "the same where a class was predicted",
            *self._rows(claimed=True),
        ]
        if per_record:
            lines += ["", "record by record", *self._record_rows()]
        if self.aha:
            lines += [
                "",
                "shockable rhythm (AHA), window by window",
                *align(_aha_cells(self.aha), left=2),
            ]
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(lines)

    def _rows(self, *, claimed: bool) -> list[str]:
        rows: list[list[str]] = [list(_HEAD)]
        for label in self.classes:
            total = self.gross(label, claimed=claimed)
            rows.append(_cells(label, total))
            limits = [self.limits(label, ratio, claimed=claimed) for ratio in RATIOS]
            spread = ["" if math.isnan(low) else f"{low:.2f}-{high:.2f}" for low, high in limits]
            if any(spread):
                rows.append(["", "", "", spread[0], "", "", spread[1], spread[2], spread[3]])
            means = [number(average(self._counts(label, claimed), ratio)[0]) for ratio in RATIOS]
            rows.append(["  average", "", "", means[0], "", "", means[1], means[2], means[3]])
        return align(rows)

    def _record_rows(self) -> list[str]:
        rows = [list(_HEAD)]
        for score in self.records:
            for label in self.classes:
                counts = score.counts[label]
                if counts.annotated or counts.predicted:
                    rows.append(_cells(f"{score.record} {label}", counts))
        return align(rows)

    def to_dict(self) -> dict[str, Any]:
        """Return all scores, JSON-ready."""
        return {
            "n_records": len(self.records),
            "n_subjects": len({score.subject for score in self.records}),
            "scored_s": sum(score.scored_s for score in self.records),
            "abstained_s": sum(score.abstained_s for score in self.records),
            "classes": {label: self._class_dict(label) for label in self.classes},
            "records": [
                {
                    "record": score.record,
                    "subject": score.subject,
                    "scored_s": score.scored_s,
                    "abstained_s": score.abstained_s,
                    "classes": {label: score.counts[label].to_dict() for label in self.classes},
                }
                for score in self.records
            ],
            "aha": [row.to_dict() for row in self.aha],
            "notes": list(self.notes),
        }

    def _class_dict(self, label: str) -> dict[str, Any]:
        said: dict[str, Any] = {}
        for name, claimed in (("all", False), ("claimed", True)):
            limits = {ratio: self.limits(label, ratio, claimed=claimed) for ratio in RATIOS}
            means = {ratio: average(self._counts(label, claimed), ratio) for ratio in RATIOS}
            said[name] = {
                "gross": self.gross(label, claimed=claimed).to_dict(),
                "limits": {
                    ratio: None if math.isnan(pair[0]) else list(pair)
                    for ratio, pair in limits.items()
                },
                "average": {
                    ratio: {"mean": None if math.isnan(mean) else mean, "n_records": n}
                    for ratio, (mean, n) in means.items()
                },
            }
        return said

    def to_markdown(self) -> str:
        """Return the tables as Markdown, for a report."""
        names = ["class", "annotated", "predicted", *(ratio.replace("_", " ") for ratio in RATIOS)]
        lines = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
        for label in self.classes:
            total = self.gross(label)
            cells = [label, str(total.annotated), str(total.predicted)]
            for ratio in RATIOS:
                low, high = self.limits(label, ratio)
                spread = "" if math.isnan(low) else f" ({low:.3f} to {high:.3f})"
                cells.append(number(getattr(total, ratio)) + spread)
            lines.append(f"| {' | '.join(cells)} |")
        if self.aha:
            head, *rows = _aha_cells(self.aha)
            lines += ["", f"| {' | '.join(['category', *head[1:]])} |", f"|{'---|' * len(head)}"]
            lines += [f"| {' | '.join(row)} |" for row in rows]
        lines += [f"\n{note}" for note in self.notes]
        return "\n".join(lines) + "\n"

    def to_csv(self) -> str:
        """Return one line per record and class."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        names = list(ClassCounts().to_dict())
        writer.writerow(["record", "subject", "class", *names])
        for score in self.records:
            for label in self.classes:
                values = score.counts[label].to_dict().values()
                plain = ["" if value is None else round(value, 6) for value in values]
                writer.writerow([score.record, score.subject, label, *plain])
        return buffer.getvalue()


def score_recordings(
    records: Sequence[RecordScore],
    classes: Sequence[str],
    *,
    aha: Sequence[AhaRow] = (),
    notes: Sequence[str] = (),
    n_bootstrap: int = 1000,
    random_state: int = 0,
) -> RecordingScores:
    """Put the scores of records together.

    Raises:
        EvaluationError: there is no record.
        UsageError: ``n_bootstrap`` is negative.
    """
    check_draws(n_bootstrap)
    if not records:
        raise EvaluationError("no record to score; give predicted and annotated records")
    return RecordingScores(
        tuple(classes), tuple(records), tuple(aha), n_bootstrap, random_state, tuple(notes)
    )


def _cells(name: str, counts: ClassCounts) -> list[str]:
    return [
        name,
        str(counts.annotated),
        str(counts.found),
        number(counts.episode_sensitivity),
        str(counts.predicted),
        str(counts.right),
        number(counts.episode_predictivity),
        number(counts.duration_sensitivity),
        number(counts.duration_predictivity),
    ]


def _aha_cells(rows: Sequence[AhaRow]) -> list[list[str]]:
    names = "decision, windows, people, no class, right, lower 90 %, goal, verdict"
    table = [["", *names.split(", ")]]
    for row in rows:
        word = {True: "shock", False: "no shock", None: "shock"}[row.goal.shock]
        goal = "" if row.goal.shock is None else f"> {row.goal.performance:.2f}"
        table.append(
            [
                row.category,
                word,
                str(row.n),
                str(row.n_subjects),
                str(row.undecided),
                number(row.performance),
                number(row.lower_limit),
                goal,
                row.verdict,
            ]
        )
    return table
