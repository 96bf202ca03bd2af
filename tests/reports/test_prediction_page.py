"""What a page says: the headline, what comes first, and how much of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ecglens.images import ImageSettings
from ecglens.records import Lead, Record
from ecglens.reports import Folded, Page, Strip, Table, TimePlot, render_html
from ecglens.reports.episodes import drawn, episode_tables, ranked
from ecglens.reports.prediction_page import headline, make_page
from ecglens.reports.stretches import stretch_plot
from ecglens.reports.time_plots import paths_of
from ecglens.reports.timelines import rhythm_strip, spans_of, thin_spans
from ecglens.reports.trends import trend_plot
from ecglens.reports.words import duration, per_cent
from tests.reports.parsing import check_self_contained, parse
from tests.reports.scenes import FS, MODEL, record_for, timeline_of
from tests.signals_of import beats

IMAGE = ImageSettings()


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def said(*labels: str) -> str:
    return plain(headline(timeline_of(labels).summary()))


def blocks_of(page: Page, kind: type[Any]) -> list[Any]:
    found = []
    for section in page.sections:
        for block in section.blocks:
            inner = block.blocks if isinstance(block, Folded) else (block,)
            found += [one for one in inner if isinstance(one, kind)]
    return found


def test_the_headline_says_the_most_urgent_first() -> None:
    text = said(*["N"] * 60, *["AF"] * 30, "N", *["AF"] * 6, "VF", *["inconclusive"] * 2,
                *["unreadable"] * 10)  # fmt: skip
    assert text == (
        "VF 10 s (1.0 % of readable time) in one episode; AF 6 min (36 % of readable time) in 2 "
        "episodes, longest 5 min; no ST. The rest is N 10 min 10 s (61 %), inconclusive 20 s "
        "(2.0 %). 1 min 40 s (9.1 % of the time judged) could not be read."
    )


def test_what_is_set_against_a_class_is_background_as_the_normal_rhythm_is() -> None:
    labels = ["AF", *["N"] * 20, "AF"]
    timeline = timeline_of(labels)
    other = np.where(timeline.labels == "N", "other", timeline.labels)
    timeline = replace(timeline, classes=("AF", "other", "ST", "VF"), labels=other)
    assert plain(headline(timeline.summary())) == (
        "AF 20 s (9.1 % of readable time) in 2 episodes, longest 10 s; no VF or ST. "
        "The rest is other 3 min 20 s (91 %)."
    )
    assert [one.episode.label for one in ranked(timeline)] == ["AF", "AF", "other"]


def test_the_headline_of_nothing_found_and_of_nothing_read() -> None:
    assert said("N", "N") == "No VF, AF or ST. The rest is N 20 s (100 %)."
    assert said("unreadable") == "Nothing could be judged: all 10 s are unreadable."


def test_the_headline_begins_with_what_may_be_asystole() -> None:
    silent = "No beats and hardly any signal for 10 s (asystole or flat)."
    for labels, rest in (
        (["unreadable"], " Nothing could be judged: all 10 s are unreadable."),
        (["unreadable", "VF"], " VF 10 s (100 % of readable time) in one episode; no AF or ST."),
    ):
        timeline = timeline_of(labels)
        reasons = np.array(["asystole or flat", *timeline.reasons[1:]])
        timeline = replace(timeline, reasons=reasons)
        assert plain(headline(timeline.summary())).startswith(silent + rest)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0 s"), (12.5, "12.5 s"), (59.9996, "1 min"), (90.5, "1 min 30.5 s"),
     (250, "4 min 10 s"), (600, "10 min"), (3599.6, "59 min 59.6 s"), (3599.9996, "1 h"),
     (3630, "1 h"), (11520, "3 h 12 min"), (172800, "48 h"), (7199.9, "2 h")],
)  # fmt: skip
def test_durations_in_words(seconds: float, text: str) -> None:
    assert plain(duration(seconds)) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (0.0001, "<0.1 %"), (0.013, "1.3 %"), (0.0996, "10 %"), (0.134, "13 %"),
     (1, "100 %")],
)  # fmt: skip
def test_shares_in_words(share: float, text: str) -> None:
    assert plain(per_cent(share)) == text


def test_episodes_come_by_urgency_and_length_with_what_their_windows_say() -> None:
    timeline = timeline_of(["N", "AF", "N", "N", "AF", "AF", "unreadable", "VF", "inconclusive"])
    (table,) = episode_tables(timeline, ranked(timeline))
    assert isinstance(table, Table)
    rows = [[getattr(cell, "text", cell) for cell in row] for row in table.rows]
    assert [(row[0], row[1], plain(row[3])) for row in rows] == [
        ("VF", "1:10", "10 s"), ("AF", "0:40", "20 s"), ("AF", "0:10", "10 s"),
        ("inconclusive", "1:20", "10 s"), ("N", "0:20", "20 s"), ("N", "0:00", "10 s"),
        ("unreadable", "1:00", "10 s"),
    ]  # fmt: skip
    assert rows[0][4:] == ["0.70", "–", "0.90"]
    assert rows[1][4:] == ["0.70", "64", "0.90"]
    assert [cell[0].detail for cell in table.rows] == ["", "", "", "no class", "", "", "flat"]


@pytest.mark.parametrize("hop_s", [0.25, 0.5, 1.0, 2.5, 5.0])
def test_times_and_lengths_of_a_page_say_what_the_episodes_are(hop_s: float) -> None:
    labels = [*["N"] * 9, "VF", *["N"] * 4, *["AF"] * 300, *["unreadable"] * 11, *["VF"] * 2]
    timeline = timeline_of(labels, hop_s=hop_s)
    (table,) = episode_tables(timeline, ranked(timeline))
    assert isinstance(table, Table)
    rows = [[plain(getattr(cell, "text", cell)) for cell in row] for row in table.rows]
    told = [(row[0], seconds_of(row[1]), seconds_of(row[2]), seconds_of(row[3])) for row in rows]
    exact = [row.episode for row in ranked(timeline)]
    assert told == [(e.label, e.start_s, e.end_s, e.duration_s) for e in exact]
    assert len({len(time.partition(".")[2]) for row in rows for time in row[1:3]}) == 1


def seconds_of(text: str) -> float:
    """Read a clock, or a length below an hour."""
    if ":" in text:
        return sum(60**power * float(n) for power, n in enumerate(text.split(":")[::-1]))
    words = text.split()
    units = {"min": 60, "s": 1}
    return sum(float(n) * units[u] for n, u in zip(words[::2], words[1::2], strict=True))


def test_longest_episodes_start_where_the_table_of_episodes_says() -> None:
    timeline = timeline_of(["N"] * 51 + ["AF"] * 55, hop_s=1.0)
    page = make_page(timeline, record_for(timeline), MODEL)
    burden, episodes = blocks_of(page, Table)[:2]
    assert [row[5] for row in burden.rows if row[5] != "–"] == ["0:55.5", "0:00.0"]
    assert [row[1] for row in episodes.rows] == ["0:55.5", "0:00.0"]
    assert "AF, atrial fibrillation, 0:55.5" in [plot.title for plot in blocks_of(page, TimePlot)]


@pytest.mark.parametrize(
    ("hop_s", "grid"),
    [(10.0, "every 10 s, so that episodes start and end on that grid."),
     (1.0, "every 1 s, each look speaking for the 1 s around its middle: one episode gives way to "
           "the next half-way between two middles.")],
)  # fmt: skip
def test_where_episodes_can_start_is_said(hop_s: float, grid: str) -> None:
    timeline = timeline_of(["N", "AF"], hop_s=hop_s)
    words = parse(render_html(make_page(timeline, record_for(timeline), MODEL))).words
    assert f"The model looks at 10 s at a time, {grid}" in words


def test_the_length_of_a_recording_is_told_in_tenths() -> None:
    timeline = timeline_of(["N"] * 180, rest_s=5.5556)
    page = make_page(timeline, record_for(timeline), MODEL)
    assert plain(page.subtitle).startswith("30 min 5.6 s of lead II")


def test_drawn_are_the_urgent_but_no_class_is_left_out() -> None:
    labels = ["VF", "N", "AF", "N", "inconclusive", "N", "unreadable", "N"] * 40 + ["ST", "N"]
    rows = ranked(timeline_of(labels))
    chosen = [episode.label for episode in drawn(rows)]
    assert len(chosen) <= 24
    assert {label: chosen.count(label) for label in dict.fromkeys(chosen)} == {
        "VF": 8, "AF": 6, "ST": 1, "inconclusive": 3, "N": 1,
    }  # fmt: skip


def test_a_page_of_any_mixture_is_whole_and_each_plot_is_named() -> None:
    timeline = timeline_of(["N", "AF", "VF", "ST", "inconclusive", "unreadable"] * 8)
    page = make_page(timeline, record_for(timeline), MODEL)
    html = render_html(page)
    check_self_contained(html)
    plots = blocks_of(page, TimePlot)
    assert len(plots) == 1 + 24
    assert all(plot.alt for plot in plots)
    words = parse(html).words
    for text in ("pooled (leaks)", "0.799", "90 windows of 3 people", "Research use only",
                 "ab" * 32, "Why unreadable: flat", "AF 0.5, N 0.6",
                 "named a class for 81 %, wrongly for 3.4 % of these"):  # fmt: skip
        assert text in words


def test_a_card_without_an_evaluation_says_so() -> None:
    timeline = timeline_of(["N"])
    for card in (
        {},
        {"evaluation": None},
        {"evaluation": {"results": {}}},
        {"abstention": {"error": None}},
    ):
        html = render_html(make_page(timeline, record_for(timeline), replace(MODEL, card=card)))
        assert "nothing is known of how well it does" in parse(html).words


def test_many_notes_are_cut() -> None:
    timeline = timeline_of(["N"], notes=tuple(f"note {i}" for i in range(30)))
    words = parse(render_html(make_page(timeline, record_for(timeline), MODEL))).words
    assert "note 19" in words
    assert "note 20" not in words
    assert "10 more notes are in summary.json" in words


class TestSpans:
    def test_few_spans_are_left_alone(self) -> None:
        spans = ((0.0, 3.3, "N"), (3.3, 9.0, "VF"))
        assert thin_spans(spans, 9.0, 2) == (spans, 0.0)

    def test_many_become_fewer_without_losing_what_is_urgent(self) -> None:
        labels = ["N"] * 4000
        labels[1::2] = ["AF"] * 2000
        labels[777] = "VF"
        timeline = timeline_of(labels, length_s=2.0)
        thinned, cell_s = thin_spans(spans_of(timeline), timeline.duration_s, 300)
        assert len(thinned) <= 300
        assert cell_s > 0
        (found,) = [span for span in thinned if span[2] == "VF"]
        assert found[0] <= 777 * 2 < found[1]
        assert found[1] - found[0] <= 2 * cell_s
        assert thinned[0][0] == 0
        assert thinned[-1][1] == timeline.duration_s

    def test_time_that_no_span_covers_stays_empty(self) -> None:
        spans = [(float(100 * i), 100.0 * i + 10, "N") for i in range(50)]
        thinned, _ = thin_spans(spans, 5000.0, 49)
        assert sum(end - start for start, end, _ in thinned) < 5000

    @pytest.mark.parametrize(("hours", "line_s"), [(1, 3600), (48, 3600), (49, 7200), (200, 18000)])
    def test_a_long_record_has_longer_lines(self, hours: int, line_s: float) -> None:
        timeline = replace(timeline_of(["N"]), duration_s=3600.0 * hours)
        strip = rhythm_strip(timeline)
        assert isinstance(strip, Strip)
        assert strip.line_s == (line_s if hours < 200 else 6 * 3600)


class TestTrends:
    def test_a_day_has_at_most_800_columns_and_keeps_its_extremes(self) -> None:
        timeline = timeline_of(["N"] * 8640)
        rates = np.full(8640, 70.0)
        rates[4321] = 190.0
        _, rate, quality = trend_plot(replace(timeline, heart_rate=rates)).panels
        area, line = rate.curves
        assert len(line.values) <= 800
        assert np.nanmax(area.values) == 190
        assert np.nanmax(line.values) == 70
        assert len(quality.curves) == 2

    @pytest.mark.parametrize("rest_s", [0.0, 1.0, 9.0])
    def test_a_recording_of_one_window_has_lines_as_long_as_the_window(self, rest_s: float) -> None:
        plot = trend_plot(timeline_of(["AF"], rest_s=rest_s))
        for panel in plot.panels[1:]:
            (path,) = paths_of(plot, panel)
            assert path.d.endswith(f"l{round(1000 * 10 / (10 + rest_s))} 0")

    def test_a_window_between_gaps_has_a_line_of_its_own(self) -> None:
        timeline = timeline_of(["unreadable", "AF", "unreadable", "AF"])
        plot = trend_plot(timeline)
        (path,) = paths_of(plot, plot.panels[1])
        assert [piece.split("l")[1] for piece in path.d.split("M")[1:]] == ["250 0"] * 2

    def test_a_column_between_gaps_is_as_wide_as_its_windows(self) -> None:
        plot = trend_plot(timeline_of([*["unreadable"] * 1000, "AF", *["unreadable"] * 1000]))
        area, line = plot.panels[1].curves
        assert area.width_s == line.width_s == 30.0

    def test_fibrillation_has_no_rate_and_neither_has_a_record_without_beats(self) -> None:
        timeline = timeline_of(["N", "VF", "N"])
        rates = replace(timeline, heart_rate=np.array([70.0, 300.0, 72.0]))
        (line,) = trend_plot(rates).panels[1].curves
        assert np.array_equal(np.isnan(line.values), [False, True, False])
        assert line.times_s.tolist() == [5, 15, 25]
        none = trend_plot(replace(timeline, heart_rate=np.full(3, np.nan))).panels[1]
        assert none.ticks == ((0.5, "none"),)


class TestStretches:
    def test_one_window_before_and_two_behind(self) -> None:
        timeline = timeline_of(["N"] * 6 + ["AF"] * 6)
        plot = stretch_plot(timeline, record_for(timeline), timeline.episodes[1], IMAGE)
        assert (plot.start_s, plot.end_s) == (50, 80)
        assert plot.marks == [(60, "AF begins")]
        assert len(plot.panels[0].curves[0].values) == 30 * FS

    @pytest.mark.parametrize(("number", "start_s", "end_s"), [(0, 0, 20), (1, 0, 30), (2, 30, 50)])
    def test_the_ends_of_a_record_have_fewer(
        self, number: int, start_s: float, end_s: float
    ) -> None:
        timeline = timeline_of(["AF", "N", "N", "N", "VF"], rest_s=3.0)
        plot = stretch_plot(timeline, record_for(timeline), timeline.episodes[number], IMAGE)
        assert (plot.start_s, plot.end_s) == (start_s, end_s)

    def test_a_record_hardly_longer_than_a_window_is_drawn(self) -> None:
        timeline = timeline_of(["N", "AF"], length_s=10.0, hop_s=1.0)
        for episode in timeline.episodes:
            plot = stretch_plot(timeline, record_for(timeline), episode, IMAGE)
            assert plot.end_s - plot.start_s == 10.0

    @pytest.mark.parametrize("rest_s", [0.0, 0.7])
    def test_an_episode_near_the_end_is_drawn_to_the_end(self, rest_s: float) -> None:
        timeline = timeline_of(["N"] * 18 + ["VF"] * 3, hop_s=1.0, rest_s=rest_s)
        plot = stretch_plot(timeline, record_for(timeline), timeline.episodes[1], IMAGE)
        assert (plot.start_s, plot.end_s) == pytest.approx((10 + rest_s, 30 + rest_s))
        assert plot.marks[0] == (22.5, "VF begins")
        assert len(plot.panels[0].curves[0].values) == 20 * FS

    def test_an_episode_near_a_gap_has_its_image(self) -> None:
        labels = ["N"] * 15 + ["VF"] * 3 + ["unreadable"] * 20 + ["N"] * 3
        timeline = timeline_of(labels, hop_s=1.0)
        record = record_for(timeline)
        record.signal[:, 27 * round(FS) : 38 * round(FS)] = np.nan
        plot = stretch_plot(timeline, record, timeline.episodes[1], IMAGE)
        assert (plot.start_s, plot.end_s) == (7, 37)
        assert plot.marks == [(19.5, "VF begins"), (22.5, "ends")]
        assert np.isfinite(plot.panels[0].curves[0].values[: 20 * round(FS)]).all()

    def test_of_leads_with_one_name_the_one_that_was_judged_is_drawn(self) -> None:
        timeline = replace(timeline_of(["AF"], lead="ECG"), rows=(1,))
        record = record_for(timeline, names=("ECG", "ECG"))
        (curve,) = stretch_plot(timeline, record, timeline.episodes[0], IMAGE).panels[0].curves
        assert curve.values == pytest.approx(record.signal[1])

    def test_of_several_leads_the_one_that_can_be_read_there_is_drawn(self) -> None:
        timeline = timeline_of(["N", "AF", "N"], lead="II+V1")
        record = record_for(timeline)
        assert "Lead II;" in stretch_plot(timeline, record, timeline.episodes[1], IMAGE).caption
        record.signal[0, 1500:] = 0.0
        assert "Lead V1;" in stretch_plot(timeline, record, timeline.episodes[1], IMAGE).caption

    @pytest.mark.parametrize("n_windows", [1, 2])
    def test_a_last_window_that_ends_just_behind_the_record_is_drawn(self, n_windows: int) -> None:
        """As at 500 Hz, of which a model at 125 Hz takes four samples for one."""
        timeline = timeline_of(["N", "AF"][-n_windows:])
        signal = np.resize(beats(60, 500), (1, 5000 * n_windows - 3))
        record = Record(signal, 500.0, (Lead("II"),), "r1")
        plot = stretch_plot(timeline, record, timeline.episodes[-1], IMAGE)
        assert (plot.start_s, plot.end_s) == (0, 10 * n_windows)
        (curve,) = plot.panels[0].curves
        assert np.isfinite(curve.values[:-1]).all()
        assert curve.times_s[-1] < plot.end_s

    def test_missing_samples_leave_a_gap_and_a_black_image(self) -> None:
        timeline = timeline_of(["N", "AF", "N"])
        record = record_for(timeline)
        record.signal[0, 1000:2000] = np.nan
        whole = stretch_plot(timeline, record_for(timeline), timeline.episodes[1], IMAGE)
        plot = stretch_plot(timeline, record, timeline.episodes[1], IMAGE)
        assert np.isnan(plot.panels[0].curves[0].values[1000:2000]).all()
        assert plot.panels[1].png != whole.panels[1].png
        record.signal[:] = np.nan
        empty = stretch_plot(timeline, record, timeline.episodes[1], IMAGE)
        assert np.isnan(empty.panels[0].curves[0].values).all()

    def test_at_a_high_rate_peaks_stay(self) -> None:
        timeline = timeline_of(["N", "AF", "N"])
        signal = np.zeros((1, 30_000), np.float32)
        signal[0, 12_345] = 2.0
        signal[0, 500] = np.nan
        record = Record(signal, 1000.0, (Lead("II"),), "r1")
        (curve,) = stretch_plot(timeline, record, timeline.episodes[1], IMAGE).panels[0].curves
        assert len(curve.values) == 6000
        assert np.nanmax(curve.values) == 2.0
        assert curve.times_s[np.nanargmax(curve.values)] == pytest.approx(12.345)
        assert (np.diff(curve.times_s) >= 0).all()

    def test_a_spike_does_not_flatten_the_rest(self) -> None:
        timeline = timeline_of(["N", "AF", "N"])
        record = record_for(timeline)
        usual = stretch_plot(timeline, record, timeline.episodes[1], IMAGE).panels[0]
        record.signal[0, 1234] = 500.0
        spiked = stretch_plot(timeline, record, timeline.episodes[1], IMAGE).panels[0]
        assert spiked.high < 2 * usual.high
        assert len(spiked.ticks) >= 2
