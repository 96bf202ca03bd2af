from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecglens.decisions.chains import Chain

Numbers = npt.NDArray[np.float64]


def _chain(least: tuple[int, ...], stay: float = 0.9, change: float = 0.05) -> Chain:
    n = len(least)
    return Chain.make(least, np.full(n, stay), np.full((n, n), change))


def _all_paths(chain: Chain, evidence: Numbers) -> dict[tuple[int, ...], float]:
    """Return the weight of every sequence of kinds, by walking every path of sub-states."""
    weights: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(len(chain.owner)), repeat=len(evidence)):
        weight = float(path[0] in chain.first and path[-1] in chain.last)
        for a, b in itertools.pairwise(path):
            weight *= chain.step[a, b]
        kinds = tuple(int(chain.owner[state]) for state in path)
        for t, kind in enumerate(kinds):
            weight *= float(np.exp(evidence[t, kind]))
        weights[kinds] = weights.get(kinds, 0.0) + weight
    return weights


def test_a_path_worked_by_hand() -> None:
    # Two kinds of one step; a change costs log(9 / 1) beside staying. The middle step speaks for
    # the second kind by log 50: two changes cost log 81, so the path stays. By log 100 it changes.
    chain = Chain.make((1, 1), (0.9, 0.9), np.full((2, 2), 0.1))
    for says, path in ((50.0, [0, 0, 0]), (100.0, [0, 1, 0])):
        evidence = np.log([[1000.0, 1.0], [1.0, says], [1000.0, 1.0]])
        assert chain.likeliest(evidence).tolist() == path


def test_posteriors_worked_by_hand() -> None:
    # Of one step, the evidence alone; of two, all four paths:
    # 00: .8 * .9 * .5, 01: .8 * .1 * .5, 10: .2 * .1 * .5, 11: .2 * .9 * .5.
    chain = Chain.make((1, 1), (0.9, 0.9), np.full((2, 2), 0.1))
    np.testing.assert_allclose(chain.posteriors(np.log([[0.8, 0.2]])), [[0.8, 0.2]])
    both = chain.posteriors(np.log([[0.8, 0.2], [0.5, 0.5]]))
    np.testing.assert_allclose(both, [[0.8, 0.2], [0.74, 0.26]])


@given(
    least=st.sampled_from([(1, 1), (2, 1), (1, 3), (2, 2, 1)]),
    n_steps=st.integers(3, 5),
    seed=st.integers(0, 1000),
)
@settings(max_examples=25)
def test_both_agree_with_walking_every_path(
    least: tuple[int, ...], n_steps: int, seed: int
) -> None:
    chain = _chain(least, stay=0.7, change=0.3 / (len(least) - 1))
    evidence = np.random.default_rng(seed).normal(scale=1.5, size=(n_steps, len(least)))
    weights = _all_paths(chain, evidence)
    sure = np.zeros_like(evidence)
    for kinds, weight in weights.items():
        sure[np.arange(n_steps), kinds] += weight
    np.testing.assert_allclose(chain.posteriors(evidence), sure / sum(weights.values()), rtol=1e-9)
    found = tuple(chain.likeliest(evidence).tolist())
    assert weights[found] == pytest.approx(max(weights.values()))


@given(seed=st.integers(0, 1000))
@settings(max_examples=25)
def test_no_stretch_is_shorter_than_its_least(seed: int) -> None:
    least = (3, 1, 4)
    evidence = np.random.default_rng(seed).normal(scale=4, size=(40, 3))
    path = _chain(least).likeliest(evidence)
    for kind, run in itertools.groupby(path.tolist()):
        assert len(list(run)) >= least[kind]


def test_hours_of_strong_evidence_stay_finite() -> None:
    evidence = np.tile([[-700.0, 0.0], [0.0, -700.0]], (2000, 1))
    sure = _chain((1, 1)).posteriors(evidence)
    assert np.isfinite(sure).all()
    np.testing.assert_allclose(sure.sum(axis=1), 1)
    assert sure[1, 0] > 0.99
