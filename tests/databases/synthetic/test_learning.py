"""The four patterns can be learned from some people and recognised in others."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ecglens.databases.synthetic import make_records
from ecglens.labels import load_label_map
from ecglens.signals import band_pass
from ecglens.windows import Windows, make_windows


@pytest.fixture(scope="module")
def windows() -> Windows:
    return make_windows(make_records(15, fs=125, random_state=4), load_label_map("rhythm4"))


def simple_features(windows: Windows) -> np.ndarray:
    """Return band powers, and how peaked and how regular the signal is."""
    X = band_pass(windows.X, windows.fs, 0.5, 40)
    power = np.square(np.abs(np.fft.rfft(X, axis=1)))
    hz = np.fft.rfftfreq(X.shape[1], 1 / windows.fs)
    edges = (0.5, 1, 2, 3, 4, 6, 8, 12, 20, 40)
    bands = [power[:, (hz >= a) & (hz < b)].sum(1) for a, b in itertools.pairwise(edges)]
    whole = np.fft.irfft(power, axis=1)
    lags = whole[:, int(0.3 * windows.fs) : int(1.5 * windows.fs)].max(1) / whole[:, 0]
    skew = np.mean((X / X.std(1, keepdims=True)) ** 3, axis=1)
    return np.column_stack([np.log(bands).T, lags, skew, np.log(X.std(1))])


def score(windows: Windows, labels: np.ndarray) -> float:
    model = make_pipeline(StandardScaler(), LinearDiscriminantAnalysis())
    found = cross_val_predict(
        model, simple_features(windows), labels, groups=windows.subjects, cv=GroupKFold(5)
    )
    return float(balanced_accuracy_score(labels, found))


def test_patterns_carry_over_to_other_people(windows: Windows) -> None:
    assert score(windows, windows.labels) > 0.6


def test_shuffled_labels_do_not(windows: Windows) -> None:
    rng = np.random.default_rng(0)
    scores = [score(windows, rng.permutation(windows.labels)) for _ in range(10)]
    assert abs(np.mean(scores) - 0.25) < 0.04


def test_it_is_no_toy(windows: Windows) -> None:
    # Simple features must leave something to be found.
    assert score(windows, windows.labels) < 0.97


def test_people_can_be_told_apart(windows: Windows) -> None:
    normal = windows.subset(windows.labels == "N")
    features = StandardScaler().fit_transform(simple_features(normal))
    distance = np.linalg.norm(features[:, None] - features[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    nearest = normal.subjects[distance.argmin(axis=1)]
    assert (nearest == normal.subjects).mean() > 0.5
