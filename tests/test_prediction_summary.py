"""A timeline in figures."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.reports.scenes import timeline_of

MIXED = timeline_of([*["N"] * 5, *["AF"] * 2, "N", *["AF"] * 3, *["VF"] * 4, *["unreadable"] * 5])


def test_burden_has_minutes_share_number_and_longest() -> None:
    burden = MIXED.summary()["burden"]
    assert burden["AF"] == {
        "percent": pytest.approx(100 * 5 / 15, abs=1e-3), "minutes": 0.833, "n_episodes": 2,
        "longest_s": 30.0, "longest_start_s": 80.0,
    }  # fmt: skip
    assert burden["ST"] == {
        "percent": 0.0, "minutes": 0.0, "n_episodes": 0, "longest_s": 0.0, "longest_start_s": None,
    }  # fmt: skip
    assert burden["unreadable"]["percent"] == 25.0
    classes = [burden[label]["percent"] for label in MIXED.classes]
    assert sum(classes) + burden["inconclusive"]["percent"] == pytest.approx(100, abs=0.01)


def test_windows_that_overlap_speak_for_their_hop_and_add_up() -> None:
    labels = ["N", "AF", "unreadable", "inconclusive"] * 6
    timeline = timeline_of(labels, length_s=10.0, hop_s=2.5)
    assert timeline.stretch_s.sum() == pytest.approx(timeline.summary()["covered_s"])
    assert timeline.stretch_s[1:-1] == pytest.approx(np.full(22, 2.5))
    reasons = timeline.summary()["reasons"]
    assert reasons["unreadable"] == {"flat": 15.0}
    assert sum(reasons["inconclusive"].values()) == timeline.summary()["seconds"]["inconclusive"]


def test_reasons_come_with_the_most_frequent_first() -> None:
    reasons = np.array(["flat", "motion", "motion", "flat", "motion"])
    timeline = replace(timeline_of(["unreadable"] * 5), reasons=reasons)
    assert list(timeline.summary()["reasons"]["unreadable"].items()) == [
        ("motion", 30.0),
        ("flat", 20.0),
    ]


def test_heart_rate_leaves_out_fibrillation_and_the_unreadable() -> None:
    rates = np.full(20, 70.0)
    rates[[0, 7]] = 50.0, 110.0
    rates[11:] = 300.0
    rate = replace(MIXED, heart_rate=rates).summary()["heart_rate"]
    assert (rate["min"], rate["median"], rate["max"], rate["n_windows"]) == (50, 70, 110, 11)
    assert 50 < rate["p5"] < 70 < rate["p95"] < 110


def test_without_beats_rates_are_null() -> None:
    for timeline in (timeline_of(["VF"] * 3), replace(MIXED, heart_rate=np.full(20, np.nan))):
        rate = timeline.summary()["heart_rate"]
        assert rate == dict.fromkeys(("min", "p5", "median", "p95", "max")) | {"n_windows": 0}


def test_quality_is_of_all_windows() -> None:
    quality = MIXED.summary()["quality"]
    assert (quality["min"], quality["median"], quality["n_windows"]) == (0.0, 0.9, 20)


@pytest.mark.parametrize("label", ["N", "VF", "unreadable", "inconclusive"])
def test_a_single_window_can_be_said_in_json(label: str) -> None:
    said = timeline_of([label]).to_dict()
    assert json.loads(json.dumps(said, allow_nan=False)) == said
    assert said["summary"]["burden"][label]["percent"] == 100.0
