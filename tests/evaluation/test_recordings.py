"""EC57 and AHA by cases worked by hand, and by what must always hold."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from ecglens.errors import EvaluationError, UsageError
from ecglens.evaluation.recordings import (
    ClassCounts,
    Comparison,
    Span,
    aha_category,
    aha_table,
    annotated_classes,
    annotated_predictions,
    exact_lower_limit,
    gross,
    read_predictions,
    score_record,
    score_recordings,
    shock_windows,
    window_height_mv,
)
from ecglens.evaluation.recordings.ec57 import RATIOS, average
from ecglens.labels import load_label_map
from ecglens.records import Lead, Record, RhythmSpan

# Ten minutes: AF from 100 to 200 s and from 300 to 360 s, the rest N.
TRUTH: list[Span] = [
    (0, 100, "N"), (100, 200, "AF"), (200, 300, "N"), (300, 360, "AF"), (360, 600, "N"),
]  # fmt: skip
# One long AF over the first half of the first, a second that meets nothing, half a minute unsaid.
SAID: list[Span] = [
    (0, 150, "N"), (150, 210, "AF"), (210, 400, "N"), (400, 450, "AF"), (450, 480, "inconclusive"),
    (480, 600, "N"),
]  # fmt: skip


class TestEpisodes:
    def test_the_case_worked_by_hand(self) -> None:
        score = score_record(TRUTH, SAID, ["AF", "N"])
        af = score.counts["AF"]
        # Annotated: 100-200 (met by 150-210) and 300-360 (met by none).
        assert (af.annotated, af.found) == (2, 1)
        # Predicted: 150-210 (meets 100-200) and 400-450 (meets none).
        assert (af.predicted, af.right, af.false_episodes) == (2, 1, 1)
        # 160 s annotated, 60 + 50 = 110 s predicted, 150-200 = 50 s both.
        assert (af.annotated_s, af.predicted_s, af.shared_s) == (160, 110, 50)
        assert af.episode_sensitivity == 0.5
        assert af.episode_predictivity == 0.5
        assert af.duration_sensitivity == pytest.approx(50 / 160)
        assert af.duration_predictivity == pytest.approx(50 / 110)
        n = score.counts["N"]
        # N annotated 0-100, 200-300, 360-600: 440 s. Predicted 0-150, 210-400, 480-600: 460 s.
        # Both: 0-100 (100), 210-300 (90), 360-400 (40), 480-600 (120).
        assert (n.annotated, n.predicted, n.shared_s) == (3, 3, 350)
        assert (n.annotated_s, n.predicted_s) == (440, 460)
        assert score.scored_s == 600
        assert score.abstained_s == 30

    def test_unsaid_time_can_be_left_out(self) -> None:
        n = score_record(TRUTH, SAID, ["AF", "N"]).counts_claimed["N"]
        assert (n.annotated_s, n.predicted_s, n.shared_s) == (410, 460, 350)

    def test_one_long_episode_meets_two_and_the_two_countings_differ(self) -> None:
        truth: list[Span] = [(0, 10, "AF"), (10, 20, "N"), (20, 30, "AF"), (30, 40, "N")]
        af = score_record(truth, [(0, 40, "AF")], ["AF"]).counts["AF"]
        assert (af.annotated, af.found, af.predicted, af.right) == (2, 2, 1, 1)
        assert af.duration_predictivity == 0.5

    def test_only_annotated_time_is_compared_and_unsaid_time_is_missed(self) -> None:
        score = score_record([(50, 150, "AF")], [(0, 100, "AF")], ["AF"])
        # 50-150 is compared; of it 50-100 was predicted, 100-150 was not.
        assert (score.scored_s, score.abstained_s) == (100, 50)
        af = score.counts["AF"]
        assert (af.annotated_s, af.predicted_s, af.shared_s) == (100, 50, 50)
        claimed = score.counts_claimed["AF"]
        assert (claimed.annotated_s, claimed.predicted_s, claimed.shared_s) == (50, 50, 50)

    def test_a_list_of_episodes_alone_is_no_way_to_hide_what_was_missed(self) -> None:
        # Only AF episodes are listed: of TRUTH's two the first was found, for 50 of its 100 s.
        af = score_record(TRUTH, [(150, 210, "AF")], ["AF", "N"]).counts["AF"]
        assert (af.annotated, af.found, af.predicted, af.right) == (2, 1, 1, 1)
        assert af.duration_sensitivity == pytest.approx(50 / 160)
        assert af.duration_predictivity == pytest.approx(50 / 60)
        assert af.to_dict()["false_episodes"] == 0

    def test_noise_is_left_out(self) -> None:
        truth: list[Span] = [(0, 60, "AF"), (60, 100, "(NOISE")]
        score = score_record(truth, [(0, 100, "AF")], ["AF"], not_scored=[(60, 100)])
        assert score.counts["AF"].duration_predictivity == 1
        assert score.scored_s == 60

    def test_other_rhythms_make_a_prediction_wrong(self) -> None:
        truth: list[Span] = [(0, 60, "AF"), (60, 100, "(AFL")]
        assert score_record(truth, [(0, 100, "AF")], ["AF"]).counts["AF"].predicted_s == 100

    def test_short_episodes_and_small_overlaps_by_choice(self) -> None:
        truth: list[Span] = [(0, 10, "AF"), (10, 100, "N"), (100, 200, "AF")]
        said: list[Span] = [(0, 110, "AF"), (110, 200, "N")]
        counts = score_record(truth, said, ["AF"], least_s=30).counts["AF"]
        assert (counts.annotated, counts.found) == (1, 1)
        counts = score_record(truth, said, ["AF"], overlap=0.5).counts["AF"]
        assert (counts.annotated, counts.found) == (2, 1)
        with pytest.raises(UsageError, match="overlap must be 0 to 1"):
            score_record(truth, said, ["AF"], overlap=2)

    def test_gross_and_average_differ_where_records_do(self) -> None:
        one = ClassCounts(annotated=1, found=1, annotated_s=10, shared_s=10)
        two = ClassCounts(annotated=3, found=0, annotated_s=90, shared_s=0)
        none = ClassCounts()
        assert gross([one, two, none]).episode_sensitivity == 0.25
        assert average([one, two, none], "episode_sensitivity") == (0.5, 2)
        assert math.isnan(average([none], "duration_sensitivity")[0])


spans = st.lists(
    st.tuples(st.integers(1, 30), st.sampled_from(["AF", "N", "VF", "inconclusive"])),
    min_size=1,
    max_size=8,
).map(
    lambda parts: [
        (float(sum(s for s, _ in parts[:i])), float(sum(s for s, _ in parts[: i + 1])), label)
        for i, (_, label) in enumerate(parts)
    ]
)
CLASSES = ["AF", "N", "VF"]


class TestWhatMustHold:
    @given(spans)
    def test_a_perfect_prediction_scores_one(self, truth: list[Span]) -> None:
        for counts in score_record(truth, truth, CLASSES).counts.values():
            values = [getattr(counts, ratio) for ratio in RATIOS]
            assert all(math.isnan(value) or value == 1 for value in values)

    @given(spans, spans)
    def test_changing_sides_changes_sensitivity_and_predictivity(
        self, one: list[Span], other: list[Span]
    ) -> None:
        end = max(one[-1][1], other[-1][1])
        one, other = ([*side, (side[-1][1], end, "inconclusive")] for side in (one, other))
        there = score_record(one, other, CLASSES).counts
        back = score_record(other, one, CLASSES).counts
        for label in CLASSES:
            assert there[label].found == back[label].right
            assert there[label].annotated == back[label].predicted
            assert there[label].shared_s == pytest.approx(back[label].shared_s)

    @given(spans, spans, st.randoms(use_true_random=False))
    def test_order_and_cuts_change_nothing(
        self, truth: list[Span], said: list[Span], rng: np.random.Generator
    ) -> None:
        cut = [
            piece
            for start, end, label in said
            for piece in ((start, (start + end) / 2, label), ((start + end) / 2, end, label))
        ]
        rng.shuffle(cut)
        one, other = score_record(truth, said, CLASSES), score_record(truth, cut, CLASSES)
        for label in CLASSES:
            assert one.counts[label].found == other.counts[label].found
            assert one.counts[label].right == other.counts[label].right
            assert one.counts[label].shared_s == pytest.approx(other.counts[label].shared_s)

    @given(spans, spans)
    @settings(max_examples=50)
    def test_leaving_out_what_was_not_claimed_lowers_no_sensitivity(
        self, truth: list[Span], said: list[Span]
    ) -> None:
        score = score_record(truth, said, CLASSES)
        for label in CLASSES:
            kept = score.counts_claimed[label]
            assert kept.shared_s == pytest.approx(score.counts[label].shared_s)
            assert kept.annotated_s <= score.counts[label].annotated_s + 1e-9


class TestTogether:
    def _records(self, found: list[int]) -> list[object]:
        return [
            score_record(
                [(0, 100, "AF")],
                [(0, 100, "AF" if hit else "N")],
                ["AF", "N"],
                record=f"r{i}",
                subject=f"s{i}",
            )
            for i, hit in enumerate(found)
        ]

    def test_limits_come_from_people(self) -> None:
        scores = score_recordings(self._records([1, 1, 0, 1]), ["AF"])  # type: ignore[arg-type]
        assert scores.gross("AF").episode_sensitivity == 0.75
        low, high = scores.limits("AF", "episode_sensitivity")
        assert low <= 0.75 <= high
        assert (low, high) == scores.limits("AF", "episode_sensitivity")
        assert low < high
        one = score_recordings(self._records([1]), ["AF"])  # type: ignore[arg-type]
        assert math.isnan(one.limits("AF", "episode_sensitivity")[0])

    def test_draws_that_hold_nobody_of_a_class_give_no_limits(self) -> None:
        records = [
            score_record([(0, 9, "N")], [(0, 9, "N")], ["N", "AF"], record=f"r{i}", subject=f"n{i}")
            for i in range(30)
        ]
        records += self._records([1, 0])  # type: ignore[arg-type]
        limits = [
            score_recordings(records, ["N", "AF"], n_bootstrap=1, random_state=seed).limits(
                "AF", "episode_sensitivity"
            )
            for seed in range(12)
        ]
        assert any(math.isnan(low) for low, _ in limits)

    def test_text_markdown_and_csv_say_the_same(self) -> None:
        scores = score_recordings(self._records([1, 0]), ["AF"], n_bootstrap=50)  # type: ignore[arg-type]
        text = scores.format_table(per_record=True)
        assert "2 records of 2 people" in text
        assert "r1 AF" in text
        assert "0.500" in text
        assert "| AF | 2 | 1 | 0.500" in scores.to_markdown()
        assert scores.to_csv().splitlines()[1].startswith("r0,s0,AF,1,1,1,1,100")
        assert scores.to_dict()["classes"]["AF"]["all"]["gross"]["episode_sensitivity"] == 0.5

    def test_nothing_cannot_be_scored(self) -> None:
        with pytest.raises(EvaluationError, match="no record to score"):
            score_recordings([], ["AF"])


class TestAha:
    def test_limits_are_those_of_clopper_and_pearson(self) -> None:
        # All of n right: the lower one-sided limit is (1 - 0.9) ** (1 / n).
        table = {
            row.category: row
            for row in aha_table(["coarse VF"] * 200, [True] * 200, [str(i) for i in range(200)])
        }
        row = table["coarse VF"]
        assert row.lower_limit == pytest.approx(0.1 ** (1 / 200))
        assert (row.n, row.n_subjects, row.verdict) == (200, 200, "met")
        assert table["asystole"].verdict.startswith("too few")
        assert math.isnan(table["asystole"].lower_limit)

    @pytest.mark.parametrize(
        ("right", "n", "low"), [(81, 263, 0.2527), (15, 148, 0.0578), (0, 20, 0), (1, 29, 0.0009)]
    )
    def test_limits_as_published(self, right: int, n: int, low: float) -> None:
        # Newcombe 1998, Statistics in Medicine 17:857, table I, method 5: two-sided 95 %.
        assert exact_lower_limit(right, n, 0.975) == pytest.approx(low, abs=5e-5)

    @given(st.integers(1, 300), st.floats(0, 1))
    def test_so_many_right_are_seen_one_time_in_ten_at_the_limit(
        self, n: int, share: float
    ) -> None:
        right = max(1, round(share * n))
        limit = exact_lower_limit(right, n)
        assert binom.sf(right - 1, n, limit) == pytest.approx(0.1)

    def test_a_limit_worked_by_hand(self) -> None:
        # 1 of 2 right: P(X >= 1) = 1 - (1 - p)^2 = 0.1 gives p = 1 - sqrt(0.9).
        row = aha_table(["normal sinus rhythm"] * 2, [False, True], ["a", "a"])[2]
        assert (row.category, row.performance, row.n_subjects) == ("normal sinus rhythm", 0.5, 1)
        assert row.lower_limit == pytest.approx(1 - math.sqrt(0.9))

    @pytest.mark.parametrize(
        ("right", "verdict"),
        [(100, "met"), (99, "not met"), (0, "not met")],
    )
    def test_sinus_must_be_left_alone_in_more_than_99_of_100(
        self, right: int, verdict: str
    ) -> None:
        shocked = [False] * right + [True] * (100 - right)
        row = aha_table(["normal sinus rhythm"] * 100, shocked, ["a"] * 100)[2]
        assert row.verdict == verdict

    def test_a_goal_may_be_met_and_its_limit_not(self) -> None:
        # 92 % of 200 is over 90 %, and its lower limit 0.887 over 0.87; of 96 % of 30 it is 0.877.
        shocked = [True] * 1 + [False] * 29
        row = aha_table(["other non-shockable"] * 30, shocked, ["a"] * 30)[3]
        assert row.performance > 0.95
        assert row.lower_limit < 0.88
        assert row.verdict == "met, limit not"

    @pytest.mark.parametrize(
        ("rhythm", "height", "category"),
        [
            ("VF", None, "coarse VF"), ("VFIB", 0.5, "coarse VF"), ("VF", 0.2, "fine VF"),
            ("VT", None, "VT"), ("N", 0.1, "normal sinus rhythm"), ("AFIB", None,
            "other non-shockable"), ("ASYS", None, "asystole"), ("NOISE", None, None),
        ],
    )  # fmt: skip
    def test_categories(self, rhythm: str, height: float | None, category: str | None) -> None:
        assert aha_category(rhythm, height) == category

    def test_wrong_input_is_refused(self) -> None:
        with pytest.raises(UsageError, match="give one of each"):
            aha_table(["VT"], [], [])
        with pytest.raises(UsageError, match="unknown category 'tea'"):
            aha_table(["tea"], [True], ["a"])

    def test_windows_lie_within_one_rhythm_and_one_prediction(self) -> None:
        rhythms: list[Span] = [(3, 45, "N"), (45, 100, "VF")]
        predicted: list[Span] = [(0, 56, "N"), (56, 90, "VF")]
        windows = list(shock_windows(rhythms, predicted, ["VF"], ["N", "VF"], length_s=10))
        # Pure: N 10-40, VF 50-100. 50-60 is predicted VF for 4 s of ten, 90-100 not at all.
        assert [(w.start_s, w.rhythm, w.shocked, w.undecided) for w in windows] == [
            (10, "N", False, False), (20, "N", False, False), (30, "N", False, False),
            (50, "VF", False, False), (60, "VF", True, False), (70, "VF", True, False),
            (80, "VF", True, False), (90, "VF", False, True),
        ]  # fmt: skip

    def test_silence_is_no_shock_and_is_counted(self) -> None:
        windows = list(
            shock_windows([(0, 40, "N")], [(0, 14, "N"), (20, 40, "inconclusive")], ["VF"],
                          ["N", "VF"], length_s=10)
        )  # fmt: skip
        assert [w.undecided for w in windows] == [False, True, True, True]
        row = aha_table(
            ["normal sinus rhythm"] * 4, [False] * 4, ["a"] * 4, [w.undecided for w in windows]
        )[2]
        assert (row.right, row.undecided) == (4, 3)

    def test_height_is_that_of_the_ecg_not_of_the_wander(self) -> None:
        t = np.arange(2500) / 250
        signal = 0.05 * np.sin(2 * np.pi * 5 * t) + 3 * np.sin(2 * np.pi * 0.1 * t)
        record = Record(signal[None], 250.0, (Lead("II"),), "r")
        height = window_height_mv(record, 0.0, 10.0)
        assert height is not None
        assert 0.09 < height < 0.2
        assert (
            window_height_mv(Record(signal[None], 250.0, (Lead("II", "ADC"),), "r"), 0, 10) is None
        )


def _record(name: str, *rhythms: RhythmSpan) -> Record:
    rng = np.random.default_rng(0)
    return Record(rng.normal(size=(1, 10000)), 100.0, (Lead("II"),), name, rhythms=rhythms)


class TestRecords:
    MAP = load_label_map("rhythm4")

    def test_a_record_with_its_annotation(self) -> None:
        record = _record(
            "a", RhythmSpan(0, 40, "N"), RhythmSpan(40, 60, "NOISE"), RhythmSpan(60, 100, "VFL")
        )
        comparison = Comparison(self.MAP)
        comparison.add(record, [(0, 50, "N"), (50, 100, "VF")])
        scores = comparison.scores(n_bootstrap=0)
        assert scores.classes == ("N", "VF")
        assert scores.records[0].scored_s == 80
        assert scores.gross("VF").duration_sensitivity == 1
        rows = {row.category: row for row in scores.aha}
        assert (rows["coarse VF"].n, rows["coarse VF"].right) == (4, 4)
        assert (rows["normal sinus rhythm"].n, rows["normal sinus rhythm"].right) == (4, 4)

    def test_changes_of_several_leads_at_once_are_one_time(self) -> None:
        """As in the European ST-T Database: ST down in a lead, up in another, and a T wave."""
        record = _record(
            "a", RhythmSpan(0, 20, "N"), RhythmSpan(20, 60, "ST-", "V5"),
            RhythmSpan(20, 60, "ST+", "MLIII"), RhythmSpan(20, 58, "TW+", "V5"),
            RhythmSpan(60, 100, "N"),
        )  # fmt: skip
        comparison = Comparison(self.MAP)
        comparison.add(record, [(0, 20, "N"), (20, 60, "ST"), (60, 100, "N")])
        scores = comparison.scores(n_bootstrap=0)
        assert scores.records[0].scored_s == 100
        assert scores.gross("ST").annotated_s == 40
        rows = {row.category: row.n for row in scores.aha}
        assert (rows["other non-shockable"], rows["normal sinus rhythm"]) == (4, 6)

    def test_no_shockable_class_no_table(self) -> None:
        comparison = Comparison(load_label_map("af"))
        comparison.add(_record("a", RhythmSpan(0, 100, "AFIB")), [(0, 100, "AF")])
        assert comparison.scores(n_bootstrap=0).aha == ()

    def test_a_class_to_shock_that_there_is_not(self) -> None:
        with pytest.raises(UsageError, match=r"'VF1': no class .*did you mean 'VF'"):
            Comparison(self.MAP, shock=["VF1"])

    def test_height_that_is_not_known_is_said(self) -> None:
        signal = np.random.default_rng(0).normal(size=(1, 10000))
        spans = (RhythmSpan(0, 100, "VF"),)
        comparison = Comparison(self.MAP)
        comparison.add(
            Record(signal, 100.0, (Lead("II", "ADC"),), "a", rhythms=spans), [(0, 100, "VF")]
        )
        scores = comparison.scores(n_bootstrap=0)
        assert scores.aha[0].n == 10
        assert "10 windows of VF have no height in mV" in scores.notes[0]
        assert scores.notes[0] in scores.format_table()
        assert scores.notes[0] in scores.to_markdown()

    def test_a_label_of_another_map_or_a_time_of_another_record_is_refused(self) -> None:
        record = _record("a", RhythmSpan(0, 100, "AFIB"))
        with pytest.raises(EvaluationError, match=r"'AFIB' was predicted, .*\(N, AF, VF, ST\)"):
            Comparison(self.MAP).add(record, [(0, 100, "AFIB")])
        with pytest.raises(EvaluationError, match="'a' lasts 100 s and was predicted from 90 to"):
            Comparison(self.MAP).add(record, [(0, 90, "AF"), (90, 130, "N")])

    def test_a_predicted_annotation(self) -> None:
        rhythms = [(0, "AFIB"), (10, "Q"), (20, "NOISE"), (30, "AFL"), (40, "ST"), (50, "AF")]
        record = _record("a", *(RhythmSpan(at, at + 10, name) for at, name in rhythms))
        labels = ["AF", "inconclusive", "unreadable", "(AFL", "ST", "AF"]
        found = annotated_predictions([record], self.MAP)
        assert found == {"a": [(10 * i, 10 * i + 10, label) for i, label in enumerate(labels)]}
        comparison = Comparison(self.MAP)
        comparison.add(_record("a", RhythmSpan(0, 60, "AFIB")), found["a"])
        scores = comparison.scores(n_bootstrap=0)
        assert scores.gross("AF").shared_s == 20
        assert scores.records[0].abstained_s == 30
        with pytest.raises(EvaluationError, match="'a' was predicted twice"):
            annotated_predictions([record, record], self.MAP)
        with pytest.raises(EvaluationError, match="no rhythm in its predicted annotation"):
            annotated_predictions([_record("a")], self.MAP)

    def test_a_record_without_annotation(self) -> None:
        with pytest.raises(EvaluationError, match="'a' has no annotated rhythm"):
            annotated_classes(_record("a"), self.MAP)


HEAD = "record,start_s,end_s,label\n"


class TestReading:
    def test_tables_and_folders(self, tmp_path: Path) -> None:
        for name in ("a", "b"):
            folder = tmp_path / name
            folder.mkdir()
            (folder / "episodes.csv").write_text(f"{HEAD}{name},0,10,N\n{name},10,20,AF\n")
            (folder / "summary.json").write_text("{}")
        found = read_predictions([tmp_path])
        assert found == {n: [(0, 10, "N"), (10, 20, "AF")] for n in ("a", "b")}
        assert read_predictions([tmp_path / "b" / "episodes.csv"]) == {"b": found["b"]}
        with pytest.raises(EvaluationError, match="'b' was predicted twice"):
            read_predictions([tmp_path, tmp_path / "b"])
        (tmp_path / "a" / "summary.json").unlink()
        with pytest.raises(EvaluationError, match=r"a is not whole, it has no summary\.json"):
            read_predictions([tmp_path])

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "is not|no record"), ("a,b\n1,2\n", "is not a table of episodes"),
            (HEAD + "a,x,2,N\n", "could not convert"), (HEAD + "a,5,2,N\n", "from 5.0 to 2.0 s"),
            (HEAD + "a,nan,2,N\n", "is not a table"), (HEAD + "a,0,2,(AFIB\n", "write its class"),
            (HEAD + "a,1\n", "is not a table"),
            (HEAD + "a,0,10,N\na,5,12,AF\n", "overlap at 5 s"), ("\0\0", "is not|no record"),
        ],
    )  # fmt: skip
    def test_a_damaged_table(self, tmp_path: Path, text: str, said: str) -> None:
        (tmp_path / "e.csv").write_text(text)
        if said.endswith("no record"):
            assert self._nothing(tmp_path / "e.csv")
            return
        with pytest.raises(EvaluationError, match=said):
            read_predictions([tmp_path / "e.csv"])

    def _nothing(self, path: Path) -> bool:
        try:
            return read_predictions([path]) == {}
        except EvaluationError:
            return True

    def test_what_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(EvaluationError, match="no such prediction"):
            read_predictions([tmp_path / "no"])
        with pytest.raises(EvaluationError, match=r"no episodes\.csv in"):
            read_predictions([tmp_path])
