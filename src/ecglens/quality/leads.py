"""Which lead of a recording to judge, from a few looks at it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecglens.errors import RecordError, UsageError
from ecglens.lead_names import limb_key
from ecglens.quality.measures import QualityLimits, measure_quality
from ecglens.records import Recording

PREFERENCE = ("II", "V5", "V2", "I", "V1", "V4", "V3", "V6", "aVF", "III", "aVL", "aVR")
"""Leads of equal quality are taken in this order, the modified ones (MLII) with the limb leads.

II is the rhythm strip of the standard twelve leads (Kligfield et al. 2007) and the upper lead of
most ambulatory databases (Moody and Mark 2001); V5 is its usual second lead.
"""

_EQUAL_SHARE = 0.05
_EQUAL_SCORE = 0.05


@dataclass(frozen=True)
class LeadQuality:
    """How good a lead looked.

    Attributes:
        row: of the lead in the record.
        name: of the lead.
        readable: share of the stretches looked at that can be judged, 0 to 1.
        score: mean score over all stretches, 0 to 1; see :func:`measure_quality`.
    """

    row: int
    name: str
    readable: float
    score: float


def rate_leads(
    record: Recording,
    *,
    names: Sequence[str] | None = None,
    n_stretches: int = 24,
    length_s: float = 10.0,
    limits: QualityLimits | None = None,
) -> tuple[LeadQuality, ...]:
    """Look at stretches spread evenly over a record and rate its leads.

    Only these stretches are read. A record that is shorter is looked at once, whole.

    Args:
        record: in memory or on disk.
        names: leads to rate, where the record has them; all by default.
        n_stretches: how many to look at.
        length_s: length of each in seconds.
        limits: from where on a stretch is unreadable.

    Returns:
        One entry per lead, in the order of the record.

    Raises:
        RecordError: the record has none of the leads, or its file cannot be decoded.
        UsageError: fewer than one stretch, or a length that is not above 0.
    """
    if n_stretches < 1 or not length_s > 0:
        raise UsageError(
            f"leads are rated by 1 stretch or more of over 0 s, got {n_stretches} of {length_s:g} s"
        )
    rows = _rows(record, names)
    size = min(record.n_samples, max(1, round(length_s * record.fs)))
    # In the middle of equal parts, so that putting on and taking off the electrodes count little.
    middle = (np.arange(n_stretches) + 0.5) * (record.n_samples / n_stretches)
    starts = np.unique(np.clip(np.round(middle - size / 2), 0, record.n_samples - size))
    in_mv = np.array([record.leads[row].in_mv for row in rows])
    looks = [
        measure_quality(record.read(start, start + size, rows), record.fs, limits, in_mv=in_mv)
        for start in starts.astype(int).tolist()
    ]
    readable = np.mean([look.readable for look in looks], axis=0).tolist()
    score = np.mean([look.score for look in looks], axis=0).tolist()
    names_of = record.lead_names
    return tuple(
        LeadQuality(row, names_of[row], share, mean)
        for row, share, mean in zip(rows, readable, score, strict=True)
    )


def choose_lead(
    record: Recording,
    *,
    names: Sequence[str] | None = None,
    n_stretches: int = 24,
    length_s: float = 10.0,
    limits: QualityLimits | None = None,
) -> int:
    """Choose the lead to judge: the most readable one, then the usual one.

    Leads whose readable share and mean score are within 0.05 of the best are taken for equal;
    of these the first of :data:`PREFERENCE` is chosen, then the first of the record. The same
    record always gives the same lead.

    Args:
        record: and the others: see :func:`rate_leads`.
        names: as for :func:`rate_leads`.
        n_stretches: as for :func:`rate_leads`.
        length_s: as for :func:`rate_leads`.
        limits: as for :func:`rate_leads`.

    Returns:
        Row of the lead.

    Raises:
        RecordError: the record has none of the leads, or its file cannot be decoded.
        UsageError: see :func:`rate_leads`.
    """
    rated = rate_leads(
        record, names=names, n_stretches=n_stretches, length_s=length_s, limits=limits
    )
    most = max(lead.readable for lead in rated)
    rated = tuple(lead for lead in rated if lead.readable >= most - _EQUAL_SHARE)
    best = max(lead.score for lead in rated)
    return min(
        (lead for lead in rated if lead.score >= best - _EQUAL_SCORE),
        key=lambda lead: (_rank(lead.name), lead.row),
    ).row


def _rank(name: str) -> int:
    """Return the place of a lead in :data:`PREFERENCE`, behind them all for an unknown one."""
    order = [lead.casefold() for lead in PREFERENCE]
    key = limb_key(name)
    return order.index(key) if key in order else len(order)


def _rows(record: Recording, names: Sequence[str] | None) -> list[int]:
    if names is None:
        return list(range(record.n_leads))
    found = {record.find_lead(name) for name in names} - {None}
    rows = sorted(row for row in found if row is not None)
    if not rows:
        raise RecordError(
            f"record {record.record_id!r} has no lead {' or '.join(names) or 'of no name'}; "
            f"it has {', '.join(record.lead_names)}"
        )
    return rows
