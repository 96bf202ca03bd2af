"""A small network trained from scratch on the signal: what a frozen image network stands against.

It needs torch (``ecglens[timm]``), which is imported when a network is fitted.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from ecglens.errors import BackboneError, UsageError
from ecglens.signals import band_pass, fill_gaps, resample

FloatArray = npt.NDArray[np.float32]

FS = 100.0
BAND_HZ = (0.5, 40.0)
_STEM, _WIDTHS, _KERNEL = 16, (32, 64, 64), 5
_AT_ONCE = 256


def torch_is_here() -> bool:
    """Tell whether torch is installed, without importing it."""
    return importlib.util.find_spec("torch") is not None


def signals_for_network(X: npt.ArrayLike, fs: float) -> FloatArray:
    """Return windows as the network takes them: 100 Hz, 0.5 to 40 Hz, each of unit variance.

    Args:
        X: readable windows in mV, shape (n_windows, n_samples); missing samples are bridged.
        fs: their rate in Hz.

    Returns:
        float32, shape (n_windows, ceil(n_samples * 100 / fs)).
    """
    moved = band_pass(resample(fill_gaps(X), fs, FS), FS, *BAND_HZ)
    moved -= moved.mean(axis=1, keepdims=True)
    moved /= np.maximum(moved.std(axis=1, keepdims=True), np.float32(1e-6))
    return moved


class SignalNetwork(ClassifierMixin, BaseEstimator):
    """A residual 1-D convolutional network, trained from scratch.

    A stem and three residual blocks of two convolutions each with batch normalisation, the mean
    over time, and a linear layer: the residual network of Wang, Yan & Oates (2017, arXiv
    1611.06455), made narrower and with strides, as Hannun et al. (2019, doi
    10.1038/s41591-018-0268-3) and Ribeiro et al. (2020, doi 10.1038/s41467-020-15432-4) do for
    ECGs; about 80,000 parameters. Every step sees windows of all classes equally often, each
    rolled in time by chance and turned upside down by chance. AdamW with one cycle of the
    learning rate; the number of steps is fixed beforehand, so nothing is chosen on test people.

    It runs on one core, so that the same call gives the same network.

    Args:
        n_steps: steps of the optimiser.
        batch_size: windows of each step.
        learning_rate: at its highest.
        weight_decay: of AdamW.
        random_state: seed of weights, batches and changes.

    Attributes:
        classes_: sorted labels.
        n_parameters_: trained numbers.
    """

    def __init__(
        self,
        n_steps: int = 600,
        batch_size: int = 32,
        learning_rate: float = 4e-3,
        weight_decay: float = 1e-2,
        random_state: int = 0,
    ) -> None:
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.random_state = random_state

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:
        """Train the network.

        Args:
            X: of :func:`signals_for_network`.
            y: labels, shape (n_windows,).

        Raises:
            UsageError: ``n_steps`` or ``batch_size`` is under 1.
            BackboneError: torch is not installed.
        """
        for name in ("n_steps", "batch_size"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be 1 or more, got {getattr(self, name)}")
        signals, labels = validate_data(self, X, y, dtype=np.float32)
        check_classification_targets(labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"SignalNetwork needs two classes, got {len(self.classes_)} class")
        with _torch_alone(self.random_state) as torch:
            network = _make_network(torch, len(self.classes_))
            self.n_parameters_ = sum(p.numel() for p in network.parameters())
            self._train(torch, network, signals, codes)
            self._network = network.eval()
        return self

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """Return the likeliest class of each window."""
        check_is_fitted(self)
        signals = validate_data(self, X, reset=False, dtype=np.float32)
        best = []
        with _torch_alone(self.random_state) as torch, torch.inference_mode():
            for start in range(0, len(signals), _AT_ONCE):
                part = torch.from_numpy(signals[start : start + _AT_ONCE])[:, None]
                best.append(self._network(part).argmax(dim=1).numpy())
        return np.asarray(self.classes_[np.concatenate(best)])

    def _train(
        self, torch: Any, network: Any, signals: FloatArray, codes: npt.NDArray[np.intp]
    ) -> None:
        rng = np.random.default_rng(self.random_state)
        optimiser = torch.optim.AdamW(
            network.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay
        )
        # One step more than are taken: torch warns of a schedule of a single one.
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, self.learning_rate, total_steps=self.n_steps + 1
        )
        members = [np.flatnonzero(codes == code) for code in range(len(self.classes_))]
        network.train()
        for _ in range(self.n_steps):
            batch, wanted = _draw(rng, signals, members, self.batch_size)
            loss = torch.nn.functional.cross_entropy(
                network(torch.from_numpy(batch)[:, None]), torch.from_numpy(wanted)
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()


def _draw(
    rng: np.random.Generator,
    signals: FloatArray,
    members: list[npt.NDArray[np.intp]],
    n: int,
) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """Return windows of classes in equal numbers, rolled and turned by chance, and the classes."""
    codes = rng.permutation(np.arange(n) % len(members))
    index = np.array([rng.choice(members[code]) for code in codes])
    rolls = rng.integers(signals.shape[1], size=n)
    signs = rng.choice(np.array([-1.0, 1.0], dtype=np.float32), size=n)
    batch = np.stack(
        [
            sign * np.roll(signals[i], roll)
            for i, roll, sign in zip(index, rolls, signs, strict=True)
        ]
    )
    return batch, codes.astype(np.int64)


def _make_network(torch: Any, n_classes: int) -> Any:
    """Return the untrained network: (n, 1, n_samples) to scores (n, n_classes)."""
    nn = torch.nn

    def convolve(n_in: int, n_out: int, kernel: int, stride: int) -> list[Any]:
        padding = kernel // 2
        return [
            nn.Conv1d(n_in, n_out, kernel, stride=stride, padding=padding, bias=False),
            nn.BatchNorm1d(n_out),
        ]

    class Block(nn.Module):  # type: ignore[name-defined]
        """Two convolutions and a way around them, at half the rate."""

        def __init__(self, n_in: int, n_out: int) -> None:
            super().__init__()
            self.through = nn.Sequential(
                *convolve(n_in, n_out, _KERNEL, 2), nn.ReLU(), *convolve(n_out, n_out, _KERNEL, 1)
            )
            self.around = nn.Sequential(*convolve(n_in, n_out, 1, 2))

        def forward(self, x: Any) -> Any:
            return torch.relu(self.through(x) + self.around(x))

    blocks = [Block(a, b) for a, b in zip((_STEM, *_WIDTHS[:-1]), _WIDTHS, strict=True)]
    return nn.Sequential(
        *convolve(1, _STEM, 15, 4),
        nn.ReLU(),
        *blocks,
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(_WIDTHS[-1], n_classes),
    )


@contextmanager
def _torch_alone(seed: int) -> Iterator[Any]:
    """Give torch with a seed and one core; its state is as before afterwards.

    Raises:
        BackboneError: it is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise BackboneError(
            f"a network trained from scratch needs torch ({error}); pip install 'ecglens[timm]', "
            "or leave cnn1d out of the learners"
        ) from error
    cores = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield torch
        finally:
            torch.set_num_threads(cores)
