from __future__ import annotations

import itertools
import json
import time
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ecglens.decisions import HeldOut, RejectRule, RhythmChange
from ecglens.decisions.smoothing import MIN_S, WEIGHT, WEIGHTS, find_stretches
from ecglens.errors import UsageError

CLASSES = ("AF", "N", "ST", "VF")
CHANGE = RhythmChange.default(CLASSES)
Numbers = npt.NDArray[np.float64]


def says(labels: list[str], p: float = 0.9) -> Numbers:
    """Return probabilities of windows that each give their label ``p``, others alike."""
    one_hot = np.array(labels)[:, None] == np.array(CLASSES)
    return np.where(one_hot, p, (1 - p) / (len(CLASSES) - 1))


def read(labels: list[str], hop_s: float = 10.0, p: float = 0.9) -> list[str]:
    said, _ = CHANGE.read(says(labels, p), np.full(len(labels), ""), hop_s)
    return said.tolist()


def _windows(truth: list[tuple[str, float]], hop_s: float, offset_s: float) -> list[str]:
    """Return what windows of ten seconds show of a record: the rhythm at their middle."""
    ends = np.cumsum([seconds for _, seconds in truth])
    middles = np.arange(offset_s + 5, ends[-1] - 5, hop_s)
    return [truth[int(i)][0] for i in np.searchsorted(ends, middles, side="right")]


@pytest.mark.parametrize("rhythm", ["AF", "ST", "VF"])
@pytest.mark.parametrize("hop_s", [10.0, 5.0, 2.0])
@pytest.mark.parametrize("offset_s", [0.0, 3.0, 7.0])
def test_half_a_minute_survives_within_ten_seconds(
    rhythm: str, hop_s: float, offset_s: float
) -> None:
    shown = _windows([("N", 600), (rhythm, 30), ("N", 600)], hop_s, offset_s)
    said = read(shown, hop_s)
    at = np.flatnonzero(np.array(said) == rhythm)
    assert set(said) == {"N", rhythm}
    # The word of a window is for the hop around its middle.
    start = offset_s + 5 + at[0] * hop_s - hop_s / 2
    end = offset_s + 5 + at[-1] * hop_s + hop_s / 2
    assert abs(start - 600) <= 10
    assert abs(end - 630) <= 10


@pytest.mark.parametrize("rhythm", ["AF", "ST", "VF"])
def test_a_lone_window_in_hours_of_sinus_does_not(rhythm: str) -> None:
    assert read(["N"] * 500 + [rhythm] + ["N"] * 500) == ["N"] * 1001


def test_a_lone_window_that_is_sure_of_vf_does() -> None:
    p = says(["N"] * 20 + ["VF"] + ["N"] * 20)
    p[20] = [0.002, 0.002, 0.001, 0.995]
    said, _ = CHANGE.read(p, np.full(41, ""), 10.0)
    assert said.tolist() == ["N"] * 20 + ["VF"] + ["N"] * 20
    # The same certainty of AF is no episode: half a minute makes one.
    p[20] = [0.995, 0.002, 0.001, 0.002]
    assert "AF" not in CHANGE.read(p, np.full(41, ""), 10.0)[0].tolist()


def test_episodes_of_af_last_half_a_minute_but_for_the_windows_at_their_ends() -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet([0.3] * 4, size=400)
    said, _ = CHANGE.read(p, np.full(400, ""), 5.0, others=False)
    runs = [(label, len(list(run)) * 5.0) for label, run in itertools.groupby(said.tolist())]
    assert min(seconds for label, seconds in runs if label == "AF") >= MIN_S["AF"] - 10


def test_windows_without_a_word_take_their_neighbours_and_leave_them_alone() -> None:
    p = says(["N"] * 10 + ["AF"] * 10)
    p[4], p[14:16] = np.nan, np.nan
    said, sure = CHANGE.read(p, np.full(20, ""), 10.0)
    assert said.tolist() == ["N"] * 10 + ["AF"] * 10
    assert np.isfinite(sure).all()


def test_a_stretch_that_is_unlike_training_is_none_of_the_classes() -> None:
    reasons = np.array([""] * 20 + ["unlike training"] * 5 + [""] * 20)
    p = says(["N"] * 45, p=0.7)
    said, sure = CHANGE.read(p, reasons, 10.0)
    assert said.tolist() == ["N"] * 20 + [""] * 5 + ["N"] * 20
    assert sure[22].sum() < 0.5 < sure[5].sum()
    # Doubt alone takes longer to be believed, and a few windows of it do not.
    for n, said_of in ((3, "N"), (12, "")):
        doubt = np.array([""] * 20 + ["several classes"] * n + [""] * 20)
        found = CHANGE.read(says(["N"] * (40 + n), p=0.7), doubt, 10.0)[0]
        assert set(found[20:-20].tolist()) == {said_of}
    everything, whole = CHANGE.read(p, reasons, 10.0, others=False)
    assert everything.tolist() == ["N"] * 45
    np.testing.assert_allclose(whole.sum(axis=1), 1)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_short_records_are_read_too(n: int) -> None:
    assert read(["AF"] * n) == ["AF"] * n


def test_two_days_at_a_hop_of_five_seconds_take_a_moment() -> None:
    used = []
    for n in (20, 173):
        start = time.process_time()
        assert len(read((["N"] * 170 + ["AF"] * 30) * n, 5.0)) == 200 * n
        used.append(time.process_time() - start)
    # Nine times as long, so 75 times the work where windows are compared with one another.
    assert used[1] < 30 * used[0]


def test_a_fine_hop_is_taken_together() -> None:
    labels = ["N"] * 3000 + ["AF"] * 400 + ["N"] * 3000
    said = read(labels, 0.1)
    at = np.flatnonzero(np.array(said) == "AF")
    assert abs(at[0] - 3000) <= 20
    assert abs(at[-1] - 3399) <= 20


class TestFitting:
    def _held_out(self, n: int, per: int, skill: float) -> HeldOut:
        rng = np.random.default_rng(0)
        truth = np.repeat(np.arange(n) % 4, per)
        scores = rng.normal(size=(n * per, 4))
        scores[np.arange(n * per), truth] += skill
        p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        labels = np.array(CLASSES)[truth]
        people = np.repeat(np.array([f"s{i}" for i in range(n)]), per)
        return HeldOut(CLASSES, p, np.ones(n * per), labels, people)

    def test_windows_by_themselves_leave_the_documented_weight(self) -> None:
        people = self._held_out(40, 3, 2.0)
        start = np.tile([0.0, 100.0, 200.0], 40)
        fitted = RhythmChange.fit(people, people.rule(0.1), people.subjects, start, 10.0)
        assert fitted.weight == WEIGHT
        assert sum(fitted.in_class) == pytest.approx(1)
        assert fitted.in_class != CHANGE.in_class

    def test_rows_of_windows_choose_the_weight_that_foretells_best(self) -> None:
        # Errors are independent here, so the full weight is right.
        people = self._held_out(40, 30, 1.0)
        rule = people.rule(0.1)
        start = np.tile(np.arange(30) * 10.0, 40)
        fitted = RhythmChange.fit(people, rule, people.subjects, start, 10.0)
        assert fitted.weight == max(WEIGHTS)
        # People whose windows all repeat one error want less of it.
        same = replace(people, probabilities=np.repeat(people.probabilities[::30], 30, axis=0))
        assert RhythmChange.fit(same, rule, people.subjects, start, 10.0).weight < max(WEIGHTS)

    def test_stretches_are_windows_in_a_row_at_one_hop(self) -> None:
        tracks = np.array(["a"] * 14 + ["b"] * 6)
        start = np.array([*range(0, 70, 10), *range(100, 170, 10), *range(0, 60, 10)], float)
        order = np.random.default_rng(0).permutation(20)
        found = find_stretches(tracks[order], start[order], 10.0)
        spans = [(start[order][i].min(), start[order][i].max(), hop) for i, hop in found]
        assert spans == [(0, 60, 10), (100, 160, 10), (0, 50, 10)]
        assert find_stretches(["a", "a"], [0.0, 50.0], 10.0) == []


class TestFile:
    def test_a_model_comes_back_as_it_was(self) -> None:
        for change in (CHANGE, RhythmChange.none(CLASSES)):
            assert RhythmChange.from_dict(json.loads(json.dumps(change.to_dict()))) == change

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"weight": 2}, "weight must be from 0 to 1, got 2"),
            ({"weight": None}, "weight must be a number"),
            ({"min_s": [30.0]}, "min_s must be a list of 5 numbers"),
            ({"min_s": [1e9] * 5}, "min_s must be from 0 to 3600"),
            ({"dwell_s": [0.0] * 5}, "dwell_s must be from"),
            ({"length_s": -1.0}, "length_s of a rhythm change must be from"),
            ({"in_class": [0.5, 0.5, 0.5, 0.5]}, "in_class must be shares of one whole"),
            ({"in_other": [1.0, 0.0, 0.0, 0.0]}, "in_other must be from 1e-06 to 1"),
            ({"classes": "AF"}, "classes must be a list of names"),
            ({"classes": [1]}, "classes must be a list of names"),
            ({"minimum": 1}, "unknown setting 'minimum'"),
        ],
    )
    def test_nonsense_is_refused(self, change: dict[str, Any], message: str) -> None:
        with pytest.raises(UsageError, match=message):
            RhythmChange.from_dict({**CHANGE.to_dict(), **change})


def test_reasons_weigh_as_the_model_says() -> None:
    rule = RejectRule.never(CLASSES)
    assert not rule.rejects
    p = says(["N"] * 6, p=0.6)
    doubtful = CHANGE.read(p, np.full(6, "no class"), 10.0)[1]
    claimed = CHANGE.read(p, np.full(6, ""), 10.0)[1]
    assert (doubtful.sum(axis=1) < claimed.sum(axis=1)).all()
