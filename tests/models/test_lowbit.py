from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from romaine.arrays import FloatArray
from romaine.errors import OptionError, VectorError
from romaine.models.lowbit import from_4_bits, from_8_bits, groups_of, to_4_bits, to_8_bits


def table(rows: int, dim: int, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).standard_normal((rows, dim)).astype(np.float32)


def cosines(left: FloatArray, right: FloatArray) -> FloatArray:
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return np.asarray(np.einsum("ij,ij->i", left, right) / norms, dtype=np.float32)


@pytest.mark.parametrize("dim", [2, 10, 64, 66, 100, 256])
def test_what_each_width_keeps(dim: int) -> None:
    original = table(400, dim)
    assert cosines(original, from_8_bits(*to_8_bits(original))).mean() > 0.9999
    assert cosines(original, from_4_bits(*to_4_bits(original))).mean() > 0.995


def test_fitted_levels_keep_more_than_even_ones() -> None:
    original = table(400, 256)
    codes, scales, levels = to_4_bits(original)
    fitted = cosines(original, from_4_bits(codes, scales, levels)).mean()
    peaks = np.abs(original.reshape(400, 4, 64)).max(axis=2, keepdims=True)
    even = np.rint((original.reshape(400, 4, 64) / peaks + 1) * 7.5) / 7.5 - 1
    assert fitted > cosines(original, (even * peaks).reshape(400, 256).astype(np.float32)).mean() + 0.0005


def test_four_bits_cost_four_and_a_quarter() -> None:
    codes, scales, levels = to_4_bits(table(1000, 256))
    assert (codes.nbytes + scales.nbytes) * 8 / (1000 * 256) == 4.25
    assert (codes.dtype, scales.dtype, levels.dtype) == (np.uint8, np.float16, np.float32)
    assert scales.shape == (1000, groups_of(256))
    assert (np.diff(levels) >= 0).all()


def test_rows_of_zeros_and_of_very_different_sizes() -> None:
    original = table(40, 64)
    original[3] = 0
    original[4] *= 1000
    original[5] *= 0.01
    for restored in (from_8_bits(*to_8_bits(original)), from_4_bits(*to_4_bits(original))):
        assert np.linalg.norm(restored[3]) < 1e-2
        assert cosines(original[4:6], restored[4:6]).min() > 0.98


def test_a_table_of_zeros_stays_one() -> None:
    zeros = np.zeros((3, 8), dtype=np.float32)
    assert_array_equal(from_8_bits(*to_8_bits(zeros)), zeros)
    assert np.abs(from_4_bits(*to_4_bits(zeros))).max() < 1e-6


@given(st.integers(1, 600), st.sampled_from([2, 6, 64, 130]), st.integers(1, 3), st.booleans())
def test_unpacking_is_levels_times_scales(rows: int, dim: int, groups: int, high_first: bool) -> None:
    groups = min(groups, dim)
    rng = np.random.default_rng(rows * dim)
    nibbles = rng.integers(0, 16, (rows, dim), dtype=np.uint8)
    first, second = nibbles[:, 0::2], nibbles[:, 1::2]
    packed = (first << 4) | second if high_first else first | (second << 4)
    scales = rng.random((rows, groups)).astype(np.float32)
    levels = rng.standard_normal(16).astype(np.float32)
    spread = np.repeat(scales, -(-dim // groups), axis=1)[:, :dim]
    assert_array_equal(from_4_bits(packed, scales, levels, high_first=high_first), levels[nibbles] * spread)


def test_a_bundled_size_unpacks_fast() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 256, (30522, 256), dtype=np.uint8)
    scales, levels = rng.random((30522, 8)).astype(np.float16), np.linspace(-1, 1, 16)
    took = []
    for _ in range(5):
        start = time.perf_counter()
        from_4_bits(codes, scales, levels)
        took.append(time.perf_counter() - start)
    assert min(took) < 0.2, "15 to 25 ms on an idle machine"


def test_an_odd_dimension_has_no_four_bits() -> None:
    with pytest.raises(OptionError, match=r"even .* 7"):
        to_4_bits(table(3, 7))


@pytest.mark.parametrize("shape", [(3,), (4, 1), (3, 0), (3, 9)])
def test_scales_of_another_table_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(VectorError, match="do not belong"):
        from_8_bits(np.zeros((3, 8), dtype=np.int8), np.zeros(shape, dtype=np.float32))


def test_levels_are_sixteen() -> None:
    with pytest.raises(VectorError, match="16 levels"):
        from_4_bits(np.zeros((3, 8), dtype=np.uint8), np.ones((3, 1)), np.zeros(15))
