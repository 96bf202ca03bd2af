"""NPY arrays, checked before memory is taken."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ecglens.npy import AnyArray, read_array


def saved(array: object) -> bytes:
    file = io.BytesIO()
    np.save(file, array)  # type: ignore[arg-type]
    return file.getvalue()


def read(data: bytes, **options: str) -> AnyArray:
    return read_array(lambda: io.BytesIO(data), len(data), **options)  # type: ignore[arg-type]


@given(
    hnp.arrays(
        st.sampled_from(["<f4", ">f8", "i2", "U3"]), hnp.array_shapes(min_side=0, max_dims=3)
    )
)
@settings(max_examples=20)
def test_round_trip(array: np.ndarray) -> None:
    np.testing.assert_array_equal(read(saved(array)), array)


def test_what_is_declared_must_be_there() -> None:
    whole = saved(np.zeros(10))
    with pytest.raises(ValueError, match=r"^declares an array of shape \(10,\), .* only 79 bytes"):
        read(whole[:-1])
    claim = whole.replace(b"(10,), }" + 12 * b" ", b"(10000000000000,), }")
    assert len(claim) == len(whole)
    with pytest.raises(ValueError, match=r"^declares an array of shape \(10{13},\)"):
        read(claim)


def test_kinds() -> None:
    with pytest.raises(ValueError, match=r"^holds object values; save numbers or text"):
        read(saved(np.array([{}], dtype=object)))
    with pytest.raises(ValueError, match=r"^holds <U1 values; save floats"):
        read(saved("a"), kinds="f", wanted="floats")


@given(st.binary(max_size=80), st.integers(0, 140))
@settings(max_examples=30)
def test_noise_gives_arrays_or_value_errors(noise: bytes, at: int) -> None:
    whole = saved(np.zeros(3))
    with contextlib.suppress(ValueError):
        assert isinstance(read(whole[:at] + noise + whole[at + len(noise) :]), np.ndarray)
