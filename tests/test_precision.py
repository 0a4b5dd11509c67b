from __future__ import annotations

import numpy as np
import pytest

from romaine.arrays import l2_normalize
from romaine.errors import OptionError, UnknownNameError, VectorError
from romaine.precision import Precision, encode, int8_range, similarity


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(1)
    topics = rng.normal(size=(5, 100))
    return l2_normalize(topics[rng.integers(0, 5, 60)] + rng.normal(size=(60, 100)))


@pytest.mark.parametrize(
    ("precision", "dtype", "columns", "worst"),
    [
        (Precision.FLOAT32, np.float32, 100, 1e-6),
        (Precision.FLOAT16, np.float16, 100, 1e-3),
        (Precision.INT8, np.int8, 100, 0.02),
        (Precision.BINARY, np.uint8, 13, 0.5),
    ],
)
def test_codes_compare_like_the_vectors(vectors, precision, dtype, columns, worst):
    codes = encode(vectors, precision, int8_limit=int8_range(vectors))
    assert codes.dtype == dtype
    assert codes.shape == (60, columns)
    exact = vectors @ vectors.T
    approximate = similarity(codes, codes, precision, dim=100)
    assert np.abs(approximate - exact).max() <= worst
    assert np.corrcoef(approximate.ravel(), exact.ravel())[0, 1] > 0.85
    np.testing.assert_allclose(np.diag(approximate), 1, atol=2e-3)


def test_int8_needs_a_range(vectors):
    with pytest.raises(OptionError, match="calibration range above 0, got None"):
        encode(vectors, Precision.INT8)


def test_int8_clips_instead_of_wrapping():
    assert encode(np.array([[1.0, -1.0]], dtype=np.float32), Precision.INT8, int8_limit=0.1).tolist() == [
        [127, -127]
    ]


def test_zero_vectors_compare_as_zero():
    codes = np.zeros((1, 4), dtype=np.int8)
    assert similarity(codes, codes, Precision.INT8).tolist() == [[0.0]]


def test_widths_must_agree():
    with pytest.raises(VectorError, match="3 and 4 columns"):
        similarity(np.zeros((1, 3)), np.zeros((1, 4)), Precision.FLOAT32)


def test_unknown_precision():
    with pytest.raises(UnknownNameError, match=r"precision 'int4'.*'int8'"):
        Precision.parse("int4")
