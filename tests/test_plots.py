"""What figures show: titles, ticks, marks; and the same bytes twice."""

from __future__ import annotations

import itertools
import subprocess
import sys
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_hex

from ecglens.classifiers import make_classifier
from ecglens.errors import OutputError, UsageError
from ecglens.evaluation import Score, Sweep, SweepRow, evaluate
from ecglens.plots import (
    plot_confusions,
    plot_examples,
    plot_subjects,
    plot_sweep,
    plot_timeline,
    plot_windows,
    render_figure,
    render_inline,
    save_figure,
)
from ecglens.plots.style import NEUTRAL, PALETTE

ROWS = np.linspace(40.0, 0.0, 8)
LEAK = "leaks: one person's windows are on both sides"


def titles(figure):
    return [" ".join(axes.get_title(loc="left").split("\n")) for axes in figure.axes]


def settings_in_force():
    """Return matplotlib's global settings; asking for the backend would choose one."""
    return {key: matplotlib.rcParams[key] for key in matplotlib.rcParams if key != "backend"}


def tick_words(axis):
    return [tick.get_text() for tick in axis.get_ticklabels()]


def legend_words(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.fixture(scope="module")
def evaluation():
    rng = np.random.default_rng(0)
    n = 240
    kind = np.arange(n) % 3
    X = rng.normal(size=(n, 4))
    X[np.arange(n), kind] += 1.5
    subjects = np.array([f"p{i:02d}" for i in np.arange(n) // 6])
    databases = np.where(np.arange(n) < 120, "mitdb", "vfdb")
    return evaluate(
        X,
        np.array(["AF", "N", "VF"])[kind],
        subjects,
        databases=databases,
        classifier=make_classifier("lda"),
        n_splits=4,
        n_bootstrap=20,
    )


def make_sweep(n_layers=3, poolings=("mean", "max"), heads=("svm-rbf",), name="layer{}"):
    rows = []
    for i in range(n_layers):
        for p, pooling in enumerate(poolings):
            for h, head in enumerate(heads):
                value = 0.5 + 0.4 * (i == 1) - 0.05 * p - 0.02 * h
                scores = {
                    f"{protocol} {score}": Score(value - lower, value - lower - 0.1, value)
                    for protocol, lower in (("pooled", 0.0), ("subject", 0.2))
                    for score in ("accuracy", "macro-F1")
                }
                rows.append(SweepRow(name.format(i), pooling, head, 8, None, scores))
    return Sweep(tuple(rows), ("pooled", "subject"), 100, 20, 5, 0)


# Confusion matrices


def test_confusions_stand_side_by_side_and_the_pooled_one_is_named_as_leaking(evaluation):
    figure = plot_confusions(evaluation)
    pooled, subject = titles(figure)
    assert LEAK in pooled
    assert f"macro-F1 {evaluation.results['pooled'].macro_f1.value:.3f}" in pooled
    assert subject.startswith("subject-wise")
    assert "leak" not in subject


def test_cells_show_per_cent_of_the_row_and_count(evaluation):
    axes = plot_confusions(evaluation).axes[1]
    counts = evaluation.results["subject"].confusion
    words = {
        (text.get_position()[1], text.get_position()[0]): text.get_text() for text in axes.texts
    }
    assert len(words) == 9
    share = 100 * counts[0, 0] / counts[0].sum()
    assert words[0, 0] == f"{share:.0f} %\n{counts[0, 0]}"
    shown = np.asarray(axes.images[0].get_array())
    np.testing.assert_allclose(shown.sum(axis=1), 1.0)
    assert tick_words(axes.yaxis) == tick_words(axes.xaxis) == ["AF", "N", "VF"]
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("reference", "predicted")


def test_cells_that_are_empty_tiny_or_undefined():
    counts = np.array([[999, 1, 0], [0, 0, 0], [1, 1, 2]])
    plain = SimpleNamespace(
        classes=("A", "B", "C"),
        confusion=counts,
        title="t",
        accuracy=Score(0.5),
        macro_f1=Score(0.5),
    )
    axes = plot_confusions(SimpleNamespace(results={"subject": plain})).axes[0]
    words = [text.get_text() for text in axes.texts]
    assert words[:6] == ["100 %\n999", "<1 %\n1", "0", "-", "-", "-"]


def test_one_result_alone_can_be_drawn(evaluation):
    assert len(plot_confusions(evaluation.results["pooled"]).axes) == 1


# Sweeps


def test_sweep_has_layers_in_network_order_and_one_line_per_pooling_and_head():
    figure = plot_sweep(make_sweep(heads=("svm-rbf", "lda")))
    upper, lower = figure.axes
    assert titles(figure)[0] == f"accuracy, pooled ({LEAK})"
    assert titles(figure)[1].startswith("macro-F1, subject-wise")
    assert tick_words(lower.xaxis) == ["layer0", "layer1", "layer2"]
    assert legend_words(figure) == ["mean, svm-rbf", "mean, lda", "max, svm-rbf", "max, lda"]
    lines = [line for line in upper.lines if not line.get_label().startswith("_")]
    assert len(lines) == 4
    np.testing.assert_allclose(lines[0].get_ydata(), [0.5, 0.9, 0.5])
    # Colour tells poolings apart, dashes tell heads apart.
    assert lines[0].get_color() == lines[1].get_color() != lines[2].get_color()
    assert lines[0].get_linestyle() == lines[2].get_linestyle() != lines[1].get_linestyle()


def test_sweep_rings_and_names_the_best():
    lower = plot_sweep(make_sweep()).axes[1]
    ring = next(line for line in lower.lines if line.get_markerfacecolor() == "none")
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == (1, pytest.approx(0.7))
    assert [text.get_text() for text in lower.texts] == ["0.700"]


def test_limits_are_drawn_only_where_they_can_be_told_apart():
    assert len(plot_sweep(make_sweep(poolings=("mean",))).axes[0].collections) == 1
    assert len(plot_sweep(make_sweep()).axes[0].collections) == 0


@pytest.mark.parametrize(("n_layers", "name"), [(1, "norm5"), (40, "features.block{}.conv2")])
def test_layer_names_stay_inside_the_figure_and_apart(n_layers, name):
    figure = plot_sweep(make_sweep(n_layers, name=name))
    render_figure(figure)
    renderer = figure.canvas.get_renderer()
    width, height = figure.canvas.get_width_height()
    boxes = [tick.get_window_extent(renderer) for tick in figure.axes[-1].get_xticklabels()]
    assert all(box.y0 >= 0 and box.x0 >= -1 and box.x1 <= width + 1 for box in boxes)
    assert all(left.x1 <= right.x0 + 1 for left, right in itertools.pairwise(boxes))
    assert figure.axes[0].get_window_extent(renderer).height > height / 8


# Subjects


def test_subjects_are_sorted_named_and_sized_by_windows(evaluation):
    result = evaluation.results["subject"]
    figure = plot_subjects(result)
    dots = figure.axes[0].collections[0]
    shares = dots.get_offsets()[:, 1]
    assert len(shares) == 40
    assert (np.diff(shares) >= 0).all()
    assert sorted(shares) == sorted(row.accuracy for row in result.per_subject)
    assert set(tick_words(figure.axes[0].xaxis)) == {row.subject for row in result.per_subject}
    assert len(set(dots.get_sizes())) == 1  # each has six windows
    line = figure.axes[0].lines[0].get_ydata()
    assert line[0] == result.accuracy.value
    assert f"dashed: all windows, {line[0]:.3f}" in titles(figure)[0]
    assert legend_words(figure) == ["AF"]  # each has as many windows of each class: the first


def test_subjects_can_be_coloured_by_database(evaluation):
    figure = plot_subjects(evaluation.results["pooled"], colour_by="database")
    assert legend_words(figure) == ["mitdb", "vfdb"]
    assert LEAK in titles(figure)[0]
    colours = {to_hex(colour) for colour in figure.axes[0].collections[0].get_facecolors()}
    assert colours == {colour.lower() for colour in PALETTE[:2]}
    with pytest.raises(UsageError, match="colour_by must be 'class' or 'database', got 'lead'"):
        plot_subjects(evaluation.results["pooled"], colour_by="lead")


def test_names_are_no_formulas(evaluation):
    result = evaluation.results["pooled"]
    rows = [SimpleNamespace(**row.to_dict()) for row in result.per_subject[:5]]
    for number, row in enumerate(rows):
        row.subject = f"p${number}_$"  # a formula that cannot be set
    few = SimpleNamespace(
        per_subject=rows, classes=result.classes, accuracy=result.accuracy, title="of $x_$"
    )
    for kind in ("png", "svg", "pdf"):
        assert render_figure(plot_subjects(few), kind)
    assert all(f"p${number}_$" in render_inline(plot_subjects(few)) for number in range(5))


def test_many_subjects_are_counted_instead_of_named(evaluation):
    result = evaluation.results["subject"]
    rows = [SimpleNamespace(**row.to_dict()) for row in result.per_subject] * 8
    for i, row in enumerate(rows):
        row.subject = f"p{i}"
    many = SimpleNamespace(
        per_subject=rows, classes=result.classes, accuracy=result.accuracy, title=result.title
    )
    axes = plot_subjects(many).axes[0]
    assert axes.get_xlabel() == "320 subjects, worst to best"
    assert len(tick_words(axes.xaxis)) < 20


# Examples


def test_examples_show_trace_and_image_with_seconds_and_hz():
    t = np.arange(1250) / 125
    image = np.linspace(1, 0, 64)[:, None] * np.ones((1, 32))
    figure = plot_examples({"N": (np.sin(t), image), "VF": (np.cos(t), image)}, 125.0, 10.0, ROWS)
    trace, picture, second, below = figure.axes
    assert (trace.get_title(loc="left"), second.get_title(loc="left")) == ("N", "VF")
    assert trace.lines[0].get_xdata()[-1] == pytest.approx(1249 / 125)
    assert (trace.get_ylabel(), picture.get_ylabel()) == ("mV", "Hz")
    assert below.get_xlabel() == "seconds"
    assert tick_words(picture.yaxis) == ["0", "10", "20", "30", "40"]
    shown = picture.images[0]
    # Row 0 of the image is drawn at the top, which is the highest frequency.
    assert shown.get_extent() == [0.0, 10.0, 0.0, 1.0]
    assert shown.origin == "upper"
    assert shown.get_clim() == (0.0, 1.0)


def test_frequency_ticks_can_be_given():
    window = (np.zeros(100), np.zeros((8, 8)))
    figure = plot_examples({"N": window}, 10.0, 10.0, [5.0, 0.0], frequency_ticks=[0, 2.5, 5])
    assert tick_words(figure.axes[1].yaxis) == ["0", "2.5", "5"]


def test_uneven_rows_are_labelled_where_they_are():
    window = (np.zeros(100), np.zeros((5, 8)))
    rows = [40.0, 10.0, 4.0, 1.0, 0.0]
    figure = plot_examples({"N": window}, 10.0, 10.0, rows, frequency_ticks=[0, 4, 40])
    assert figure.axes[1].get_yticks().tolist() == [0.0, 0.5, 1.0]


def test_rows_of_a_correlogram_are_labelled_in_seconds_below_those_in_hz():
    window = (np.zeros(100), np.zeros((9, 8)))
    hz, lags = [40.0, 10.0, 4.0, 1.0, 0.0], [0.5, 1.0, 1.5, 2.0]
    figure = plot_examples({"N": window}, 10.0, 10.0, hz, [0, 4, 40], row_lag_s=lags)
    axes = figure.axes[1]
    assert tick_words(axes.yaxis) == ["0", "4", "40", "1 s", "2 s"]
    edge = 4 / 9  # four of nine rows
    expected = [edge, (1 + edge) / 2, 1.0, edge * 2 / 3, 0.0]
    np.testing.assert_allclose(axes.get_yticks(), expected)
    assert axes.lines[0].get_ydata() == pytest.approx([edge, edge])


def test_examples_refuse_other_shapes():
    with pytest.raises(UsageError, match="no window to draw"):
        plot_examples({}, 125.0, 10.0, ROWS)
    with pytest.raises(UsageError, match=r"class 'N': an image must be .*got \(3, 8, 8\)"):
        plot_examples({"N": (np.zeros(100), np.zeros((3, 8, 8)))}, 125.0, 10.0, ROWS)
    with pytest.raises(UsageError, match=r"class 'N': a signal must be \(n_samples,\), got \(1, 9"):
        plot_examples({"N": (np.zeros((1, 99)), np.zeros((8, 8)))}, 125.0, 10.0, ROWS)
    with pytest.raises(UsageError, match="fs must be from"):
        plot_examples({"N": (np.zeros(100), np.zeros((8, 8)))}, 0.0, 10.0, ROWS)


# Timelines


def day(n=6, **options):
    labels = np.array(["N", "N", "AF", "inconclusive", "unreadable", "N"] * (n // 6))
    probabilities = np.tile([0.25, 0.75], (n, 1))
    probabilities[labels == "unreadable"] = np.nan
    return {
        "start_s": np.arange(n) * 10.0,
        "length_s": 10.0,
        "labels": labels,
        "probabilities": probabilities,
        "classes": ("AF", "N"),
        "duration_s": n * 10.0,
        **options,
    }


def bars(axes):
    """Return (start, end, colour, hatch) of every bar of a strip."""
    found = []
    for collection in axes.collections:
        for path in collection.get_paths():
            x = path.vertices[:, 0]
            colour = to_hex(collection.get_facecolor()[0])
            found.append((x.min(), x.max(), colour, bool(collection.get_hatch())))
    return sorted(found)


def test_timeline_merges_windows_and_tells_grey_from_hatched():
    strip, shares = plot_windows(**day()).axes
    af, normal = (colour.lower() for colour in PALETTE[:2])
    assert bars(strip) == [
        (0, 20, normal, False),
        (20, 30, af, False),
        (30, 40, NEUTRAL, False),
        (40, 50, "#ffffff", True),
        (50, 60, normal, False),
    ]
    assert tick_words(strip.yaxis) == ["windows"]
    assert shares.get_xlabel() == "seconds"
    assert shares.get_xlim() == (0, 60)


def test_probabilities_are_stacked_to_1_and_hatched_where_unreadable():
    shares = plot_windows(**day()).axes[1]
    # Two readable stretches, two classes each; the last class is drawn first, up to the top.
    values = [patch.get_data().values for patch in shares.patches]
    assert [len(v) for v in values] == [4, 4, 1, 1]
    np.testing.assert_allclose(values[0], 1.0)
    np.testing.assert_allclose(values[1], 0.25)
    assert bars(shares) == [(40, 50, "#ffffff", True)]


def test_a_long_record_is_drawn_in_as_many_cells_as_can_be_seen():
    n = 86_400
    rng = np.random.default_rng(0)
    first = rng.uniform(size=n)
    unreadable = np.zeros(n, dtype=bool)
    unreadable[40_000:50_000] = unreadable[60_000] = True
    probabilities = np.stack([first, 1 - first], axis=1)
    probabilities[unreadable] = np.nan
    labels = np.where(unreadable, "unreadable", "N")
    long = day(n, labels=labels, probabilities=probabilities, start_s=np.arange(n), length_s=10.0)
    strip, shares = plot_windows(**{**long, "duration_s": n + 9.0}).axes
    values = [patch.get_data().values for patch in shares.patches]
    assert sum(len(v) for v in values[::2]) < 1000
    np.testing.assert_allclose(np.mean(values[1]), first[:40_000].mean(), atol=0.01)
    # A single unreadable window is averaged away here and stays in the strip.
    assert [bar[3] for bar in bars(shares)] == [True]
    np.testing.assert_allclose(bars(shares)[0][:2], (40_000 / 3600, 50_000 / 3600), rtol=0.01)
    assert [bar[3] for bar in bars(strip)] == [False, True, False, True, False]


def test_what_no_window_covers_stays_white():
    late = day(start_s=[0, 10, 20, 50, 60, 70.0], duration_s=80.0)
    strip, shares = plot_windows(**late).axes
    assert [bar[:2] for bar in bars(strip)] == [(0, 20), (20, 30), (50, 60), (60, 70), (70, 80)]
    assert [len(patch.get_data().values) for patch in shares.patches] == [3, 3, 1, 1, 1, 1]


def test_overlapping_windows_speak_for_the_stretch_around_their_centre():
    strip = plot_windows(**day(start_s=np.arange(6) * 5.0, duration_s=35.0)).axes[0]
    assert [bar[:2] for bar in bars(strip)] == [
        (0, 12.5),
        (12.5, 17.5),
        (17.5, 22.5),
        (22.5, 27.5),
        (27.5, 35),
    ]


def test_episodes_have_a_row_of_their_own_unless_they_are_the_windows():
    figure = plot_windows(**day(), episodes=[(0, 30, "N")], title="100, lead MLII")
    assert [tick_words(axes.yaxis)[0] for axes in figure.axes[:2]] == ["episodes", "windows"]
    assert bars(figure.axes[0]) == [(0, 30, PALETTE[1].lower(), False)]
    assert titles(figure)[0] == "100, lead MLII"
    ends = [(0, 20, "N"), (20, 30, "AF"), (30, 40, "inconclusive"), (40, 50, "unreadable")]
    same = plot_windows(**day(), episodes=[*ends, (50, 60, "N")])
    assert [tick_words(axes.yaxis)[0] for axes in same.axes[:-1]] == ["episodes"]


def test_the_time_axis_has_the_unit_that_suits_the_length():
    for n, unit, end in ((30, "minutes", 5), (6, "seconds", 60), (8640, "hours", 24)):
        axes = plot_windows(**day(n)).axes[-1]
        assert axes.get_xlabel() == unit
        assert axes.get_xlim() == (0, pytest.approx(end))


def test_legend_names_only_what_occurs():
    assert legend_words(plot_windows(**day())) == ["AF", "N", "inconclusive", "unreadable"]
    plain = day(labels=["N"] * 6, probabilities=np.full((6, 2), 0.5))
    assert legend_words(plot_windows(**plain)) == ["AF", "N"]


def test_timeline_object_is_drawn_with_its_episodes_and_name():
    arrays = day()
    episode = SimpleNamespace(start_s=0.0, end_s=60.0, label="N")
    timeline = SimpleNamespace(**arrays, episodes=(episode,), record_id="207", lead="MLII")
    figure = plot_timeline(timeline)
    assert titles(figure)[0] == "207, lead MLII"
    assert bars(figure.axes[0])[0][:2] == (0, 60)


def test_timelines_refuse_what_does_not_fit():
    with pytest.raises(UsageError, match=r"labels \(5,\), .*\(6, 2\), for 2 classes"):
        plot_windows(**day(labels=["N"] * 5))
    with pytest.raises(UsageError, match=r"\(6, 2\), for 3 classes"):
        plot_windows(**day(classes=("AF", "N", "VF")))
    with pytest.raises(UsageError, match=r"label 'SVT' is not known; .*'inconclusive' or 'unread"):
        plot_windows(**day(labels=["SVT"] * 6))


# Files


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_the_same_figure_gives_the_same_bytes(kind, tmp_path, evaluation):
    for name in ("a", "b"):
        save_figure(plot_confusions(evaluation), tmp_path / f"{name}.{kind}")
    first, second = ((tmp_path / f"{name}.{kind}").read_bytes() for name in ("a", "b"))
    assert first == second
    assert first.startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[kind])
    assert b"Date" not in first
    assert b"dc:date" not in first


def test_a_day_gives_the_same_bytes():
    first, second = (render_figure(plot_windows(**day()), "svg") for _ in range(2))
    assert first == second


def test_figures_are_twelve_hundred_dots_wide_and_leave_nothing_behind(tmp_path):
    before = settings_in_force()
    save_figure(plot_sweep(make_sweep()), tmp_path / "sweep.PNG")
    content = (tmp_path / "sweep.PNG").read_bytes()
    assert int.from_bytes(content[16:20], "big") == 1200
    assert settings_in_force() == before
    assert [path.name for path in tmp_path.iterdir()] == ["sweep.PNG"]


def test_pyplot_is_never_loaded():
    script = (
        "import sys; from ecglens.plots import plot_examples, render_figure; "
        "render_figure(plot_examples({'N': ([0.0, 1.0], [[0.0]])}, 10.0, 1.0, [5.0, 0.0])); "
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_unknown_suffixes_and_places(tmp_path):
    figure = plot_sweep(make_sweep())
    with pytest.raises(UsageError, match=r"'a.pngg': .* \.png, \.svg, \.pdf; did you mean 'png'"):
        save_figure(figure, tmp_path / "a.pngg")
    with pytest.raises(UsageError, match="cannot save a figure as 'a'"):
        save_figure(figure, tmp_path / "a")
    with pytest.raises(UsageError, match="a figure cannot be a 'gif'"):
        render_figure(figure, "gif")
    with pytest.raises(OutputError, match="cannot write"):
        save_figure(figure, tmp_path / "missing" / "a.png")
