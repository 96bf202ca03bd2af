from __future__ import annotations

import csv
import itertools
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecglens.decisions import RejectRule, RhythmChange
from ecglens.errors import OutputError, UsageError, WindowError
from ecglens.models import Judgement
from ecglens.prediction import Journal, Timeline, predict_record
from ecglens.readers import open_record, read_record
from ecglens.records import Lead, Record
from tests.cli.collection import write_record
from tests.signals_of import beats, fibrillation, record_of

NEVER, NONE = RejectRule.never(("N", "VF")), RhythmChange.none(("N", "VF"))


@dataclass(frozen=True)
class SpikinessModel:
    """Tells VF from N by how peaked a window is: a stand-in for a head, not for a network."""

    reject_rule: RejectRule = NEVER
    rhythm_change: RhythmChange = NONE
    classes: tuple[str, ...] = ("N", "VF")
    fs: float = 100.0
    length_s: float = 10.0
    training_subjects: frozenset[str] = frozenset()
    training_records: frozenset[str] = frozenset()
    highest_hz: float = 40.0

    def judge(self, X: npt.ArrayLike, fs: float) -> Judgement:
        x = np.asarray(X) - np.median(X, axis=1, keepdims=True)
        peaked = x.max(axis=1) > 5 * x.std(axis=1)
        p = np.where(peaked, 0.9, 0.2)
        return Judgement(np.stack([p, 1 - p], axis=1), np.ones(len(p)))


MODEL = SpikinessModel()


def _mixed(seconds: float = 60.0) -> Record:
    record = record_of("N", seconds)
    record.signal[0, 2000:4000] = fibrillation(20, 100)
    return record


def _episodes(timeline: Timeline) -> list[tuple[float, float, str]]:
    return [(e.start_s, e.end_s, e.label) for e in timeline.episodes]


def test_a_record_becomes_episodes() -> None:
    timeline = predict_record(MODEL, _mixed())
    assert _episodes(timeline) == [(0, 20, "N"), (20, 40, "VF"), (40, 60, "N")]
    assert timeline.episodes[1].probability == pytest.approx(0.8)
    assert timeline.episodes[1].n_windows == 2
    assert timeline.episodes[1].duration_s == 20


def test_time_goes_on_as_in_the_record_at_any_rate() -> None:
    model = replace(MODEL, fs=125.0)
    timeline = predict_record(model, record_of("N", 600.0, 999.95))
    assert timeline.hop_s == timeline.length_s == 1250 / (999.95 / 8)
    assert timeline.start_s[-1] + timeline.length_s <= 600


def test_a_rate_below_what_the_model_looks_at_is_said() -> None:
    said = "sampled at 50 Hz, which holds nothing over 25 Hz, and the model looks at up to 40 Hz"
    (note,) = [
        note for note in predict_record(MODEL, record_of("N", fs=50.0)).notes if said in note
    ]
    assert note.endswith("its figures do not hold here")
    assert said not in " ".join(predict_record(MODEL, record_of("N", fs=80.0)).notes)


def test_annotations_are_not_looked_at() -> None:
    record = _mixed()
    other = replace(record, rhythms=())
    assert _episodes(predict_record(MODEL, record)) == _episodes(predict_record(MODEL, other))


def test_unreadable_windows_are_marked_with_their_reason() -> None:
    record = _mixed()
    record.signal[0, :1000] = 0.0
    record.signal[0, 1000:1500] = np.nan
    timeline = predict_record(MODEL, record)
    assert timeline.labels.tolist()[:3] == ["unreadable", "unreadable", "VF"]
    assert timeline.reasons.tolist()[:3] == ["flat", "missing", ""]
    assert np.isnan(timeline.probabilities[:2]).all()
    assert timeline.episodes[0].probability is None


def test_a_stretch_that_shows_no_heart_is_no_rhythm_and_is_noted() -> None:
    record = _mixed()
    record.signal[0, 2000:4000] = 0.04 * fibrillation(20, 100)
    timeline = predict_record(MODEL, record)
    assert _episodes(timeline) == [(0, 20, "N"), (20, 40, "unreadable"), (40, 60, "N")]
    assert timeline.reasons.tolist()[2:4] == ["asystole or flat"] * 2
    assert np.isnan(timeline.probabilities[2:4]).all()
    assert timeline.quality[2:4].tolist() == [0, 0]
    assert timeline.summary()["reasons"]["unreadable"] == {"asystole or flat": 20.0}
    assert [episode.reason for episode in timeline.episodes] == ["", "asystole or flat", ""]
    (note,) = timeline.notes
    assert note.startswith('20 s are called "asystole or flat": no beats and less than 0.2 mV')


@pytest.mark.parametrize("lead", [Lead("II", "counts"), Lead("II", assumed=True)])
def test_where_amplitudes_are_not_known_a_low_stretch_is_judged(lead: Lead) -> None:
    record = replace(_mixed(), leads=(lead,))
    record.signal[0, 2000:4000] *= 0.04
    assert _episodes(predict_record(MODEL, record))[1] == (20, 40, "VF")


def test_a_record_of_nothing_is_unreadable_throughout() -> None:
    record = record_of("N", 30.0)
    record.signal[:] = np.nan
    timeline = predict_record(MODEL, record)
    assert _episodes(timeline) == [(0, 30, "unreadable")]
    assert timeline.summary()["share"]["unreadable"] == 1


def test_the_rows_that_were_judged_are_known_where_leads_share_a_name() -> None:
    good = _mixed().signal
    record = replace(
        _mixed(), signal=np.concatenate([0 * good, good]), leads=(Lead("ECG"), Lead("ECG"))
    )
    timeline = predict_record(MODEL, record)
    assert (timeline.lead, timeline.rows_in(record)) == ("ECG", [1])
    assert predict_record(MODEL, record, leads="all").rows_in(record) == [0, 1]
    assert predict_record(MODEL, record, leads="first").rows_in(record) == [0]


def test_an_unsure_model_is_inconclusive() -> None:
    rule = RejectRule(MODEL.classes, 0.1, (0.85, 0.85))
    timeline = predict_record(replace(MODEL, reject_rule=rule), _mixed())
    assert _episodes(timeline) == [(0, 20, "N"), (20, 40, "inconclusive"), (40, 60, "N")]


@given(hop_s=st.sampled_from([1.0, 2.0, 2.5, 5.0, 10.0]), seconds=st.integers(10, 90))
@settings(max_examples=10)
def test_episodes_tile_what_was_judged(hop_s: float, seconds: int) -> None:
    timeline = predict_record(MODEL, record_of("N", seconds), hop_s=hop_s)
    episodes = timeline.episodes
    assert episodes[0].start_s == 0
    assert all(a.end_s == b.start_s for a, b in itertools.pairwise(episodes))
    assert all(a.label != b.label for a, b in itertools.pairwise(episodes))
    assert seconds - hop_s < episodes[-1].end_s <= seconds
    assert sum(timeline.summary()["seconds"].values()) == pytest.approx(episodes[-1].end_s)


def test_overlapping_windows_place_a_change_more_finely() -> None:
    record = record_of("N", 60.0)
    record.signal[0, 2300:] = fibrillation(37, 100)
    coarse = predict_record(MODEL, record).episodes[1].start_s
    fine = predict_record(MODEL, record, hop_s=1.0).episodes[1].start_s
    assert abs(fine - 23) < 6
    assert coarse in (20, 30)


def test_the_rest_of_a_record_and_known_people_are_noted() -> None:
    model = replace(MODEL, training_subjects=frozenset({"made-r1"}))
    notes = predict_record(model, record_of("N", 34.0)).notes
    assert any("last 4.0 s are shorter than a window" in text for text in notes)
    assert any("subject made-r1 was in training" in text for text in notes)
    model = replace(MODEL, training_records=frozenset({"made/r1"}))
    assert any("in training" in text for text in predict_record(model, record_of("N", 30.0)).notes)
    assert predict_record(MODEL, record_of("N", 30.0)).notes == ()


def test_beats_that_cannot_be_counted_are_noted() -> None:
    (note,) = predict_record(MODEL, record_of("VF")).notes
    assert note == (
        "beats can be counted in 0 of 6 readable windows; if there are beats, is the sampling "
        "rate right (--fs)?"
    )
    flat = replace(record_of("VF"), signal=np.zeros((1, 6000), np.float32))
    assert predict_record(MODEL, flat).notes == ()


@pytest.mark.parametrize("hop_s", [0.0, -1.0, 11.0])
def test_a_hop_that_leaves_time_unjudged_is_refused(hop_s: float) -> None:
    with pytest.raises(UsageError, match="hop must be over 0 and up to the window's 10 s"):
        predict_record(MODEL, _mixed(), hop_s=hop_s)


class TestLeads:
    def _two_leads(self) -> Record:
        """Of lead I the first 20 s are missing, of lead II the last 20."""
        one, two = _mixed().signal[0].copy(), _mixed().signal[0].copy()
        one[:2000] = np.nan
        two[4000:] = np.nan
        return replace(record_of("N"), signal=np.stack([one, two]), leads=(Lead("I"), Lead("II")))

    def test_every_lead_is_heard_and_the_readable_one_decides(self) -> None:
        timeline = predict_record(MODEL, self._two_leads(), leads="all")
        assert timeline.lead == "I+II"
        assert _episodes(timeline) == [(0, 20, "N"), (20, 40, "VF"), (40, 60, "N")]
        assert timeline.episodes[0].lead == "I+II"
        for lead, seen in (("I", [False, False, True, True]), ("II", [True, True, True, True])):
            alone = predict_record(MODEL, self._two_leads(), leads=[lead])
            assert (alone.labels != "unreadable").tolist()[:4] == seen

    def test_a_window_is_unreadable_where_no_lead_can_be_read(self) -> None:
        record = self._two_leads()
        record.signal[:, 2000:3000] = 0.0
        timeline = predict_record(MODEL, record, leads="all")
        assert timeline.labels.tolist() == ["N", "N", "unreadable", "VF", "N", "N"]
        assert timeline.reasons.tolist()[2] == "flat"
        assert timeline.quality[2] == 0

    def test_the_best_lead_is_chosen_where_none_is_named(self) -> None:
        record = self._two_leads()
        record.signal[1] = 0.0
        assert predict_record(MODEL, record).lead == "I"
        assert predict_record(MODEL, record, leads="first").lead == "I"
        record.signal[1], record.signal[0] = _mixed().signal[0], 0.0
        assert predict_record(MODEL, record).lead == "II"

    def test_two_leads_that_say_the_same_say_it_like_one(self) -> None:
        record = replace(self._two_leads(), signal=np.repeat(_mixed().signal, 2, axis=0))
        both = predict_record(MODEL, record, leads="all")
        one = predict_record(MODEL, record, leads="first")
        np.testing.assert_allclose(both.probabilities, one.probabilities, atol=1e-9)
        np.testing.assert_array_equal(both.heart_rate, one.heart_rate)

    def test_leads_of_one_name_are_told_apart(self, tmp_path: Path) -> None:
        record = replace(self._two_leads(), leads=(Lead("ECG"), Lead("ECG")))
        journal = Journal(tmp_path, "k")
        timeline = predict_record(MODEL, record, leads="all", journal=journal)
        assert timeline.lead == "ECG+ECG"
        assert _episodes(timeline) == [(0, 20, "N"), (20, 40, "VF"), (40, 60, "N")]
        _assert_same(predict_record(MODEL, record, leads="all", journal=journal), timeline)

    def test_progress_counts_every_lead(self) -> None:
        told: list[tuple[int, int]] = []
        predict_record(
            MODEL, self._two_leads(), leads="all", progress=lambda *step: told.append(step)
        )
        assert told == [(6, 12), (12, 12)]


class TestHeartRate:
    def test_it_is_that_of_the_beats_and_none_in_fibrillation(self) -> None:
        timeline = predict_record(MODEL, _mixed())
        beating = timeline.labels == "N"
        np.testing.assert_allclose(timeline.heart_rate[beating], 72, atol=2)
        assert np.isnan(timeline.heart_rate[~beating]).all()

    @pytest.mark.parametrize(("factor", "said"), [(2.0, "144"), (0.5, "36"), (1.0, "")])
    def test_a_rate_that_nobody_keeps_puts_the_sampling_rate_in_doubt(
        self, factor: float, said: str
    ) -> None:
        record = replace(record_of("N", 60.0), fs=100.0 * factor)
        notes = " ".join(predict_record(replace(MODEL, fs=100.0), record).notes)
        assert ("is the sampling rate right" in notes) == (said != "")
        assert f"the median heart rate is {said}" in notes or not said


def test_a_record_shorter_than_a_window_is_refused() -> None:
    with pytest.raises(WindowError, match="shorter than one window"):
        predict_record(MODEL, replace(record_of("N"), signal=beats(5, 100)[None]))


def _assert_same(one: Timeline, other: Timeline) -> None:
    for name in ("start_s", "labels", "reasons", "probabilities"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.to_dict()["summary"] == other.to_dict()["summary"]


def _spoilt() -> Record:
    record = _mixed(90.0)
    record.signal[0, 4200:4210] = np.nan
    record.signal[0, 5000:6500] = np.nan
    record.signal[0, 7000:8000] = 0.3
    return record


class CountingModel(SpikinessModel):
    judged = 0

    def judge(self, X: npt.ArrayLike, fs: float) -> Judgement:
        object.__setattr__(self, "judged", self.judged + len(np.asarray(X)))
        return super().judge(X, fs)


class TestStreaming:
    @pytest.mark.parametrize("hop_s", [None, 3.7, 1.0])
    def test_the_timeline_does_not_depend_on_the_blocks(
        self, hop_s: float | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = predict_record(MODEL, _spoilt(), hop_s=hop_s)
        assert {"N", "VF", "unreadable"} == set(whole.labels.tolist())
        for size in (1, 2, 7):
            monkeypatch.setattr("ecglens.windows.cutting.BLOCK", size)
            _assert_same(predict_record(MODEL, _spoilt(), hop_s=hop_s), whole)

    def test_a_record_on_disk_gets_the_timeline_of_a_record_in_memory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = write_record(tmp_path, "r1", _spoilt().signal[0])
        monkeypatch.setattr("ecglens.windows.cutting.BLOCK", 3)
        monkeypatch.setattr("ecglens.windows.cutting._PIECE", 700)
        model = replace(MODEL, fs=80.0)
        _assert_same(
            predict_record(model, open_record(path), hop_s=2.0),
            predict_record(model, read_record(path), hop_s=2.0),
        )

    def test_a_model_sees_a_block_at_a_time_and_progress_is_told(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[int] = []
        told: list[tuple[int, int]] = []

        class Watched(SpikinessModel):
            def judge(self, X: npt.ArrayLike, fs: float) -> Judgement:
                seen.append(len(np.asarray(X)))
                return super().judge(X, fs)

        monkeypatch.setattr("ecglens.windows.cutting.BLOCK", 4)
        predict_record(Watched(), _mixed(), hop_s=5.0, progress=lambda *step: told.append(step))
        assert seen == [4, 4, 3]
        assert told == [(4, 11), (8, 11), (11, 11)]


class StoppedError(Exception):
    pass


class TestJournal:
    """A run that stopped goes on where it stopped, and to the same numbers."""

    @pytest.fixture(autouse=True)
    def _small_blocks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("ecglens.windows.cutting.BLOCK", 2)

    def _stop_after(self, n_blocks: int, journal: Journal) -> None:
        def step(done: int, _total: int) -> None:
            if done == 2 * n_blocks:
                raise StoppedError

        with pytest.raises(StoppedError):
            predict_record(MODEL, _spoilt(), journal=journal, progress=step)

    def test_nothing_is_judged_twice(self, tmp_path: Path) -> None:
        whole = predict_record(MODEL, _spoilt())
        journal = Journal(tmp_path / "j", "one")
        self._stop_after(2, journal)
        model = CountingModel()
        _assert_same(predict_record(model, _spoilt(), journal=journal), whole)
        untouched = CountingModel()
        predict_record(untouched, _spoilt())
        assert 0 < model.judged < untouched.judged
        model = CountingModel()
        _assert_same(predict_record(model, _spoilt(), journal=journal), whole)
        assert model.judged == 0

    @pytest.mark.parametrize(
        "text", ["", "{", "[]", '{"key": "one"}', '{"key": "one", "evidence": {"start_s": [1]}}']
    )
    def test_what_is_damaged_is_judged_again(self, tmp_path: Path, text: str) -> None:
        journal = Journal(tmp_path / "j", "one")
        self._stop_after(2, journal)
        for path in journal.folder.iterdir():
            path.write_text(text)
        _assert_same(
            predict_record(MODEL, _spoilt(), journal=journal), predict_record(MODEL, _spoilt())
        )

    def test_another_key_finds_nothing(self, tmp_path: Path) -> None:
        predict_record(MODEL, _spoilt(), journal=Journal(tmp_path / "j", "one"))
        model = CountingModel()
        predict_record(model, _spoilt(), journal=Journal(tmp_path / "j", "other"))
        assert model.judged == 6  # nine windows, three of them unreadable

    def test_it_goes_when_it_is_not_needed(self, tmp_path: Path) -> None:
        journal = Journal(tmp_path / "j", "one")
        predict_record(MODEL, _spoilt(), journal=journal)
        journal.clear()
        assert list(tmp_path.iterdir()) == []
        journal.clear()


class TestFiles:
    def test_tables_and_json_agree(self, tmp_path: Path) -> None:
        record = _mixed()
        record.signal[0, 5000:] = np.nan
        timeline = predict_record(MODEL, record)
        timeline.save_windows_csv(tmp_path / "w.csv")
        timeline.save_episodes_csv(tmp_path / "e.csv")
        with (tmp_path / "w.csv").open(newline="") as file:
            windows = list(csv.DictReader(file))
        with (tmp_path / "e.csv").open(newline="") as file:
            episodes = list(csv.DictReader(file))
        said = json.loads(json.dumps(timeline.to_dict(), allow_nan=False))
        assert [row["label"] for row in windows] == timeline.labels.tolist()
        assert [row["label"] for row in said["windows"]] == timeline.labels.tolist()
        assert windows[0].keys() == said["windows"][0].keys()
        assert windows[-1]["p_N"] == ""
        assert said["windows"][-1]["p_N"] is None
        assert [float(row["start_s"]) for row in episodes] == [
            e["start_s"] for e in said["episodes"]
        ]
        assert {row["record"] for row in episodes} == {"r1"}

    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(OutputError, match="cannot write"):
            predict_record(MODEL, _mixed()).save_episodes_csv(tmp_path / "no" / "e.csv")
