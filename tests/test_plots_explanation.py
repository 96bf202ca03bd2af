"""The figure of an explanation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ecglens.explanation import Explanation
from ecglens.plots import plot_explanation, render_figure, render_inline


def explanation(sign: float = 1.0) -> Explanation:
    """Return heat at the top of the image, from second 62 to 64 of a record."""
    heat = np.zeros((16, 20))
    heat[:4, 4:8] = sign * 0.1
    return Explanation(
        label="VF", probability=0.875, score=2.0, baseline=None, heat=heat,
        image=np.linspace(0, 1, 320, dtype=np.float32).reshape(16, 20),
        frequencies_hz=np.linspace(40, 0, 16), times_s=60.25 + np.arange(20) / 2,
        method="occlusion", signal=np.sin(np.arange(1000) / 9).astype(np.float32), fs=100.0,
        start_s=60.0, record_id="r1", lead="II",
    )  # fmt: skip


def test_both_parts_share_the_records_seconds() -> None:
    upper, lower = plot_explanation(explanation()).axes
    assert upper.get_xlim() == lower.get_xlim() == (60.0, 70.0)
    assert upper.lines[0].get_xdata()[0] == 60.0
    assert lower.get_xlabel() == "seconds"
    # Several spaces are one in a page.
    assert upper.get_title(loc="left") == "VF, probability 0.88 · r1, lead II"


def test_shades_stand_where_the_heat_is() -> None:
    shade = plot_explanation(explanation()).axes[0].images[0].get_array()
    assert (np.flatnonzero(shade[0, :, 3]) == [4, 5, 6, 7]).all()


def test_lines_stand_where_the_heat_is_high_frequencies_on_top() -> None:
    (lines,) = plot_explanation(explanation()).axes[1].collections
    places = np.concatenate([path.vertices for path in lines.get_paths()])
    assert 61.5 < places[:, 0].min() < places[:, 0].max() < 64.5
    assert places[:, 1].min() > 0.7


def test_for_and_against_differ_in_colour_and_dashes() -> None:
    found = [plot_explanation(explanation(sign)) for sign in (1, -1)]
    shades = [figure.axes[0].images[0].get_array()[0, 4, :3] for figure in found]
    assert not np.allclose(*shades)
    dashes = [figure.axes[1].collections[0].get_linestyle()[0] for figure in found]
    assert dashes[0] != dashes[1]


def test_rows_of_a_correlogram_have_lags() -> None:
    both = replace(
        explanation(),
        frequencies_hz=np.linspace(40, 0, 12),
        lags_s=np.linspace(0.5, 2.0, 4),
    )
    axes = plot_explanation(both).axes[1]
    words = [label.get_text() for label in axes.get_yticklabels()]
    assert words[0] == "0"
    assert words[-2:] == ["1 s", "2 s"]
    assert axes.get_yticks()[0] == 0.25


def test_no_heat_draws_no_line() -> None:
    figure = plot_explanation(explanation(0.0))
    assert not figure.axes[1].collections
    assert not figure.axes[0].images[0].get_array()[..., 3].any()


@pytest.mark.parametrize("small", [False, True])
def test_the_same_explanation_gives_the_same_bytes(small: bool) -> None:
    first, second = (render_figure(plot_explanation(explanation(), small=small)) for _ in "ab")
    assert first == second
    assert render_inline(plot_explanation(explanation(), small=small)).startswith("<svg")
