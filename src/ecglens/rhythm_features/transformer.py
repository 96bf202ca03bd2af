"""The measures as a scikit-learn transformer."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from ecglens.records import check_fs
from ecglens.rhythm_features.measures import RHYTHM_NAMES, measure_rhythm


class RhythmFeatures(TransformerMixin, BaseEstimator):
    """Transformer from windows to handmade measures of rhythm and waves (:func:`measure_rhythm`).

    Nothing is learnt from the windows, so fitting on any of them is no leak. Join it with
    :class:`ecglens.CNNFeatures` by scikit-learn's ``FeatureUnion``.

    Args:
        fs: rate of the windows in Hz.

    Attributes:
        n_features_in_: samples per window.
    """

    def __init__(self, fs: float) -> None:
        self.fs = fs

    def fit(self, X: npt.ArrayLike, y: object = None) -> Self:  # noqa: ARG002
        """Check rate and windows.

        Args:
            X: windows, shape (n_windows, n_samples); only the number of samples is used.
            y: ignored.
        """
        check_fs(self.fs, "RhythmFeatures")
        validate_data(self, X, dtype=np.float32, ensure_all_finite=False)
        self.fitted_ = True
        return self

    def transform(self, X: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Return the measures, float32, shape (n_windows, n_measures); always finite."""
        check_is_fitted(self)
        array = validate_data(self, X, reset=False, dtype=np.float32, ensure_all_finite=False)
        return measure_rhythm(array, self.fs)

    def get_feature_names_out(
        self,
        input_features: object = None,  # noqa: ARG002
    ) -> npt.NDArray[np.object_]:
        """Return :data:`RHYTHM_NAMES`."""
        return np.array(RHYTHM_NAMES, dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = []
        return tags
