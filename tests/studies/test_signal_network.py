"""The network from scratch: it learns, and the same call gives the same network."""

from __future__ import annotations

import numpy as np
import pytest

from ecglens.errors import BackboneError, UsageError
from ecglens.studies.signal_network import FS, SignalNetwork, signals_for_network
from ecglens.windows import Windows


def test_signals_have_one_rate_and_size_whatever_the_gain(windows: Windows) -> None:
    found = signals_for_network(windows.X[:6], windows.fs)
    assert found.shape == (6, round(4.0 * FS))
    assert found.std(axis=1) == pytest.approx(np.ones(6), abs=1e-4)
    louder = signals_for_network(7 * windows.X[:6] + 3, windows.fs)
    assert louder == pytest.approx(found, abs=2e-3)
    flat, gap = np.zeros((1, 400)), windows.X[:1].copy()
    gap[:, 5:8] = np.nan
    assert np.isfinite(signals_for_network(flat, 100.0)).all()
    assert np.isfinite(signals_for_network(gap, 100.0)).all()


def test_out_of_range() -> None:
    with pytest.raises(UsageError, match="n_steps must be 1 or more, got 0"):
        SignalNetwork(n_steps=0).fit(np.zeros((4, 100)), ["a", "b"] * 2)
    with pytest.raises(ValueError, match="needs two classes"):
        SignalNetwork().fit(np.zeros((4, 100)), ["a"] * 4)


def test_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(BackboneError, match=r"needs torch .*pip install 'ecglens\[timm\]'"):
        SignalNetwork().fit(np.zeros((4, 100)), ["a", "b"] * 2)


@pytest.mark.slow
def test_learns_and_does_so_again(windows: Windows) -> None:
    torch = pytest.importorskip("torch")
    signals = signals_for_network(windows.X, windows.fs)
    state, cores = torch.random.get_rng_state(), torch.get_num_threads()
    train = np.arange(len(windows)) < 40
    networks = [
        SignalNetwork(n_steps=25, batch_size=16).fit(signals[train], windows.labels[train])
        for _ in range(2)
    ]
    said = [network.predict(signals) for network in networks]
    assert np.array_equal(said[0], said[1])
    assert (said[0] == windows.labels)[~train].mean() > 0.9
    assert 70_000 < networks[0].n_parameters_ < 120_000
    assert torch.equal(state, torch.random.get_rng_state())
    assert torch.get_num_threads() == cores
