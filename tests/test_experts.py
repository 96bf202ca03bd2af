from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from ecglens.errors import UsageError
from ecglens.experts import ExpertPool, ImagePCA


def _windows(n: int = 120, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three classes: image features tell B, the measures tell A; C is neither."""
    rng = np.random.default_rng(seed)
    y = np.array(["A", "B", "C"])[np.arange(n) % 3]
    X = rng.normal(size=(n, 8))
    X[y == "B", 0] += 4
    X[y == "A", 6] += 4
    return X, y


class TestImagePCA:
    def test_the_last_columns_stay_and_the_others_become_components(self) -> None:
        X, _ = _windows()
        found = ImagePCA(3, kept=2).fit(X).transform(X)
        assert found.shape == (120, 5)
        np.testing.assert_array_equal(found[:, 3:], X[:, 6:])
        expected = PCA(3, random_state=0).fit_transform(X[:, :6])
        np.testing.assert_allclose(found[:, :3], expected, atol=1e-9)

    @pytest.mark.parametrize("kept", [0, 8, 9])
    def test_there_must_be_columns_of_both_kinds(self, kept: int) -> None:
        with pytest.raises(UsageError, match=f"{kept} of 8 columns are handmade measures"):
            ImagePCA(2, kept=kept).fit(_windows()[0])


class TestExpertPool:
    def test_it_needs_both_kinds_of_features_and_uses_both(self) -> None:
        X, y = _windows()
        test, true = _windows(seed=1)
        pool = ExpertPool(2, [0], votes=0.0).fit(X, y)
        both = np.mean(pool.predict(test) == true)
        assert both > 0.85
        for part in (slice(0, 6), slice(6, 8)):
            blind = test.copy()
            blind[:, part] = X[:, part].mean(axis=0)
            assert np.mean(pool.predict(blind) == true) < both - 0.15

    def test_the_scale_of_a_measure_does_not_matter(self) -> None:
        X, y = _windows()
        curved = X.copy()
        curved[:, 6:] = np.exp(2 * curved[:, 6:])
        plain = ExpertPool(2, [0], votes=0.0).fit(X, y).decision_function(X)
        bent = ExpertPool(2, [0], votes=0.0).fit(curved, y).decision_function(curved)
        np.testing.assert_allclose(bent, plain, atol=0.2)

    def test_an_absurd_measure_does_not_overrule_the_others(self) -> None:
        X, y = _windows()
        pool = ExpertPool(2, [0], votes=0.0).fit(X, y)
        far, farther = X[y == "B"].copy(), X[y == "B"].copy()
        far[:, 6:], farther[:, 6:] = 50, 1e9
        np.testing.assert_array_equal(pool.decision_function(far), pool.decision_function(farther))

    def test_votes_recall_the_training_windows_and_vanish_far_from_them(self) -> None:
        X, y = _windows()
        with_votes = ExpertPool(2, [0]).fit(X, y)
        without = ExpertPool(2, [0], votes=0.0).fit(X, y)
        assert (with_votes.predict(X) == y).mean() > (without.predict(X) == y).mean()
        far = X[:3] + 40
        np.testing.assert_allclose(
            with_votes.decision_function(far), without.decision_function(far), atol=1e-6
        )

    def test_two_classes_have_one_score(self) -> None:
        X, y = _windows()
        kept = y != "C"
        pool = ExpertPool(2, [0]).fit(X[kept], y[kept])
        scores = pool.decision_function(X[kept])
        assert scores.shape == (80,)
        np.testing.assert_array_equal(pool.predict(X[kept]), np.where(scores > 0, "B", "A"))

    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ({"n_measures": 8}, "8 of 8 columns are handmade measures"),
            ({"n_measures": 2, "few": [2]}, r"columns 0 to 1, got \[2\]"),
            ({"n_measures": 2, "few": []}, r"columns 0 to 1, got \[\]"),
            ({"n_measures": 2, "temperature": 0.0}, "temperature of ExpertPool must be over 0"),
        ],
    )
    def test_settings_that_do_not_fit_are_refused(self, settings: dict, said: str) -> None:
        with pytest.raises(UsageError, match=said):
            ExpertPool(**settings).fit(*_windows())
