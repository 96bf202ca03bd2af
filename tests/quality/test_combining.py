"""One opinion from several leads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecglens.errors import UsageError
from ecglens.quality import combine_leads

RNG = np.random.default_rng(0)
P = RNG.dirichlet(np.ones(4), size=(3, 20))
SCORE = RNG.uniform(0.5, 1.0, size=(3, 20))
ALL = np.ones((3, 20), dtype=bool)


def test_one_lead_keeps_its_opinion() -> None:
    np.testing.assert_allclose(combine_leads(P[:1], SCORE[:1], ALL[:1]), P[0])


def test_leads_of_one_opinion_keep_it_whatever_their_quality() -> None:
    same = np.repeat(P[:1], 3, axis=0)
    np.testing.assert_allclose(combine_leads(same, SCORE, ALL), P[0])


@given(order=st.permutations(range(3)))
def test_the_order_of_leads_does_not_matter(order: list[int]) -> None:
    np.testing.assert_allclose(
        combine_leads(P[order], SCORE[order], ALL), combine_leads(P, SCORE, ALL)
    )


def test_an_unreadable_lead_has_no_say() -> None:
    p, judged = P.copy(), ALL.copy()
    p[1], judged[1] = np.nan, False
    np.testing.assert_allclose(combine_leads(p, SCORE, judged), combine_leads(
        P[[0, 2]], SCORE[[0, 2]], ALL[:2]))  # fmt: skip


def test_a_window_is_unreadable_where_every_lead_is() -> None:
    judged = ALL.copy()
    judged[:, 4] = False
    combined = combine_leads(P, SCORE, judged)
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(combined).any(axis=1)), [4])
    np.testing.assert_allclose(np.delete(combined, 4, axis=0).sum(axis=1), 1)


def test_the_better_lead_counts_more() -> None:
    p = np.array([[[0.9, 0.1]], [[0.1, 0.9]]])
    both = np.ones((2, 1), dtype=bool)
    assert combine_leads(p, [[0.9], [0.6]], both)[0, 0] > 0.5
    assert combine_leads(p, [[0.6], [0.9]], both)[0, 0] < 0.5
    assert combine_leads(p, [[0.8], [0.8]], both)[0, 0] == pytest.approx(0.5)


def test_no_lead_can_veto() -> None:
    p = np.array([[[1.0, 0.0]], [[0.0, 1.0]], [[1e-9, 1 - 1e-9]]])
    combined = combine_leads(p, np.ones((3, 1)), np.ones((3, 1), dtype=bool))
    assert 0.9 < combined[0, 1] < 1


def test_a_readable_window_of_score_0_counts_where_it_is_all_there_is() -> None:
    np.testing.assert_allclose(combine_leads(P[:1], 0 * SCORE[:1], ALL[:1]), P[0])


def test_parts_that_do_not_fit() -> None:
    with pytest.raises(UsageError, match=r"probabilities \(20, 4\).* must be \(n_leads, n_windows"):
        combine_leads(P[0], SCORE, ALL)
    with pytest.raises(UsageError, match=r"quality \(3, 19\)"):
        combine_leads(P, SCORE[:, 1:], ALL)
    with pytest.raises(UsageError, match="from 0 to 1; give the score"):
        combine_leads(P, 2 * SCORE, ALL)
